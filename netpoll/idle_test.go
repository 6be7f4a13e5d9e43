package netpoll

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// idleTime is the shortest idle timeout that may be set.
const idleTime = time.Second

// TestIdle is §2.8: how long a connection may be silent, and what counts as silence.
func TestIdle(t *testing.T) {
	t.Parallel()
	transports(t, func(t *testing.T, transport string) {
		t.Parallel()
		idleCloses(t, transport)
		idleRestarts(t, transport)
		idleWaiter(t, transport)
	})
}

// idleCloses: a silent connection is closed, wherever in a request it is, and nothing is sent.
func idleCloses(t *testing.T, transport string) {
	for _, tt := range []struct {
		name    string
		send    []byte
		answers int
		stalled int64
	}{
		{"new", nil, 0, 0},
		{"between requests", getReq("/none"), 1, 0},
		{"in a head", getReq("/none")[:20], 0, 1},
		{"behind a request in a head", append(getReq("/none"), "GET /"...), 1, 1},
		{"before a small body", putHead("/small", 10), 0, 1},
		{"in a small body", append(putHead("/small", 10), "123"...), 0, 1},
		{"before a large body", putHead("/large", 8<<20), 0, 1},
		{"in a large body", append(putHead("/large", 8<<20), make([]byte, 1<<20)...), 0, 1},
		{"in a body without a meaning", append(longGet("/none", 1<<20), make([]byte, 1000)...), 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, e := start(t, Options{Transport: transport, IdleTimeout: idleTime}, engine.Options{})
			before := e.Stats().Bytes
			sent := time.Now() // the server's time begins when it accepts, which may be before dial returns
			c := dial(t, s)
			check(t, c.send(tt.send))
			for range tt.answers {
				expect(t, c, wire.StatusNotFound)
			}
			check(t, c.closed())
			if took := time.Since(sent); took < idleTime || took > idleTime+slack() {
				t.Errorf("closed after %v, want %v to %v", took, idleTime, idleTime+slack())
			}
			eventually(t, "the close is counted", func() bool { return s.Stats().Connections == 0 })
			st := s.Stats()
			if st.Stalled != tt.stalled || st.Truncated != 0 || st.Closed["idle"] != 1 {
				t.Errorf("%d stalled, %d truncated, %v closed; want %d, 0, one idle", st.Stalled, st.Truncated, st.Closed, tt.stalled)
			}
			if est := e.Stats(); est.Bytes != before || est.Sessions != 0 || st.IntakeBytes != 0 {
				t.Errorf("%d bytes, %d sessions, %d bytes of bodies on their way are left", est.Bytes-before, est.Sessions, st.IntakeBytes)
			}
		})
	}
}

// longGet is the head of a GET that announces a body.
func longGet(key string, n int) []byte {
	return wire.AppendRequest(nil, &wire.Request{Verb: wire.Get, Target: []byte(key), Timeout: 20, ContentLength: n})
}

// idleRestarts: each byte that arrives starts the time anew, also one that does not finish anything.
func idleRestarts(t *testing.T, transport string) {
	const tail = 8 // bytes that arrive one by one
	for _, tt := range []struct {
		name    string
		request []byte
		want    wire.Status
	}{
		{"head", getReq("/none"), wire.StatusNotFound},
		{"small body", putReq("/small", make([]byte, 100)), wire.StatusOK},
		{"large body", putReq("/large", make([]byte, 300<<10)), wire.StatusOK},
		{"body without a meaning", append(longGet("/none", 300<<10), make([]byte, 300<<10)...), wire.StatusNotFound},
	} {
		t.Run(tt.name+" byte by byte", func(t *testing.T) {
			t.Parallel()
			s, _ := start(t, Options{Transport: transport, IdleTimeout: 2 * idleTime}, engine.Options{})
			c := dial(t, s)
			n := len(tt.request) - tail
			check(t, c.send(tt.request[:n]))
			for _, b := range tt.request[n:] {
				check(t, c.silent(idleTime/2))
				check(t, c.send([]byte{b}))
			}
			expect(t, c, tt.want)
		})
	}
}

// idleWaiter: the time does not run while an acquire is held back, and runs from its answer on.
func idleWaiter(t *testing.T, transport string) {
	t.Run("waiter", func(t *testing.T) {
		t.Parallel()
		const wait = 4 * idleTime
		s, _ := start(t, Options{Transport: transport, IdleTimeout: idleTime}, engine.Options{LockWait: wait})
		holder := dial(t, s)
		ask(t, holder, putReq("/a", []byte("x")), wire.StatusOK)
		ask(t, holder, acquireReq("/a"), wire.StatusOK)
		c := dial(t, s)
		sent := time.Now()
		check(t, c.send(acquireReq("/a")))
		expect(t, c, wire.StatusLocked)
		if took := time.Since(sent); took < wait {
			t.Errorf("refused after %v, want %v", took, wait)
		}
		check(t, c.silent(idleTime/2))
		ask(t, c, getReq("/a"), wire.StatusLocked)
	})
}
