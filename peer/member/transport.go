package member

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// carrier is what a Group needs of a transport.
type carrier interface {
	memberlist.NodeAwareTransport
	// addr is where it listens, advertised what others are told.
	addr() netip.AddrPort
	advertised() netip.AddrPort
}

// transport moves packets by UDP and streams by TCP, at one port. memberlist has one, too; this one takes nothing from addresses that are not allowed, bounds
// the streams that are open, and can be closed at once.
type transport struct {
	// Static after construction.

	tcp     *net.TCPListener
	udp     *net.UDPConn
	out     netip.AddrPort // advertised
	allow   func(netip.Addr) bool
	limit   int // of accepted streams
	packets chan *memberlist.Packet
	streams chan net.Conn
	ctx     context.Context
	cancel  context.CancelFunc
	refused func(from netip.Addr) // called for what is not allowed
	tasks   sync.WaitGroup        // the two receivers

	accepted atomic.Int64 // streams that are open
	overflow atomic.Int64 // streams that were too many

	mu     sync.Mutex
	closed bool                 // guarded by mu
	conns  map[*stream]struct{} // guarded by mu
}

// stream is a TCP connection that the transport closes at its end.
type stream struct {
	net.Conn
	t        *transport
	accepted bool
	heard    bool // something was read. Owned by the reader
	once     sync.Once
}

// errProbe is how a stream ends on which nothing ever came: somebody has looked whether the port is open. Without it that would pass for gossip of another farm.
var errProbe = errors.New("closed without a byte")

// Read implements net.Conn.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.heard = s.heard || n > 0
	if s.accepted && !s.heard && errors.Is(err, io.EOF) {
		err = errProbe
	}
	return n, err
}

// Close implements net.Conn.
func (s *stream) Close() error {
	s.once.Do(func() { s.t.forget(s) })
	return s.Conn.Close()
}

// bindTries is how often a port that is free for TCP is looked for that is free for UDP, too.
const bindTries = 10

// listen opens the gossip port.
func listen(opt *Options) (*transport, error) {
	t := &transport{
		allow: opt.allows, limit: opt.MaxStreams, packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), conns: map[*stream]struct{}{},
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	err := t.bind(opt.Listen)
	if err == nil {
		t.out, err = opt.advertised(t.addr())
	}
	if err != nil {
		t.cancel()
		t.closePorts()
		return nil, err
	}
	return t, nil
}

func (t *transport) bind(addr string) (err error) {
	tcp, udp := "tcp", "udp"
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() { // 0.0.0.0 does not mean IPv6 as well
		tcp, udp = "tcp4", "udp4"
	}
	for range bindTries {
		var ln net.Listener
		if ln, err = (&net.ListenConfig{KeepAlive: -1}).Listen(t.ctx, tcp, addr); err != nil {
			return err
		}
		t.tcp = ln.(*net.TCPListener)
		var pc net.PacketConn
		pc, err = (&net.ListenConfig{}).ListenPacket(t.ctx, udp, net.JoinHostPort(host, strconv.Itoa(int(t.addr().Port()))))
		if err == nil {
			t.udp = pc.(*net.UDPConn)
			return nil
		}
		_ = t.tcp.Close() // nobody has used it
		t.tcp = nil
		if n, _ := strconv.Atoi(port); n != 0 {
			return err
		}
	}
	return err
}

func (t *transport) addr() netip.AddrPort {
	a := t.tcp.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

func (t *transport) advertised() netip.AddrPort { return t.out }

// start begins to receive. It is called once there is somebody who takes what comes.
func (t *transport) start(refused func(netip.Addr)) {
	t.refused = refused
	t.tasks.Go(t.receive)
	t.tasks.Go(t.accept)
}

// Longest waits after a failure that has no reason of its own, such as having no descriptors left.
const failurePause = 100 * time.Millisecond

// receive takes packets.
func (t *transport) receive() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := t.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !t.pause() {
				return
			}
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if !t.allow(from.Addr()) {
			t.refused(from.Addr())
			continue
		}
		if n == 0 {
			continue
		}
		p := &memberlist.Packet{Buf: append([]byte(nil), buf[:n]...), From: net.UDPAddrFromAddrPort(from), Timestamp: time.Now()}
		select {
		case t.packets <- p:
		case <-t.ctx.Done():
			return
		}
	}
}

// accept takes streams.
func (t *transport) accept() {
	for {
		nc, err := t.tcp.AcceptTCP()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !t.pause() {
				return
			}
			continue
		}
		from := nc.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		switch {
		case !t.allow(from):
			t.refused(from)
			_ = nc.Close() // nothing was sent
			continue
		case t.accepted.Load() >= int64(t.limit):
			t.overflow.Add(1)
			_ = nc.Close() // likewise
			continue
		}
		s, err := t.keep(nc, true)
		if err != nil {
			return
		}
		select {
		case t.streams <- s:
		case <-t.ctx.Done():
			_ = s.Close() // nobody takes it any more
			return
		}
	}
}

// pause waits a little after a failure, and reports whether to go on.
func (t *transport) pause() bool {
	timer := time.NewTimer(failurePause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.ctx.Done():
		return false
	}
}

// keep makes a stream of a connection, and closes it if the transport has been closed.
func (t *transport) keep(nc net.Conn, accepted bool) (*stream, error) {
	s := &stream{Conn: nc, t: t, accepted: accepted}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		_ = nc.Close() // it came too late
		return nil, net.ErrClosed
	}
	t.conns[s] = struct{}{}
	if accepted {
		t.accepted.Add(1)
	}
	return s, nil
}

func (t *transport) forget(s *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, s)
	if s.accepted {
		t.accepted.Add(-1)
	}
}

// FinalAdvertiseAddr implements memberlist.Transport.
func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.out.Addr().AsSlice(), int(t.out.Port()), nil
}

// WriteTo implements memberlist.Transport.
func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return time.Time{}, fmt.Errorf("member: %w", err)
	}
	_, err = t.udp.WriteToUDPAddrPort(b, netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
	return time.Now(), err
}

// WriteToAddress implements memberlist.NodeAwareTransport.
func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, a.Addr)
}

// PacketCh implements memberlist.Transport.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// DialTimeout implements memberlist.Transport.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return t.keep(nc, false)
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(a.Addr, timeout)
}

// StreamCh implements memberlist.Transport.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// Shutdown implements memberlist.Transport. It closes everything, and waits for the receivers.
func (t *transport) Shutdown() error {
	t.cancel()
	t.closePorts()
	t.mu.Lock()
	t.closed = true
	open := make([]*stream, 0, len(t.conns))
	for s := range t.conns {
		open = append(open, s)
	}
	t.mu.Unlock()
	for _, s := range open {
		_ = s.Close() // whoever uses it sees that
	}
	t.tasks.Wait()
	return nil
}

func (t *transport) closePorts() {
	if t.tcp != nil {
		_ = t.tcp.Close() // it can only have been closed before
	}
	if t.udp != nil {
		_ = t.udp.Close() // likewise
	}
}

// allows reports whether gossip is taken from an address.
func (o *Options) allows(ip netip.Addr) bool {
	ip = ip.WithZone("")
	if ip.IsLoopback() {
		return true
	}
	for _, p := range o.Allow {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
