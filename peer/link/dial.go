package link

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 5 * time.Second
	// steady is how long a link must have lived for the next dialling to be as quick as the first.
	steady = 2 * time.Second
	// selfBackoff is how long an address at which we have met ourselves is left alone. It may be given to another machine.
	selfBackoff = time.Minute
)

// connect dials target, which becomes l, unless ctx is cancelled first. Its error is a refusal.
func (n *Net) connect(ctx context.Context, l *link, target string, purpose message.Purpose) (*reader, *message.Message, error) {
	n.dialled.Add(1)
	ctx, cancel := context.WithTimeout(ctx, n.opt.HandshakeTimeout)
	defer cancel()
	nc, err := n.opt.dial(ctx, target)
	if err != nil {
		return nil, nil, refuse(CloseUnreachable, err)
	}
	r, hello, err := n.introduce(ctx, l, nc, purpose)
	if err != nil {
		_ = nc.Close()
	}
	return r, hello, err
}

// introduce is the dialler's side of a handshake.
func (n *Net) introduce(ctx context.Context, l *link, nc net.Conn, purpose message.Purpose) (*reader, *message.Message, error) {
	if !n.keepYoung(nc) {
		return nil, nil, refuse(CloseShutdown, nil)
	}
	defer n.forgetYoung(nc)
	if !n.guard.encrypted() && !n.opt.Insecure && !addrPort(nc.RemoteAddr()).Addr().IsLoopback() {
		return nil, nil, refuse(ClosePlain, nil)
	}
	tune(nc)
	_ = nc.SetDeadline(time.Now().Add(n.opt.HandshakeTimeout)) // fails if it is closed, and then so does all else
	conn, identity, err := n.guard.dial(ctx, nc)
	if err != nil {
		return nil, nil, err
	}
	local := n.advertisedOn(nc)
	if err := n.writeHello(conn, local, purpose); err != nil {
		return nil, nil, err
	}
	r := newReader(conn)
	hello, err := readHello(r)
	if err != nil {
		return nil, nil, err
	}
	o, err := n.met(hello, purpose, identity, nc, conn, local)
	if err != nil {
		return nil, nil, err
	}
	if purpose == message.Delivery && hello.Node != l.node {
		return nil, nil, refuse(CloseWrongNode, nil)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, nil, refuse(CloseShutdown, nil) // nobody wants it any more
	}
	return r, hello, n.admit(l, o)
}

// deliver dials a delivery link and is it until its end.
func (n *Net) deliver(l *link) {
	r, hello, err := n.connect(n.ctx, l, l.target, message.Delivery)
	if err == nil {
		l.run(r, hello)
		return
	}
	end, _ := errors.AsType[*refusal](err) // connect returns no other
	switch {
	case end.reason == CloseShutdown:
	case end.cutOff():
		n.closes[end.reason].Add(1)
	default:
		n.noteRefused(end.reason, l.target, "dialled", end.err)
	}
	n.undeliverable(l, end)
}

// undeliverable gives up a delivery link that could not be made. If the node has made one to us meanwhile, that takes what was queued.
func (n *Net) undeliverable(l *link, why *refusal) {
	l.over.Store(true)
	n.events.Lock()
	defer n.events.Unlock()
	n.mu.Lock()
	d := n.nodes[l.node]
	d.dialling = nil
	n.dials--
	instead := n.liveLocked(d)
	if d.idle() {
		delete(n.nodes, l.node)
	}
	n.mu.Unlock()

	another := why.reason == CloseWrongNode || why.reason == CloseSelf
	drop := DropDialFailed
	if another {
		drop = DropWrongNode
	}
	if why.reason == CloseShutdown {
		drop = DropShutdown
	}
	for _, m := range l.out.abandon() {
		if instead == nil || instead.out.put(m) != Queued {
			n.drops[drop].Add(1)
		}
	}
	switch {
	case instead != nil, drop == DropShutdown:
	case another, isRefused(why.err):
		n.gone(l.node, l.target)
	default:
		n.h.Unreachable(l.node, l.target)
	}
}

