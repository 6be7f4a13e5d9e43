package legacy

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"time"
)

// maxIdle is how many transfer links to one destination are kept for the next session.
const maxIdle = 4

// Deliver sends a session to where an original wants it, which is a host as in Query.Host; peer is the one that the query came from, or Unknown. It does not
// block; t.Body must not change until done has been called, which happens exactly once, at the latest after four times QueryTimeout, and maybe
// before Deliver returns.
func (n *Net) Deliver(peer int, host string, t Transfer, done func(Outcome)) {
	waiting := n.counts.waitingDeliver.Add(1)
	finish := func(o Outcome, f failure) {
		n.counts.waitingDeliver.Add(-1)
		switch o.Result {
		case Delivered:
			n.counts.delivered.Add(1)
		case AlreadyThere:
			n.counts.alreadyThere.Add(1)
		default:
			n.counts.failures[f].Add(1)
		}
		done(o)
	}
	fail := failShutdown
	n.mu.Lock()
	started := !n.closed
	if waiting > 17*int64(n.opt.MaxDeliveries) {
		fail, started = failBusy, false
	}
	if started {
		n.wg.Go(func() { finish(n.deliver(peer, host, t)) })
	}
	n.mu.Unlock()
	if !started {
		finish(Outcome{Result: Failed, Reason: failureNames[fail]}, fail)
	}
}

// delivery is a session and where it goes.
type delivery struct {
	n    *Net
	by   time.Time // when it has to have been sent
	to   netip.AddrPort
	peer int // whose mode the connection is in
	m    Message
	body []byte
}

func (n *Net) deliver(peer int, to string, t Transfer) (Outcome, failure) {
	fail := func(f failure, uncertain bool) (Outcome, failure) {
		return Outcome{Result: Failed, Reason: failureNames[f], Uncertain: uncertain}, f
	}
	by := time.Now().Add(n.opt.QueryTimeout)
	if f := n.takeSlot(); f != noFailure {
		return fail(f, false)
	}
	defer func() { <-n.slots }()
	d, f := n.plan(peer, to, t, by)
	if f != noFailure {
		return fail(f, false)
	}
	status, f, uncertain := d.run()
	switch {
	case f != noFailure:
		return fail(f, uncertain)
	case status == 412:
		return Outcome{Result: AlreadyThere}, noFailure
	}
	return Outcome{Result: Delivered}, noFailure
}

// takeSlot waits for its turn.
func (n *Net) takeSlot() failure {
	timer := time.NewTimer(n.opt.QueryTimeout)
	defer timer.Stop()
	select {
	case n.slots <- struct{}{}:
		return noFailure
	case <-timer.C:
		return failBusy
	case <-n.ctx.Done():
		return failShutdown
	}
}

// plan finds out where the session goes and whether it can. Nothing is dialled that it has not allowed. See docs/peer-protocol.md §8.4.
func (n *Net) plan(peer int, to string, t Transfer, by time.Time) (d *delivery, f failure) {
	if peer != Unknown && (peer < 0 || peer >= len(n.peers)) {
		return nil, failHost
	}
	h, err := parseHost(to, n.opt.PeerPort)
	if err != nil {
		return nil, failHost
	}
	if !writable(t.Target) {
		return nil, failTarget
	}
	if t.ID == (ID{}) {
		if t.ID, err = n.newID(); err != nil {
			return nil, failBroken
		}
	}
	d = &delivery{n: n, by: by, peer: peer, body: t.Body, m: Message{
		Kind: KindTransfer, Target: t.Target, ID: t.ID, Timeout: t.Timeout, Uninitialized: t.Uninitialized,
		Locked: t.Locked, LockCookie: min(t.LockCookie, maxCookie), LockAge: t.LockAge, LockDate: t.LockDate,
		LastModified: min(max(t.LastModified, 1), maxTicks), Length: len(t.Body),
	}}
	if !d.find(h) {
		n.warn(max(peer, 0), textNotAllowed, "event", "original_bad_host")
		return nil, failHost
	}
	if n.isSelf(d.to) {
		return nil, failSelf
	}
	if n.peers[d.peer].encrypts() && len(t.Body) > 0 {
		d.m.Encrypted, d.m.PlainLength, d.m.Length = true, len(t.Body), sealedLen(len(t.Body))
	}
	if d.m.Length > maxBody {
		return nil, failSize
	}
	return d, noFailure
}

func (n *Net) newID() (id ID, err error) {
	if n.opt.newID != nil {
		return n.opt.newID()
	}
	_, err = io.ReadFull(n.opt.Random, id[:])
	return id, err
}

// find takes the first address of a host that is some original's, or otherwise allowed.
func (d *delivery) find(h host) bool {
	var addrs []netip.Addr
	if addr, err := netip.ParseAddr(h.name); err == nil {
		addrs = []netip.Addr{addr}
	} else {
		ctx, cancel := context.WithDeadline(d.n.ctx, d.by)
		defer cancel()
		if addrs, err = d.n.opt.Lookup(ctx, h.name); err != nil {
			return false
		}
	}
	for _, addr := range addrs {
		addr = addr.Unmap()
		d.to = netip.AddrPortFrom(addr, h.port)
		if peers := d.n.candidates(addr); len(peers) > 0 {
			d.peer = d.n.pick(peers, d.peer, h.port)
			return true
		}
		if slices.ContainsFunc(d.n.opt.AllowHosts, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			d.peer = max(d.peer, 0)
			return true
		}
	}
	return false
}

// pick chooses among several peers with one address: the one with the port, the one that asked, or any.
func (n *Net) pick(peers []int, asked int, port uint16) int {
	for _, i := range peers {
		if h, _ := parseHost(n.peers[i].Addr, 0); h.port == port {
			return i
		}
	}
	if slices.Contains(peers, asked) {
		return asked
	}
	return peers[0]
}

