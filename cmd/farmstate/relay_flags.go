package main

import (
	"fmt"

	"github.com/alecthomas/kong"
)

// AfterApply refuses flags that would have no effect: with one target nothing is chosen, so none is probed. It is called by kong.
func (c *relayRunCmd) AfterApply(ctx *kong.Context) error {
	for _, p := range ctx.Path {
		if f := p.Flag; f != nil && len(c.Target) == 1 && (f.Name == "warm-up" || f.Name == "probe") {
			return fmt.Errorf("--%s is about several targets: give --target more than once, or leave it out", f.Name)
		}
	}
	return nil
}
