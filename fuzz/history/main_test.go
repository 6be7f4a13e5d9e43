//go:build linux

package history

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/proc"
)

var (
	seedFlag = flag.Uint64("history.seed", 0, "seed of the random choices; 0 takes a new one")
	timeFlag = flag.Duration("history.time", 12*time.Second, "for how long TestHistory lets clients work, in all")
)

// program is the path of farmstate.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "farmstate-history-")
	if err == nil {
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
		program = filepath.Join(dir, "farmstate")
		err = proc.Build(context.Background(), program, "cmd/farmstate")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// seeds is the seed of a test that takes one.
func seeds(t *testing.T) uint64 {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d; replay with -history.seed=%d", seed, seed)
	return seed
}

// startFarm starts a farm that is ended with the test, and waits until each node has links to so many others.
func startFarm(t *testing.T, o proc.FarmOptions, linked ...int) *proc.Farm {
	t.Helper()
	o.Program, o.Dir = program, t.TempDir()
	f, err := proc.NewFarm(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	t.Cleanup(func() {
		if t.Failed() {
			for i, n := range f.Nodes {
				t.Logf("node %d said:\n%s", i, n.Said())
			}
		}
		if err := f.Kill(); err != nil {
			t.Error(err)
		}
	})
	if err := f.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.Linked(ctx, linked...); err != nil {
		t.Fatal(err)
	}
	return f
}
