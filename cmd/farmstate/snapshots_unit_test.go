package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/data"
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/snapshot"
	"github.com/farmstate/farmstate/netpoll"
	"github.com/farmstate/farmstate/peer"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/link"
	"github.com/farmstate/farmstate/peer/message"
)

// newSnapshots has an engine with so many sessions, which have one large body among them.
func newSnapshots(t *testing.T, sessions int) *snapshots {
	t.Helper()
	clock := netpoll.NewClock()
	e, err := engine.New(engine.Options{}, clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 100<<10)
	for i := range sessions {
		e.Place(clock.Now(), engine.NoLane, engine.Parcel{Key: fmt.Sprint("key", i), Body: body, Minutes: 20, Left: int64(time.Minute), Cookie: 1})
	}
	dir, err := data.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	s := &snapshots{dir: dir, engine: e, now: clock.Now, logger: slog.New(slog.DiscardHandler), asked: make(chan chan<- error), ended: make(chan struct{})}
	s.ctx, s.end = context.WithCancel(context.Background())
	return s
}

// loadAll counts the sessions of the snapshot.
func (s *snapshots) loadAll(t *testing.T) (n int64) {
	t.Helper()
	x, _, err := s.dir.Load(time.Now(), nil, nil, func(*snapshot.Header, engine.Parcel) bool { return true })
	if err != nil || x.Damage != nil {
		t.Fatal(err, x.Damage)
	}
	return x.Sessions
}

// until waits for a state.
func (s *snapshots) until(t *testing.T, what string, holds func(*api.Snapshot) bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !holds(s.status()); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s: %+v", what, s.status())
		}
	}
}

// TestSnapshotNowAndThen: snapshots are written without anybody asking, one after the other.
func TestSnapshotNowAndThen(t *testing.T) {
	s := newSnapshots(t, 3)
	s.every = 5 * time.Millisecond
	s.start()
	var first time.Time
	s.until(t, "a snapshot", func(x *api.Snapshot) bool {
		if x.Written != nil {
			first = *x.Written
		}
		return x.Written != nil
	})
	s.until(t, "the next one", func(x *api.Snapshot) bool { return x.Written.After(first) })
	s.stop()
	if n := s.loadAll(t); n != 3 {
		t.Errorf("%d sessions", n)
	}
	if m := s.stats(); m.Sessions != 3 || m.Bytes < 3*100<<10 || m.Failures != 0 || m.Written.Before(first) {
		t.Errorf("%+v", m)
	}
}

// TestSnapshotPace: while the node serves a snapshot takes its time; a stop does not wait for that, and leaves the one before; the last one is written at once.
func TestSnapshotPace(t *testing.T) {
	const sessions = 1500 // 150 MB: two seconds at the rate
	s := newSnapshots(t, 10)
	if err := s.save(t.Context(), slog.LevelInfo, snapshotRate); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 100<<10)
	for i := range sessions {
		s.engine.Place(s.now(), engine.NoLane, engine.Parcel{Key: fmt.Sprint("more", i), Body: body, Minutes: 20, Left: int64(time.Minute), Cookie: 1})
	}
	s.start()
	answer := make(chan error, 1)
	s.asked <- answer
	s.until(t, "a snapshot to begin", func(x *api.Snapshot) bool { return x.Running })
	s.stop()
	if err := <-answer; !errors.Is(err, errGivenUp) {
		t.Error(err)
	}
	if x := s.status(); x.Failures != 0 || x.Sessions != 10 || x.Running {
		t.Errorf("%+v", x)
	}
	if n := s.loadAll(t); n != 10 {
		t.Errorf("%d sessions", n)
	}
	s.saveRest()
	if n := s.loadAll(t); n != sessions+10 {
		t.Errorf("%d sessions were kept", n)
	}
}

