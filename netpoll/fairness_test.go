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
		if slowest > 5*time.Second {
			t.Error("too slow")
		}
	})
}
