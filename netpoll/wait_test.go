package netpoll

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// longWait is a lock_wait that no test uses up.
const longWait = engine.MaxLockWait

// overLoops runs a test on each transport, and on gnet with one event loop and with four.
func overLoops(t *testing.T, f func(t *testing.T, opt Options)) {
	transports(t, func(t *testing.T, transport string) {
		for _, loops := range []int{1, 4} {
			if loops == 1 || transport == TransportGnet {
				t.Run(fmt.Sprint("loops ", loops), func(t *testing.T) { f(t, Options{Transport: transport, Loops: loops}) })
			}
		}
	})
}

// line makes waiters stand in line for the lock of a session that somebody holds.
func line(t *testing.T, s *Server, e *engine.Engine, key string, n int, behind []byte) []*client {
	t.Helper()
	var all []*client
	already := e.Stats().Waiting
	for i := range n {
		c := dial(t, s)
		check(t, c.send(append(acquireReq(key), behind...)))
		eventually(t, "it waits", func() bool { return e.Stats().Waiting == already+int64(i)+1 })
		all = append(all, c)
	}
	return all
}

// TestWaitInOrder: the lock goes to those who wait in the order in which they came, whatever loops their connections are on; with bodies that travel
// in each way; and what stands behind the acquire is executed after it.
func TestWaitInOrder(t *testing.T) {
	parallel(t)
	overLoops(t, func(t *testing.T, opt Options) {
		for _, size := range []int{1, 40 << 10, 1 << 20} {
			s, e := start(t, opt, engine.Options{LockWait: longWait})
			holder := dial(t, s)
			body := pattern("0", size)
			ask(t, holder, putReq("/a", body), wire.StatusOK)
			cookie := ask(t, holder, acquireReq("/a"), wire.StatusOK).Cookie
			all := line(t, s, e, "/a", 12, getReq("/a"))
			for i, w := range all {
				if i%2 == 0 {
					ask(t, holder, releaseReq("/a", cookie), wire.StatusOK)
				} else {
					body = pattern(fmt.Sprint(i), size)
					ask(t, holder, saveReq("/a", cookie, body), wire.StatusOK)
				}
				a := expect(t, w, wire.StatusOK)
				if a.Cookie != cookie+1 || !bytes.Equal(a.body, body) {
					t.Fatalf("waiter %d: %v, want cookie %d and what was stored last", i, a, cookie+1)
				}
				cookie = a.Cookie
				if a := expect(t, w, wire.StatusLocked); a.Cookie != cookie {
					t.Fatalf("the read behind the acquire: %v, want its own lock %d", a, cookie)
				}
				if n := e.Stats().Waiting; n != int64(len(all)-i-1) {
					t.Fatalf("%d still wait", n)
				}
				holder = w
			}
		}
	})
}

// TestNoWait: with lock_wait 0 a locked session is refused at once.
func TestNoWait(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport}, engine.Options{})
		a, b := dial(t, s), dial(t, s)
		ask(t, a, putReq("/a", []byte("x")), wire.StatusOK)
		ask(t, a, acquireReq("/a"), wire.StatusOK)
		for range 100 {
			ask(t, b, acquireReq("/a"), wire.StatusLocked)
		}
		if st := e.Stats(); st.Waiting != 0 || st.WaitTimeouts != 0 {
			t.Errorf("%d wait, %d have waited", st.Waiting, st.WaitTimeouts)
		}
	})
}

// TestVanishedWaiter: who has left before the lock comes free gets neither lock nor answer, and the next in line gets it; or nobody, and the
// session is free. See docs/protocol.md §8.9.
func TestVanishedWaiter(t *testing.T) {
	parallel(t)
	ways := []struct {
		name string
		gone func(c *client)
	}{
		{"close", (*client).close},
		{"half-close", func(c *client) { _ = c.nc.CloseWrite() }},
		{"reset", (*client).reset},
	}
	overLoops(t, func(t *testing.T, opt Options) {
		s, e := start(t, opt, engine.Options{LockWait: longWait})
		holder := dial(t, s)
		ask(t, holder, putReq("/a", []byte("x")), wire.StatusOK)
		for round := range 60 {
			for _, way := range ways {
				cookie := ask(t, holder, acquireReq("/a"), wire.StatusOK).Cookie
				all := line(t, s, e, "/a", 3, deleteReq("/a")[:10*(round%2)]) // maybe with bytes that nobody reads before the end
				way.gone(all[0])
				way.gone(all[1])
				ask(t, holder, releaseReq("/a", cookie), wire.StatusOK)
				a, err := all[2].answer()
				if err != nil || a.Status != wire.StatusOK || a.Cookie > cookie+3 {
					t.Fatalf("%s: %v, %v, want the lock with a cookie from %d to %d", way.name, a, err, cookie+1, cookie+3)
				}
				// The same without anybody behind.
				more := line(t, s, e, "/a", 1, nil)
				way.gone(more[0])
				ask(t, holder, releaseReq("/a", a.Cookie), wire.StatusOK)
				eventually(t, way.name+": the connections are gone", func() bool { return s.Stats().Connections == 2 })
				eventually(t, way.name+": nobody has the lock", func() bool { return e.Stats().Locked == 0 })
				if way.name == "half-close" {
					for _, c := range []*client{all[0], all[1], more[0]} {
						check(t, c.closed())
					}
				}
				all[2].close()
				eventually(t, "the last connection is gone", func() bool { return s.Stats().Connections == 1 })
			}
		}
	})
}

