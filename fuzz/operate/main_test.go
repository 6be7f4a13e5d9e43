//go:build unix

package operate

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/farmstate/farmstate/bench/proc"
)

var programFlag = flag.String("operate.program", "", "test this farmstate instead of building one")

var (
	program   string // the path of farmstate
	tokenFile string // where all nodes find adminToken
)

// adminToken is the token of the admin pages of all nodes.
const adminToken = "the-admin-token-of-these-tests"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "farmstate-operate-")
	if err == nil {
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
		tokenFile = filepath.Join(dir, "token")
		err = os.WriteFile(tokenFile, []byte(adminToken+"\n"), 0o600)
	}
	if program = *programFlag; err == nil && program == "" {
		program = filepath.Join(dir, "farmstate")
		err = proc.Build(context.Background(), program, "cmd/farmstate")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
