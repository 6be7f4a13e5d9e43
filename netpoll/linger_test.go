package netpoll

import (
	"bytes"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

func closeReq(key string) []byte {
	return wire.AppendRequest(nil, &wire.Request{Verb: wire.Get, Target: []byte(key), Timeout: 20, Close: true})
}

// TestConnectionClose is §2.9: the request is answered, what stands behind it is not executed.
func TestConnectionClose(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport}, engine.Options{LockWait: time.Minute / 4})
		c := dial(t, s)
		check(t, c.send(append(append(putReq("/a", []byte("x")), closeReq("/a")...), deleteReq("/a")...)))
		expect(t, c, wire.StatusOK)
		expect(t, c, wire.StatusOK)
		check(t, c.closed())
		if n := e.Stats().Sessions; n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}

		// The same for a request that had to wait.
		holder, w := dial(t, s), dial(t, s)
		cookie := ask(t, holder, acquireReq("/a"), wire.StatusOK).Cookie
		waiting := wire.AppendRequest(nil, &wire.Request{
			Verb: wire.Get, Exclusive: wire.Acquire, Target: []byte("/a"), Timeout: 20, Close: true,
		})
		check(t, w.send(append(waiting, deleteReq("/a")...)))
		eventually(t, "it waits", func() bool { return e.Stats().Waiting == 1 })
		ask(t, holder, releaseReq("/a", cookie), wire.StatusOK)
		expect(t, w, wire.StatusOK)
		check(t, w.closed())
		ask(t, holder, getReq("/a"), wire.StatusLocked)
		c.close()
		w.close()
		eventually(t, "both are counted", func() bool { return s.Stats().Closed["asked"] == 2 })
	})
}

// TestConnectionCloseLate: the last answer gets the time it needs.
func TestConnectionCloseLate(t *testing.T) {
	parallel(t)
	transports(t, func(t *testing.T, transport string) {
		t.Parallel()
		s, _ := start(t, Options{Transport: transport}, engine.Options{})
		c, pace := dial(t, s), dial(t, s)
		body := pattern("last", 40<<20)
		ask(t, c, putReq("/large", body), wire.StatusOK)
		check(t, c.send(closeReq("/large")))
		check(t, pace.silent(time.Duration(lingerTime)*3/2))
		if a := expect(t, c, wire.StatusOK); !bytes.Equal(a.body, body) {
			t.Error("another body came")
		}
		check(t, c.closed())
	})
}

// TestLinger: a client that has more to say when its request is refused still gets the 400, and the answers before it; not a reset (§2.12).
func TestLinger(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport}, engine.Options{})
		helper := dial(t, s)
		body := pattern("before", 1<<20)
		ask(t, helper, putReq("/large", body), wire.StatusOK)
		for range 20 {
			c := dial(t, s)
			sending := make(chan error, 1)
			go func() {
				request := append(bytes.Repeat(getReq("/large"), 3), "GET /large FTP/1.0\r\n\r\n"...)
				request = append(request, putReq("/never", make([]byte, 900<<10))...)
				sending <- c.send(request)
			}()
			for range 3 {
				if a := expect(t, c, wire.StatusOK); !bytes.Equal(a.body, body) {
					t.Fatal("another body came")
				}
			}
			expect(t, c, wire.StatusBadRequest)
			check(t, <-sending)
			check(t, c.closed())
			c.close()
		}
		if n := e.Stats().Sessions; n != 1 {
			t.Errorf("%d sessions, want 1: something behind a refused request was executed", n)
		}
		eventually(t, "all are counted", func() bool { return s.Stats().Closed["malformed"] == 20 })
		if n := s.Stats().Malformed[wire.BadVersion.String()]; n != 20 {
			t.Errorf("%d counted as %v, want 20", n, wire.BadVersion)
		}
	})
}

// TestLingerEnds: after 2 s the server has waited long enough.
func TestLingerEnds(t *testing.T) {
	t.Parallel()
	transports(t, func(t *testing.T, transport string) {
		t.Parallel()
		s, _ := start(t, Options{Transport: transport}, engine.Options{})
		c := dial(t, s)
		sent := time.Now()
		ask(t, c, []byte("\r\n"), wire.StatusBadRequest)
		check(t, c.closed())
		eventually(t, "the connection is closed", func() bool { return s.Stats().Closed["malformed"] == 1 })
		if took := time.Since(sent); took < time.Duration(lingerTime) || took > time.Duration(lingerTime)+slack() {
			t.Errorf("closed after %v, want %v", took, time.Duration(lingerTime))
		}
	})
}

// TestLingerReadsSoMuch: 1 MiB is enough as well.
func TestLingerReadsSoMuch(t *testing.T) {
	s, _ := fakeServer(t, Options{}, engine.Options{})
	_, f := fakeConn(t, s, newLane(s, 0))
	f.handle([]byte("\r\n"))
	if a := oneAnswer(t, f.out); a.Status != wire.StatusBadRequest || !f.finished || f.ended {
		t.Fatalf("%v, sending ended: %v, closed: %v", a.Status, f.finished, f.ended)
	}
	for range lingerBytes >> 10 {
		if f.ended {
			t.Fatal("closed too soon")
		}
		f.handle(make([]byte, 1<<10))
	}
	f.handle([]byte("x"))
	if !f.ended {
		t.Error("the server goes on reading")
	}
	if n := s.Stats().Closed["malformed"]; n != 1 {
		t.Errorf("%d counted", n)
	}
}
