package netpoll

import (
	"bytes"
	"net/netip"
	"sync"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// conn is one client's connection.
type conn struct {
	// Static after construction, or set by the transport before the first event.

	srv  *Server
	peer netip.Addr
	from *visitor // nil if there are too many addresses
	lane *lane
	link link

	// Owned by the lane.

	req    wire.Request
	ticket engine.Ticket
	phase  phase
	began  int64 // Time.Mono at which the request that is under way began; 0 if none is
	seen   int   // bytes of an incomplete header block that have been looked at
	need   int   // bytes that must have arrived before parsing makes sense again
	left   int   // of link.inbound, by the latest event
	got    int   // bytes of the body that have arrived, in phaseBody and phaseSkip
	intake intake
	target []byte // of the last request
	key    []byte // that it stands for: ticket.Key
	body   []byte // ticket.Body of a parked save

	parked bool // the engine has the ticket; cleared when the answer is collected
	over   bool // closed has been called

	batch     uint32
	active    int64 // Time.Mono of the last byte received or sent
	queued    int   // of link.outbound, as last seen
	kept      int   // bytes reserved for what arrives behind a parked request
	progress  int64 // Time.Mono since when a slow reader has taken nothing
	lingerEnd int64 // Time.Mono; set with shut
	lingered  int
	stalled   bool // requests are held back until the client reads
	shut      bool // the sending side has been ended
	reason    CloseReason

	// Guarded by mu: the mailbox, for answers given on another lane or while another connection is current.

	mu       sync.Mutex
	gone     bool // no answer can be delivered any more
	mail     []byte
	mailTail []byte // a shared body that comes after mail
	mailed   bool
	granted  bool // the mail is the grant of a lock
}

// phase says what the next byte on a connection is.
type phase uint8

const (
	phaseHead   phase = iota // of a header block
	phaseBody                // of a save's body, taken in by intake
	phaseSkip                // of a body that has no meaning (§4.7)
	phaseLinger              // nothing: no request will be executed any more; read and forgotten (§2.12)
)

const (
	// wholeBody is the largest body that is waited for in the read buffer and copied from there into the session. Larger ones go through intake.
	wholeBody = 64 << 10
	// flushAt is how many bytes of answers are collected before they are written.
	flushAt = 64 << 10

	// eventShare is how many bytes that are there already one event may work through; more wait for the next, so that a client which has
	// sent ahead does not hold up the others of its event loop.
	eventShare = 256 << 10

	lingerTime  = int64(2e9) // ns, §2.12
	lingerBytes = 1 << 20

	// keepScratch is how much of a buffer that was grown for one request a connection keeps.
	keepScratch = 8 << 10
)

// event does what there is to do: delivers an answer that has arrived in the mailbox, executes what has been received. It returns true if the
// transport must close the connection. Never blocks.
func (c *conn) event() (closing bool) {
	if c.over {
		return false
	}
	l, s := c.lane, c.srv
	now := s.clock.now()
	l.current = c
	defer func() { l.current = nil }()
	l.hot.event(c, now.Mono)
	if c.link.inbound() != c.left {
		c.active = now.Mono // also for bytes that finish nothing: each starts the time of §2.8 anew
	}
	if !c.collect(now) {
		return false
	}
	for first, done := true, 0; !c.parked; first = false {
		n := c.link.inbound()
		if n == 0 || n < c.need || c.paused(now) {
			break
		}
		if done > eventShare {
			s.later(c) // others are waiting for the lane
			break
		}
		if !first {
			now = s.clock.now() // with the standard library's network the write may have taken long
		}
		used := c.receive(now, c.link.peek(min(n, s.window)))
		if used > 0 {
			c.link.discard(used)
			done += used
		}
		if !c.flush(now) {
			return false
		}
		if used == 0 {
			break
		}
	}
	c.left = c.link.inbound()
	held := 0
	if c.parked || c.stalled {
		held = c.left
	}
	if held > 0 || c.kept > 0 {
		c.keep(held)
	}
	return c.reason != CloseClient && (c.phase != phaseLinger || c.lingered > lingerBytes)
}

// keep accounts for bytes that stay in the read buffer: behind a parked request a client may send as much as it likes to.
func (c *conn) keep(n int) {
	if n > c.srv.opt.MaxBody+c.srv.opt.MaxHead {
		c.reason = CloseFlood
		return
	}
	if n <= c.srv.window {
		n = 0 // a connection may have that much
	}
	if n > c.kept && !c.srv.engine.Reserve(n-c.kept) {
		c.reason = CloseFlood
		return
	}
	if n < c.kept {
		c.srv.engine.Unreserve(c.kept - n)
	}
	c.kept = n
}

// receive executes what b holds and returns how many bytes of it are used up. It stops early when the answers should be written or the
// connection is parked.
func (c *conn) receive(now engine.Time, b []byte) (used int) {
	l := c.lane
	for used < len(b) && !c.parked && len(l.out) < flushAt && l.tail == nil {
		rest := b[used:]
		n := 0
		switch c.phase {
		case phaseHead:
			n = c.head(now, rest)
		case phaseBody, phaseSkip:
			n = c.rest(now, rest)
		case phaseLinger:
			n = len(rest)
			if c.shut {
				c.lingered += n
			}
		}
		if n == 0 {
			break
		}
		used += n
	}
	return used
}

// head reads a header block, and executes the request if its body is there as well. It returns the bytes used up; 0 if more must arrive.
func (c *conn) head(now engine.Time, b []byte) int {
	if c.began == 0 {
		c.began = now.Mono
	}
	n, fault := wire.ParseHead(b, c.seen, &c.srv.limits, &c.req)
	if fault == wire.Short {
		c.seen, c.need = len(b), len(b)+1
		return 0
	}
	c.seen, c.need = 0, 0
	if fault != wire.OK {
		c.malformed(now, fault)
		return len(b)
	}
	body := c.req.ContentLength
	if len(b)-n >= body {
		c.prepare()
		c.execute(now, b[n:n+body])
		return n + body
	}
	if body <= wholeBody {
		c.need = n + body // look at it again when it is complete
		return 0
	}
	c.prepare()
	c.got = 0
	if c.req.Verb == wire.Put {
		c.phase = phaseBody
		c.intake.begin(c.srv, body)
	} else {
		c.phase = phaseSkip
	}
	return n
}

// rest takes in the rest of a large body, and executes the request when it is complete.
func (c *conn) rest(now engine.Time, b []byte) int {
	n := min(len(b), c.req.ContentLength-c.got)
	c.got += n
	if c.phase == phaseBody {
		c.intake.add(c.srv, b[:n])
	}
	if c.got < c.req.ContentLength {
		return n
	}
	save := c.phase == phaseBody
	c.phase = phaseHead
	switch {
	case !save:
		c.execute(now, nil)
	case c.intake.dropped:
		c.srv.engine.Refuse(c.lane.id, &c.ticket)
		c.answered(now)
	default:
		c.intake.take(c.srv, &c.ticket)
		c.do(now)
	}
	return n
}

// prepare makes a ticket of the request. The requests of a page often follow one another on one connection, so the key of the last one is kept.
func (c *conn) prepare() {
	r, t := &c.req, &c.ticket
	if !bytes.Equal(r.Target, c.target) {
		c.decode(r.Target)
	}
	t.Body, t.Owned = nil, false
	t.HasCookie, t.Cookie = r.HasCookie, uint32(r.Cookie)
	switch r.Verb {
	case wire.Get:
		t.Op = [...]engine.Op{engine.Get, engine.Acquire, engine.Release}[r.Exclusive]
	case wire.Put:
		t.Op, t.Minutes, t.InsertOnly = engine.Set, uint32(r.Timeout), r.ExtraFlags&1 != 0
	case wire.Delete:
		t.Op = engine.Remove
	case wire.Head:
		t.Op = engine.Touch
	}
}

// decode finds the key that a target stands for. Both are copied: the target belongs to the read buffer, and the ticket may outlive it.
func (c *conn) decode(target []byte) {
	c.target = append(c.target[:0], target...)
	if c.srv.opt.Rules == nil {
		c.key = wire.AppendKey(c.key[:0], target)
	} else {
		l := c.lane
		l.key = wire.AppendKey(l.key[:0], target)
		c.key = c.srv.opt.Rules.AppendKey(c.key[:0], l.key)
	}
	c.ticket.Key, c.ticket.Target, c.ticket.Hash = c.key, c.target, c.srv.engine.Hash(c.key)
}

// execute passes the request with its body, of which only a save takes notice, to the engine.
func (c *conn) execute(now engine.Time, body []byte) {
	if c.ticket.Op == engine.Set {
		c.ticket.Body = body
	}
	c.do(now)
}

func (c *conn) do(now engine.Time) {
	// After the end of the stream nothing could be answered later.
	c.ticket.Yield = c.lane.hot.request(c.ticket.Hash) && !c.link.gone()
	c.srv.engine.Do(now, c.lane.id, &c.ticket)
	if !c.parked {
		c.answered(now)
	}
}

// answered follows the answer to a request that did not wait.
func (c *conn) answered(now engine.Time) {
	c.lane.turn.add(c.ticket.Op, c.began, now.Mono)
	c.done(now)
}

// done follows the answer to a request.
func (c *conn) done(now engine.Time) {
	c.ticket.Body, c.began = nil, 0
	if cap(c.target) > keepScratch {
		c.target, c.key = nil, nil
	}
	if c.req.Close {
		c.linger(now, CloseAsked)
	}
}

// malformed answers a request that cannot be understood, and executes nothing more on this connection (§6.1).
func (c *conn) malformed(now engine.Time, fault wire.Fault) {
	c.srv.noteFault(c.peer, fault)
	c.lane.out = c.srv.format.AppendHead(c.lane.out, &wire.Answer{Status: wire.StatusBadRequest})
	c.linger(now, CloseMalformed)
}

// linger begins the end of the connection: what has been answered is sent, what still arrives is forgotten.
func (c *conn) linger(now engine.Time, why CloseReason) {
	c.phase, c.reason = phaseLinger, why
	c.progress = now.Mono
	c.lane.watch(c)
}

// finish ends the sending side. Requires that all answers have left.
func (c *conn) finish() {
	c.shut = true
	c.lingerEnd = c.srv.clock.now().Mono + lingerTime
	c.link.closeWrite()
}

// flush writes the answers that have been collected. It returns false if the connection has ended.
func (c *conn) flush(now engine.Time) bool {
	l := c.lane
	if len(l.out) > 0 || l.tail != nil {
		err := c.link.write(l.out, l.tail)
		l.tail = nil
		if l.out = l.out[:0]; cap(l.out) > keepOut {
			l.out = nil
		}
		if err != nil {
			l.turn = turn{}
			return false
		}
		if l.turn.pending {
			l.turn.written(l.took, c.srv.clock.now().Mono)
		}
		c.sent(now)
	}
	if c.phase == phaseLinger && !c.shut && c.link.outbound() == 0 {
		c.finish()
	}
	return true
}

// sent accounts for answers that have been written: what the client does not take waits in our memory. One that makes all clients' answers exceed
// their bound is cut off.
func (c *conn) sent(now engine.Time) {
	c.active = max(c.active, now.Mono)
	if c.measure(now) == 0 {
		return
	}
	c.lane.watch(c) // to know soon that the client has read it: the account is for all
	if c.phase != phaseLinger && c.srv.output.Load() > c.srv.opt.MaxOutputTotal {
		c.lane.cutSlowest(c)
	}
}

// measure brings the account of queued answers up to date and returns their size.
func (c *conn) measure(now engine.Time) int {
	q := c.link.outbound()
	if q < c.queued {
		c.active, c.progress = max(c.active, now.Mono), now.Mono
	}
	if q != c.queued {
		c.srv.output.Add(int64(q - c.queued))
		c.queued = q
	}
	return q
}

// paused reports whether no further request may be executed: the client must first read what has been answered, or is about to be cut off.
func (c *conn) paused(now engine.Time) bool {
	if c.reason == CloseSlowReader {
		return true
	}
	if c.queued == 0 || c.phase == phaseLinger || c.measure(now) <= c.srv.opt.MaxOutput {
		return false
	}
	if !c.stalled {
		c.stalled, c.progress = true, now.Mono
		c.lane.watch(c)
	}
	return true
}

// tick is called every second, and at each tick while the connection is watched.
func (c *conn) tick(now engine.Time) {
	q := c.measure(now)
	if q == 0 && !c.stalled && c.phase != phaseLinger {
		c.lane.unwatch(c)
	}
	switch {
	case c.phase == phaseLinger && q > 0, c.stalled && q > c.srv.opt.MaxOutput:
		if now.Mono-c.progress > int64(c.srv.opt.slowReader) {
			c.end(CloseSlowReader)
		}
	case c.phase == phaseLinger && !c.shut:
		c.finish()
	case c.phase == phaseLinger:
		if now.Mono >= c.lingerEnd {
			c.link.close()
		}
	case c.stalled:
		c.stalled = false
		if c.event() {
			c.link.close()
		}
	case c.parked:
		// The time does not run while a request waits (§2.8).
	case now.Mono-c.active > int64(c.srv.opt.IdleTimeout):
		if c.unfinished() {
			c.srv.stalled.Add(1)
		}
		c.end(CloseIdle)
	case c.srv.stopping.Load() && q == 0 && !c.unfinished():
		c.end(CloseShutdown)
	}
}

// end closes the connection at once.
func (c *conn) end(why CloseReason) {
	c.reason = why
	c.link.close()
}

// unfinished reports whether part of a request has arrived.
func (c *conn) unfinished() bool {
	return c.phase == phaseBody || c.phase == phaseSkip || c.phase == phaseHead && !c.parked && c.link.inbound() > 0
}

// closed is called by the transport, once, when the connection has ended, for whatever reason. It may be called inside link.write.
func (c *conn) closed() {
	if c.over {
		return
	}
	s := c.srv
	if c.reason == CloseClient && c.unfinished() {
		s.truncated.Add(1)
	}
	c.over = true
	c.mu.Lock()
	c.gone = true
	undelivered := c.mailed && c.granted
	c.mail, c.mailTail, c.mailed = nil, nil, false
	c.mu.Unlock()
	if c.parked && s.engine.Cancel(&c.ticket) && c.ticket.Owned {
		s.engine.Unreserve(cap(c.ticket.Body))
	}
	if undelivered {
		s.engine.Revoke(s.clock.now(), c.lane.id, c.ticket.Key, c.ticket.Out.Cookie)
	}
	c.intake.abandon(s)
	s.engine.Unreserve(c.kept)
	s.output.Add(-int64(c.queued))
	c.kept, c.queued = 0, 0
	delete(c.lane.conns, c)
	c.lane.unwatch(c)
	c.from.leave(time.Now())
	s.connClosed(c.reason)
}

// guard does f, and ends the connection if f panics: a fault of ours must not take the others down. What f had entered stays entered; a session whose
// state nobody trusts is not served.
func (c *conn) guard(f func()) {
	defer c.recover()
	f()
}

func (c *conn) recover() {
	if p := recover(); p != nil {
		c.srv.panicked(p)
		c.lane.out, c.lane.tail, c.lane.current, c.lane.turn = c.lane.out[:0], nil, nil, turn{}
		if !c.over {
			c.end(CloseFault)
		}
	}
}
