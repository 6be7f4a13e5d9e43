package core

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// copyRig is a rig whose core makes copies of its sessions.
func copyRig(t *testing.T, copies int, neighbours string) *rig {
	t.Helper()
	r := newRig(t, neighbours)
	r.c.opt.Copies, r.c.opt.TouchPeriod, r.c.opt.Backlog = copies, 5*time.Second, 1<<20
	r.c.opt.Look = func(string) engine.Sight { return engine.Sight{State: engine.SightAbsent} }
	return r
}

// update is an update from an owner.
func (r *rig) update(from byte, n uint64, change message.Change, gen, version uint32, tomb bool) {
	r.t.Helper()
	m := message.Message{Kind: message.Copy, Stream: id('S'), Update: n, Change: change, Key: key, Gen: gen, Tomb: tomb}
	if change == message.Content {
		m.Parcel = engine.Parcel{Body: []byte("body"), Version: version, Cookie: 1}
	}
	r.gets(from, m)
}

// changes is the session as it is served here.
func (r *rig) changes(gen, version uint32, removed bool) *Change {
	p := engine.Parcel{Key: key, Body: []byte("body"), Gen: gen, Version: version, Cookie: 1}
	ch := &Change{Key: key, Parcel: p, Content: !removed, Removed: removed, Awaited: true, Full: func() engine.Parcel { return p }}
	r.c.Changed(r.now, ch)
	r.collect()
	return ch
}

// copiesTo are the updates that have gone to a node since the last want, but signs of life.
func (r *rig) copiesTo(name byte) (all []*message.Message) {
	for _, a := range r.acts {
		if s, ok := a.(Send); ok && s.To == node(name) && s.Msg.Kind == message.Copy && s.Msg.Change != message.Nothing {
			all = append(all, s.Msg)
		}
	}
	return all
}

// TestMirrorRemembersRemoval: an owner that is away believes in its removal when it is back. So a session that is made with the same key meanwhile has to begin above it,
// and whoever makes it hears of it from the mirror.
func TestMirrorRemembersRemoval(t *testing.T) {
	owner := copyRig(t, 2, "A")
	owner.changes(7, 1, false)
	first := owner.copiesTo('A')
	if len(first) != 1 {
		t.Fatalf("%d updates of a new session", len(first))
	}
	owner.gets('A', message.Message{Kind: message.Copied, Stream: first[0].Stream, Update: first[0].Update})
	owner.acts = nil
	owner.changes(7, 1, true)
	if drops := owner.copiesTo('A'); len(drops) != 1 || drops[0].Change != message.Drop || !drops[0].Tomb {
		t.Fatalf("a removal is told as %+v", drops)
	}

	mirror := copyRig(t, 2, "AB")
	mirror.update('A', 1, message.Content, 7, 1, false)
	if !mirror.c.Keeps(key) {
		t.Fatal("no copy")
	}
	mirror.update('A', 2, message.Drop, 7, 0, true)
	if mirror.c.Keeps(key) {
		t.Fatal("the copy is there still")
	}
	mirror.gets('B', message.Message{Kind: message.Query, ID: id(9), Key: key, Node: node('B'), Addr: "B", Rank: 1, Wait: time.Second})
	mirror.taken(TakenAbsent, 0, 0)
	if a := mirror.sent[message.NotHere]; a == nil || a.Msg.Removed != 8 {
		t.Fatalf("who asks is told %+v", a)
	}
}

// TestLiftIsTold: a session whose generation is raised because one mirror remembers a removal has old copies at the others.
func TestLiftIsTold(t *testing.T) {
	for _, idle := range []bool{false, true} {
		r := copyRig(t, 3, "AB")
		r.changes(3, 1, false)
		a, b := r.copiesTo('A'), r.copiesTo('B')
		if len(a) != 1 || len(b) != 1 {
			t.Fatalf("%d and %d updates", len(a), len(b))
		}
		refusal := message.Message{Kind: message.Copied, Stream: a[0].Stream, Update: a[0].Update, Refusals: []message.Refusal{
			{Update: a[0].Update, Reason: message.Newer, Gen: 12, Version: removedVersion},
		}}
		good := message.Message{Kind: message.Copied, Stream: b[0].Stream, Update: b[0].Update}
		if idle { // the change has been answered before A says so
			r.c.opt.Ack = AckOne
			r.gets('B', good)
			r.acts = nil
			r.gets('A', refusal)
			if _, cur := r.c.Mirrors(key); len(cur) != 0 {
				t.Errorf("%d copies count as current", len(cur))
			}
			p := engine.Parcel{Key: key, Body: []byte("body"), Gen: 12 + genJump, Version: 1, Cookie: 1}
			if !r.c.Short(r.now, key) || r.c.Supply(r.now, &p) == 0 {
				t.Error("nothing is made anew")
			}
			r.collect()
		} else {
			r.acts = nil
			r.gets('A', refusal)
		}
		for _, name := range []byte("AB") {
			if all := r.copiesTo(name); len(all) != 1 || all[0].Gen != 12+genJump {
				t.Errorf("idle=%v: %c is told %d updates: %+v", idle, name, len(all), all)
			}
		}
	}
}

// TestRemovalAlone: a node that is alone, also for want of copies, remembers a removal for as long as the session could live, and tells whoever comes and asks.
func TestRemovalAlone(t *testing.T) {
	for _, copies := range []int{1, 2} {
		for minutes, life := range map[uint32]time.Duration{20: time.Hour, 600: 10*time.Hour + 5*time.Second, 0: 365 * 24 * time.Hour} {
			r := copyRig(t, copies, "A")
			r.c.Gone(r.now, node('A'))
			r.c.Changed(r.now, &Change{Key: key, Parcel: engine.Parcel{Key: key, Gen: 7, Version: 1, Cookie: 1, Minutes: minutes}, Removed: true})
			r.collect()
			for _, at := range []time.Duration{0, life - time.Second, life} {
				r.now = int64(time.Hour) + int64(at)
				r.c.Tick(r.now)
				want := uint32(8)
				if at == life {
					want = 0
				}
				if got := r.c.removed(r.now, &search{it: &item{key: key}}); got != want {
					t.Errorf("copies=%d, %d minutes: after %v removed below %d, want %d", copies, minutes, at, got, want)
				}
			}
		}
	}
}

