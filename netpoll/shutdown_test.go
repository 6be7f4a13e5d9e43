package netpoll

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// stopping begins a shutdown and returns when no new connection is accepted any more, and a channel for the outcome.
func stopping(t *testing.T, s *Server, grace time.Duration) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- stop(s, grace) }()
	eventually(t, "the port is closed", func() bool {
		c, err := connect(s)
		if err == nil {
			c.close()
		}
		return err != nil
	})
	return done
}

// TestShutdown: connections without a request are closed, those with one are closed when it has been answered and the answer has been read.
func TestShutdown(t *testing.T) {
	parallel(t)
	transports(t, func(t *testing.T, transport string) {
		const wait = 300 * time.Millisecond
		s, e := start(t, Options{Transport: transport}, engine.Options{LockWait: wait})
		fresh, idle, head, small, large, waiting, late := dial(t, s), dial(t, s), dial(t, s), dial(t, s), dial(t, s), dial(t, s), dial(t, s)
		check(t, put(idle, "/a", []byte("x")))
		unread := pattern("unread", 30<<20)
		check(t, put(late, "/unread", unread))
		check(t, late.send(getReq("/unread")))
		ask(t, idle, acquireReq("/a"), wire.StatusOK)
		request := putReq("/small", make([]byte, 1000))
		body := pattern("large", 1<<20)
		check(t, head.send(getReq("/a")[:10]))
		check(t, small.send(request[:500]))
		check(t, large.send(putReq("/large", body)[:500<<10]))
		eventually(t, "the body is on its way in", func() bool { return s.Stats().IntakeBytes > 0 })
		check(t, waiting.send(acquireReq("/a")))
		eventually(t, "it waits", func() bool { return e.Stats().Waiting == 1 })

		done := stopping(t, s, patience)
		check(t, fresh.closed())
		check(t, idle.closed())
		expect(t, waiting, wire.StatusLocked)
		check(t, waiting.closed())
		for _, c := range []struct {
			*client
			rest []byte
			want wire.Status
		}{
			{head, getReq("/a")[10:], wire.StatusLocked},
			{small, request[500:], wire.StatusOK},
			{large, putReq("/large", body)[500<<10:], wire.StatusOK},
		} {
			check(t, c.send(c.rest))
			expect(t, c.client, c.want)
			check(t, c.closed())
		}
		if a := expect(t, late, wire.StatusOK); !bytes.Equal(a.body, unread) {
			t.Error("an answer that was on its way is another")
		}
		check(t, late.closed())
		check(t, <-done)
		if st := s.Stats(); st.Connections != 0 || st.Closed["shutdown"] < 7 || st.Truncated != 0 {
			t.Errorf("%d connections, %v", st.Connections, st.Closed)
		}
		check(t, s.Shutdown(t.Context()))
		select {
		case err := <-s.Err():
			t.Errorf("a fault is reported: %v", err)
		default:
		}

		// The sessions are still there for the next one on the same port.
		starting.Lock()
		next, err := Listen(Options{Transport: transport, Addr: s.Addr().String()}, e)
		starting.Unlock()
		check(t, err)
		defer func() { check(t, stop(next, patience)) }()
		c := dial(t, next)
		defer c.close()
		if a := ask(t, c, getReq("/large"), wire.StatusOK); !bytes.Equal(a.body, body) {
			t.Error("another body came back")
		}
	})
}

// TestShutdownInTime: requests that do not come to their end, clients that do not read, and waiters are cut when the time is up.
func TestShutdownInTime(t *testing.T) {
	parallel(t)
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport}, engine.Options{LockWait: longWait})
		large, deaf, slow, w := dial(t, s), dial(t, s), dial(t, s), dial(t, s)
		check(t, put(w, "/a", make([]byte, 60<<20)))
		ask(t, w, acquireReq("/a"), wire.StatusOK)
		check(t, put(w, "/b", make([]byte, 60<<20)))
		before := e.Stats().Bytes
		check(t, large.send(putReq("/large", make([]byte, 1<<20))[:500<<10]))
		check(t, deaf.send(getReq("/b")))
		check(t, slow.send(append(getReq("/b"), acquireReq("/a")...)))
		reading := make(chan struct{})
		go func() {
			defer close(reading)
			for slow.fillUp(1<<10) == nil { // so that writes go on, for a while
			}
		}()
		check(t, w.send(acquireReq("/a")))
		eventually(t, "they have got that far", func() bool { return e.Stats().Waiting >= 1 && s.Stats().IntakeBytes > 0 })
		began := time.Now()
		if err := stop(s, 200*time.Millisecond); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > slack() {
			t.Errorf("it took %v", took)
		}
		if err := w.closed(); err != nil {
			t.Error(err)
		}
		<-reading
		if st := s.Stats(); st.Connections != 0 || st.Closed["shutdown"] != 4 || st.IntakeBytes != 0 || st.OutputBytes != 0 || st.Truncated != 0 {
			t.Errorf("%+v", st)
		}
		if st := e.Stats(); st.Bytes != before || st.Waiting != 0 {
			t.Errorf("%d bytes too much in the account, %d wait", st.Bytes-before, st.Waiting)
		}
	})
}

// TestShutdownUnderLoad: in a shutdown amid requests no client gets half an answer, and what was acknowledged is stored.
func TestShutdownUnderLoad(t *testing.T) {
	parallel(t)
	overLoops(t, func(t *testing.T, opt Options) {
		s, e := start(t, opt, engine.Options{})
		const clients = 16
		acknowledged := make([]int, clients)
		var running, begun sync.WaitGroup
		begun.Add(clients)
		for i := range clients {
			c := dial(t, s)
			running.Go(func() {
				for n := 1; ; n++ {
					a, err := c.do(putReq(fmt.Sprint("/", i), fmt.Appendf(nil, "%0*d", 1+n%5000, n)))
					if err != nil {
						var op *net.OpError
						if errors.As(err, &op) && op.Timeout() || len(c.buf) > 0 {
							t.Errorf("client %d: %v after %d bytes", i, err, len(c.buf))
						}
						return
					}
					if a.Status != wire.StatusOK {
						t.Errorf("client %d: %v", i, a)
						return
					}
					if acknowledged[i] = n; n == 50 {
						begun.Done()
					}
				}
			})
		}
		begun.Wait()
		check(t, stop(s, patience))
		running.Wait()

		starting.Lock()
		next, err := Listen(Options{Addr: "127.0.0.1:0", Transport: TransportStd}, e)
		starting.Unlock()
		check(t, err)
		defer func() { check(t, stop(next, patience)) }()
		c := dial(t, next)
		defer c.close()
		for i, n := range acknowledged {
			a := ask(t, c, getReq(fmt.Sprint("/", i)), wire.StatusOK)
			var stored int
			_, err := fmt.Sscanf(string(a.body), "%d", &stored)
			if err != nil || stored != n && stored != n+1 {
				t.Errorf("client %d: %d is stored (%v), %d was acknowledged last", i, stored, err, n)
			}
		}
	})
}