// target is an address that is dialled, and dialled again. What is not guarded is static, or owned by the goroutine that does so.
type target struct {
	addr  string
	fixed bool // configured: for ever

	left   bool            // guarded by Net.mu: it is not wanted any more
	ctx    context.Context // guarded by Net.mu, as is cancel: ends with it, so that nothing is waited for then
	cancel context.CancelFunc

	node   message.Node // who answered there last; zero if nobody did, or it has been reported as ended
	remote string       // the address behind addr at which it did
	last   CloseReason  // of the last attempt

	silent atomic.Bool // nobody has answered there yet, and nobody has refused
}

func (n *Net) newTarget(addr string, fixed bool) *target {
	t := &target{addr: addr, fixed: fixed}
	t.silent.Store(true)
	t.ctx, t.cancel = context.WithCancel(n.ctx)
	return t
}

// keep dials a neighbour, until it is left.
func (n *Net) keep(t *target) {
	backoff := minBackoff
	for {
		ctx, ok := n.wanted(t)
		if !ok {
			return
		}
		began := time.Now()
		reason := n.attempt(ctx, t)
		if reason == 0 && time.Since(began) >= steady {
			backoff = minBackoff
		}
		wait := backoff
		backoff = min(2*backoff, maxBackoff)
		if reason == CloseSelf {
			wait = selfBackoff
		}
		t.last = reason
		_ = waitFor(ctx, time.Duration(float64(wait)*(0.5+0.5*n.opt.jitter()))) // wanted sees to the rest
	}
}

// attempt dials a neighbour once, and is the link until its end. It returns why there was none, or 0.
func (n *Net) attempt(ctx context.Context, t *target) CloseReason {
	l := n.newLink(true, t.addr)
	r, hello, err := n.connect(ctx, l, t.addr, message.Neighbour)
	if err == nil {
		t.silent.Store(false)
		remote := l.raw.RemoteAddr().String()
		if t.node != hello.Node && t.node != (message.Node{}) && t.remote == remote {
			n.ended(t.node, remote, true)
		}
		t.node, t.remote = hello.Node, remote
		l.run(r, hello)
		return 0
	}
	end, _ := errors.AsType[*refusal](err) // connect returns no other
	if end.reason != CloseTimeout && (end.reason != CloseUnreachable || isRefused(end.err)) {
		t.silent.Store(false)
	}
	switch {
	case end.reason == CloseShutdown || ctx.Err() != nil:
	case end.reason == CloseSelf:
		n.closes[CloseSelf].Add(1)
		if t.last != CloseSelf {
			n.opt.Logger.Warn("a peer's address leads to this node itself; take it out of the list of peers", "event", "peer_self", "addr", t.addr)
		}
	case end.reason == CloseUnreachable:
		n.closes[CloseUnreachable].Add(1)
		if t.last != CloseUnreachable {
			n.opt.Logger.Warn("a peer cannot be reached; trying again", "event", "peer_unreachable", "addr", t.addr, "err", end.err)
		}
	case end.cutOff() && t.last != CloseRefused: // what will not have us does so again and again, a process that has ended does not
		n.closes[end.reason].Add(1)
	default:
		n.noteRefused(end.reason, t.addr, "dialled", end.err)
	}
	if t.node != (message.Node{}) && isRefused(end.err) && refusedAt(end.err) == t.remote && n.ended(t.node, t.remote, false) {
		t.node = message.Node{}
	}
	return end.reason
}

// Silent reports whether a node may live at an address of Options.Peers of which nothing has been heard since the start: it does not answer, and it does not refuse
// either, as the machine of a process does that has ended.
func (n *Net) Silent() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.targets {
		if t.fixed && t.silent.Load() {
			return true
		}
	}
	return false
}

// refusedAt is the address that has refused a connection.
func refusedAt(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		return op.Addr.String()
	}
	return ""
}
