package netpoll

import (
	"bytes"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// shortGrace stands for slowReaderGrace.
const shortGrace = 500 * time.Millisecond

// TestSlowReader: who pipelines requests and does not read takes no more than MaxOutput and one answer, is cut off, and nobody else feels it.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	transports(t, func(t *testing.T, transport string) {
		t.Parallel()
		const size, most = 1 << 20, 1 << 20
		s, _ := start(t, Options{
			Transport: transport, Loops: 1, MaxOutput: most, slowReader: shortGrace, IdleTimeout: idleTime,
		}, engine.Options{})
		other, rude := dial(t, s), dial(t, s)
		ask(t, other, putReq("/large", make([]byte, size)), wire.StatusOK)
		sent := time.Now()
		check(t, rude.send(bytes.Repeat(getReq("/large"), 500)))
		peak := int64(0)
		eventually(t, "it is cut off", func() bool {
			ask(t, other, getReq("/none"), wire.StatusNotFound)
			peak = max(peak, s.Stats().OutputBytes)
			return s.Stats().Closed["slow_reader"] == 1
		})
		took := time.Since(sent)
		// gnet queues; the standard library's writes wait, for the idle timeout.
		lo, hi := shortGrace, int64(most+size+4096)
		if transport == TransportStd {
			lo, hi = idleTime, 0
		}
		if took < lo || took > lo+slack() {
			t.Errorf("cut off after %v, want %v and little more", took, lo)
		}
		if peak > hi {
			t.Errorf("%d bytes were queued, want at most %d", peak, hi)
		}
		if n := s.Stats().OutputBytes; n != 0 {
			t.Errorf("%d bytes are still accounted for", n)
		}
	})
}

// TestSteadyReader: who reads slowly, but reads, gets everything; whether it goes on sending or not.
func TestSteadyReader(t *testing.T) {
	parallel(t)
	transports(t, func(t *testing.T, transport string) {
		t.Parallel()
		const size, answers = 1 << 20, 48
		s, _ := start(t, Options{
			Transport: transport, MaxOutput: 64 << 10, slowReader: shortGrace, IdleTimeout: idleTime,
		}, engine.Options{})
		c, pace := dial(t, s), dial(t, s)
		check(t, c.nc.SetReadBuffer(512<<10)) // so that little fits the client's side of TCP
		body := pattern("steady", size)
		ask(t, c, putReq("/large", body), wire.StatusOK)
		check(t, c.send(append(bytes.Repeat(getReq("/large"), answers), "GET /none HTTP/1.1\r\nHost: "...)))
		for i := range answers {
			for len(c.buf) < size {
				_ = pace.silent(10 * time.Millisecond)
				check(t, c.send([]byte("a")))
				check(t, c.fillUp(min(128<<10, size-len(c.buf))))
			}
			if a := expect(t, c, wire.StatusOK); !bytes.Equal(a.body, body) {
				t.Fatalf("answer %d is another", i)
			}
		}
		ask(t, c, []byte("\r\n\r\n"), wire.StatusNotFound)
		eventually(t, "nothing is queued", func() bool { return s.Stats().OutputBytes == 0 })
	})
}

// fillUp reads n bytes more.
func (c *client) fillUp(n int) error {
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	for want := len(c.buf) + n; len(c.buf) < want; {
		if err := c.fill(); err != nil {
			return err
		}
	}
	return nil
}

// TestLateReader: a single answer may be larger than MaxOutput, and read late.
func TestLateReader(t *testing.T) {
	parallel(t)
	transports(t, func(t *testing.T, transport string) {
		t.Parallel()
		s, _ := start(t, Options{Transport: transport, MaxOutput: 64 << 10, slowReader: shortGrace}, engine.Options{})
		c, pace := dial(t, s), dial(t, s)
		body := pattern("late", 40<<20)
		ask(t, c, putReq("/large", body), wire.StatusOK)
		check(t, c.send(getReq("/large")))
		check(t, pace.silent(4*shortGrace))
		if a := expect(t, c, wire.StatusOK); !bytes.Equal(a.body, body) {
			t.Error("another body came")
		}
		ask(t, c, getReq("/none"), wire.StatusNotFound)
	})
}

// TestMaxOutputTotal: many clients that each leave one answer unread are bounded together, and those beyond the bound are cut off.
func TestMaxOutputTotal(t *testing.T) {
	if !gnetForProduction {
		t.Skip("only gnet queues answers")
	}
	const size, most = 16 << 20, 32 << 20
	s, _ := start(t, Options{Transport: TransportGnet, Loops: 1, MaxOutputTotal: most}, engine.Options{})
	other := dial(t, s)
	body := pattern("total", size)
	ask(t, other, putReq("/large", body), wire.StatusOK)
	for range 12 {
		c := dial(t, s)
		check(t, c.nc.SetReadBuffer(64<<10))
		check(t, c.send(getReq("/large")))
		ask(t, other, getReq("/none"), wire.StatusNotFound)
		if n := s.Stats().OutputBytes; n > most {
			t.Errorf("%d bytes are queued, want at most %d", n, most)
		}
	}
	eventually(t, "some are cut off", func() bool { return s.Stats().Closed["slow_reader"] >= 4 })
}

