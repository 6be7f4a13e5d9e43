package main

import (
	"fmt"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// configCheckCmd is farmstate config check.
type configCheckCmd struct {
	File string `arg:"" help:"Configuration file (TOML)."`
}

// Help is shown below the summary of the command.
func (*configCheckCmd) Help() string {
	return "What is wrong is an error, a line each. What is accepted but should not stay is a warning on standard error. " +
		"Flags and environment are left out; the files that peer_secret_file and snapshot_key_file name are read."
}

// Run judges the file by itself: what flags and environment would say is left
// out.
func (c *configCheckCmd) Run(a *app) error {
	cfg, err := config.Load(config.Inputs{File: c.File})
	if err != nil {
		return usageError(err)
	}
	for _, secret := range []struct{ option, file string }{{"peer_secret_file", cfg.PeerSecretFile}, {"snapshot_key_file", cfg.SnapshotKeyFile}} {
		if secret.file == "" {
			continue
		}
		_, warning, err := config.ReadSecret(secret.file)
		if err != nil {
			return usageError(fmt.Errorf("%s: %w", cfg.Place(secret.option), err))
		}
		if warning != "" {
			cfg.Warnings = append(cfg.Warnings, cfg.Place(secret.option)+": "+warning)
		}
	}
	for _, warning := range cfg.Warnings {
		_, _ = fmt.Fprintln(a.stderr, "farmstate: warning: "+warning) // Where would its failure be reported?
	}
	_, err = fmt.Fprintf(a.stdout, "%s: ok (%s)\n", c.File, cfg.Summary())
	return err
}
