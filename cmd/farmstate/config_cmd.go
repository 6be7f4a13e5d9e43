package main

// configCmd is farmstate config.
type configCmd struct {
	Check  configCheckCmd  `cmd:"" help:"Check a configuration file and report everything that is wrong with it."`
	Print  configPrintCmd  `cmd:"" help:"Show the effective configuration, and where each value comes from."`
	Import configImportCmd `cmd:"" help:"Write the configuration of a peer-to-peer state server as one of farmstate."`
}