// TestTombIsTold: whoever is told to keep a removal in mind is told for how long.
func TestTombIsTold(t *testing.T) {
	owner := copyRig(t, 2, "A")
	owner.changes(7, 1, false)
	owner.acts = nil
	p := engine.Parcel{Key: key, Gen: 7, Version: 1, Cookie: 1, Minutes: 600}
	owner.c.Changed(owner.now, &Change{Key: key, Parcel: p, Removed: true})
	owner.collect()
	drops := owner.copiesTo('A')
	if len(drops) != 1 || !drops[0].Tomb || drops[0].Parcel.Minutes != 600 {
		t.Fatalf("a removal is told as %+v", drops)
	}
	mirror := copyRig(t, 2, "A")
	m := *drops[0]
	m.Stream, m.Update = id('S'), 1
	mirror.gets('A', m)
	if left := mirror.c.tombs.m[mirror.c.hashOf(key)].until - mirror.now; left < int64(10*time.Hour) {
		t.Errorf("it is kept in mind for %v", time.Duration(left))
	}
}

// TestTombsAreTold: a node that comes is told which sessions have been removed, all of them, and no more once that is done. It keeps them in mind as long as we do.
func TestTombsAreTold(t *testing.T) {
	r := copyRig(t, 2, "")
	const removals = tombsAtOnce + 10
	for i := range uint64(removals) {
		r.c.Bury(r.now, Tomb{Hash: i, Gen: uint32(i), Left: int64(time.Hour)})
	}
	r.c.Up(r.now, node('A'), "A")
	r.c.TellTombs(r.now, node('A'))
	r.wait(400 * time.Millisecond) // not so long that it is sent again
	other := copyRig(t, 2, "M")
	var stream message.ID
	for i, m := range r.copiesTo('A') {
		if m.Change != message.Buried || m.Update != uint64(i+1) {
			t.Fatalf("update %d, of %s", m.Update, m.Change)
		}
		stream = m.Stream
		u := *m
		other.now = r.now
		other.gets('M', u)
	}
	if got := len(other.c.tombs.m); got != removals {
		t.Fatalf("%d removals have been told, want %d", got, removals)
	}
	if left := other.c.tombs.m[7].until - r.now; other.c.tombs.m[7].v != (removal{gen: 7}) || left < int64(time.Hour-2*time.Second) || left > int64(time.Hour) {
		t.Errorf("%+v, %v left", other.c.tombs.m[7], time.Duration(left))
	}
	r.gets('A', message.Message{Kind: message.Copied, Stream: stream, Update: 2})
	r.acts = nil
	r.c.Bury(r.now, Tomb{Hash: 1 << 60, Gen: 1, Left: int64(time.Hour)})
	r.wait(time.Second)
	if all := r.copiesTo('A'); len(all) != 0 {
		t.Errorf("%d further updates", len(all))
	}

	r.c.Down(r.now, node('A'))
	r.c.Up(r.now, node('A'), "A")
	r.c.TellTombs(r.now, node('A'))
	r.acts = nil
	r.wait(time.Second)
	if all := r.copiesTo('A'); len(all) == 0 {
		t.Error("what was removed while the link was broken is not told")
	}
	next := other.c.tombs.n
	for i := range uint64(removals) { // nothing new: the order, by which others are told, stays
		other.c.Bury(other.now, Tomb{Hash: i, Gen: uint32(i), Left: int64(time.Hour)})
	}
	if other.c.tombs.n != next {
		t.Error("what is known counts as news")
	}
}

// TestNothingToTell: where nothing has been removed there is nothing to tell, and no stream for it.
func TestNothingToTell(t *testing.T) {
	r := copyRig(t, 1, "A")
	r.c.TellTombs(r.now, node('A'))
	if len(r.c.flow) != 0 {
		t.Error("a stream has been begun")
	}
}

// TestRefusedForLeftover: a copy for whose sake an older state of its session has been refused is no leftover, although the node that serves the older one has said so
// before: that one goes out of service.
func TestRefusedForLeftover(t *testing.T) {
	r := copyRig(t, 2, "A")
	r.wait(time.Minute)
	r.c.Shelve(r.now, node('H'), &engine.Parcel{Key: key, Body: []byte("body"), Gen: 256, Version: 3, Cookie: 1, Minutes: 20, Left: int64(20 * time.Minute)})
	for i := 0; i < 50 && r.sent[message.Query] == nil; i++ {
		r.wait(100 * time.Millisecond)
		r.c.TendShelf(r.now, 1<<20)
		r.collect()
	}
	asked := r.sent[message.Query]
	if asked == nil || !asked.Msg.Look {
		t.Fatal("the farm is not asked who serves it")
	}
	r.update('A', 1, message.Content, 256, 1, false)
	r.c.Flush()
	r.collect()
	if a := r.sent[message.Copied]; a == nil || len(a.Msg.Refusals) != 1 || a.Msg.Refusals[0].Reason != message.Newer {
		t.Fatalf("the older state is answered %+v", a)
	}
	found := r.foundIt()
	found.Owner = node('A')
	r.gets('A', found)
	if !r.c.Keeps(key) {
		t.Error("the newer state is thrown away")
	}
}
