package sim

import (
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
