package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// configCheckCmd is farmstate config check.
type configCheckCmd struct {
	File string `arg:"" help:"Configuration file (TOML)."`
	JSON bool   `name:"json" help:"Write one JSON object, with what is wrong in it."`
}

// Help is shown below the summary of the command.
func (*configCheckCmd) Help() string {
	return "What is wrong is an error, a line each. What is accepted but should not stay is a warning on standard error. " +
		"Flags and environment are left out; the files that peer_secret_file and snapshot_key_file name are read."
}

// checkReport is what config check finds, for programs.
type checkReport struct {
	File        string   `json:"file"`
	OK          bool     `json:"ok"` // it is accepted
	Errors      []string `json:"errors"`
	Warnings    []string `json:"warnings"`
	Settings    int      `json:"settings"` // how many options it sets
	Aliases     int      `json:"aliases"`
	LegacyPeers int      `json:"legacy_peers"`
}

// Run judges the file by itself: what flags and environment would say is left
// out.
func (c *configCheckCmd) Run(a *app) error {
	cfg, err := c.check()
	if c.JSON {
		return c.report(a, cfg, err)
	}
	if err != nil {
		return err
	}
	for _, warning := range cfg.Warnings {
		_, _ = fmt.Fprintln(a.stderr, "farmstate: warning: "+warning) // Where would its failure be reported?
	}
	_, err = fmt.Fprintf(a.stdout, "%s: ok (%s)\n", c.File, cfg.Summary())
	return err
}

// report writes the result as JSON. Errors are a part of it, so that standard error is left to what keeps it from being written.
func (c *configCheckCmd) report(a *app, cfg *config.Config, err error) error {
	r := checkReport{File: c.File, OK: err == nil, Errors: []string{}, Warnings: []string{}}
	if err != nil {
		r.Errors = strings.Split(err.Error(), "\n")
		return cmp.Or(writeJSON(a.stdout, r), usageError(errQuiet))
	}
	r.Warnings = append(r.Warnings, cfg.Warnings...)
	for i := range config.Table {
		if cfg.IsSet(config.Table[i].Name) {
			r.Settings++
		}
	}
	r.Aliases, r.LegacyPeers = len(cfg.Aliases), len(cfg.LegacyPeers)
	return writeJSON(a.stdout, r)
}

// check reads the file, and the files that it names.
func (c *configCheckCmd) check() (*config.Config, error) {
	cfg, err := config.Load(config.Inputs{File: c.File})
	if err != nil {
		return nil, usageError(err)
	}
	for _, secret := range []struct{ option, file string }{{"peer_secret_file", cfg.PeerSecretFile}, {"snapshot_key_file", cfg.SnapshotKeyFile}} {
		if secret.file == "" {
			continue
		}
		_, warning, err := config.ReadSecret(secret.file)
		if err != nil {
			return nil, usageError(cfg.OfFile(secret.option, err))
		}
		if warning != "" {
			cfg.Warnings = append(cfg.Warnings, cfg.Place(secret.option)+": "+warning)
		}
	}
	return cfg, nil
}
