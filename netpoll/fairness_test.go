package netpoll

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// TestOneSessionDoesNotHogAll: while hundreds of connections have nothing in mind but one session, another one's requests go on being answered.
func TestOneSessionDoesNotHogAll(t *testing.T) {
	parallel(t)
	overLoops(t, func(t *testing.T, opt Options) {
		s, _ := start(t, opt, engine.Options{LockWait: 50 * time.Millisecond})
		other := dial(t, s)
		check(t, put(other, "/hot", make([]byte, 2000)))
		check(t, put(other, "/other", []byte("x")))
		var over atomic.Bool
		var hammering, begun sync.WaitGroup
		const many = 200
		begun.Add(many)
		for i := range many {
			c := dial(t, s)
			hammering.Go(func() {
				requests := bytes.Join([][]byte{getReq("/hot"), headReq("/hot"), putReq("/hot", make([]byte, 2000)), acquireReq("/hot"), releaseReq("/hot", 2)}, nil)
				for n := 0; !over.Load(); n++ {
					if err := c.send(requests); err != nil {
						t.Errorf("client %d: %v", i, err)
						break
					}
					for range 5 {
						if _, err := c.answer(); err != nil {
							t.Errorf("client %d: %v", i, err)
						}
					}
					if n == 0 {
						begun.Done()
					}
				}
			})
		}
		slowest := time.Duration(0)
		for range 200 {
			began := time.Now()
			ask(t, other, getReq("/other"), wire.StatusOK)
			slowest = max(slowest, time.Since(began))
		}
		begun.Wait()
		over.Store(true)
		hammering.Wait()
		t.Logf("the slowest answer took %v", slowest)
		if slowest > slack() {
			t.Error("too slow")
		}
	})
}

// TestBacklogInTurns: what has piled up behind a request that had to wait is not executed in one go: others need the lane too (§8.10).
func TestBacklogInTurns(t *testing.T) {
	s, e := fakeServer(t, Options{}, engine.Options{})
	_, f := fakeConn(t, s, newLane(s, 0))
	request := headReq("/none")
	total := int64(2 << 20 / len(request))
	f.handle(bytes.Repeat(request, int(total)))
	turns := int64(1)
	for done := int64(0); ; turns++ {
		before := done
		done = e.Stats().Answers[engine.Touch][engine.NotFound]
		if got := (done - before) * int64(len(request)); got == 0 || got > 2*eventShare {
			t.Fatalf("turn %d takes %d bytes", turns, got)
		}
		if done == total {
			break
		}
		eventually(t, "the connection is woken", func() bool { return f.woken.Load() == turns })
		f.event()
	}
	if turns < 4 {
		t.Errorf("%d turns", turns)
	}
	if n := bytes.Count(f.out, []byte("404 Not Found")); int64(n) != total {
		t.Errorf("%d answers, want %d", n, total)
	}
}
