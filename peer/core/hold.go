package core

import (
	"bytes"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// held is a copy that was sent here and is not ours before its holder says so.
type held struct {
	it      *item
	id      message.ID
	gen     uint32
	from    message.Node
	addr    string
	parcel  *engine.Parcel
	since   int64
	remind  int64 // when to say Held again
	wait    int64
	holders []message.Node // who have copies of it
	orphan  bool           // its holder has ended
	again   int64          // an orphan's: when to ask the farm again
}

// transfer takes in a Transfer.
func (c *Core) transfer(now int64, from message.Node, m *message.Message, sight engine.Sight) {
	if _, done := c.finished.get(now, m.ID); done && c.opt.Weaken&NoGenerationCheck == 0 {
		c.dropParcel(m)
		return // a repetition that was under way when the move ended
	}
	it := c.item(m.Key)
	defer func() { c.tidy(now, it) }()
	if h := it.held; h != nil {
		switch {
		case h.id == m.ID && h.from == from:
			c.dropParcel(m)
			c.sayHeld(h)
			return
		case m.Gen > h.gen && h.from == from:
			c.discard(now, h) // the holder had given it up before it made this one
		case h.orphan && m.NoRoom:
			c.refuse(from, m, message.NoRoom, engine.Sight{})
			return
		case h.orphan && older(m.Gen, m.Parcel.Version, h.gen, h.parcel.Version):
			c.swallow(now, from, m, h)
			return
		case h.orphan:
			c.discard(now, h)
		default:
			c.refuse(from, m, message.Busy, engine.Sight{})
			return
		}
	}
	if e := c.shelf[m.Key]; e != nil && c.outranks(now, e, from, m) {
		sight = engine.Sight{State: engine.SightHere, Gen: e.p.Gen, Version: e.p.Version}
	}
	if reason := c.unfit(now, it, m, sight); reason != 0 {
		if reason == message.Newer {
			c.decline(now, m, Winner{sight.Gen, sight.Version, c.opt.Node})
		}
		c.refuse(from, m, reason, sight)
		return
	}
	parcel := m.Parcel
	parcel.Key, parcel.Gen = m.Key, m.Gen
	h := &held{it: it, id: m.ID, gen: m.Gen, from: from, addr: m.Addr, parcel: &parcel, since: now, wait: resendHeld, remind: now + resendHeld, holders: m.Holders}
	it.held = h
	c.holding++
	if it.search != nil {
		c.wasFound(now, it.search, 0)
	}
	c.sayHeld(h)
	c.at(h.remind, it)
}

// swallow takes an older copy out of the farm than the one that is held here, whose holder has ended. Others may have another one still: the farm is
// asked again.
func (c *Core) swallow(now int64, from message.Node, m *message.Message, h *held) {
	lost := m.Parcel
	c.dropParcel(m)
	if lost.Key = h.it.key; !bytes.Equal(lost.Body, h.parcel.Body) {
		lost.Gen = m.Gen
		c.quarantine(&lost, Winner{h.gen, h.parcel.Version, c.opt.Node})
	} else {
		c.counts.Conflicts++
		c.do(Notice{
			What: SessionConflict, Key: h.it.key, Node: from, Addr: m.Addr, Gen: m.Gen, Version: m.Parcel.Version, NewerGen: h.gen, NewerVersion: h.parcel.Version,
		})
	}
	c.send(from, m.Addr, &message.Message{Kind: message.Held, ID: m.ID, Key: m.Key, Gen: m.Gen})
	if s := h.it.search; s != nil {
		s.found, s.pending = true, nil
		s.retry = now + int64(100*time.Millisecond)
		c.at(s.retry, h.it)
	}
}

// unfit says why a session that was sent here cannot be taken; 0 if it can.
func (c *Core) unfit(now int64, it *item, m *message.Message, sight engine.Sight) message.Reason {
	asked := it.search != nil
	switch {
	case m.NoRoom || c.holding >= maxHolding:
		return message.NoRoom
	case it.move != nil || it.settling || sight.State == engine.SightAway || sight.State == engine.SightOccupied:
		return message.Busy
	case sight.State == engine.SightHere && c.givesWay(now, it, m, sight) && c.opt.Weaken&NoGenerationCheck == 0:
		return message.Newer
	case c.settled, c.leaving && !asked && sight.State != engine.SightSought:
		return message.Leaving
	}
	return 0
}

func (c *Core) refuse(to message.Node, m *message.Message, why message.Reason, sight engine.Sight) {
	if why == message.NoRoom {
		c.counts.Overflows++
	}
	c.dropParcel(m)
	r := &message.Message{Kind: message.Refused, ID: m.ID, Key: m.Key, Gen: m.Gen, Reason: why}
	if why == message.Newer {
		r.Theirs, r.Parcel.Version = sight.Gen, sight.Version
	}
	c.send(to, m.Addr, r)
}

// dropParcel gives back the memory of a session that is not taken.
func (c *Core) dropParcel(m *message.Message) {
	if m.Parcel.Reserved {
		p := m.Parcel
		m.Parcel.Reserved = false
		c.do(Drop{&p})
	}
}

func (c *Core) sayHeld(h *held) {
	c.send(h.from, h.addr, &message.Message{Kind: message.Held, ID: h.id, Key: h.it.key, Gen: h.gen})
}

// remind does what is due about a copy that is held.
func (c *Core) remind(now int64, h *held) {
	switch {
	case h.orphan:
		if h.it.search == nil && now >= h.again {
			c.seekOther(now, h)
		}
	case now-h.since >= patience:
		c.orphan(now, h)
	case now >= h.remind:
		c.counts.Repeated++
		c.sayHeld(h)
		h.wait = min(2*h.wait, resendHeldMost)
		h.remind = now + h.wait
		c.at(h.remind, h.it)
	}
}

// orphan begins to look whether there is another copy of a session whose holder has ended.
func (c *Core) orphan(now int64, h *held) {
	h.orphan = true
	if s := h.it.search; s != nil {
		s.found, s.retry, s.look = false, 0, false
		c.question(now, s)
		return
	}
	c.seekOther(now, h)
}

func (c *Core) seekOther(now int64, h *held) {
	c.begin(now, &search{it: h.it, urgent: true, deadline: now + int64(c.opt.QueryTimeout)})
}

// committed takes in Commit: the copy that we hold is ours.
func (c *Core) committed(now int64, from message.Node, m *message.Message) {
	h := c.heldOf(from, m)
	if h == nil {
		return
	}
	c.finished.put(now, now+finishedLife, h.id, true)
	c.counts.MovesIn++
	c.serve(now, h)
}

// promote makes a copy ours whose holder has ended, when there is no other.
func (c *Core) promote(now int64, h *held) {
	c.counts.Recovered++
	c.finished.put(now, now+finishedLife, h.id, true)
	c.do(Notice{What: SessionRecovered, Key: h.it.key, Node: h.from, Addr: h.addr})
	c.serve(now, h)
}

// serve puts a copy into service.
func (c *Core) serve(now int64, h *held) {
	it := h.it
	p := h.parcel
	age(p, now-h.since)
	c.unhold(h)
	it.went = pointer{}
	c.settle(it, true)
	a := Arrived{Parcel: p, From: h.from, Rank: c.rank(now, it, h.gen)}
	c.moved.put(now, now+movedLife, it.hash(c), h.gen)
	if s := it.search; s != nil {
		delete(c.searches, s.id)
		it.search = nil
		a.Fetch = s.fetch
	}
	c.do(Forget{Key: it.key})
	c.do(a)
	c.inherit(now, h)
	c.do(Notice{What: SessionArrived, Key: it.key, Node: h.from, Addr: h.addr})
}

// Settled reports that what an Arrived brought is in service, and how many requests waited for it here. If there was another state of it, clash says which of the two is in
// service now.
func (c *Core) Settled(now int64, key string, waiting int, clash *engine.Clash) {
	it := c.items[key]
	if it == nil {
		return
	}
	c.settle(it, false)
	if clash != nil {
		c.clashed(it, clash)
	}
	if waiting > 1 {
		it.stay = now + min(int64(waiting-1)*stayEach, stayMost)
		c.at(it.stay, it)
	}
	it.askers = append(it.askers, it.hopeful...)
	it.hopeful = nil
	c.proceed(now, it)
	c.tidy(now, it)
}

// aborted takes in Abort: the holder has kept the session.
func (c *Core) aborted(now int64, from message.Node, m *message.Message) {
	h := c.heldOf(from, m)
	it := c.items[m.Key]
	if h != nil {
		c.discard(now, h)
	}
	if it == nil {
		return
	}
	if s := it.search; s != nil && s.found && it.held == nil { // ask again: it is where it was
		s.retry = now + int64(time.Millisecond)<<min(s.tries, 7)
		c.at(s.retry, it)
	}
	c.proceed(now, it)
	c.tidy(now, it)
}

// heldOf is the copy that an answer of its holder is about.
func (c *Core) heldOf(from message.Node, m *message.Message) *held {
	it := c.items[m.Key]
	if it == nil || it.held == nil {
		return nil
	}
	h := it.held
	if h.id == m.ID && h.from == from && h.gen == m.Gen || c.opt.Weaken&NoGenerationCheck != 0 {
		return h
	}
	return nil
}

// discard forgets a copy that is not ours.
func (c *Core) discard(now int64, h *held) {
	c.finished.put(now, now+finishedLife, h.id, false)
	if h.parcel.Reserved {
		c.do(Drop{h.parcel})
	}
	c.unhold(h)
	if s := h.it.search; s != nil && s.found {
		s.retry = now + int64(10*time.Millisecond)
		c.at(s.retry, h.it)
	}
}

func (c *Core) unhold(h *held) {
	h.it.held = nil
	c.holding--
}
