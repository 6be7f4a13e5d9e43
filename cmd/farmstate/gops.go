package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/gops/agent"
)

// startGops starts the gops agent on a free loopback port and returns its
// address. The agent's own handling of signals stays off: it would end the
// process in the middle of a graceful stop. Call agent.Close to stop it.
func startGops() (addr string, err error) {
	dir, err := gopsDir()
	if err != nil {
		return "", err
	}
	if err := agent.Listen(agent.Options{Addr: "127.0.0.1:0", ConfigDir: dir, ShutdownCleanup: false}); err != nil {
		return "", err
	}
	return gopsAddr(dir), nil
}

// gopsDir is where the gops command looks for agents. The agent would find it
// by itself; we have to know it too, since the port file in it is the only
// place where the agent tells its port.
func gopsDir() (string, error) {
	if dir := os.Getenv("GOPS_CONFIG_DIR"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("%w; set GOPS_CONFIG_DIR to a directory for the agent's port file", err)
	}
	return filepath.Join(dir, "gops"), nil
}

// gopsAddr reads the agent's port file. The agent goes on without one on a
// read-only system; its address is not known then.
func gopsAddr(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(os.Getpid())))
	if err != nil {
		return "unknown"
	}
	return net.JoinHostPort("127.0.0.1", strings.TrimSpace(string(text)))
}
