package core

import (
	"math"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// Move is a session on its way from this node to another.
type Move struct {
	// Handle is the caller's, who sets it when the session has been taken.
	Handle any

	it       *item
	q        *query // who asked; nil for a hand-over
	state    moveState
	id       message.ID
	to       message.Node
	addr     string
	parcel   *engine.Parcel
	began    int64
	deadline int64
	resend   int64
	original bool // to an original
	beaten   bool // the addressee serves a newer state, and this one has given way
}

// Parcel is what travels, once the session has been taken.
func (m *Move) Parcel() *engine.Parcel { return m.parcel }

// Key is the session's.
func (m *Move) Key() string { return m.it.key }

// Target is the spelling of the session's key for peers that know no other.
func (m *Move) Target() string {
	switch {
	case m.q != nil && m.q.target != "":
		return m.q.target
	case m.parcel.Literal:
		return m.it.key
	}
	return string(message.AppendTarget(nil, m.it.key))
}

// moveState says how far a move is.
type moveState uint8

const (
	moveTaking  moveState = iota // the engine has been asked for the session
	moveOffered                  // it is out of service, and on its way
	moveOver
)

// Outcome says what became of a Take.
type Outcome uint8

// The outcomes.
const (
	TakenOK     Outcome = iota // it is out of service
	TakenAbsent                // there is none here
	TakenSought                // there is none, but requests here wait for one
	TakenHere                  // it is here, and has been looked at only
	TakenLocked                // it is locked, and somebody waits for the lock here
)

// take asks the engine for a session that somebody asks for.
func (c *Core) take(now int64, q *query) {
	m := &Move{it: q.it, q: q, began: now}
	c.depart(m)
	c.do(Forget{Key: q.it.key}) // Must come first: see engine.Elsewhere.
	c.do(Take{Key: q.it.key, Urgent: q.urgent || now-q.since > lockedPatience, Look: q.look, Move: m})
}

// Taken reports what became of a Take. The parcel's body must stay as it is until the move is over, and as long as anybody sends it.
func (c *Core) Taken(now int64, m *Move, o Outcome, p *engine.Parcel) {
	it := m.it
	if it.move != m {
		return // cannot be: only this ends moveTaking
	}
	m.parcel = p
	if o == TakenOK && m.q == nil {
		c.handOn(now, m)
		return
	}
	if o == TakenOK {
		c.offer(now, m)
		return
	}
	c.arrest(it)
	m.state = moveOver
	if m.q == nil { // a hand-over of what is not here any more
		c.handing--
		c.proceed(now, it)
		c.tidy(now, it)
		return
	}
	switch o {
	case TakenHere:
		m.q.server = c.opt.Node
		c.found(m.q)
	case TakenAbsent:
		c.notHere(now, m.q)
	case TakenSought: // the request for it will be heard of in a moment
		it.stay = max(it.stay, now+retrySought)
		it.askers = append([]*query{m.q}, it.askers...)
		c.at(it.stay, it)
	default: // TakenLocked
		it.stay = max(it.stay, now+stayLocked)
		it.askers = append([]*query{m.q}, it.askers...)
		c.at(it.stay, it)
	}
	c.proceed(now, it)
	c.tidy(now, it)
}

// offer sends a session that has been taken to its asker.
func (c *Core) offer(now int64, m *Move) {
	q := m.q
	if now >= q.deadline {
		c.arrest(m.it)
		m.state = moveOver
		c.stay(now, m)
		c.examine(now, q)
		c.proceed(now, m.it)
		c.tidy(now, m.it)
		return
	}
	if q.original != nil {
		c.deliver(now, m, q.peer, q.original.Host)
		return
	}
	c.found(q)
	c.transferTo(now, m, q.asker, q.addr)
}

// transferTo begins the transfer of a session that has been taken.
func (c *Core) transferTo(now int64, m *Move, to message.Node, addr string) {
	m.state, m.id, m.to, m.addr = moveOffered, c.opt.NewID(), to, addr
	m.began = now
	m.deadline = now + c.moveTime(len(m.parcel.Body))
	c.sendTransfer(now, m)
	c.at(m.deadline, m.it)
}

func (c *Core) sendTransfer(now int64, m *Move) {
	parcel := *m.parcel
	age(&parcel, now-m.began)
	t := &message.Message{
		Kind: message.Transfer, ID: m.id, Key: m.it.key, Gen: parcel.Gen, Node: c.opt.Node, Addr: c.opt.Addr, Leave: m.q == nil, Parcel: parcel,
	}
	t.Holders = c.holdersOf(m.it)
	if m.q != nil {
		t.Query, t.Target = m.q.id, m.q.target
	}
	c.send(m.to, m.addr, t)
	m.resend = now + c.resendTransfer(len(parcel.Body))
	c.at(m.resend, m.it)
}

// resendTransfer is after how long a transfer without an answer is repeated.
func (c *Core) resendTransfer(size int) int64 {
	return int64(c.opt.QueryTimeout)/5 + int64(float64(size)/bytesPerNano)
}

// press does what is due about a move.
func (c *Core) press(now int64, m *Move) {
	switch {
	case m.state != moveOffered || m.original:
	case now >= m.deadline:
		c.shun(now, m) // it may have fallen silent: the others get the rest
		c.callOff(now, m)
	case now >= m.resend:
		c.counts.Repeated++
		c.sendTransfer(now, m)
	}
}

// heldBy takes in Held: another node has our copy in its hands.
func (c *Core) heldBy(now int64, from message.Node, r *message.Message) {
	if done, ok := c.outcomes.get(now, r.ID); ok {
		kind := message.Abort
		if done {
			kind = message.Commit
		}
		c.send(from, "", &message.Message{Kind: kind, ID: r.ID, Key: r.Key, Gen: r.Gen})
		return
	}
	it := c.items[r.Key]
	if it == nil || it.move == nil || it.move.state != moveOffered || it.move.original {
		return // of a move that is forgotten; the sender will look for another copy
	}
	m := it.move
	checked := m.id == r.ID && m.to == from && m.parcel.Gen == r.Gen
	if !checked && c.opt.Weaken&NoGenerationCheck == 0 {
		return
	}
	c.outcomes.put(now, now+outcomeLife, r.ID, true)
	c.gone(now, m)
	c.send(from, "", &message.Message{Kind: message.Commit, ID: r.ID, Key: r.Key, Gen: r.Gen})
	c.do(Notice{What: SessionLeft, Key: it.key, Node: from, Addr: m.addr})
	c.proceed(now, it)
	c.tidy(now, it)
}

// gone ends a move: the session is another node's.
func (c *Core) gone(now int64, m *Move) {
	it := m.it
	c.do(Left{m})
	c.counts.MovesOut++
	c.retain(now, m)
	if m.q == nil {
		c.counts.HandedOver++
	}
	c.over(m)
	it.went = pointer{node: m.to, addr: m.addr, original: m.original, until: now + c.pointerLife()}
	c.at(it.went.until, it)
}

func (c *Core) over(m *Move) {
	m.state = moveOver
	c.arrest(m.it)
	if m.q == nil {
		c.handing--
		c.handBytes -= int64(len(m.parcel.Body))
	}
}

// callOff ends a move: the session stays.
func (c *Core) callOff(now int64, m *Move) {
	it := m.it
	c.stay(now, m)
	c.counts.MovesOff++
	c.over(m)
	if !m.original {
		c.outcomes.put(now, now+outcomeLife, m.id, false)
		c.send(m.to, m.addr, &message.Message{Kind: message.Abort, ID: m.id, Key: it.key, Gen: m.parcel.Gen})
	}
	c.do(Notice{What: MoveCalledOff, Key: it.key, Node: m.to, Addr: m.addr})
	c.proceed(now, it)
	c.tidy(now, it)
}

// refused takes in Refused.
func (c *Core) refused(now int64, from message.Node, r *message.Message) {
	it := c.items[r.Key]
	if it == nil || it.move == nil {
		return
	}
	m := it.move
	if m.state != moveOffered || m.original || m.id != r.ID || m.to != from || m.parcel.Gen != r.Gen {
		return
	}
	if r.Reason == message.Busy { // for a moment; the deadline bounds it
		m.resend = now + retryBusy
		c.at(m.resend, it)
		return
	}
	if r.Reason != message.Newer {
		c.shun(now, m)
		c.callOff(now, m)
		return
	}
	if older(before(m.parcel.Gen), m.parcel.Version, r.Theirs, r.Parcel.Version) {
		c.outcomes.put(now, now+outcomeLife, m.id, false)
		m.beaten = true
		c.gone(now, m)
		c.quarantine(m.parcel, Winner{r.Theirs, r.Parcel.Version, from})
		c.proceed(now, it)
		c.tidy(now, it)
		return
	}
	c.callOff(now, m)
}

// shun keeps further hand-overs for a while from the node that has not taken one.
func (c *Core) shun(now int64, m *Move) {
	if n := c.neighbours[m.to]; n != nil && m.q == nil {
		n.shunned = now + shunTime
	}
}

// older reports whether a copy is not newer than another.
func older(gen, version, otherGen, otherVersion uint32) bool {
	return gen < otherGen || gen == otherGen && version <= otherVersion
}

// handOn chooses who gets a session that is handed over.
func (c *Core) handOn(now int64, m *Move) {
	size := int64(len(m.parcel.Body))
	c.handBytes += size
	best := c.target(now, size)
	if best != nil {
		best.given += float64(size+1024) / weight(best)
		c.transferTo(now, m, best.node, best.addr)
		return
	}
	if peer, ok := c.someOriginal(); ok && !c.isFresh(now, m.it.key) {
		c.deliver(now, m, peer, "")
		return
	}
	c.callOffHandOver(now, m)
}

// callOffHandOver ends a hand-over for which there is nobody.
func (c *Core) callOffHandOver(now int64, m *Move) {
	c.stay(now, m)
	c.over(m)
	c.proceed(now, m.it)
	c.tidy(now, m.it)
}

// target is the neighbour that is to get the next session; nil if none can take one.
func (c *Core) target(now, size int64) *neighbour {
	var best *neighbour
	for _, n := range c.order {
		if n.leaving || n.shunned > now || n.free >= 0 && n.free < 2*size {
			continue
		}
		if best == nil || n.given < best.given {
			best = n
		}
	}
	return best
}

// weight is how much more than others a neighbour may get: by its free memory, if it is known.
func weight(n *neighbour) float64 {
	if n.free < 0 {
		return 1 << 30
	}
	return math.Max(1<<20, float64(n.free))
}

// HandOver moves a session to whoever can take it.
func (c *Core) HandOver(now int64, key string) {
	it := c.item(key)
	if it.move != nil || it.settling || it.held != nil || it.search != nil {
		return
	}
	if c.isFresh(now, key) && c.target(now, 0) == nil {
		c.tidy(now, it)
		return
	}
	c.handing++
	m := &Move{it: it, began: now}
	c.depart(m)
	c.do(Forget{Key: key}) // it may have been made because it was nowhere
	c.do(Take{Key: key, Urgent: true, Move: m})
}

// Window is how many more sessions may be handed over now, and whether there is anybody who can take them.
func (c *Core) Window(now int64) (n int, anybody bool) {
	anybody = c.target(now, 0) != nil || len(c.originals) > 0
	if c.handBytes >= maxHandSize {
		return 0, anybody
	}
	return max(0, maxHandOver-c.handing), anybody
}

// Handing is how many hand-overs are under way.
func (c *Core) Handing() int { return c.handing }

// Takers counts the neighbours that take sessions, if not at this moment, and those that leave.
func (c *Core) Takers() (stay, leave int) {
	for _, n := range c.order {
		if n.leaving {
			leave++
		} else {
			stay++
		}
	}
	return stay, leave
}

// Delays for tests and documents.
const (
	// Patience is how long a copy waits for its holder before the farm is asked for another.
	Patience = time.Duration(patience)
	// DeadAfter is how long a node whose link has broken counts as alive at least, although the membership has declared it dead.
	DeadAfter = time.Duration(deadAfter)
)
