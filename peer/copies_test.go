package peer

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

var twoCopies = Copies{N: 2, Backlog: 64 << 20, TouchPeriod: 10 * time.Second, RepairRate: 64 << 20, Quarantine: 1 << 20}

// keeping waits until a node has so many copies on its shelf.
func (n *testNode) keeping(copies int) {
	n.tb.Helper()
	waitFor(n.tb, fmt.Sprintf("%d copies", copies), func() bool { return n.farm.CopiesStatus().Shelf == copies })
}

func want(t *testing.T, what string, out engine.Outcome, body string, status engine.Status, wantBody string) {
	t.Helper()
	if out.Status != status || body != wantBody {
		t.Errorf("%s: %s %q, want %s %q", what, out.Status, body, status, wantBody)
	}
}

// TestTakeOver: a node ends, and another goes on with its sessions, their locks and their cookies.
func TestTakeOver(t *testing.T) {
	a := startNodeWith(t, twoCopies)
	b := startNodeWith(t, twoCopies, a)
	a.linked(1)
	b.linked(1)
	out, body := a.do(engine.Set, "app/free", "one", 0)
	want(t, "create", out, body, engine.OK, "")
	out, body = a.do(engine.Set, "app/locked", "two", 0)
	want(t, "create", out, body, engine.OK, "")
	lock, body := a.do(engine.Acquire, "app/locked", "", 0)
	want(t, "acquire", lock, body, engine.OK, "two")
	a.do(engine.Set, "app/gone", "three", 0)
	out, body = a.do(engine.Remove, "app/gone", "", 0)
	want(t, "remove", out, body, engine.OK, "")
	b.keeping(2)
	a.close()
	out, body = b.do(engine.Get, "app/free", "", 0)
	want(t, "get after the death", out, body, engine.OK, "one")
	out, body = b.do(engine.Get, "app/locked", "", 0)
	want(t, "get of a locked one", out, body, engine.Locked, "")
	if out.Cookie != lock.Cookie {
		t.Errorf("the lock's cookie is %d, was %d", out.Cookie, lock.Cookie)
	}
	out, body = b.do(engine.Set, "app/locked", "saved", lock.Cookie)
	want(t, "save by the holder from before", out, body, engine.OK, "")
	again, body := b.do(engine.Acquire, "app/locked", "", 0)
	want(t, "acquire", again, body, engine.OK, "saved")
	if again.Cookie <= lock.Cookie {
		t.Errorf("cookie %d follows %d", again.Cookie, lock.Cookie)
	}
	out, body = b.do(engine.Get, "app/gone", "", 0)
	want(t, "get of a removed one", out, body, engine.NotFound, "")
}

// TestRepair: what a death has left with one copy has two again, so a second death loses nothing; and an arrival takes its share.
func TestRepair(t *testing.T) {
	const sessions = 50
	a := startNodeWith(t, twoCopies)
	b := startNodeWith(t, twoCopies, a)
	c := startNodeWith(t, twoCopies, a, b)
	for _, n := range []*testNode{a, b, c} {
		n.linked(2)
	}
	key := func(i int) string { return fmt.Sprintf("app/%d", i) }
	for i := range sessions {
		out, body := a.do(engine.Set, key(i), fmt.Sprint(i), 0)
		want(t, "create", out, body, engine.OK, "")
	}
	waitFor(t, "copies on both", func() bool {
		x, y := b.farm.CopiesStatus().Shelf, c.farm.CopiesStatus().Shelf
		return x > 0 && y > 0 && x+y == sessions
	})
	a.close()
	waitFor(t, "repaired copies", func() bool {
		served := b.engine.Stats().Sessions + c.engine.Stats().Sessions
		return served == sessions && b.farm.CopiesStatus().Shelf+c.farm.CopiesStatus().Shelf == sessions
	})
	b.close()
	for i := range sessions {
		out, body := c.do(engine.Get, key(i), "", 0)
		want(t, key(i), out, body, engine.OK, fmt.Sprint(i))
	}
	d := startNodeWith(t, twoCopies, c)
	c.linked(1)
	d.linked(1)
	waitFor(t, "copies on the one that has come", func() bool {
		return c.engine.Stats().Sessions == sessions && d.farm.CopiesStatus().Shelf == sessions
	})
	if used := d.engine.Stats().Bytes; used <= 0 {
		t.Errorf("the copies take %d bytes of the memory account", used)
	}
}

// TestMoveKeepsCopies: a session that moves has a copy at every moment, and no more than it should have in the end.
func TestMoveKeepsCopies(t *testing.T) {
	a := startNodeWith(t, twoCopies)
	b := startNodeWith(t, twoCopies, a)
	c := startNodeWith(t, twoCopies, a, b)
	nodes := []*testNode{a, b, c}
	for _, n := range nodes {
		n.linked(2)
	}
	a.do(engine.Set, "app/s", "0", 0)
	for i := range 30 {
		n := nodes[i%3]
		lock, body := n.do(engine.Acquire, "app/s", "", 0)
		want(t, "acquire", lock, body, engine.OK, fmt.Sprint(i))
		out, body := n.do(engine.Set, "app/s", fmt.Sprint(i+1), lock.Cookie)
		want(t, "save", out, body, engine.OK, "")
	}
	waitFor(t, "one copy", func() bool {
		copies := 0
		for _, n := range nodes {
			copies += n.farm.CopiesStatus().Shelf
		}
		return copies == 1
	})
}

