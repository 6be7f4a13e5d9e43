package link

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// writeHello introduces us. nc has a deadline.
func (n *Net) writeHello(nc net.Conn, local string, purpose message.Purpose) error {
	leaving, free := n.opt.State()
	hello := &message.Message{
		Kind: message.Hello, Node: n.opt.Node, Addr: local, Program: n.opt.Program, Protocol: Protocol, Purpose: purpose, Leaving: leaving, Free: free,
	}
	if _, err := nc.Write(message.Append(nil, hello)); err != nil {
		return refuse(failure(err, CloseRefused), err)
	}
	return nil
}

// readHello reads the other side's introduction. nc has a deadline.
func readHello(r *reader) (*message.Message, error) {
	m := new(message.Message)
	for {
		_, f := r.head(m)
		switch {
		case f == message.OK && m.Kind != message.Hello:
			return nil, refuse(CloseNoHello, nil)
		case f == message.OK && m.Node == message.Node{}:
			return nil, refuse(CloseMalformed, nil)
		case f == message.OK:
			return m, nil
		case f != message.Short:
			return nil, refuse(CloseMalformed, errors.New(faultText(f)))
		}
		if n, err := r.more(); n == 0 && err != nil {
			return nil, tlsRefusal(err)
		}
	}
}

// met is what we know of the other side when it has introduced itself.
func (n *Net) met(hello *message.Message, purpose message.Purpose, identity string, raw, conn net.Conn, local string) (*other, error) {
	if hello.Protocol < 1 {
		return nil, refuse(CloseProtocol, nil)
	}
	if hello.Node == n.opt.Node {
		return nil, refuse(CloseSelf, nil)
	}
	return &other{
		node: hello.Node, identity: identity, addr: hello.Addr, program: hello.Program, protocol: min(hello.Protocol, Protocol), purpose: purpose, local: local, raw: raw, conn: conn, since: time.Now(),
	}, nil
}

// failure finds the reason of a network error in a handshake; it is other if nothing is known about it.
func failure(err error, other CloseReason) CloseReason {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return CloseTimeout
	case errors.Is(err, net.ErrClosed):
		return CloseShutdown
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isReset(err):
		return CloseRefused
	}
	return other
}

// cutOff reports whether the other side has reset the connection without a word, as the system does when a process is killed. By itself that says nothing about how
// the other side is configured.
func (r *refusal) cutOff() bool { return r.reason == CloseRefused && isReset(r.err) }
