package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// Handler is told what happens. Its methods are called from the links' goroutines and must not block, and must not call Close. Of one node, LinkUp comes
// before its messages, and these before LinkDown.
type Handler interface {
	// LinkUp says that the first link of this purpose to a node is there, and LinkDown that the last one has gone. addr is where the node takes
	// connections, empty if nowhere. If a link ends while another is left, LinkUp comes once more: what was on its way over the one that has ended may be lost,
	// in both directions.
	LinkUp(n message.Node, addr string, purpose message.Purpose)
	LinkDown(n message.Node, purpose message.Purpose)
	// Messages are what a node has sent, in the order in which it came over one link; messages without a body may have overtaken ones with one. The first
	// is the Hello. The messages are the receiver's; batch is not, when Messages has returned. The memory reserved for the bodies is given back then, so the
	// receiver must have taken its own before. NoRoom is set in a message whose body was skipped.
	Messages(from message.Node, batch []*message.Message)
	// Gone says that the process that was node n has certainly ended: its address refuses connections, or another node answers there; and there is no
	// link to it any more.
	Gone(n message.Node, addr string)
	// Unreachable says that nothing could be delivered to n, for another reason. What was queued for it has been dropped.
	Unreachable(n message.Node, addr string)
}

// Protocol is the version of the protocol between nodes that this package speaks. Since 2 there is a Copy with Buried.
const Protocol = 2

// Net is all links of one node.
type Net struct {
	// Static after construction.

	opt      Options
	h        Handler
	guard    guard
	listener net.Listener // nil: there is none
	ctx      context.Context
	cancel   context.CancelFunc // ends dialling, waiting and handshakes
	counts

	handshakes atomic.Int64 // of accepted connections

	// events is held while the handler is told about a change in nodes, so that it hears of them in the order in which they happened. Taken before mu.
	events sync.Mutex

	mu      sync.Mutex // guards all that follows
	closing bool
	tasks   sync.WaitGroup        // added to only while not closing
	young   map[net.Conn]struct{} // connections that are no link yet
	nodes   map[message.Node]*node
	order   []*link            // that are up, the oldest first
	dials   int                // delivery links that are being dialled
	targets map[string]*target // by address, those that are dialled again and again
}

// node is another node with which there are links, or will be.
type node struct {
	links    [message.Delivery + 1][]*link // by purpose, the oldest first
	dialling *link
	identity string // that of its links
	replaced string // where another node has answered in its place; it is Gone with its last link
}

func (d *node) linked() bool {
	return len(d.links[message.Neighbour])+len(d.links[message.Delivery]) > 0
}

func (d *node) idle() bool { return d.dialling == nil && !d.linked() }

// Listen opens the peer port, and begins to dial the neighbours. See Close for the end.
func Listen(opt Options, h Handler) (*Net, error) {
	opt.setDefaults()
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	g, err := newGuard(&opt.Security, opt.Logger)
	if err != nil {
		return nil, err
	}
	n := &Net{opt: opt, h: h, guard: g, young: map[net.Conn]struct{}{}, nodes: map[message.Node]*node{}, targets: map[string]*target{}}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if opt.Listen != "" {
		lc := net.ListenConfig{Control: exclusive, KeepAlive: -1}
		if n.listener, err = lc.Listen(n.ctx, network(opt.Listen), opt.Listen); err != nil {
			n.cancel()
			return nil, err
		}
		n.spawn(n.accept)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, addr := range opt.Peers {
		n.dialLocked(n.newTarget(addr, true))
	}
	return n, nil
}

// network keeps 0.0.0.0 from meaning IPv6 as well.
func network(addr string) string {
	host, _, _ := net.SplitHostPort(addr) // Listen will report it
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return "tcp4"
	}
	return "tcp"
}

// spawn starts a goroutine that Close waits for. It returns false, and does not, once the net is being closed.
func (n *Net) spawn(f func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.spawnLocked(f)
}

func (n *Net) spawnLocked(f func()) bool {
	if n.closing {
		return false
	}
	n.tasks.Go(f)
	return true
}

// Addr is the address of the listener, nil if there is none.
func (n *Net) Addr() net.Addr {
	if n.listener == nil {
		return nil
	}
	return n.listener.Addr()
}

