package appkey

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var seedFlag = flag.Uint64("appkey.seed", 0, "replay the random tests with this seed; 0 picks one")

// random returns a generator whose seed is printed, so that a failure can be replayed with -appkey.seed.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -appkey.seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
