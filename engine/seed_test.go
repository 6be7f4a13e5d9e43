package engine

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var (
	seedFlag  = flag.Uint64("engine.seed", 0, "replay the random tests with this seed; 0 picks one")
	timesFlag = flag.Int("engine.times", 1, "run the random tests so many times as long")
)

// firstSeed returns the seed of a random test's first run and the number of runs: one if a seed was asked for. Run i uses the seed plus i.
func firstSeed(runs int) (seed uint64, n int) {
	if *seedFlag != 0 {
		return *seedFlag, 1
	}
	return rand.Uint64(), runs * *timesFlag
}

// random returns a generator whose seed is printed, so that a failure can be replayed with -engine.seed.
func random(tb testing.TB, seed uint64) *rand.Rand {
	tb.Helper()
	tb.Logf("replay with -engine.seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
