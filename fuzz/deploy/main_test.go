//go:build linux

package deploy

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/farmstate/farmstate/bench/proc"
)

var (
	programFlag = flag.String("deploy.program", "", "test this farmstate instead of building one")
	seedFlag    = flag.Uint64("deploy.seed", 0, "seed of the random choices; 0 takes a new one")
)

// program is the path of farmstate.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "farmstate-deploy-")
	if err == nil {
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
		tokenFile = filepath.Join(dir, "token")
		if err = os.WriteFile(tokenFile, []byte(adminToken), 0o600); err != nil {
			return fail(err)
		}
		if program = *programFlag; program == "" {
			program = filepath.Join(dir, "farmstate")
			err = proc.Build(context.Background(), program, "cmd/farmstate")
		}
	}
	if err != nil {
		return fail(err)
	}
	return m.Run()
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// adminToken is the token of the admin pages of all nodes, and tokenFile where they find it.
const adminToken = "the-admin-token-of-the-tests"

var tokenFile string

// seeded is the source of a test's random choices.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d; replay with -deploy.seed=%d", seed, seed)
	return rand.New(rand.NewPCG(seed, 0))
}
