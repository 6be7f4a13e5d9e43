package engine

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// exported is an Exporter that keeps what it is shown.
type exported struct {
	all    map[string]Parcel
	twice  []string
	rounds int
	stop   int             // after so many sessions; 0 = never
	again  func(*exported) // called by Next before a further round; may be nil
}

// Take implements Exporter.
func (x *exported) Take(p Parcel, shared bool) {
	if !shared {
		p.Body = bytes.Clone(p.Body)
	}
	if _, ok := x.all[p.Key]; ok {
		x.twice = append(x.twice, p.Key)
	}
	x.all[p.Key] = p
}

// Next implements Exporter.
func (x *exported) Next(occupied bool) bool {
	if occupied {
		x.rounds++
		if x.again != nil {
			x.again(x)
		}
	}
	return x.stop == 0 || len(x.all) < x.stop
}

// export shows all sessions of a world's engine to x.
func (w *world) export(x *exported) (sum Exported) {
	x.all = map[string]Parcel{}
	for shard := range NumShards {
		sum.Add(w.e.Export(w.now, shard, x))
	}
	return sum
}

// TestExport: each living session once, with all that travels; nothing else, and nothing changes.
func TestExport(t *testing.T) {
	w := newWorld(t, Options{}).farm()
	set := func(key string, n int, minutes uint32) Ticket {
		return Ticket{Op: Set, Key: []byte(key), Target: []byte(key), Body: bytes.Repeat([]byte(key[:1]), n), Minutes: minutes}
	}
	for _, key := range []string{"a", "big", "c", "dead", "eternal"} {
		w.nowhere[key] = true
	}
	w.play(set("a", 10, 20), set("big", bodyShared+1, 20), set("c", 30, 20), set("dead", 4, 1), set("eternal", 5, 0))
	w.play(Ticket{Op: Acquire, Key: []byte("c")}, time.Minute, Ticket{Op: Touch, Key: []byte("a")})
	w.play(Ticket{Op: Get, Key: []byte("sought")})
	before := w.e.Stats()
	var x exported
	sum := w.export(&x)
	if want := (Exported{Sessions: 4, Expired: 1}); sum != want || x.rounds != 0 || len(x.twice) > 0 {
		t.Errorf("%+v, want %+v; %d rounds, twice %q", sum, want, x.rounds, x.twice)
	}
	if got := slices.Sorted(maps.Keys(x.all)); !slices.Equal(got, []string{"a", "big", "c", "eternal"}) {
		t.Errorf("%q", got)
	}
	if c := x.all["c"]; !c.Locked || c.Cookie != 2 || c.LockAge != minute || c.Left != 19*minute || string(c.Body) != string(bytes.Repeat([]byte("c"), 30)) || c.Version != 1 || !c.Literal {
		t.Errorf("%+v", c)
	}
	if a := x.all["a"]; a.Left != 20*minute || a.Locked {
		t.Errorf("%+v", a)
	}
	if after := w.e.Stats(); !reflect.DeepEqual(after, before) {
		t.Errorf("%+v, before %+v", after, before)
	}
	w.check()
	x = exported{stop: 2}
	if sum := w.export(&x); sum.Sessions > 2+NumShards || len(x.all) < 2 {
		t.Errorf("%+v", sum)
	}
	w.missing()
}

// TestExportOldTime: as of a time before the last use more is left than a life has, and a lock taken since has no age.
func TestExportOldTime(t *testing.T) {
	w := newWorld(t, Options{})
	w.play(Ticket{Op: Set, Key: []byte("a"), Body: []byte("a"), Minutes: 20})
	then := w.now
	w.play(2*time.Minute, Ticket{Op: Acquire, Key: []byte("a")})
	w.now = then
	var x exported
	w.export(&x)
	if a := x.all["a"]; a.Left != 22*minute || a.LockAge != 0 || !a.Locked {
		t.Errorf("%+v", a)
	}
}