// TestAnswersKeepTheirContent: an answer shows the session as it was when the request was executed, no matter when it is read (§2.13).
func TestAnswersKeepTheirContent(t *testing.T) {
	parallel(t)
	transports(t, func(t *testing.T, transport string) {
		for _, size := range []int{1000, wholeBody, wholeBody + 1, 3 << 20} {
			s, _ := start(t, Options{Transport: transport, MaxOutput: 8 << 20}, engine.Options{})
			reader, writer := dial(t, s), dial(t, s)
			first, second := pattern("first", size), pattern("second", size)
			ask(t, writer, putReq("/a", first), wire.StatusOK)
			answers := min(10000, 24<<20/size)
			sending := make(chan error, 1)
			go func() { sending <- reader.send(bytes.Repeat(getReq("/a"), answers)) }()
			for range 20 {
				ask(t, writer, putReq("/a", first), wire.StatusOK)
			}
			ask(t, writer, putReq("/a", second), wire.StatusOK)
			changed := false
			for i := range answers {
				a := expect(t, reader, wire.StatusOK)
				if !changed && bytes.Equal(a.body, second) {
					changed = true
				}
				if want := map[bool][]byte{false: first, true: second}[changed]; !bytes.Equal(a.body, want) {
					t.Fatalf("answer %d of %d bytes is neither what was stored first nor second, or went back", i, size)
				}
			}
			check(t, <-sending)
		}
	})
}

// TestFlood: what a client sends behind a request that waits is kept up to max_body and a header block, then the connection is closed (§8.10).
func TestFlood(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		const maxBody = 1 << 20
		s, e := start(t, Options{Transport: transport, MaxBody: maxBody}, engine.Options{LockWait: 20 * time.Second})
		c := dial(t, s)
		ask(t, c, putReq("/a", []byte("x")), wire.StatusOK)
		cookie := ask(t, c, acquireReq("/a"), wire.StatusOK).Cookie
		before := e.Stats().Bytes

		// Not too much: executed after the wait, in order.
		w := dial(t, s)
		body := pattern("behind", maxBody)
		check(t, w.send(append(append(acquireReq("/a"), putReq("/b", body)...), getReq("/b")...)))
		eventually(t, "what is kept is accounted for", func() bool { return e.Stats().Bytes >= before+maxBody })
		ask(t, c, getReq("/b"), wire.StatusNotFound)
		ask(t, c, releaseReq("/a", cookie), wire.StatusOK)
		cookie = expect(t, w, wire.StatusOK).Cookie
		expect(t, w, wire.StatusOK)
		if a := expect(t, w, wire.StatusOK); !bytes.Equal(a.body, body) {
			t.Error("another body came back")
		}
		ask(t, w, deleteReq("/b"), wire.StatusOK)
		if n := e.Stats().Bytes; n != before {
			t.Errorf("%d bytes too much in the account", n-before)
		}

		// Too much.
		rude := dial(t, s)
		check(t, rude.send(acquireReq("/a")))
		eventually(t, "it waits", func() bool { return e.Stats().Waiting == 1 })
		go func() { // until the server has had enough
			for junk := make([]byte, 64<<10); rude.send(junk) == nil; {
			}
		}()
		if err := rude.closed(); err != nil {
			t.Error(err)
		}
		eventually(t, "the flood is counted", func() bool { return s.Stats().Closed["flood"] == 1 })
		if st := e.Stats(); st.Bytes != before || st.Waiting != 0 {
			t.Errorf("%d bytes too much in the account, %d waiters", st.Bytes-before, st.Waiting)
		}
		ask(t, w, releaseReq("/a", cookie), wire.StatusOK)
		if a := ask(t, w, acquireReq("/a"), wire.StatusOK); a.Cookie != cookie+1 {
			t.Errorf("the next lock has cookie %d, want %d", a.Cookie, cookie+1)
		}
	})
}

// TestFloodWithoutMemory: bytes that are kept behind a waiting request come out of max_memory.
func TestFloodWithoutMemory(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport}, engine.Options{LockWait: 20 * time.Second, MaxMemory: 1 << 20})
		c := dial(t, s)
		ask(t, c, putReq("/a", []byte("x")), wire.StatusOK)
		ask(t, c, acquireReq("/a"), wire.StatusOK)
		before := e.Stats().Bytes
		w := dial(t, s)
		err := w.send(append(acquireReq("/a"), putReq("/b", make([]byte, 8<<20))...))
		if err != nil && !ended(err) {
			t.Error(err)
		}
		check(t, w.closed())
		eventually(t, "the flood is counted", func() bool { return s.Stats().Closed["flood"] == 1 })
		if n := e.Stats().Bytes; n != before {
			t.Errorf("%d bytes too much in the account", n-before)
		}
		ask(t, c, getReq("/a"), wire.StatusLocked)
	})
}
