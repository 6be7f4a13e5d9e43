//go:build linux

package chaos

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/proc"
)

var (
	seedFlag     = flag.Uint64("chaos.seed", 0, "seed of the random choices; 0 takes a new one")
	killsFlag    = flag.Int("chaos.kills", 3, "how often TestKill kills a node")
	sessionsFlag = flag.Int("chaos.sessions", 3000, "how many sessions TestRollingKill has")
	longFlag     = flag.Bool("chaos.long", false, "take the time that all cases need")
	programFlag  = flag.String("chaos.program", "", "test this farmstate instead of building one")
	logFlag      = flag.String("chaos.log", "info", "log level of the nodes")
	keepFlag     = flag.String("chaos.keep", "", "folder in which the logs of the nodes are kept")
)

// program is the path of farmstate.
var program string

// inNamespace names the variable that tells this program that it has been started again, in a network namespace of its own.
const inNamespace = "CHAOS_NAMESPACE"

func TestMain(m *testing.M) {
	flag.Parse()
	if !isSet("test.parallel") && raceFactor == 1 { // most of what is run in parallel waits
		if err := flag.Set("test.parallel", "12"); err != nil {
			os.Exit(fail(err))
		}
	}
	os.Exit(run(m))
}

// isSet reports whether a flag was given.
func isSet(name string) (found bool) {
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "farmstate-chaos-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	if err := giveToken(dir); err != nil {
		return fail(err)
	}
	if program = *programFlag; program == "" {
		program = filepath.Join(dir, "farmstate")
		if err := build(program); err != nil {
			return fail(err)
		}
	}
	return m.Run()
}

// adminToken is the token of the admin pages of all nodes.
const adminToken = "the-admin-token-of-the-tests"

// giveToken gives it to the nodes that are started from here.
func giveToken(dir string) error {
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte(adminToken), 0o600); err != nil {
		return err
	}
	return os.Setenv("FARMSTATE_ADMIN_TOKEN_FILE", file)
}

// build compiles farmstate as this test was compiled.
func build(path string) error {
	args := append([]string{"build", "-o", path}, raceFlags...)
	if out, err := exec.CommandContext(context.Background(), "go", append(args, proc.Module+"/cmd/farmstate")...).CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// seeds is the seed of a test that takes one.
func seeds(t *testing.T) uint64 {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d; replay with -chaos.seed=%d", seed, seed)
	return seed
}

// long is a number of something: the first in the short form, the second in the long one.
func long[T any](short, all T) T {
	if *longFlag {
		return all
	}
	return short
}

// pass waits for d, where that is what a test is about, and reports whether ctx goes on.
func pass(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
