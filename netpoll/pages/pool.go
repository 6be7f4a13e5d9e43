package pages

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// poolTick is how often the real client's timer looks at the pool. A socket that
// was not used since the tick before is discarded, so one idles 5 to 10 s. See
// docs/protocol.md §9.3.
const poolTick = 5 * time.Second

// socket is one connection. Outside the pool it belongs to the request that took
// it. In the pool a goroutine watches it, which unpark and discard wait for.
type socket struct {
	nc   net.Conn
	in   *bufio.Reader
	used time.Time // when it was last put back

	watched chan struct{} // closed when the watching has ended
	ended   error         // what ended it; to be read behind watched
}

// park begins to watch for the server closing the connection, or sending where
// nothing was asked.
func (s *socket) park() {
	s.watched = make(chan struct{})
	s.nc.SetDeadline(time.Time{}) //nolint:errcheck // a dead socket shows at its next use
	go func() {
		defer close(s.watched)
		_, s.ended = s.in.Peek(1)
	}()
}

// errUnasked says that the server sent bytes behind an answer.
var errUnasked = errors.New("pages: the server has sent something on an idle connection")

// unpark ends the watching. It reports false if the connection is dead.
func (s *socket) unpark() (alive bool, err error) {
	s.nc.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // as above
	<-s.watched
	switch {
	case s.ended == nil:
		return false, errUnasked
	case errors.Is(s.ended, os.ErrDeadlineExceeded):
		return true, nil
	}
	return false, nil
}

// pool holds the idle sockets of one server, last in, first out, without bound.
type pool struct {
	addr   string
	dialer net.Dialer
	clock  Clock
	start  time.Time // of the ticks

	mu   sync.Mutex // guards idle and shut
	idle []*socket  // in order of their use
	shut bool
}

func newPool(addr string, dialer net.Dialer, clock Clock) *pool {
	return &pool{addr: addr, dialer: dialer, clock: clock, start: clock.Now()}
}

// tickOf returns the number of the last tick at t.
func (p *pool) tickOf(t time.Time) int64 { return int64(t.Sub(p.start) / poolTick) }

// get returns the socket used last, or a new one. Dead ones are passed over.
func (p *pool) get(ctx context.Context) (*socket, error) {
	p.sweep()
	for {
		s := p.pop()
		if s == nil {
			break
		}
		alive, err := s.unpark()
		if alive {
			return s, nil
		}
		if err := errors.Join(err, s.nc.Close()); err != nil {
			return nil, err
		}
	}
	nc, err := p.dialer.DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
	}
	return &socket{nc: nc, in: bufio.NewReader(nc)}, nil
}

func (p *pool) pop() *socket {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	s := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return s
}

// put gives a socket back.
func (p *pool) put(s *socket) {
	p.sweep()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		s.nc.Close() //nolint:errcheck // the client is closed, nobody could be told
		return
	}
	s.used = p.clock.Now()
	s.park()
	p.idle = append(p.idle, s)
}

// sweep does the work of the ticks that have passed. It runs with each request
// and not by a timer: a client that sends nothing cannot tell the difference.
func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.tickOf(p.clock.Now())
	for len(p.idle) > 0 && now-p.tickOf(p.idle[0].used) >= 2 {
		p.idle[0].discard()
		p.idle = p.idle[1:]
	}
}

// discard closes a parked socket and waits for its watcher.
func (s *socket) discard() {
	s.nc.Close() //nolint:errcheck // nothing is left to be done with it
	<-s.watched
}

// close discards all sockets; later ones are closed as they come back.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
	for _, s := range p.idle {
		s.discard()
	}
	p.idle = nil
}