// TestLeavingKeepsCopies: a node that leaves hands its sessions over, and ends only when what it keeps for others has copies elsewhere.
func TestLeavingKeepsCopies(t *testing.T) {
	const sessions = 60
	a := startNodeWith(t, twoCopies)
	b := startNodeWith(t, twoCopies, a)
	c := startNodeWith(t, twoCopies, a, b)
	for _, n := range []*testNode{a, b, c} {
		n.linked(2)
	}
	for i := range sessions {
		n := []*testNode{a, b, c}[i%3]
		out, body := n.do(engine.Set, fmt.Sprintf("app/%d", i), fmt.Sprint(i), 0)
		want(t, "create", out, body, engine.OK, "")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if left := a.farm.Drain(ctx, true); left != 0 {
		t.Fatalf("%d sessions are left", left)
	}
	a.close()
	b.close()
	for i := range sessions {
		out, body := c.do(engine.Get, fmt.Sprintf("app/%d", i), "", 0)
		want(t, fmt.Sprint(i), out, body, engine.OK, fmt.Sprint(i))
	}
}

// TestLeavingAPair: a node that leaves a farm of two does not wait for copies that no third node can take.
func TestLeavingAPair(t *testing.T) {
	const sessions = 60
	a := startNodeWith(t, twoCopies)
	b := startNodeWith(t, twoCopies, a)
	a.linked(1)
	b.linked(1)
	for i := range sessions {
		out, body := []*testNode{a, b}[i%2].do(engine.Set, fmt.Sprintf("app/%d", i), fmt.Sprint(i), 0)
		want(t, "create", out, body, engine.OK, "")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	began := time.Now()
	if left := a.farm.Drain(ctx, true); left != 0 {
		t.Fatalf("%d sessions are left", left)
	}
	if took := time.Since(began); took >= time.Duration(giveUp) {
		t.Errorf("it took %v", took)
	}
	a.close()
	for i := range sessions {
		out, body := b.do(engine.Get, fmt.Sprintf("app/%d", i), "", 0)
		want(t, fmt.Sprint(i), out, body, engine.OK, fmt.Sprint(i))
	}
}

// TestRemovedAlone: a session that has been removed while nobody else was there does not come back with whoever comes back with a snapshot, with and without copies.
func TestRemovedAlone(t *testing.T) {
	for _, copies := range []Copies{{}, twoCopies} {
		t.Run(fmt.Sprintf("copies=%d", copies.N), func(t *testing.T) {
			a := startNodeWith(t, copies)
			b := startNodeWith(t, copies, a)
			a.linked(1)
			b.linked(1)
			n := b
			if copies.N > 1 {
				n = a
			}
			out, body := n.do(engine.Set, "app/s", "one", 0)
			want(t, "create", out, body, engine.OK, "")
			old, sight := n.engine.Peek(n.now(), []byte("app/s"))
			if sight != engine.SightHere {
				t.Fatalf("it is %s", sight)
			}
			old.Body = []byte("one")
			ended := a.farm.Node()
			a.close()
			waitFor(t, "no neighbours", func() bool { return b.farm.Stats().Links.Neighbours == 0 })
			out, body = b.do(engine.Remove, "app/s", "", 0)
			want(t, "remove", out, body, engine.OK, "")
			c := startNodeWith(t, copies, b)
			c.farm.Shelve(ended, old)
			b.linked(1)
			c.linked(1)
			for _, n := range []*testNode{b, c} {
				out, body = n.do(engine.Get, "app/s", "", 0)
				want(t, "get of a removed one", out, body, engine.NotFound, "")
			}
		})
	}
}

// TestRemovalsAreHandedOn: who has come since a session was removed knows of it when all have ended that did.
func TestRemovalsAreHandedOn(t *testing.T) {
	a := startNodeWith(t, twoCopies)
	b := startNodeWith(t, twoCopies, a)
	a.linked(1)
	b.linked(1)
	out, body := a.do(engine.Set, "app/s", "one", 0)
	want(t, "create", out, body, engine.OK, "")
	old, _ := a.engine.Peek(a.now(), []byte("app/s"))
	old.Body = []byte("one")
	ended := a.farm.Node()
	a.close()
	waitFor(t, "no neighbours", func() bool { return b.farm.Stats().Links.Neighbours == 0 })
	out, body = b.do(engine.Remove, "app/s", "", 0)
	want(t, "remove", out, body, engine.OK, "")
	c := startNodeWith(t, twoCopies, b)
	c.linked(1)
	waitFor(t, "removals", func() bool {
		list, _ := c.farm.Tombs(0, 10)
		return len(list) == 1
	})
	b.close()
	waitFor(t, "no neighbours", func() bool { return c.farm.Stats().Links.Neighbours == 0 })
	d := startNodeWith(t, twoCopies, c)
	d.farm.Shelve(ended, old)
	c.linked(1)
	d.linked(1)
	for _, n := range []*testNode{c, d} {
		out, body = n.do(engine.Get, "app/s", "", 0)
		want(t, "get of a removed one", out, body, engine.NotFound, "")
	}
}
