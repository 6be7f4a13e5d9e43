package main

// configPrintCmd is farmstate config print.
type configPrintCmd struct {
	JSON    bool        `name:"json" help:"Write JSON."`
	Options optionFlags `embed:""`
}

// Run shows what farmstate serve would run with, given the same flags.
func (c *configPrintCmd) Run(a *app) error {
	cfg, err := c.Options.load(a.environ)
	if err != nil {
		return err
	}
	if c.JSON {
		return cfg.PrintJSON(a.stdout)
	}
	return cfg.Print(a.stdout)
}
