package netpoll

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// stdTransport serves connections with the standard library's network: two goroutines a connection, one that reads and one that is the
// connection's lane. It is for systems where gnet is not for production, and the second opinion of the conformance tests.
type stdTransport struct {
	srv   *Server
	lanes atomic.Int64 // ids handed out
	tasks sync.WaitGroup

	mu    sync.Mutex
	links map[*stdLink]struct{} // guarded by mu
}

// firstStdLane is above the ids of event loops.
const firstStdLane = 1 << 10

func newStd(s *Server) *stdTransport {
	return &stdTransport{srv: s, links: map[*stdLink]struct{}{}}
}

func (t *stdTransport) serve(nc *net.TCPConn, c *conn) error {
	l := &stdLink{t: t, nc: nc, conn: c}
	l.changed.L = &l.mu
	c.link = l
	c.lane = newLane(t.srv, firstStdLane+int(t.lanes.Add(1)))
	c.lane.conns[c] = struct{}{}
	t.mu.Lock()
	t.links[l] = struct{}{}
	t.mu.Unlock()
	t.tasks.Go(l.read)
	t.tasks.Go(l.run)
	return nil
}

func (t *stdTransport) ready(int) bool { return false }

func (t *stdTransport) tick(all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for l := range t.links {
		if all || l.conn.lane.watching.Load() {
			l.signal(func() { l.ticked = true })
		}
	}
}

func (t *stdTransport) stop() error {
	t.mu.Lock()
	for l := range t.links {
		l.signal(func() { l.stopped = true })
		_ = l.nc.SetDeadline(time.Unix(1, 0)) // ends a read or write that is under way
	}
	t.mu.Unlock()
	t.tasks.Wait()
	return nil
}

// stdLink is a connection's side of the standard library's network.
type stdLink struct {
	t    *stdTransport
	nc   *net.TCPConn
	conn *conn

	// Owned by run.

	ended bool

	mu      sync.Mutex
	changed sync.Cond // one of the following

	// Guarded by mu.

	in      []byte // received, not yet discarded; read appends, run takes from the front
	eof     bool   // nothing more will be received
	woken   bool   // there may be something to do
	ticked  bool
	stopped bool
	held    bool // a request is parked: go on receiving, to notice that the client goes away
}

const (
	readSize = 64 << 10
	// readAhead is how much may have been received while the lane is busy with an earlier request or a slow client; the rest waits in the kernel.
	readAhead = 1 << 20
	// writeChunk is how much a client must take within the idle timeout.
	writeChunk = 256 << 10
)

// signal changes something under mu and wakes the goroutines that wait for it.
func (l *stdLink) signal(change func()) {
	l.mu.Lock()
	change()
	l.woken = true
	l.mu.Unlock()
	l.changed.Broadcast()
}

// read moves bytes from the socket to in, until the connection ends.
func (l *stdLink) read() {
	buf := make([]byte, readSize)
	for {
		n, err := l.nc.Read(buf)
		l.mu.Lock()
		l.in = append(l.in, buf[:n]...)
		l.eof = l.eof || err != nil
		l.woken = true
		l.changed.Broadcast()
		for len(l.in) > readAhead && !l.held && !l.eof {
			l.changed.Wait()
		}
		over := l.eof
		l.mu.Unlock()
		if over {
			return
		}
	}
}

// run is the lane: it does what there is to do, in turn, until the connection has ended.
func (l *stdLink) run() {
	for !l.ended {
		l.mu.Lock()
		for !l.woken {
			l.changed.Wait()
		}
		ticked, stopped, eof := l.ticked, l.stopped, l.eof
		l.woken, l.ticked = false, false
		l.mu.Unlock()
		l.work(ticked, stopped, eof)
	}
	l.t.mu.Lock()
	delete(l.t.links, l)
	l.t.mu.Unlock()
}

// work does one round.
func (l *stdLink) work(ticked, stopped, eof bool) {
	c := l.conn
	c.lane.begin()
	defer c.lane.end()
	defer c.recover()
	switch {
	case stopped:
		c.end(CloseShutdown)
		return
	// At the end of the stream what is complete is executed; the rest, or a waiter, is dropped (§2.10).
	case c.event(), eof && !(c.parked && c.srv.engine.Queued(&c.ticket)):
		l.close()
		return
	case ticked:
		c.tick(c.srv.clock.now())
	}
	l.mu.Lock()
	l.held = c.parked
	l.mu.Unlock()
	l.changed.Broadcast()
}

func (l *stdLink) inbound() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.in)
}

// peek's result stays as it is while read appends: it writes behind it, or to a new array.
func (l *stdLink) peek(n int) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.in[:n:n]
}

func (l *stdLink) discard(n int) {
	l.mu.Lock()
	l.in = l.in[n:]
	if len(l.in) == 0 {
		l.in = nil
	}
	l.mu.Unlock()
	l.changed.Broadcast()
}

// write blocks the lane, which is this connection's own, until the client has taken everything, and gives it up if it takes nothing for the idle timeout.
func (l *stdLink) write(head, body []byte) error {
	for _, b := range [2][]byte{head, body} {
		for len(b) > 0 {
			if l.ended {
				return net.ErrClosed
			}
			l.extend()
			n, err := l.nc.Write(b[:min(len(b), writeChunk)])
			if err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					l.conn.reason = CloseSlowReader
					if l.extend() {
						l.conn.reason = CloseShutdown
					}
				}
				l.close()
				return err
			}
			b = b[n:]
			l.conn.active = l.t.srv.clock.now().Mono
		}
	}
	return nil
}

// extend gives the client new time for the next chunk, unless stop has taken it away.
func (l *stdLink) extend() (stopped bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		_ = l.nc.SetWriteDeadline(time.Now().Add(l.t.srv.opt.IdleTimeout)) // fails only on a closed socket: Write says so
	}
	return l.stopped
}

// outbound is always 0: write returns when the kernel has taken everything.
func (l *stdLink) outbound() int { return 0 }

func (l *stdLink) gone() bool {
	l.mu.Lock()
	gone := l.eof
	l.mu.Unlock()
	if rc, err := l.nc.SyscallConn(); err == nil && !gone {
		_ = rc.Control(func(fd uintptr) { gone = hungUp(int(fd)) }) // fails if we have closed it
	}
	return gone
}

func (l *stdLink) closeWrite() { _ = l.nc.CloseWrite() } // fails if the client has gone: then there is nobody to tell

func (l *stdLink) close() {
	if l.ended {
		return
	}
	l.conn.closed()
	l.ended = true
	_ = l.nc.Close()                  // ends read where it reads,
	l.signal(func() { l.eof = true }) // and where it waits for room
}

func (l *stdLink) wake() { l.signal(func() {}) }
