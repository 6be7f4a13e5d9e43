package netpoll

import (
	"math"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// TestLatencyBuckets: every duration lies in the bucket whose bounds are around it, and the buckets are those that Prometheus has.
func TestLatencyBuckets(t *testing.T) {
	if len(latencyBuckets) != numLatencyBuckets {
		t.Fatalf("%d buckets, and room for %d", len(latencyBuckets), numLatencyBuckets)
	}
	if len(latencySteps) != numLatencyBuckets-(latencyHigh-latencyLow+1) {
		t.Fatalf("%d round numbers", len(latencySteps))
	}
	inside := func(ns int64) {
		t.Helper()
		i := latencyIndex(ns)
		b, s := latencyBuckets[i], float64(ns)/1e9
		if s > b.bound && i < len(latencyBuckets)-1 || i > 0 && s <= latencyBuckets[i-1].bound {
			t.Errorf("%d ns lies in bucket %d, which ends at %g s", ns, i, b.bound)
		}
		// The definition of a native bucket, https://prometheus.io/docs/specs/native_histograms/: (2^((n-1)/8), 2^(n/8)].
		if native := int(math.Ceil(8 * math.Log2(s))); ns > 1000 && ns < 300e9 && native != b.native {
			t.Errorf("%d ns lies in the native bucket %d, want %d", ns, b.native, native)
		}
	}
	for _, b := range latencyBuckets[:len(latencyBuckets)-1] {
		inside(b.upTo - 1)
		inside(b.upTo)
		inside(b.upTo + 1)
	}
	r := random(t)
	for range 100_000 {
		inside(int64(math.Exp2(63 * r.Float64())))
	}
	for ns, want := range map[int64]int{math.MinInt64: 0, -1: 0, 0: 0, 953: 0, 954: 1, math.MaxInt64: numLatencyBuckets - 1} {
		if got := latencyIndex(ns); got != want {
			t.Errorf("%d ns lies in bucket %d, want %d", ns, got, want)
		}
	}
}

// TestHistogram: what is said of durations is true of them.
func TestHistogram(t *testing.T) {
	var l latencies
	for i := range int64(1000) {
		l.add(engine.Get, straight, (i+1)*1e6, 1)
	}
	l.add(engine.Set, waited, int64(time.Hour), 2)
	s := &Server{latencies: []*latencies{&l, new(latencies)}}
	before := s.latency()
	h := before.Of(engine.Get, false)
	if h.Count != 1000 || h.Sum != 500500*time.Millisecond || h.Mean() != 500500*time.Microsecond {
		t.Errorf("%d durations of %v, %v each", h.Count, h.Sum, h.Mean())
	}
	for p, want := range map[float64]time.Duration{-1: time.Millisecond, 0: time.Millisecond, 0.5: 500 * time.Millisecond, 0.9: 900 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second, 2: time.Second} {
		if got := h.Quantile(p); math.Abs(float64(got-want)) > 0.09*float64(want) {
			t.Errorf("quantile %v is %v, want about %v", p, got, want)
		}
	}
	want := map[float64]uint64{0.00001: 0, 0.001: 1, 0.0025: 2, 0.25: 250, 0.5: 500, 1: 1000, 60: 1000}
	for i, step := range h.Steps() {
		if step.Bound != latencySteps[i].Seconds() {
			t.Errorf("step %d is %v s", i, step.Bound)
		}
		if n, ok := want[step.Bound]; ok && step.Count != n {
			t.Errorf("%d durations of at most %v s, want %d", step.Count, step.Bound, n)
		}
	}
	long := before.Of(engine.Set, true)
	if got := long.Quantile(0.5); long.Count != 2 || long.Sum != 2*time.Hour || got < 270*time.Second || got > 305*time.Second {
		t.Errorf("two hours are %+v, half of them at most %v", long, got)
	}
	if all := before.All(); all.Count != 1002 || all.Sum != h.Sum+long.Sum {
		t.Errorf("all are %d, %v", all.Count, all.Sum)
	}

	l.add(engine.Get, straight, 5e3, 3)
	after := s.latency()
	since := after.Sub(before)
	if got := since.All(); got.Count != 3 || got.Sum != 15*time.Microsecond || got.Quantile(1) > 6*time.Microsecond {
		t.Errorf("since then there were %d of %v, at most %v", got.Count, got.Sum, got.Quantile(1))
	}
	if since.Of(engine.Leave, true).Count != 0 || (Histogram{}).Quantile(0.5) != 0 || (Histogram{}).Mean() != 0 || len((Histogram{}).Steps()) != len(latencySteps) {
		t.Error("what is empty is not")
	}
}

// TestLatency: each answered request is counted once, with its operation, from its first byte to its answer.
func TestLatency(t *testing.T) {
	s, _ := fakeServer(t, Options{}, engine.Options{LockWait: longWait})
	l := newLane(s, 0)
	c, f := fakeConn(t, s, l)
	want := map[engine.Op][numWays]int64{}
	check := func(what string, op engine.Op, n, waiting int64, atLeast time.Duration) {
		t.Helper()
		w := want[op]
		w[straight] += n
		w[waited] += waiting
		want[op] = w
		got := s.Stats().Latency
		for _, op := range TimedOps() {
			for way, n := range want[op] {
				if h := got.Of(op, way == waited); h.Count != n {
					t.Errorf("%s: %d of %v, waiting %v, want %d", what, h.Count, op, way == waited, n)
				}
			}
		}
		if h := got.Of(op, waiting > 0); h.Sum < atLeast || h.Sum > atLeast+patience {
			t.Errorf("%s: %v of %v, want at least %v", what, h.Sum, op, atLeast)
		}
	}
	const age = 50 * time.Millisecond
	earlier := func(c *conn) {
		if c.began == 0 {
			t.Fatal("no request is under way")
		}
		c.began -= int64(age)
	}

	f.handle(putReq("/a", []byte("x")))
	check("a save", engine.Set, 1, 0, 0)
	f.handle(getReq("/a"))
	check("a read", engine.Get, 1, 0, 0)
	f.handle(headReq("/a"))
	check("a touch", engine.Touch, 1, 0, 0)
	f.handle(deleteReq("/none"))
	check("a removal", engine.Remove, 1, 0, 0)
	f.handle(nil)
	check("nothing", engine.Get, 0, 0, 0)

	split := getReq("/a")
	f.handle(split[:10])
	check("half a request", engine.Get, 0, 0, 0)
	earlier(c)
	f.handle(append(append(split[10:], getReq("/a")...), getReq("/a")...))
	check("three, the first in two pieces", engine.Get, 3, 0, age)
	if sum := s.Stats().Latency.Of(engine.Get, false).Sum; sum >= 2*age {
		t.Errorf("all three have the age of the first: %v", sum)
	}

	big := putReq("/big", make([]byte, 2*wholeBody))
	f.handle(big[:wholeBody])
	earlier(c)
	f.handle(big[wholeBody:])
	check("a large save", engine.Set, 1, 0, age)

	// A request that waits for a lock; what stands behind it begins after it.
	f.handle(acquireReq("/a"))
	check("an acquire", engine.Acquire, 1, 0, 0)
	cookie := c.ticket.Out.Cookie
	other, g := fakeConn(t, s, l)
	g.handle(append(acquireReq("/a"), getReq("/none")...))
	check("one that waits", engine.Acquire, 0, 0, 0)
	earlier(other)
	straightReads := s.Stats().Latency.Of(engine.Get, false).Sum
	f.handle(releaseReq("/a", cookie))
	want[engine.Get] = [numWays]int64{want[engine.Get][straight] + 1, 0}
	want[engine.Release] = [numWays]int64{1, 0}
	check("it has waited", engine.Acquire, 0, 1, age)
	if sum := s.Stats().Latency.Of(engine.Get, false).Sum - straightReads; sum >= age {
		t.Errorf("what stood behind it has waited with it: %v", sum)
	}

	f.failWrites = true
	f.handle(getReq("/a"))
	check("one whose client has gone", engine.Get, 0, 0, 0)
	g.handle([]byte("nonsense\r\n\r\n"))
	check("nonsense", engine.Get, 0, 0, 0)
}

// TestLatencyOnSockets: the same over each transport, with as many rows as there are loops.
func TestLatencyOnSockets(t *testing.T) {
	parallel(t)
	overLoops(t, func(t *testing.T, opt Options) {
		s, _ := start(t, opt, engine.Options{})
		for range 5 {
			c := dial(t, s)
			for range 4 {
				ask(t, c, getReq("/none"), wire.StatusNotFound)
			}
		}
		// The answer is there a moment before it has been counted.
		eventually(t, "all are counted", func() bool { return s.Stats().Latency.Of(engine.Get, false).Count == 20 })
		if h := s.Stats().Latency.All(); h.Count != 20 || h.Sum <= 0 || h.Quantile(0.5) <= 0 || h.Quantile(0.5) > patience {
			t.Errorf("%d requests took %v, half of them at most %v", h.Count, h.Sum, h.Quantile(0.5))
		}
	})
}