// Advertised is the address that is told to all nodes; empty if there is none, or if each is told another. A Query, a Transfer or a Claim of this node that has no Addr is given
// the right one by the link over which it goes.
func (n *Net) Advertised() string {
	if n.opt.Advertise != "" || n.listener == nil {
		return n.opt.Advertise
	}
	if addr := addrPort(n.listener.Addr()); !addr.Addr().IsUnspecified() {
		return addr.String()
	}
	return ""
}

// advertisedOn is what the node at the other end of nc is told.
func (n *Net) advertisedOn(nc net.Conn) string {
	if addr := n.Advertised(); addr != "" || n.listener == nil {
		return addr
	}
	local := addrPort(nc.LocalAddr()).Addr()
	if !local.IsValid() {
		return ""
	}
	return netip.AddrPortFrom(local, addrPort(n.listener.Addr()).Port()).String()
}

// addrPort is an address without what only this machine understands.
func addrPort(addr net.Addr) netip.AddrPort {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	a := tcp.AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// Send queues a message for a node and returns why not, or 0. Any link to the node serves, one between neighbours best. If there is none and addr is not
// empty, addr is dialled for it; what else is sent to the node meanwhile takes the same link. m and a body of up to PartSize may be used again when Send returns;
// a larger body must never change. Never blocks.
func (n *Net) Send(to message.Node, addr string, m *message.Message) Drop {
	o, drop := n.queue(to, addr, m)
	if o != nil {
		o.poke()
	}
	return drop
}

// queue is Send, but for that the writer of the link has yet to be told. It returns the outbox in which the message is, nil if it was dropped.
func (n *Net) queue(to message.Node, addr string, m *message.Message) (*outbox, Drop) {
	drop := DropLinkLost
	for try := 0; try < 3 && drop == DropLinkLost; try++ { // the link may end in between
		var l *link
		if l, drop = n.route(to, addr); drop == Queued {
			if drop = l.out.queue(m); drop == Queued {
				l.touch()
				return l.out, Queued
			}
		}
	}
	n.drops[drop].Add(1)
	return nil, drop
}

// route finds a link to a node, or begins one.
func (n *Net) route(to message.Node, addr string) (*link, Drop) {
	if to == n.opt.Node {
		return nil, DropSelf
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.nodes[to]
	if l := n.liveLocked(d); l != nil {
		return l, Queued
	}
	switch {
	case n.closing:
		return nil, DropShutdown
	case d != nil && d.dialling != nil:
		return d.dialling, Queued
	case addr == "":
		return nil, DropNoLink
	case len(n.order)+n.dials >= n.opt.MaxLinks, n.dials >= max(1, n.opt.MaxLinks/2): // whoever makes us dial silent addresses must not keep others out
		return nil, DropTooManyLinks
	}
	l := n.newLink(true, addr)
	l.node, l.purpose = to, message.Delivery
	if d == nil {
		d = &node{}
		n.nodes[to] = d
	}
	d.dialling = l
	n.dials++
	n.spawnLocked(func() { n.deliver(l) })
	return l, Queued
}

// liveLocked is the link that messages to a node take. nil if there is none.
func (n *Net) liveLocked(d *node) *link {
	if d == nil {
		return nil
	}
	for _, purpose := range []message.Purpose{message.Neighbour, message.Delivery} {
		for _, l := range d.links[purpose] {
			if !l.over.Load() {
				return l
			}
		}
	}
	return nil
}

// admit makes a link of a connection whose handshake is complete.
func (n *Net) admit(l *link, o *other) error {
	n.events.Lock()
	defer n.events.Unlock()
	first, err := n.admitNow(l, o)
	if err != nil {
		return err
	}
	n.opened.Add(1)
	n.noteUp(l)
	if first {
		n.h.LinkUp(l.node, l.addr, l.purpose)
	}
	return nil
}

func (n *Net) admitNow(l *link, o *other) (first bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.nodes[o.node]
	switch {
	case n.closing:
		return false, refuse(CloseShutdown, nil)
	case !l.dialled && len(n.order)+n.dials >= n.opt.MaxLinks:
		return false, refuse(CloseTooManyLinks, nil)
	case d != nil && d.identity != o.identity && d.linked():
		return false, refuse(CloseNodeTaken, nil)
	}
	if d == nil {
		d = &node{}
		n.nodes[o.node] = d
	}
	d.identity = o.identity
	if d.dialling == l {
		d.dialling = nil
		n.dials--
	}
	l.other, l.up = *o, true
	delete(n.young, o.raw) // from now on what has been queued counts, and Close waits for it
	n.order = append(n.order, l)
	d.links[l.purpose] = append(d.links[l.purpose], l)
	return len(d.links[l.purpose]) == 1, nil
}

// dismiss is called when a link has ended.
func (n *Net) dismiss(l *link) {
	n.events.Lock()
	defer n.events.Unlock()
	isLink := func(x *link) bool { return x == l }
	n.mu.Lock()
	n.order = slices.DeleteFunc(n.order, isLink)
	d := n.nodes[l.node]
	d.links[l.purpose] = slices.DeleteFunc(d.links[l.purpose], isLink)
	left := slices.Clone(d.links[l.purpose])
	gone := ""
	if d.idle() {
		delete(n.nodes, l.node)
		gone = d.replaced
	}
	n.mu.Unlock()

	l.mu.Lock()
	reason, err := l.reason, l.err
	l.mu.Unlock()
	if closeAdvice[reason] != "" {
		n.noteRefused(reason, l.addr, l.how(), err)
	} else {
		n.closes[reason].Add(1)
	}
	n.noteDown(l, reason, err)
	if len(left) == 0 {
		n.h.LinkDown(l.node, l.purpose)
	} else {
		n.h.LinkUp(l.node, left[0].addr, l.purpose)
	}
	if gone != "" {
		n.gone(l.node, gone)
	}
}

// gone tells the handler that a node has ended. Requires events.
func (n *Net) gone(id message.Node, addr string) {
	n.opt.Logger.Info("a node has ended", "event", "peer_gone", "node", shortNode(id), "addr", addr)
	n.h.Gone(id, addr)
}

// ended is called when the process that was a node can be seen to have ended, by what happens at its address. If there are links to it left, they need to
// notice first. It returns whether the handler was told.
func (n *Net) ended(id message.Node, addr string, another bool) bool {
	n.events.Lock()
	defer n.events.Unlock()
	n.mu.Lock()
	d := n.nodes[id]
	linked := d != nil && d.linked()
	if linked && another {
		d.replaced = addr
		for _, list := range d.links {
			for _, l := range list {
				l.ping() // an end that the other machine remembers nothing of shows at once
			}
		}
	}
	n.mu.Unlock()
	if !linked {
		n.gone(id, addr)
	}
	return !linked
}

// Kick says on all links how this node is, now: its state has changed.
func (n *Net) Kick() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.order {
		l.ping()
	}
}

func (l *link) ping() {
	l.pingDue.Store(true)
	l.out.poke()
}

// Close ends all links, in this order: nothing more is accepted, dialled or sent; what is queued gets until ctx ends; then everything is closed. It waits for
// all goroutines. The handler hears of the end of each link.
func (n *Net) Close(ctx context.Context) error {
	n.mu.Lock()
	already := n.closing
	n.closing = true
	links := slices.Clone(n.order)
	for nc := range n.young {
		_ = nc.Close() // it has not sent anything that counts
	}
	n.mu.Unlock()
	var err error
	if n.listener != nil && !already {
		err = n.listener.Close()
	}
	n.cancel()
	for _, l := range links {
		l.finish(CloseShutdown)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.tasks.Wait()
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
	}
	for _, l := range links {
		l.end(CloseShutdown, nil)
	}
	<-done
	return errors.Join(err, fmt.Errorf("link: cut off links that could not be closed in time: %w", ctx.Err()))
}

// keepYoung makes Close close a connection that is no link yet. It returns false if the net is being closed.
func (n *Net) keepYoung(nc net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closing {
		return false
	}
	n.young[nc] = struct{}{}
	return true
}

func (n *Net) forgetYoung(nc net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.young, nc)
}

func randomFloat() float64 { return rand.Float64() }

// wait waits, unless the net is closed first, and returns whether it may go on.
func (n *Net) wait(d time.Duration) bool { return waitFor(n.ctx, d) }

// waitFor waits, unless ctx is cancelled first, and returns whether it was not.
func waitFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
