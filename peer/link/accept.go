package link

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// accept takes in connections until the listener is closed. Running out of descriptors only makes it wait.
func (n *Net) accept() {
	var wait time.Duration
	for {
		nc, err := n.listener.Accept()
		switch {
		case err == nil:
			wait = 0
			n.take(nc)
			continue
		case errors.Is(err, net.ErrClosed):
			return
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		if throttled(&n.loggedAccept) {
			n.opt.Logger.Error("cannot accept a connection on the peer port; trying again. If the process is out of descriptors, raise its limit of open files", "event", "peer_accept_failed", "err", err)
		}
		if !n.wait(wait) {
			return
		}
	}
}

// take starts the handshake of an accepted connection, if it may have one.
func (n *Net) take(nc net.Conn) {
	n.accepted.Add(1)
	remote := addrPort(nc.RemoteAddr())
	reason := CloseReason(0)
	switch {
	case !n.mayConnect(remote.Addr()):
		reason = CloseNotAllowed
	case n.handshakes.Load() >= int64(n.opt.MaxHandshakes):
		reason = CloseHandshakes
	}
	if reason == 0 {
		n.handshakes.Add(1)
		if n.spawn(func() { n.serve(nc, remote) }) {
			return
		}
		n.handshakes.Add(-1)
		reason = CloseShutdown
	}
	_ = nc.Close() // nothing was sent, nothing can be lost
	n.noteRefused(reason, remote.String(), "accepted", nil)
}

func (n *Net) mayConnect(ip netip.Addr) bool {
	if ip.IsLoopback() || n.opt.Match(ip) {
		return true
	}
	for _, p := range n.opt.Allow {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// serve is one accepted connection, from its first byte to its end.
func (n *Net) serve(nc net.Conn, remote netip.AddrPort) {
	l, r, hello, err := n.greet(nc, remote)
	n.handshakes.Add(-1)
	if err == nil {
		l.run(r, hello)
		return
	}
	end, _ := errors.AsType[*refusal](err) // greet returns no other
	if end.reason == CloseForeign {
		n.closes[CloseForeign].Add(1)
		return
	}
	_ = nc.Close()
	if end.cutOff() {
		n.closes[end.reason].Add(1)
		return
	}
	n.noteRefused(end.reason, remote.String(), "accepted", end.err)
}

// greet is the acceptor's side of a handshake.
func (n *Net) greet(nc net.Conn, remote netip.AddrPort) (*link, *reader, *message.Message, error) {
	if !n.keepYoung(nc) {
		return nil, nil, nil, refuse(CloseShutdown, nil)
	}
	defer n.forgetYoung(nc)
	tune(nc)
	_ = nc.SetDeadline(time.Now().Add(n.opt.HandshakeTimeout)) // fails if it is closed, and then so does all else
	first, err := n.sniff(nc, remote)
	if err != nil {
		return nil, nil, nil, err
	}
	conn, identity, err := n.guard.accept(n.ctx, &prefixed{nc, first})
	if err != nil {
		return nil, nil, nil, err
	}
	r := newReader(conn)
	hello, err := readHello(r)
	if err != nil {
		return nil, nil, nil, err
	}
	local := n.advertisedOn(nc)
	o, err := n.met(hello, hello.Purpose, identity, nc, conn, local)
	if err != nil {
		if end, ok := errors.AsType[*refusal](err); ok && end.reason == CloseSelf {
			_ = n.writeHello(conn, local, hello.Purpose) // so that our dialling side sees it, too
		}
		return nil, nil, nil, err
	}
	l := n.newLink(false, "")
	if err := n.admit(l, o); err != nil {
		return nil, nil, nil, err
	}
	if err := n.writeHello(conn, local, hello.Purpose); err != nil {
		l.end(CloseRemote, err) // run notices
	}
	return l, r, hello, nil
}

// helloStart is how a plain link of ours begins.
var helloStart = []byte(`GET \HELLO `)

// tlsRecord is the first byte of TLS.
const tlsRecord = 0x16

// sniff reads until it is clear what a connection is, and returns what was read if it may become a link. It reads a few bytes, and keeps nothing else.
func (n *Net) sniff(nc net.Conn, remote netip.AddrPort) ([]byte, error) {
	var buf [64]byte
	got := 0
	for {
		k, err := nc.Read(buf[got:])
		if got += k; k == 0 && err != nil {
			if got == 0 && (errors.Is(err, io.EOF) || isReset(err)) {
				return nil, refuse(CloseProbe, nil)
			}
			return nil, refuse(failure(err, CloseStranger), nil)
		}
		first := buf[:got]
		switch {
		case first[0] == tlsRecord:
			if !n.guard.encrypted() {
				return nil, refuse(CloseEncrypted, nil)
			}
			return first, nil
		case bytes.HasPrefix(first, helloStart):
			if n.guard.encrypted() || !n.opt.Insecure && !remote.Addr().IsLoopback() {
				return nil, refuse(ClosePlain, nil)
			}
			return first, nil
		case bytes.HasPrefix(helloStart, first):
			continue
		case !n.opt.Match(remote.Addr()):
			return nil, refuse(CloseStranger, nil)
		}
		_ = nc.SetDeadline(time.Time{})
		if n.opt.Foreign(nc, bytes.Clone(first)) {
			return nil, refuse(CloseForeign, nil)
		}
		return nil, refuse(CloseStranger, nil)
	}
}

// prefixed is a connection of which the beginning was read already.
type prefixed struct {
	net.Conn
	first []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.first) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.first)
	p.first = p.first[n:]
	return n, nil
}