// TestExportAway: a session that is leaving is tried again, and left out if it does not come back; one for which others queue is shown between two of them.
func TestExportAway(t *testing.T) {
	w := newWorld(t, Options{})
	w.play(Ticket{Op: Set, Key: []byte("a"), Body: []byte("a"), Minutes: 20}, Ticket{Op: Set, Key: []byte("b"), Body: []byte("b"), Minutes: 20})
	key := []byte("a")
	s := w.e.index.find(w.e.Hash(key), key)
	x := &Leaving{trip: trip{session: s}}
	if !s.gate.tryEnter() {
		t.Fatal("occupied")
	}
	w.e.queue.depart(&x.trip)
	var all exported
	if sum, want := w.export(&all), (Exported{Sessions: 1, Away: 1}); sum != want || all.rounds != exportRounds {
		t.Errorf("%+v, want %+v; %d rounds", sum, want, all.rounds)
	}
	all = exported{again: func(x2 *exported) {
		if x2.rounds == 3 {
			w.e.Stayed(0, x)
		}
	}}
	if sum, want := w.export(&all), (Exported{Sessions: 2}); sum != want || all.rounds != 3 {
		t.Errorf("%+v, want %+v; %d rounds", sum, want, all.rounds)
	}

	if !s.gate.tryEnter() {
		t.Fatal("occupied")
	}
	all = exported{}
	if sum, want := w.export(&all), (Exported{Sessions: 1, Busy: 1}); sum != want {
		t.Errorf("%+v, want %+v", sum, want)
	}
	w.do(Ticket{Op: Get, Key: key})
	w.e.leave(0, s) // it is on the run list now
	all = exported{}
	if sum, want := w.export(&all), (Exported{Sessions: 2}); sum != want || all.rounds != 0 || string(all.all["a"].Body) != "a" {
		t.Errorf("%+v, want %+v; %d rounds", sum, want, all.rounds)
	}
	w.run()
	w.check()
}

// TestExportUnderLoad: while lanes work, sessions that are there all the time are shown once each, and no body is torn.
func TestExportUnderLoad(t *testing.T) {
	const sessions, lanes = 200, 3
	e, err := New(Options{Seed: 1}, Time{})
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	ready := make(chan struct{}, lanes)
	for lane := range lanes {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				key := fmt.Appendf(nil, "key%d", (i*7+lane)%sessions)
				c := &patient{done: make(chan struct{}, 1)}
				t := Ticket{Op: Set, Key: key, Hash: e.Hash(key), Body: bytes.Repeat([]byte{byte(i)}, 1000+i%50), Minutes: 20, Caller: c}
				e.Do(Time{}, lane, &t)
				for len(c.done) == 0 {
					e.Run(Time{}, lane, 10)
					runtime.Gosched()
				}
				if i == 2*sessions {
					ready <- struct{}{}
				}
			}
		})
	}
	for range lanes {
		<-ready
	}
	for range 50 {
		x := exported{all: map[string]Parcel{}, again: func(*exported) { runtime.Gosched() }}
		var sum Exported
		for shard := range NumShards {
			sum.Add(e.Export(Time{}, shard, &x))
		}
		if len(x.twice) > 0 || len(x.all) != sum.Sessions || sum.Sessions+sum.Busy != sessions || sum.Busy > lanes {
			t.Fatalf("%+v, %d sessions, twice %q", sum, len(x.all), x.twice)
		}
		for _, p := range x.all {
			if bytes.Count(p.Body, p.Body[:1]) != len(p.Body) {
				t.Fatalf("%s is torn", p.Key)
			}
		}
	}
	stop.Store(true)
	wg.Wait()
}

// patient is a caller that waits.
type patient struct{ done chan struct{} }

// Park implements Caller.
func (*patient) Park(t *Ticket) { t.Key, t.Body = bytes.Clone(t.Key), bytes.Clone(t.Body) }

// Answer implements Caller.
func (c *patient) Answer(*Ticket, int) bool {
	c.done <- struct{}{}
	return true
}