// TestVanishAtGrant has many clients that wait, leave at random moments and come again. Who has left in the moment of the grant knows from what it
// still reads whether the lock is its own; if so, it releases it over another connection. In the end the session must be free at once.
func TestVanishAtGrant(t *testing.T) {
	parallel(t)
	overLoops(t, func(t *testing.T, opt Options) {
		// Without a queue of its own, and through it: that many requests in one piece have to yield.
		for _, before := range []int{0, 2 * hotShare} {
			s, e := start(t, opt, engine.Options{LockWait: longWait, LockQueue: 8})
			other := dial(t, s)
			ask(t, other, putReq("/a", []byte("x")), wire.StatusOK)
			rnd := random(t)
			var clients sync.WaitGroup
			for range 12 {
				r := rand.New(rand.NewPCG(rnd.Uint64(), 0))
				clients.Go(func() {
					if err := comeAndGo(s, r, before, 60); err != nil {
						t.Error(err)
					}
				})
			}
			clients.Wait()
			eventually(t, "all connections are gone", func() bool { return s.Stats().Connections == 1 })
			eventually(t, "nobody waits, is queued or has the lock", func() bool {
				st := e.Stats()
				return st.Waiting == 0 && st.Queued == 0 && st.Locked == 0
			})
			ask(t, other, acquireReq("/a"), wire.StatusOK)
		}
	})
}

// comeAndGo takes the lock of /a so many times, with some reads before it in the same piece, or leaves while it waits.
func comeAndGo(s *Server, r *rand.Rand, before, turns int) error {
	for range turns {
		c, err := connect(s)
		if err != nil {
			return err
		}
		defer c.close()
		if err := c.send(append(bytes.Repeat(headReq("/a"), before), acquireReq("/a")...)); err != nil {
			return err
		}
		leaves := r.IntN(2) == 0
		if leaves {
			if r.IntN(2) == 0 { // not at once
				_ = c.nc.SetReadDeadline(time.Now().Add(time.Duration(r.IntN(500)) * time.Microsecond))
				_ = c.fill()
			}
			if err := c.nc.CloseWrite(); err != nil {
				return err
			}
		}
		cookie := uint32(0)
		for range before + 1 {
			a, err := c.answer()
			if err != nil && leaves && errors.Is(err, io.EOF) && len(c.buf) == 0 {
				break
			}
			if err != nil {
				return err
			}
			if a.HasCookie && a.Status == wire.StatusOK {
				cookie = a.Cookie
			}
		}
		if cookie != 0 {
			if err := releaseElsewhere(s, cookie); err != nil {
				return err
			}
		}
	}
	return nil
}

func releaseElsewhere(s *Server, cookie uint32) error {
	c, err := connect(s)
	if err != nil {
		return err
	}
	defer c.close()
	if a, err := c.do(releaseReq("/a", cookie)); err != nil || a.Status != wire.StatusOK {
		return fmt.Errorf("release of %d: %v, %w", cookie, a, err)
	}
	return nil
}

// TestVanishedWaiterInOneBatch: the event loop has something else to do while first the waiter leaves and then the lock is released, and comes to
// see the release first.
func TestVanishedWaiterInOneBatch(t *testing.T) {
	parallel(t)
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport, Loops: 1}, engine.Options{LockWait: longWait})
		holder, busy := dial(t, s), dial(t, s)
		ask(t, holder, putReq("/a", []byte("x")), wire.StatusOK)
		ask(t, holder, putReq("/busy", make([]byte, 60<<10)), wire.StatusOK)
		for range 100 {
			cookie := ask(t, holder, acquireReq("/a"), wire.StatusOK).Cookie
			w := line(t, s, e, "/a", 1, nil)[0]
			const many = 50
			check(t, busy.send(bytes.Repeat(getReq("/busy"), many)))
			release := releaseReq("/a", cookie)
			check(t, holder.send(release[:10]))
			_ = w.nc.CloseWrite()
			check(t, holder.send(release[10:]))
			expect(t, holder, wire.StatusOK)
			check(t, w.closed())
			for range many {
				expect(t, busy, wire.StatusOK)
			}
			eventually(t, "the waiter's connection is gone", func() bool { return s.Stats().Connections == 2 })
			eventually(t, "nobody has the lock", func() bool { return e.Stats().Locked == 0 })
		}
	})
}
