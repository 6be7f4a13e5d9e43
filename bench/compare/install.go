package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// packages are what apt-get knows the other servers by, with the program of each.
var packages = []struct{ name, program string }{
	{"redis-server", "redis-server"},
	{"memcached", "memcached"},
}

// install installs the servers that are missing.
func install(ctx context.Context, log io.Writer) error {
	var missing []string
	for _, p := range packages {
		if _, err := exec.LookPath(p.program); err != nil {
			missing = append(missing, p.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return errors.New("there is no apt-get here; install Redis and memcached by other means")
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("only root may install %v", missing)
	}
	args := append([]string{"install", "--yes", "--no-install-recommends"}, missing...)
	if err := runApt(ctx, log, apt, args); err == nil {
		return nil
	}
	// The lists of packages may be old, or have been removed to make an image small.
	if err := runApt(ctx, log, apt, []string{"update"}); err != nil {
		return err
	}
	return runApt(ctx, log, apt, args)
}

func runApt(ctx context.Context, log io.Writer, apt string, args []string) error {
	cmd := exec.CommandContext(ctx, apt, args...)
	// RUNLEVEL=1 keeps the packages from starting their servers on the usual ports.
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	cmd.Stdout, cmd.Stderr = log, log
	return cmd.Run()
}