// isSelf reports whether an address is where we ask for sessions to be delivered: a session that is sent to its sender would meet itself there.
func (n *Net) isSelf(to netip.AddrPort) bool {
	n.mu.Lock()
	var locals []netip.AddrPort
	for _, p := range n.peers {
		for _, c := range p.links {
			locals = append(locals, c.local)
		}
	}
	n.mu.Unlock()
	return slices.ContainsFunc(locals, func(l netip.AddrPort) bool {
		h, err := parseHost(n.opt.Advertise(l), n.opt.PeerPort)
		return err == nil && h.port == to.Port() && (h.name == to.Addr().String() || l.Addr() == to.Addr())
	})
}

// run sends the session over an idle link if there is one, and over a new one if there is none or if that failed. An encrypted session always
// gets a link of its own, because all bodies of a link have one initialisation vector. See docs/peer-protocol.md §8.6.
func (d *delivery) run() (status int, f failure, uncertain bool) {
	if c := d.n.takeIdle(d.to); c != nil {
		if status, f, uncertain = d.send(c); f == noFailure || f == failShutdown {
			return status, f, uncertain
		}
		d.n.counts.retried.Add(1)
		d.by = time.Now().Add(d.n.opt.QueryTimeout)
	}
	c, f := d.dial()
	if f != noFailure {
		return 0, f, uncertain
	}
	status, f, again := d.send(c)
	return status, f, f != noFailure && (uncertain || again)
}

// dial opens a transfer link.
func (d *delivery) dial() (*conn, failure) {
	n := d.n
	ctx, cancel := context.WithDeadline(n.ctx, d.by)
	defer cancel()
	c, err := n.connect(ctx, d.to, d.peer)
	if err != nil {
		return nil, failConnect
	}
	if err := n.prepare(c, d.by); err != nil {
		return nil, failAuth
	}
	if err := n.adopt(c); err != nil {
		return nil, failShutdown
	}
	return c, noFailure
}

// send sends the session on a link and waits for the answer to it. The link is kept only if all went well.
func (d *delivery) send(c *conn) (status int, f failure, uncertain bool) {
	w := &waiting{id: d.m.ID, answer: make(chan int, 1)}
	sentAll := make(chan struct{})
	c.mu.Lock()
	c.waiting = w
	c.mu.Unlock()
	if _, ok := c.ask(out{kind: sentTransfer, b: d.bytes(c), written: func() { close(sentAll) }}); !ok {
		return 0, failBroken, false
	}
	status, f, uncertain = d.await(c, w, sentAll)
	if f == noFailure && status != 200 && status != 412 {
		f = d.refused(status)
	}
	switch {
	case f != noFailure:
		c.end(endFailed)
	case d.n.peers[d.peer].encrypts() || !d.n.putIdle(d.to, c):
		c.end(endSpent)
	}
	return status, f, uncertain
}

// await waits until the session is sent, and then for the answer, for QueryTimeout.
func (d *delivery) await(c *conn, w *waiting, sentAll <-chan struct{}) (status int, f failure, uncertain bool) {
	timer := time.NewTimer(time.Until(d.by))
	defer timer.Stop()
	for {
		select {
		case status = <-w.answer:
			return status, noFailure, false
		case <-sentAll:
			uncertain, sentAll = true, nil
			timer.Reset(d.n.opt.QueryTimeout)
		case <-timer.C:
			return 0, failSilent, uncertain
		case <-d.n.ctx.Done():
			return 0, failShutdown, uncertain
		case <-c.done:
			select {
			case status = <-w.answer: // and then it was closed
				return status, noFailure, false
			default:
			}
			return 0, failBroken, uncertain
		}
	}
}

// refused says what an answer means that is neither of the good ones. See docs/peer-protocol.md §8.4.
func (d *delivery) refused(status int) failure {
	switch status {
	case 400:
		d.n.warn(d.peer, textGot400, "event", "original_refused")
		return fail400
	case 401:
		d.n.warn(d.peer, textGot401, "event", "original_refused")
		return fail401
	case 503:
		return fail503
	}
	return failOther
}

// bytes is the whole message, for one write.
func (d *delivery) bytes(c *conn) []byte {
	m := d.m
	m.Host = d.n.ownHost(c)
	b := make([]byte, 0, 512+len(m.Target)+m.Length)
	b = Append(b, &m)
	if !m.Encrypted {
		return append(b, d.body...)
	}
	c.mu.Lock()
	k := c.key
	c.mu.Unlock()
	return k.appendSealed(b, d.body)
}

// takeIdle takes a link to a destination that is still fit for use, or nil.
func (n *Net) takeIdle(to netip.AddrPort) *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	for links := n.idle[to]; len(links) > 0; links = n.idle[to] {
		c := links[len(links)-1]
		n.dropIdle(c)
		c.mu.Lock()
		fit := !c.ended && time.Since(c.lastByte) <= reuse
		c.idle = false
		c.refreshDeadline()
		c.mu.Unlock()
		if fit {
			return c
		}
	}
	return nil
}

// putIdle keeps a link for the next session, and reports whether it did.
func (n *Net) putIdle(to netip.AddrPort, c *conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || len(n.idle[to]) >= maxIdle {
		return false
	}
	n.idle[to] = append(n.idle[to], c)
	c.idle = true
	c.refreshDeadline()
	return true
}

// dropIdle takes a link out of the table. Requires that mu is held.
func (n *Net) dropIdle(c *conn) {
	for to, links := range n.idle {
		if i := slices.Index(links, c); i >= 0 {
			if links = slices.Delete(links, i, i+1); len(links) == 0 {
				delete(n.idle, to)
			} else {
				n.idle[to] = links
			}
			return
		}
	}
}
