package bench

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

var bodySizes = []int{256, 1 << 10, 8 << 10, 64 << 10}

// BenchmarkParse answers what the bytes of a request cost before the engine sees it: the header block, and the key in it.
func BenchmarkParse(b *testing.B) {
	lim := wire.Limits{MaxHead: 16 << 10, MaxBody: 64 << 20}
	for name, head := range map[string][]byte{
		"get": getHead(wire.None), "acquire": getHead(wire.Acquire), "put": putHead(1 << 10),
	} {
		b.Run("request="+name, func(b *testing.B) {
			b.ReportAllocs()
			var r wire.Request
			var key []byte
			for b.Loop() {
				if n, f := wire.ParseHead(head, 0, &lim, &r); n != len(head) || f != wire.OK {
					b.Fatal(n, f)
				}
				key = wire.AppendKey(key[:0], r.Target)
			}
		})
	}
}

// BenchmarkGet, Acquire, Save, Touch and Miss answer what a request costs in the engine, by body size.
func BenchmarkGet(b *testing.B) {
	bySize(b, func(b *testing.B, s *store, _ []byte) {
		must(b, s.do(engine.Get), engine.OK)
	})
}

// BenchmarkAcquireRelease is an unchanged page.
func BenchmarkAcquireRelease(b *testing.B) {
	bySize(b, func(b *testing.B, s *store, _ []byte) {
		must(b, s.lock(), engine.OK)
		must(b, s.do(engine.Release), engine.OK)
	})
}

// BenchmarkAcquireSave is a page that changes its session, without the network: two requests.
func BenchmarkAcquireSave(b *testing.B) {
	bySize(b, func(b *testing.B, s *store, body []byte) {
		must(b, s.lock(), engine.OK)
		body[0]++
		must(b, s.save(body), engine.OK)
	})
}

func BenchmarkSave(b *testing.B) {
	bySize(b, func(b *testing.B, s *store, body []byte) {
		body[0]++
		must(b, s.save(body), engine.OK)
	})
}

// BenchmarkSaveIdentical is a save that changes nothing: compared, not copied.
func BenchmarkSaveIdentical(b *testing.B) {
	bySize(b, func(b *testing.B, s *store, body []byte) {
		must(b, s.save(body), engine.OK)
	})
}

func bySize(b *testing.B, f func(*testing.B, *store, []byte)) {
	for _, size := range bodySizes {
		b.Run("body="+sizeName(size), func(b *testing.B) {
			s := newStore(b, 1000, size)
			body := makeBody(size)
			s.use(7)
			b.ReportAllocs()
			for b.Loop() {
				f(b, s, body)
			}
		})
	}
}

func BenchmarkTouch(b *testing.B) {
	s := newStore(b, 1000, 1<<10)
	s.use(7)
	b.ReportAllocs()
	for b.Loop() {
		must(b, s.do(engine.Touch), engine.OK)
	}
}

func BenchmarkMiss(b *testing.B) {
	s := newStore(b, 1000, 1<<10)
	s.use(-1)
	b.ReportAllocs()
	for b.Loop() {
		must(b, s.do(engine.Get), engine.NotFound)
	}
}

// BenchmarkCreateRemove is a session's birth and end.
func BenchmarkCreateRemove(b *testing.B) {
	bySize(b, func(b *testing.B, s *store, body []byte) {
		s.use(1 << 20)
		must(b, s.save(body), engine.OK)
		must(b, s.do(engine.Remove), engine.OK)
	})
}

// BenchmarkExpiry answers what it costs to sweep a session whose time is up, and what a tick costs that finds nothing.
func BenchmarkExpiry(b *testing.B) {
	b.Run("swept", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; n < b.N; n += 100_000 {
			b.StopTimer()
			s := newStore(b, min(100_000, b.N-n), 256)
			b.StartTimer()
			for s.now.Mono = 30 * 60 * second; s.Stats().Sessions > 0; s.now.Mono += second / 50 {
				s.Tick(s.now)
			}
		}
	})
	b.Run("idle", func(b *testing.B) {
		s := newStore(b, 100_000, 256)
		b.ReportAllocs()
		for b.Loop() {
			s.now.Mono += second / 50 % (60 * second)
			s.Tick(s.now)
		}
	})
}

// BenchmarkSessions answers whether the cost grows with the number of sessions, and what a session takes beyond its key and content. The largest
// take 7 GB; -short leaves them out.
func BenchmarkSessions(b *testing.B) {
	const size = 1 << 10
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000, 5_000_000} {
		if n > 1_000_000 && testing.Short() {
			continue
		}
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			before := heapInUse()
			s := newStore(b, n, size)
			beyond := float64(heapInUse()-before)/float64(n) - float64(size+len(appendKey(nil, 0)))
			body := makeBody(size)
			for _, p := range patterns(n) {
				b.Run("get/pattern="+p.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						s.use(p.next())
						must(b, s.do(engine.Get), engine.OK)
					}
				})
				b.Run("save/pattern="+p.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						s.use(p.next())
						body[0]++
						must(b, s.save(body), engine.OK)
					}
				})
			}
			b.Run("collection", func(b *testing.B) {
				var st debug.GCStats
				for b.Loop() {
					runtime.GC()
				}
				debug.ReadGCStats(&st)
				b.ReportMetric(float64(st.Pause[0].Nanoseconds()), "ns-pause")
				b.ReportMetric(beyond, "B/session-beyond-key-and-body")
			})
			runtime.KeepAlive(s)
		})
		debug.FreeOSMemory()
	}
}

// heapInUse is the live heap with what the allocator rounds up.
func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// BenchmarkParallel answers what a second processor brings: each goroutine has sessions of its own. Run it with -cpu 1,2.
func BenchmarkParallel(b *testing.B) {
	const perWorker = 1000
	s := newStore(b, 64*perWorker, 1<<10)
	workers := make(chan int, 64)
	for i := range 64 {
		workers <- i
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		w := <-workers
		mine := &store{Engine: s.Engine}
		mine.t.Caller = new(taker)
		body := makeBody(1 << 10)
		for i := 0; pb.Next(); i++ {
			mine.use(w*perWorker + i%perWorker)
			mine.lock()
			mine.save(body)
		}
		workers <- w
	})
}

// since is the time that f takes.
func since(f func()) time.Duration {
	begun := time.Now()
	f()
	return time.Since(begun)
}
