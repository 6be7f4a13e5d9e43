package main

import (
	"fmt"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/p2pconfig"
)

// configImportCmd is farmstate config import.
type configImportCmd struct {
	File string `arg:"" help:"Configuration of a peer-to-peer state server (XML), such as ConsoleServer.exe.config."`
	JSON bool   `name:"json" help:"Write one JSON object, which has the configuration as a text."`
}

// Help is shown below the summary of the command.
func (*configImportCmd) Help() string {
	return "The configuration file of farmstate (TOML) goes to standard output, with a comment for each setting that says what it came from; " +
		"it holds the password of the peers if they authenticate. What the file has beside the settings is named on standard error. " +
		"docs/migration-p2p.md has the steps and the table of settings."
}

// importReport is what config import makes, for programs.
type importReport struct {
	File          string   `json:"file"`
	Configuration string   `json:"configuration"` // the file of farmstate (TOML)
	Notes         []string `json:"notes"`         // what is left out
}

// Run writes nothing to standard output unless all of the file is understood.
func (c *configImportCmd) Run(a *app) error {
	data, err := config.ReadFile(c.File)
	if err != nil {
		return usageError(err)
	}
	original, err := p2pconfig.Read(c.File, data)
	if err != nil {
		return usageError(err)
	}
	if c.JSON {
		return writeJSON(a.stdout, importReport{c.File, string(original.AppendTOML(nil)), append([]string{}, original.Notes...)})
	}
	for _, note := range original.Notes {
		_, _ = fmt.Fprintln(a.stderr, "farmstate: "+note) // Where would its failure be reported?
	}
	_, err = a.stdout.Write(original.AppendTOML(nil))
	return err
}
