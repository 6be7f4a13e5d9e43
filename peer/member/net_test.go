package member

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/farmstate/farmstate/peer/message"
)

// testNet is a network within the process, which can be cut and works on a fake clock.
type testNet struct {
	mu    sync.Mutex
	ports map[string]*testPort               // by address; guarded by mu
	cut   func(from, to netip.AddrPort) bool // what is lost; nil = nothing. Guarded by mu
	next  byte                               // guarded by mu
}

func newNet() *testNet { return &testNet{ports: map[string]*testPort{}} }

// testPort is a carrier of a testNet.
type testPort struct {
	net     *testNet
	at      netip.AddrPort
	packets chan *memberlist.Packet
	streams chan net.Conn
	done    chan struct{}
	once    sync.Once
}

func (n *testNet) port() *testPort {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	p := &testPort{
		net: n, at: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, n.next}), 42426),
		packets: make(chan *memberlist.Packet, 4096), streams: make(chan net.Conn, 64), done: make(chan struct{}),
	}
	n.ports[p.at.String()] = p
	return p
}

// separate cuts the network into those for which side is true and the others; nil makes it whole.
func (n *testNet) separate(side func(netip.AddrPort) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = nil
	if side != nil {
		n.cut = func(from, to netip.AddrPort) bool { return side(from) != side(to) }
	}
}

// to is who gets what is sent to an address; nil if it is lost.
func (p *testPort) to(addr string) *testPort {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	q := p.net.ports[addr]
	if q == nil || p.net.cut != nil && p.net.cut(p.at, q.at) {
		return nil
	}
	return q
}

func (p *testPort) addr() netip.AddrPort       { return p.at }
func (p *testPort) advertised() netip.AddrPort { return p.at }

func (p *testPort) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return p.at.Addr().AsSlice(), int(p.at.Port()), nil
}

func (p *testPort) WriteTo(b []byte, addr string) (time.Time, error) {
	if q := p.to(addr); q != nil {
		select {
		case q.packets <- &memberlist.Packet{Buf: append([]byte(nil), b...), From: net.UDPAddrFromAddrPort(p.at), Timestamp: time.Now()}:
		default: // lost
		}
	}
	return time.Now(), nil
}

func (p *testPort) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return p.WriteTo(b, a.Addr)
}

// testConn is one end of a stream, with the address of the other.
type testConn struct {
	net.Conn
	remote net.Addr
}

func (c testConn) RemoteAddr() net.Addr { return c.remote }

func (c testConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if errors.Is(err, io.ErrClosedPipe) {
		err = syscall.EPIPE // as a socket has it
	}
	return n, err
}

func (p *testPort) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	q := p.to(addr)
	if q == nil {
		select {
		case <-time.After(timeout):
		case <-p.done:
		}
		return nil, errors.New("nobody answers")
	}
	here, there := net.Pipe()
	_ = here.SetDeadline(time.Now().Add(timeout)) // nobody may read, and a pipe has no buffer
	select {
	case q.streams <- testConn{there, net.TCPAddrFromAddrPort(p.at)}:
		return testConn{here, net.TCPAddrFromAddrPort(q.at)}, nil
	default: // nobody takes it
		return nil, errors.New("refused")
	}
}

func (p *testPort) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return p.DialTimeout(a.Addr, timeout)
}
func (p *testPort) PacketCh() <-chan *memberlist.Packet { return p.packets }
func (p *testPort) StreamCh() <-chan net.Conn           { return p.streams }

func (p *testPort) Shutdown() error {
	p.once.Do(func() {
		p.net.mu.Lock()
		delete(p.net.ports, p.at.String())
		p.net.mu.Unlock()
		close(p.done)
	})
	return nil
}

// event is what a handler was told.
type event struct {
	what string
	Member
	at time.Time
}

// ear remembers what a handler was told.
type ear struct {
	mu     sync.Mutex
	events []event       // guarded by mu
	more   chan struct{} // closed and replaced when there is another; guarded by mu
}

func newEar() *ear { return &ear{more: make(chan struct{})} }

func (e *ear) hear(what string, m Member) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, event{what, m, time.Now()})
	close(e.more)
	e.more = make(chan struct{})
}

// handler is an ear as a Handler.
type handler struct{ *ear }

func (h handler) Joined(m Member)     { h.hear("joined", m) }
func (h handler) Changed(m Member)    { h.hear("changed", m) }
func (h handler) Dead(n message.Node) { h.hear("dead", Member{Node: n}) }
func (h handler) Left(n message.Node) { h.hear("left", Member{Node: n}) }

// await waits until an event fits, and returns it.
func (e *ear) await(t testing.TB, limit time.Duration, fits func(event) bool) event {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for seen := 0; ; {
		e.mu.Lock()
		all, more := e.events, e.more
		e.mu.Unlock()
		for ; seen < len(all); seen++ {
			if fits(all[seen]) {
				return all[seen]
			}
		}
		select {
		case <-more:
		case <-timer.C:
			t.Fatalf("waited %v in vain; heard %v", limit, all)
		}
	}
}

// heard counts the events of a kind.
func (e *ear) heard(what string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range e.events {
		if v.what == what {
			n++
		}
	}
	return n
}

// forget makes later waits see later events only.
func (e *ear) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = nil
}

func about(what string, n message.Node) func(event) bool {
	return func(e event) bool { return e.what == what && e.Node == n }
}
