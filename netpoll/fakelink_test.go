package netpoll

import (
	"io"
	"sync/atomic"
	"testing"

	"github.com/farmstate/farmstate/engine"
)

// fakeLink is a transport's side of a connection, in memory. It fails the test when it is used as gnet must not be.
type fakeLink struct {
	t     testing.TB
	c     *conn
	in    []byte
	out   []byte
	keep  bool // put what is written into out
	queue int  // what outbound says

	failWrites bool // the next write finds that the client has gone, and ends the connection before it returns, as gnet does
	left       bool // the client has gone, and nobody has told the connection
	ended      bool
	woken      atomic.Int64
	finished   bool // closeWrite was called
}

// fakeConn returns a connection of a lane without a goroutine. The test must not use that lane from several.
func fakeConn(t testing.TB, s *Server, l *lane) (*conn, *fakeLink) {
	c := &conn{srv: s, lane: l}
	f := &fakeLink{t: t, c: c, keep: true}
	c.link = f
	c.ticket.Caller = c
	c.active = s.clock.now().Mono
	l.conns[c] = struct{}{}
	s.conns.Add(1)
	t.Cleanup(f.close)
	return c, f
}

// fakeServer is a server that serves no socket.
func fakeServer(t testing.TB, opt Options, eopt engine.Options) (*Server, *engine.Engine) {
	opt.Transport = TransportStd
	return start(t, opt, eopt)
}

// handle does what a transport does when bytes have arrived.
func (f *fakeLink) handle(b []byte) {
	f.in = append(f.in, b...)
	f.event()
}

func (f *fakeLink) event() {
	f.c.lane.begin()
	defer f.c.lane.end()
	defer f.c.recover()
	if f.c.event() {
		f.close()
	}
}

// used must come first in each method that a transport may not be asked for after the end.
func (f *fakeLink) used(what string) {
	if f.ended {
		f.t.Errorf("%s after the end of the connection", what)
	}
}

func (f *fakeLink) inbound() int {
	if f.ended {
		return 0
	}
	return len(f.in)
}

func (f *fakeLink) peek(n int) []byte {
	f.used("peek")
	if n <= 0 || n > len(f.in) {
		f.t.Errorf("peek(%d) of %d", n, len(f.in))
	}
	return f.in[:n:n]
}

func (f *fakeLink) discard(n int) {
	f.used("discard")
	if n <= 0 || n > len(f.in) {
		f.t.Errorf("discard(%d) of %d", n, len(f.in))
	}
	f.in = f.in[:copy(f.in, f.in[n:])]
}

func (f *fakeLink) write(head, body []byte) error {
	f.used("write")
	if f.failWrites {
		f.close()
		return io.ErrClosedPipe
	}
	if f.keep {
		f.out = append(append(f.out, head...), body...)
	}
	return nil
}

func (f *fakeLink) outbound() int {
	if f.ended {
		return 0
	}
	return f.queue
}

func (f *fakeLink) gone() bool { return f.ended || f.left }

func (f *fakeLink) closeWrite() {
	f.used("closeWrite")
	f.finished = true
}

func (f *fakeLink) close() {
	if f.ended {
		return
	}
	f.c.lane.begin()
	f.c.closed()
	f.ended = true
	f.c.lane.end()
}

func (f *fakeLink) wake() { f.woken.Add(1) }
