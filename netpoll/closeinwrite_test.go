package netpoll

import (
	"bytes"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// The connection may end inside a write: gnet calls OnClose from within it. From then on nothing may be asked of the transport (fakeLink sees to
// that), nothing more may be executed, and what others wait for goes on.

func TestCloseInWriteOfPipelinedAnswers(t *testing.T) {
	s, e := fakeServer(t, Options{}, engine.Options{})
	l := newLane(s, 0)
	_, helper := fakeConn(t, s, l)
	helper.handle(putReq("/a", bytes.Repeat([]byte("x"), 40<<10)))
	_, f := fakeConn(t, s, l)
	f.failWrites = true
	before := e.Stats()
	f.handle(bytes.Repeat(getReq("/a"), 100))
	got := e.Stats().Answers[engine.Get][engine.OK] - before.Answers[engine.Get][engine.OK]
	if !f.ended || got > 2 {
		t.Errorf("ended: %v, %d requests executed, want those before the failed write alone", f.ended, got)
	}
	if n := s.Stats().OutputBytes; n != 0 {
		t.Errorf("%d bytes of output are accounted for", n)
	}
	f.event() // late news from the poller
}

func TestCloseInWriteWithABodyOfItsOwn(t *testing.T) {
	s, _ := fakeServer(t, Options{}, engine.Options{})
	l := newLane(s, 0)
	_, helper := fakeConn(t, s, l)
	helper.handle(putReq("/a", make([]byte, 1<<20)))
	_, f := fakeConn(t, s, l)
	f.failWrites = true
	f.handle(bytes.Repeat(getReq("/a"), 3))
	// What was left of the answer must not reach the next one of this lane.
	_, next := fakeConn(t, s, l)
	next.handle(getReq("/none"))
	if a := oneAnswer(t, next.out); a.Status != wire.StatusNotFound {
		t.Errorf("the next connection of the lane gets %v", a.Status)
	}
}

// A grant that cannot be written goes to the next in line, which is on the same lane and gets its answer as soon as the lane is free.
func TestCloseInWriteOfAGrant(t *testing.T) {
	s, e := fakeServer(t, Options{}, engine.Options{LockWait: time.Second})
	l := newLane(s, 0)
	_, holder := fakeConn(t, s, l)
	holder.handle(putReq("/a", []byte("x")))
	holder.handle(acquireReq("/a"))
	_, first := fakeConn(t, s, l)
	_, second := fakeConn(t, s, l)
	first.handle(append(acquireReq("/a"), getReq("/b")...))
	second.handle(acquireReq("/a"))
	if n := e.Stats().Waiting; n != 2 {
		t.Fatalf("%d waiters", n)
	}
	first.failWrites = true
	holder.out = nil
	holder.handle(releaseReq("/a", 2))
	if a := oneAnswer(t, holder.out); a.Status != wire.StatusOK {
		t.Errorf("release: %v", a.Status)
	}
	if a := oneAnswer(t, second.out); a.Status != wire.StatusOK || a.Cookie != 4 {
		t.Errorf("the second waiter gets %v with cookie %d, want the lock with cookie 4", a.Status, a.Cookie)
	}
	if !first.ended {
		t.Error("the first waiter's connection lives on")
	}
	if n := e.Stats().Answers[engine.Get][engine.NotFound]; n != 0 {
		t.Error("a request behind the undelivered grant was executed")
	}
}

// The same where the mail lies in the box while the connection ends by itself.
func TestCloseWithAGrantInTheMailbox(t *testing.T) {
	s, e := fakeServer(t, Options{}, engine.Options{LockWait: time.Second})
	here, there := newLane(s, 0), newLane(s, 1)
	_, holder := fakeConn(t, s, here)
	holder.handle(putReq("/a", []byte("x")))
	holder.handle(acquireReq("/a"))
	_, w := fakeConn(t, s, there)
	w.handle(acquireReq("/a"))
	holder.handle(releaseReq("/a", 2))
	if n := w.woken.Load(); n != 1 || e.Stats().Locked != 1 {
		t.Fatalf("woken %d times, %d locks", n, e.Stats().Locked)
	}
	w.close()
	if n := e.Stats().Locked; n != 0 || len(w.out) > 0 {
		t.Errorf("%d locks, and %q was written", n, w.out)
	}
}

// oneAnswer reads the only answer of out.
func oneAnswer(t *testing.T, out []byte) wire.Answer {
	t.Helper()
	var a wire.Answer
	n, fault := wire.ParseAnswer(out, &clientLimits, &a)
	if fault != wire.OK || len(out) != n+a.ContentLength {
		t.Fatalf("%q: want one answer (%v)", clip(out), fault)
	}
	return a
}
