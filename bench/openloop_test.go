package bench

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// inBubble makes cfg talk to f over pipes, so that both live on the fake clock of a synctest bubble.
func inBubble(cfg LoadConfig, f *fakeServer) LoadConfig {
	cfg.Targets = []string{"fake:1"}
	cfg.fine = plainSleeper{}
	cfg.Dial = func(context.Context, string) (net.Conn, error) {
		here, there := net.Pipe()
		go f.serve(there) // ends when the load generator closes its side
		return here, nil
	}
	return cfg
}

func mustLoad(t *testing.T, cfg LoadConfig) *LoadResult {
	t.Helper()
	res, err := Load(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// A server that stalls for 55 ms at 100 pages a second makes six pages slow: the one it stalled on, and the five that became
// due meanwhile. Were latency counted from when a page begins, it would be one.
func TestStallMakesDuePagesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.before = func(n int, _ *wire.Request) {
			if n == 20 {
				sleep(t.Context(), 55*time.Millisecond)
			}
		}
		res := mustLoad(t, inBubble(LoadConfig{Conns: 1, Rate: 100, Duration: time.Second, Mode: ModePut}, f))
		all := res.Pages[len(res.Pages)-1]
		if all.Count != 100 {
			t.Errorf("%d pages ran; 100 were due", all.Count)
		}
		if res.OpenLoop.PagesLate != 5 || res.OpenLoop.PagesUnbegun != 0 {
			t.Errorf("%d pages began late and %d never; want 5 and 0", res.OpenLoop.PagesLate, res.OpenLoop.PagesUnbegun)
		}
		// The page that began latest was due 10 ms into the stall.
		if late := res.OpenLoop.MaxLateUS; late != 45_000 {
			t.Errorf("the latest page began %v us after it was due; want 45000", late)
		}
		near(t, "longest page", all.Max, 55_000)
		near(t, "p90", all.P90, 0) // 94 of 100 pages met no stall
		near(t, "p99", all.P99, 45_000)
		near(t, "mean", all.Mean, (55_000+45_000+35_000+25_000+15_000+5_000)/100)
	})
}

// With a second connection only the page that the server stalled on is slow.
func TestStallOfOneConnectionIsWorkedAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.before = func(n int, _ *wire.Request) {
			if n == 20 {
				sleep(t.Context(), 55*time.Millisecond)
			}
		}
		res := mustLoad(t, inBubble(LoadConfig{Conns: 2, Rate: 100, Duration: time.Second, Mode: ModePut}, f))
		if res.OpenLoop.PagesLate != 0 {
			t.Errorf("%d pages began late; want none", res.OpenLoop.PagesLate)
		}
		near(t, "longest page", res.Pages[len(res.Pages)-1].Max, 55_000)
	})
}

// A rate that the server cannot bear leaves a backlog: it is driven for a while after the end, and then reported.
func TestOverloadIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.before = func(int, *wire.Request) { sleep(t.Context(), 100*time.Millisecond) } // ten pages a second
		res := mustLoad(t, inBubble(LoadConfig{Conns: 1, Rate: 100, Duration: 10 * time.Second, Mode: ModePut}, f))
		done := res.Pages[len(res.Pages)-1].Count
		if want := int64(10 * (10 + graceAfterEnd/time.Second)); done != want {
			t.Errorf("%d pages ran; want %d", done, want)
		}
		if got := res.OpenLoop.PagesUnbegun; got != 1000-done {
			t.Errorf("%d pages unbegun; want %d", got, 1000-done)
		}
		if got := res.OpenLoop.PagesLate; got != done-1 {
			t.Errorf("%d pages late; want all but the first, %d", got, done-1)
		}
	})
}

func TestPacerHandsOutEachPageOnce(t *testing.T) {
	for _, test := range []struct {
		name  string
		rate  float64
		d     time.Duration
		pages int64
		want  int64
	}{
		{"rate and time", 300, time.Second, 0, 300},
		{"rate that does not divide a second", 7, 3 * time.Second, 0, 21},
		{"less than one a second", 0.5, 5 * time.Second, 0, 3}, // at 0, 2 and 4 s
		{"rate and pages", 1000, 0, 250, 250},
		{"rate, pages come first", 1000, time.Hour, 250, 250},
		{"rate, time comes first", 1000, 100 * time.Millisecond, 250, 100},
		{"closed loop, pages", 0, time.Hour, 250, 250},
		{"closed loop, time", 0, 100 * time.Millisecond, 0, 3 * 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPacer(test.rate, test.d, test.pages, plainSleeper{})
				var mu sync.Mutex
				seen := make(map[int64]bool)
				var all sync.WaitGroup
				for range 3 {
					all.Go(func() {
						for {
							n, due, ok := p.next(t.Context())
							if !ok {
								return
							}
							if test.rate > 0 && !due.Equal(time.Now()) {
								t.Errorf("page %d: handed out %v late", n, time.Since(due))
							}
							mu.Lock()
							if seen[n] {
								t.Errorf("page %d: handed out twice", n)
							}
							seen[n] = true
							mu.Unlock()
							if test.rate == 0 {
								sleep(t.Context(), time.Millisecond)
							}
						}
					})
				}
				all.Wait()
				if int64(len(seen)) != test.want || !seen[0] || !seen[test.want-1] {
					t.Errorf("%d pages handed out; want pages 0 to %d", len(seen), test.want-1)
				}
				if n := p.unstarted(time.Now()); n != 0 {
					t.Errorf("%d pages left over; want none", n)
				}
			})
		})
	}
}

func TestPacerStopsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		p := newPacer(1, 0, 0, plainSleeper{})
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for {
					if _, _, ok := p.next(ctx); !ok {
						return
					}
				}
			})
		}
		all.Wait()
		if got := time.Since(p.start); got != 2500*time.Millisecond {
			t.Errorf("stopped after %v; want 2.5s", got)
		}
		if n := p.issued.Load(); n != 3 {
			t.Errorf("%d pages handed out; want those of 0, 1 and 2 s", n)
		}
	})
}

// The kernel's timer must be at least as good as the runtime's, and must never be early.
func TestSleeper(t *testing.T) {
	s := newSleeper()
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	for _, d := range []time.Duration{1, time.Microsecond, 200 * time.Microsecond, coarse} {
		begin := time.Now()
		s.sleep(d)
		if took := time.Since(begin); took < d {
			t.Errorf("slept %v of %v", took, d)
		}
	}
}

// near checks a latency against the value it must have, within the precision of the histograms.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if got < want*0.998-1 || got > want*1.002+1 {
		t.Errorf("%s is %v us; want %v", what, got, want)
	}
}
