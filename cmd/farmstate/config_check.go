package main

import (
	"fmt"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// configCheckCmd is farmstate config check.
type configCheckCmd struct {
	File string `arg:"" help:"Configuration file (TOML)."`
}

// Run judges the file by itself: what flags and environment would say is left
// out.
func (c *configCheckCmd) Run(a *app) error {
	cfg, err := config.Load(config.Inputs{File: c.File})
	if err != nil {
		return usageError(err)
	}
	_, err = fmt.Fprintf(a.stdout, "%s: ok (%s)\n", c.File, cfg.Summary())
	return err
}
