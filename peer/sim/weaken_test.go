package sim

import (
	"strings"
	"testing"

	"github.com/farmstate/farmstate/peer/core"
)

// TestWeakened holds the simulator to finding what goes wrong when a rule is switched off.
func TestWeakened(t *testing.T) {
	for _, c := range []struct {
		name    string
		weaken  core.Weakness
		atMost  uint64
		because string
	}{
		{"no generations", core.NoGenerationCheck, 300, "an acknowledgement that is late counts for another move"},
		{"no ranks", core.NoRank, 50, "two nodes create the same session"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := uint64(1); seed <= c.atMost; seed++ {
				opt := Random(seed)
				opt.Weaken = c.weaken
				if r := Run(opt); r.Err != nil {
					t.Logf("found with seed %d: %v", seed, r.Err)
					return
				}
			}
			t.Errorf("%d seeds find nothing wrong, although %s", c.atMost, c.because)
		})
	}
}

// TestWeakenedCopies holds the simulator of farms with copies to the same.
func TestWeakenedCopies(t *testing.T) {
	for _, c := range []struct {
		name    string
		weaken  core.Weakness
		atMost  uint64
		sharpen func(o *MeshOptions)
		because string
	}{
		{"no epochs", core.NoEpoch, 300, freezing, "a node that was frozen has states that are as good as those of the node that has taken over"},
		{"no leases", core.NoLease, 300, freezing, "a node that was frozen answers with what it had"},
		{"no tombstones", core.NoTombs, 300, removing, "a session that was removed while a node was away comes back from it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := uint64(1); seed <= c.atMost; seed++ {
				opt := RandomMesh(seed)
				opt.Weaken = c.weaken
				c.sharpen(&opt)
				if r := RunMesh(opt); r.Err != nil && !strings.Contains(r.Err.Error(), ": 4 ") { // not just that it does not come to rest
					t.Logf("found with seed %d: %v", seed, r.Err)
					return
				}
			}
			t.Errorf("%d seeds find nothing wrong, although %s", c.atMost, c.because)
		})
	}
}

// freezing makes a farm one in which nodes freeze all the time.
func freezing(o *MeshOptions) {
	o.Copies, o.Ack, o.Freezes, o.Crashes, o.Minutes, o.Pauses, o.Keys, o.Clients = 2, core.AckAll, 6, 0, 20, false, 1, 4
	o.BusyUntil, o.Wild = 40e9, false
}

// removing makes a farm one in which sessions are removed while nodes are away that have copies, and their owners end then.
func removing(o *MeshOptions) {
	freezing(o)
	o.Copies, o.Nodes, o.Crashes, o.Removals = 3, 5, 3, 40
}

// TestSharpened is the other half of TestWeakenedCopies: with all rules in force the same farms have nothing wrong.
func TestSharpened(t *testing.T) {
	from, n := seeds(100)
	for name, sharpen := range map[string]func(*MeshOptions){"freezing": freezing, "removing": removing} {
		t.Run(name, func(t *testing.T) {
			for seed := from; seed < from+uint64(n); seed++ {
				opt := RandomMesh(seed)
				sharpen(&opt)
				if r := RunMesh(opt); r.Err != nil {
					t.Errorf("seed %d: %v", seed, r.Err)
				}
			}
		})
	}
}
