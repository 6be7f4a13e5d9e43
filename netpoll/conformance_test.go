package netpoll

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/conformance"
)

// conform holds the transports to some of the cases, at the same time or one after the other. The options are those that the cases are written for.
func conform(t *testing.T, together bool, want func(c conformance.Case) bool) {
	cases := slices.DeleteFunc(conformance.Cases(), func(c conformance.Case) bool { return !want(c) })
	var running sync.WaitGroup
	for _, transport := range transportNames() {
		run := func() {
			t.Run(transport, func(t *testing.T) {
				s, _ := start(t, Options{Transport: transport, IdleTimeout: DefaultIdleTimeout}, engine.Options{LockWait: 400 * time.Millisecond})
				conformance.Run(t, s.Addr().String(), cases, conformance.Options{Slow: true})
			})
		}
		if together {
			running.Go(run)
		} else {
			run()
		}
	}
	running.Wait()
}

func tagged(c conformance.Case, tag string) bool { return slices.Contains(c.Tags, tag) }

// TestConformance holds both transports to docs/protocol.md, byte by byte.
func TestConformance(t *testing.T) {
	parallel(t)
	conform(t, true, func(c conformance.Case) bool { return !tagged(c, "timing") && !tagged(c, "slow") })
}

// TestConformanceTiming has the cases that measure milliseconds. It is not parallel: they want a quiet machine.
func TestConformanceTiming(t *testing.T) {
	conform(t, false, func(c conformance.Case) bool { return tagged(c, "timing") && !tagged(c, "slow") })
}

// TestConformanceSlow has the cases that wait for expiry and idle timeouts, a minute and a half.
func TestConformanceSlow(t *testing.T) {
	if testing.Short() && !*slow {
		t.Skip("takes a minute and a half; -slow asks for it")
	}
	t.Parallel()
	conform(t, true, func(c conformance.Case) bool { return tagged(c, "slow") })
}
