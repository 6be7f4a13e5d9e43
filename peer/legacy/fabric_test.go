package legacy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// fabric is a network for tests in a synctest bubble. A read returns all that has been written since the last one, as TCP may; writes are kept
// apart, so that a test can see how often a side wrote.
type fabric struct {
	mu        sync.Mutex
	listeners map[string]func(net.Conn)
	nextPort  uint16
	dials     []string
}

func newFabric() *fabric { return &fabric{listeners: map[string]func(net.Conn){}, nextPort: 50000} }

func (f *fabric) listen(addr string, accept func(net.Conn)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners[addr] = accept
}

// dialer returns a Dial whose connections come from an address.
func (f *fabric) dialer(from string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		f.mu.Lock()
		f.dials = append(f.dials, address)
		accept := f.listeners[address]
		f.nextPort++
		local := netip.AddrPortFrom(netip.MustParseAddr(from), f.nextPort)
		f.mu.Unlock()
		if accept == nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
		}
		here, there := pipe(local.String(), address)
		accept(there)
		return here, nil
	}
}

func (f *fabric) dialled() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.dials...)
}

// fakeConn is one end of a connection.
type fakeConn struct {
	in, out       *half
	local, remote netip.AddrPort
	closed        chan struct{}
	once          sync.Once
	stuck         bool // writes take for ever; set before use
}

// half is one direction.
type half struct {
	mu      sync.Mutex
	buf     []byte
	writes  []string // all that was ever written
	at      []time.Time
	eof     bool
	readBy  time.Time
	changed chan struct{}
}

func pipe(a, b string) (x, y *fakeConn) {
	to, from := &half{changed: make(chan struct{})}, &half{changed: make(chan struct{})}
	ax, bx := netip.MustParseAddrPort(a), netip.MustParseAddrPort(b)
	return &fakeConn{in: from, out: to, local: ax, remote: bx, closed: make(chan struct{})},
		&fakeConn{in: to, out: from, local: bx, remote: ax, closed: make(chan struct{})}
}

// poke tells readers to look again. Requires that mu is held.
func (h *half) poke() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (c *fakeConn) Read(p []byte) (int, error) {
	h := c.in
	for {
		h.mu.Lock()
		select {
		case <-c.closed:
			h.mu.Unlock()
			return 0, net.ErrClosed
		default:
		}
		if len(h.buf) > 0 {
			n := copy(p, h.buf)
			h.buf = h.buf[n:]
			h.mu.Unlock()
			return n, nil
		}
		eof, by, changed := h.eof, h.readBy, h.changed
		h.mu.Unlock()
		if eof {
			return 0, io.EOF
		}
		var late <-chan time.Time
		if !by.IsZero() {
			rest := time.Until(by)
			if rest <= 0 {
				return 0, os.ErrDeadlineExceeded
			}
			timer := time.NewTimer(rest)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-changed:
		case <-late:
		case <-c.closed:
		}
	}
}

func (c *fakeConn) Write(p []byte) (int, error) {
	if c.stuck {
		<-time.After(time.Minute)
		return 0, os.ErrDeadlineExceeded
	}
	h := c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	if h.eof {
		return 0, errors.New("broken pipe")
	}
	h.buf = append(h.buf, p...)
	h.writes = append(h.writes, string(p))
	h.at = append(h.at, time.Now())
	h.poke()
	return len(p), nil
}

func (c *fakeConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		for _, h := range []*half{c.in, c.out} {
			h.mu.Lock()
			h.eof = true
			h.poke()
			h.mu.Unlock()
		}
	})
	return nil
}

func (c *fakeConn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *fakeConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

func (c *fakeConn) SetDeadline(t time.Time) error      { return c.SetReadDeadline(t) }
func (c *fakeConn) SetWriteDeadline(_ time.Time) error { return nil }

func (c *fakeConn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.readBy = t
	c.in.poke()
	return nil
}

// sent returns what this end has written, write by write.
func (c *fakeConn) sent() []string {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return append([]string(nil), c.out.writes...)
}

// isClosed reports whether this end is closed.
func (c *fakeConn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}
