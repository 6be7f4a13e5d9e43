package engine

import (
	"fmt"
	"testing"
)

// BenchmarkSurvey measures a whole walk. The sessions stand in memory as they were made; of each hundred one is locked.
func BenchmarkSurvey(b *testing.B) {
	for _, sessions := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) {
			now := Time{Mono: 1}
			e, err := New(Options{}, now)
			if err != nil {
				b.Fatal(err)
			}
			c := &silent{}
			do := func(t Ticket) {
				t.Caller, t.Hash = c, e.Hash(t.Key)
				e.Do(now, 0, &t)
			}
			for i := range sessions {
				key := []byte(appKey(fmt.Sprint("app", i%20), i))
				do(Ticket{Op: Set, Key: key, Body: make([]byte, 1+i%500), Minutes: 20})
				if i%100 == 0 {
					do(Ticket{Op: Acquire, Key: key})
				}
			}
			for b.Loop() {
				if v := walkAll(e, now); v.Sessions != int64(sessions) {
					b.Fatalf("%d sessions", v.Sessions)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(sessions), "ns/session")
		})
	}
}

// BenchmarkHotNote measures what a sample costs the lane, on top of the 63 requests of 64 that pay one multiplication.
func BenchmarkHotNote(b *testing.B) {
	var h hot
	h.init(Time{})
	key := []byte(appKey("shop", 1))
	b.ReportAllocs()
	for b.Loop() {
		h.note(0, key)
		h.stripes[0].used = 0
	}
}

// BenchmarkHotFold measures what a sample costs Tick, with all of them of different sessions.
func BenchmarkHotFold(b *testing.B) {
	var h hot
	h.init(Time{})
	var keys [4096][]byte
	for i := range keys {
		keys[i] = []byte(appKey("shop", i))
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		h.note(0, keys[n%len(keys)])
		h.fold(Time{Mono: int64(n) * 1e6})
		n++
	}
}
