//go:build linux

package history

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/farm"
	"github.com/farmstate/farmstate/bench/proc"
)

// TestFlood lets 12 connections hammer one session through three nodes, so that it is thrown about. It must hurt nobody else: a quiet user's pages about
// another session, at each node in turn, come without an error and in time.
func TestFlood(t *testing.T) {
	t.Run("waiting", func(t *testing.T) { flood(t) })
	t.Run("polling", func(t *testing.T) { flood(t, "--lock-wait=0s") })
}

func flood(t *testing.T, args ...string) {
	f := startFarm(t, proc.FarmOptions{Links: proc.Ring(3), Args: args}, 2, 2, 2)
	r, err := farm.Flood(t.Context(), f, farm.FloodOptions{Conns: 12, Duration: 4 * time.Second, Pause: 5 * time.Millisecond, Seed: seeds(t)})
	if err != nil {
		t.Fatal(err)
	}
	p99 := r.Percentile(99)
	moves := float64(r.Moves) / r.Elapsed.Seconds()
	t.Logf("quiet user: %d pages, median %v, p99 %v, worst %v, %d times told to come again", len(r.Pages), r.Percentile(50), p99, r.Percentile(100), r.Again)
	t.Logf("flood: %.0f answers/s, %d of %d come again, %d refused; %.0f moves/s; %.2f processors",
		float64(r.Flood)/r.Elapsed.Seconds(), r.FloodAgain, r.Flood, r.FloodRefused, moves, r.CPU.Seconds()/r.Elapsed.Seconds())
	// bench/figures wants 20 ms and measures about 5; see docs/benchmarks.md. Tests of other packages run beside this one.
	if limit := 200 * time.Millisecond; p99 > limit {
		t.Errorf("99 of 100 of the quiet user's pages take up to %v, more than %v", p99, limit)
	}
	if r.Moves == 0 || r.Flood == 0 {
		t.Error("there was no flood")
	}
}
