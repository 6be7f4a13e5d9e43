package peer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/message"
)

// TestFault: a panic of the driver costs neither the process, nor what was decided before or comes behind.
func TestFault(t *testing.T) {
	a := startNode(t)
	b := startNode(t, a)
	a.linked(1)
	b.linked(1)
	a.do(engine.Set, "/k/1", "one", 0)
	for range 3 {
		a.farm.inbox.put(func(int64) { panic("a fault in an event") })
		a.farm.inbox.put(func(int64) {
			a.farm.carryOut(core.Arrived{}) // has no parcel
		})
	}
	if out, body := b.do(engine.Get, "/k/1", "", 0); out.Status != engine.OK || body != "one" {
		t.Errorf("a session of a node that had a fault: %v %q", out.Status, body)
	}
	if out, _ := a.do(engine.Set, "/k/2", "two", 0); out.Status != engine.OK {
		t.Errorf("a new session: %v", out.Status)
	}
	if n := a.farm.Stats().Faults; n != 6 {
		t.Errorf("%d faults are counted, want 6", n)
	}
}

// TestDrainOrders: whoever waits for a drain is let go, and a node that stops cannot be told to take sessions again.
func TestDrainOrders(t *testing.T) {
	a := startNode(t)
	a.farm.StopDrain()
	a.farm.StartDrain()
	if !a.farm.Progress().Draining {
		t.Error("it does not drain")
	}
	a.farm.StartDrain()
	a.farm.StopDrain()
	if a.farm.Progress().Draining {
		t.Error("it drains after it was told not to")
	}
	b := startNode(t, a)
	a.linked(1)
	b.linked(1)
	b.farm.StartDrain() // so that nobody takes what a has, and its drain does not end
	waitFor(t, "no takers", func() bool { return !a.farm.Progress().Takers })
	a.do(engine.Set, "/k", "x", 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	first, second := make(chan int64, 1), make(chan int64, 1)
	wait := func(what string, c chan int64) {
		t.Helper()
		select {
		case left := <-c:
			if left > 1 {
				t.Errorf("%s: %d are left", what, left)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s does not end", what)
		}
	}
	a.farm.StartDrain()
	go func() { first <- a.farm.Drain(ctx, false) }()
	waitFor(t, "a drain that somebody waits for", func() bool {
		waited := false
		a.farm.tell(func() { waited = a.farm.drain != nil && !a.farm.drain.forever })
		return waited || len(first) > 0
	})
	a.farm.StopDrain() // too late
	a.farm.StartDrain()
	go func() { second <- a.farm.Drain(ctx, true) }()
	wait("the first drain", first)
	wait("the second drain", second)
	if !a.farm.Progress().Draining {
		t.Error("a node that stops takes sessions again")
	}
}

// TestClosed: whatever is asked of a farm that was closed, or is being closed, has an end.
func TestClosed(t *testing.T) {
	a := startNode(t)
	b := startNode(t, a)
	a.linked(1)
	b.linked(1)
	for i := range 2000 {
		a.do(engine.Set, fmt.Sprint("/k/", i), "8 bytes.", 0)
	}
	each := a.engine.Stats().Bytes / 2000
	drained := make(chan int64, 1)
	go func() { drained <- a.farm.Drain(context.Background(), false) }()
	waitFor(t, "sessions on their way", func() bool { return b.engine.Stats().Sessions > 10 })
	a.close()
	select {
	case <-drained:
	case <-time.After(20 * time.Second):
		t.Fatal("a drain does not end with its farm")
	}
	waitFor(t, "sessions that b has, or holds and may serve", func() bool {
		return b.farm.Stats().Holding == 0 && a.engine.Stats().Sessions+b.engine.Stats().Sessions >= 2000
	})
	b.close()
	for _, n := range []*testNode{a, b} {
		if s := n.engine.Stats(); s.Bytes != s.Sessions*each {
			t.Errorf("an engine has %d bytes with %d sessions, want %d each", s.Bytes, s.Sessions, each)
		}
	}
	for i := range 2000 {
		for _, n := range []*testNode{a, b} {
			if s := n.engine.Look(n.now(), fmt.Append(nil, "/k/", i)); s.State == engine.SightAway || s.State == engine.SightOccupied {
				t.Fatalf("session %d is %v after the end", i, s.State)
			}
		}
	}
	a.farm.StartDrain()
	a.farm.StopDrain()
	a.farm.Drain(context.Background(), true)
	a.farm.Find(&engine.Fetch{})
	if n := len(a.farm.inbox.events); n > 0 {
		t.Errorf("%d events are kept for nobody", n)
	}
}

// TestKnocksBounded: nodes that come and go, each by a new name, are not all knocked at.
func TestKnocksBounded(t *testing.T) {
	a := startNode(t)
	e := (*linkEvents)(a.farm)
	for range 3 * maxKnocks {
		n := message.Node(newID())
		e.LinkUp(n, "127.0.0.1:1", message.Neighbour)
		e.LinkDown(n, message.Neighbour)
	}
	e.LinkUp(message.Node{1}, "", message.Neighbour)
	e.LinkDown(message.Node{1}, message.Neighbour)
	a.farm.tell(func() {
		if n := len(a.farm.knocks); n > maxKnocks {
			t.Errorf("%d are knocked at", n)
		}
		if len(a.farm.addrs) > 0 {
			t.Errorf("%d addresses are left", len(a.farm.addrs))
		}
		if a.farm.knocks[message.Node{1}] != nil {
			t.Error("one without an address is knocked at")
		}
	})
}

// TestMissesLong: keys that somebody makes up do not fill the memory.
func TestMissesLong(t *testing.T) {
	var m misses
	m.init()
	key := strings.Repeat("k", message.MaxKey-8)
	for i := range 1000 {
		m.add(0, fmt.Sprint(key, i), 0)
		m.add(0, fmt.Sprint(key, i), 0)
	}
	total := 0
	for k := range m.part(0).at {
		total += len(k)
	}
	if total > missBytes || total != m.part(0).bytes {
		t.Errorf("%d bytes of keys are remembered, %d counted, of %d", total, m.part(0).bytes, missBytes)
	}
	for i := range 1000 {
		m.drop(0, fmt.Sprint(key, i))
	}
	if n := m.part(0).bytes; n != 0 {
		t.Errorf("%d bytes are left", n)
	}
}
