//go:build linux

package history

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/farm"
	"github.com/farmstate/farmstate/bench/proc"
)

// TestRollingRestart stops and starts each node of a farm while pages are run. No session may be lost, and none may be older than the last save of it that
// was acknowledged.
func TestRollingRestart(t *testing.T) {
	linked := []int{2, 2, 2}
	f := startFarm(t, proc.FarmOptions{Links: proc.Ring(3)}, linked...)
	r, err := farm.Rolling(t.Context(), f, farm.RollingOptions{
		Sessions: 3000, Workers: 8, Body: 1 << 10, Pause: 2 * time.Millisecond, Calm: 300 * time.Millisecond, Limit: 25 * time.Second, Linked: linked, Seed: seeds(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pages, the longest %v, %d requests repeated; stops took %v, with %d sessions", r.Pages, r.Worst, r.Retried, r.Stops, r.Handed)
	if r.Lost > 0 {
		t.Errorf("%d sessions are lost or old: %q", r.Lost, r.Examples)
	}
}
