//go:build !windows

package main

import (
	"errors"
	"runtime"
)

// isService reports whether the service manager of Windows has started this process.
func isService() bool { return false }

func (*serveCmd) runService(*app) error { return errNoService() }

// errNoService says what there is instead.
func errNoService() error {
	instead := "let the system's own service manager run farmstate serve"
	if runtime.GOOS == "linux" {
		instead = "here systemd runs it: the packages bring farmstate.service (systemctl enable --now farmstate), and docs/install.md shows it"
	}
	return usageError(errors.New("farmstate service is for Windows; " + instead))
}

// Run says that there is no such service here.
func (*serviceInstallCmd) Run(*app) error { return errNoService() }

// Run says that there is no such service here.
func (*serviceRemoveCmd) Run(*app) error { return errNoService() }

// Run says that there is no such service here.
func (*serviceStartCmd) Run(*app) error { return errNoService() }

// Run says that there is no such service here.
func (*serviceStopCmd) Run(*app) error { return errNoService() }

// Run says that there is no such service here.
func (*serviceStatusCmd) Run(*app) error { return errNoService() }
