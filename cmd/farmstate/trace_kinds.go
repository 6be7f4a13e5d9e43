package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
)

// AfterApply refuses flags that would have no effect. It is called by kong.
func (t *traceCmd) AfterApply(ctx *kong.Context) error {
	for _, p := range ctx.Path {
		if f := p.Flag; f != nil && t.Out == "" && (f.Name == "rotate-size" || f.Name == "rotate-keep") {
			return fmt.Errorf("--%s is about the file of --out: give that, too", f.Name)
		}
	}
	for _, kind := range t.Kind {
		if err := checkKind(kind); err != nil {
			return err
		}
	}
	return nil
}

// checkKind refuses a name, or the beginning of one, that no event has: it would show nothing for ever.
func checkKind(kind string) error {
	all := event.Names()
	begin, many := strings.CutSuffix(kind, "*")
	if slices.ContainsFunc(all, func(name string) bool { return name == kind || many && strings.HasPrefix(name, begin) }) {
		return nil
	}
	var families []string // what events begin with
	for _, name := range all {
		first, _, _ := strings.Cut(name, "_")
		families = append(families, first+"_*")
	}
	families = slices.Compact(families)
	var near []string
	if many {
		all = families
	}
	if name := config.Near(kind, all); name != "" {
		near = append(near, name)
	}
	first, _, _ := strings.Cut(strings.TrimSuffix(kind, "*"), "_")
	if family := first + "_*"; slices.Contains(families, family) && !slices.Contains(near, family) {
		near = append(near, family)
	}
	said := ""
	if len(near) > 0 {
		said = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("--kind=%s is the name of no event%s (docs/operations.md lists them; with * at the end, those that begin so)", kind, said)
}
