package wire_test

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

var seedFlag = flag.Uint64("wire.seed", 0, "replay random tests with this seed")

// seeded returns a source of random numbers and makes a failing test print how to get the same ones.
func seeded(t *testing.T) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay with -wire.seed=%d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

func TestRandomDelivery(t *testing.T) {
	rnd := seeded(t)
	in := []byte("PUT " + target + " HTTP/1.1\r\nHost: stateserver\r\nTimeout: 20\r\nContent-Length: 7\r\n\r\n")
	for range 2000 {
		var r wire.Request
		for have, seen := 0, 0; ; {
			have = min(have+1+rnd.IntN(40), len(in))
			n, f := wire.ParseHead(in[:have], seen, &usual, &r)
			if have == len(in) {
				if n != len(in) || f != wire.OK || r.ContentLength != 7 {
					t.Fatalf("all bytes, seen %d: got %d, %v", seen, n, f)
				}
				break
			}
			if n != 0 || f != wire.Short {
				t.Fatalf("%d bytes, seen %d: got %d, %v", have, seen, n, f)
			}
			seen = rnd.IntN(have + 1) // a caller may remember less than it could
		}
	}
}

func TestSeenOutOfRange(t *testing.T) {
	in := []byte("GET /x HTTP/1.1\r\n\r\n")
	var r wire.Request
	for _, seen := range []int{-1, math.MinInt} {
		if n, f := wire.ParseHead(in, seen, &usual, &r); n != len(in) || f != wire.OK {
			t.Errorf("seen %d: got %d, %v", seen, n, f)
		}
	}
	if n, f := wire.ParseHead(in[:5], math.MaxInt, &usual, &r); n != 0 || f != wire.Short {
		t.Errorf("seen beyond the end: got %d, %v", n, f)
	}
}

// TestSeenIsNotLookedAtAgain puts forbidden bytes where an earlier call has looked. Who looked again would refuse; so the cost of a
// block that arrives byte by byte grows with its length, not with the square of it.
func TestSeenIsNotLookedAtAgain(t *testing.T) {
	in := []byte("PUT " + target + " HTTP/1.1\r\nHost: stateserver\r\nTimeout: 20\r\nContent-Length: 7\r\n\r\n")
	var r wire.Request
	for have := 1; have < len(in); have++ {
		for seen := 1; seen <= have; seen++ {
			spoilt := append([]byte(nil), in[:have]...)
			clear(spoilt[:max(0, seen-2)]) // a waiting CR and the byte before it decide whether an empty line begins
			if n, f := wire.ParseHead(spoilt, seen, &usual, &r); n != 0 || f != wire.Short {
				t.Fatalf("%d bytes, seen %d: got %d, %v", have, seen, n, f)
			}
		}
	}
}