// TestUnwritten: lost at a stop is what is here in the end and not in the snapshot, whatever has come and gone meanwhile.
func TestUnwritten(t *testing.T) {
	s := newSnapshots(t, 3)
	place := func(key string, left time.Duration) {
		s.engine.Place(s.now(), engine.NoLane, engine.Parcel{Key: key, Body: []byte("body"), Minutes: 20, Left: int64(left), Cookie: 1})
	}
	if n := s.unwritten(); n != 3 {
		t.Errorf("before anything is written: %d", n)
	}
	s.start()
	s.saveRest()
	if n := s.unwritten(); n != 0 {
		t.Errorf("all is written: %d", n)
	}
	place("came later", time.Minute)
	place("expired", 0)
	if n := s.unwritten(); n != 1 {
		t.Errorf("one has come later: %d", n)
	}
	s.written = append(s.written, s.engine.Hash([]byte("came later"))) // as a copy without an owner
	slices.Sort(s.written)
	if n := s.unwritten(); n != 0 {
		t.Errorf("it was written as a copy: %d", n)
	}
}

// TestSnapshotOfRemovals: what the farm knows of removed sessions is in the snapshot, before the sessions, and makes one on its own.
func TestSnapshotOfRemovals(t *testing.T) {
	for _, sessions := range []int{0, 2} {
		s := newSnapshots(t, sessions)
		farm, err := peer.New(peer.Options{
			Engine: s.engine, Now: s.now, MaxForwards: 1, QueryTimeout: time.Second,
			Link: link.Options{Listen: "127.0.0.1:0", Security: link.Security{Plain: true}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { farm.Close(context.Background()) })
		s.farm = farm
		var all []core.Tomb
		for i := range uint64(5000) {
			all = append(all, core.Tomb{Hash: i, Gen: 7, Left: int64(time.Hour)})
		}
		farm.Bury(all)
		if err := s.save(t.Context(), slog.LevelInfo, 0); err != nil {
			t.Fatal(err)
		}
		removed, loaded := 0, 0
		x, ok, err := s.dir.Load(time.Now().Add(time.Minute), nil, func(r snapshot.Removal) {
			if r.Hash != uint64(removed) || r.Gen != 7 || r.Left > 59*time.Minute || loaded > 0 {
				t.Errorf("%+v", r)
			}
			removed++
		}, func(*snapshot.Header, engine.Parcel) bool {
			loaded++
			return true
		})
		if !ok || err != nil || x.Damage != nil || removed != len(all) || x.Sessions+x.Expired != int64(sessions) {
			t.Errorf("%d removals, %+v, %v", removed, x, err)
		}
		x, _, err = s.dir.Load(time.Now().Add(2*time.Hour), nil, func(r snapshot.Removal) { t.Errorf("its time is up: %+v", r) }, func(*snapshot.Header, engine.Parcel) bool { return true })
		if err != nil || x.Damage != nil {
			t.Error(err, x.Damage)
		}
	}
}

// shelved is a shelf.
type shelved []string

// Shelve implements shelf.
func (s *shelved) Shelve(owner message.Node, p engine.Parcel) bool {
	*s = append(*s, fmt.Sprintf("%s of %d", p.Key, owner[0]))
	return true
}

// TestLoadInto: in a farm sessions go onto the shelf under their owner, and none is served; alone they are served; both as far as there is memory.
func TestLoadInto(t *testing.T) {
	clock := netpoll.NewClock()
	e, err := engine.New(engine.Options{MaxMemory: 1 << 20}, clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	var s shelved
	into := onto(&s, e)
	small := engine.Parcel{Key: "small", Body: make([]byte, 100), Cookie: 1}
	large := engine.Parcel{Key: "large", Body: make([]byte, 2<<20), Cookie: 1}
	if !into(message.Node{7}, small) || into(message.Node{7}, large) || fmt.Sprint(s) != "[small of 7]" || e.Stats().Sessions != 0 {
		t.Errorf("%v, %d sessions are served", s, e.Stats().Sessions)
	}
	if !settle(e, clock, small) || settle(e, clock, large) || e.Stats().Sessions != 1 {
		t.Errorf("%d sessions are served", e.Stats().Sessions)
	}
	for addr, want := range map[string]bool{"": false, "127.0.0.1:1": true} {
		n := &node{cfg: &config.Config{Standalone: true}, farm: new(peer.Farm)}
		if addr != "" {
			n.cfg.Peers = []string{addr}
		}
		if n.mayHaveOthers() != want {
			t.Errorf("peers %q: others %v", n.cfg.Peers, !want)
		}
	}
}
