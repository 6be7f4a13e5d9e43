package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// fickle is an Elsewhere that knows of one session that it is nowhere, until it forgets.
type fickle struct {
	known atomic.Bool
	looks atomic.Int64 // how often Nowhere has been called
	asked atomic.Int64
	finds chan *Fetch
}

func (x *fickle) Nowhere(uint64, []byte) bool {
	known := x.known.Load()
	x.looks.Add(1)
	for range 3 { // what is known may not be true any more when it is used
		runtime.Gosched()
	}
	return known
}

func (x *fickle) Find(f *Fetch) {
	x.asked.Add(1)
	x.finds <- f
}

// fate is a Caller that keeps how its ticket ended.
type fate struct{ status, n atomic.Int64 }

func (*fate) Park(*Ticket) {}

func (c *fate) Answer(t *Ticket, _ int) bool {
	c.status.Store(int64(t.Out.Status))
	c.n.Add(1)
	return true
}

// TestCreationAgainstLeave: a node may create a session without asking as long as it knows that there is none; a peer that means to create the same session
// makes it forget first. Whatever the two do at the same moment, it never happens that the peer is told "not here" and the session is created
// here without asking. See settle.
func TestCreationAgainstLeave(t *testing.T) {
	x := &fickle{finds: make(chan *Fetch, 1)}
	e, err := New(Options{Elsewhere: x}, Time{})
	if err != nil {
		t.Fatal(err)
	}
	now, key := Time{Mono: 1}, []byte(k)
	unasked, refused := 0, 0
	for i := range 20000 {
		x.known.Store(true)
		x.looks.Store(0)
		before := x.asked.Load()
		var saver, peer fate
		save := Ticket{Op: Set, Key: key, Hash: e.Hash(key), Body: []byte("a"), Caller: &saver}
		leave := Ticket{Op: Leave, Key: key, Hash: e.Hash(key), Caller: &peer}
		var wg sync.WaitGroup
		var ready atomic.Int64
		meet := func() { // so that the two start together
			for ready.Add(1); ready.Load() < 2; {
				runtime.Gosched()
			}
		}
		wg.Go(func() {
			meet()
			e.Do(now, 0, &save)
		})
		meet()
		for x.looks.Load() < int64(i%3) && saver.n.Load() == 0 { // at different moments of the other's work
			runtime.Gosched()
		}
		x.known.Store(false)
		e.Do(now, 1, &leave)
		wg.Wait()
		e.Run(now, 0, 100)
		created := saver.n.Load() == 1 && x.asked.Load() == before
		if peer.n.Load() != 1 {
			t.Fatal("the peer has no answer")
		}
		switch Status(peer.status.Load()) {
		case NotFound:
			refused++
			if created {
				t.Fatalf("after %d times the peer hears that there is nothing, and the session has been created without asking", unasked+refused)
			}
		case OK:
			unasked++
			e.Left(0, leave.Leaving)
		}
		if !created {
			e.Missing(now, 0, <-x.finds)
			e.Run(now, 0, 100)
			x.known.Store(true)
			e.Do(now, 0, &Ticket{Op: Remove, Key: key, Hash: e.Hash(key), Caller: &fate{}})
		}
	}
	if s := e.Stats(); s.Sessions != 0 || s.Bytes != 0 {
		t.Errorf("there remain %+v", s)
	}
	t.Logf("%d times the save was first, %d times the peer", unasked, refused)
}
