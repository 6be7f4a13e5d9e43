package core

import (
	"bytes"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// When two parts of a farm have been apart, two states of one session are served, and meet when the parts do. The one with the higher generation stays, of the same
// generation the one with more saves; the other one is put into the quarantine. A move raises the generation, which says nothing about which of the two is newer: they are
// compared by what they were before it.

// movedLife is for how long it is kept in mind that a session has come here. Whoever asks for a session that is served twice is sent both, within a moment.
const movedLife = int64(10 * time.Second)

// before is the generation of a session before its move.
func before(gen uint32) uint32 { return max(gen, 1) - 1 }

// rank is the generation by which a session that is moved to here is compared with the one that is served here: that of before its move, unless that has just been moved
// to here, too.
func (c *Core) rank(now int64, it *item, gen uint32) uint32 {
	if here, ok := c.moved.get(now, it.hash(c)); ok && here == gen {
		return gen
	}
	return before(gen)
}

// givesWay reports whether a session that is sent here is older than the one that is served here. It is the rule of engine.Meet.
func (c *Core) givesWay(now int64, it *item, m *message.Message, here engine.Sight) bool {
	gen := c.rank(now, it, m.Gen)
	same := gen == here.Gen && m.Parcel.Version == here.Version
	return older(gen, m.Parcel.Version, here.Gen, here.Version) && !(same && m.Gen > here.Gen)
}

// decline takes note of a session that is sent here, and gives way to another state. Its sender keeps what it has sent in its quarantine, but one
// that leaves may end in a moment, with all that it keeps.
func (c *Core) decline(now int64, m *message.Message, by Winner) {
	if _, again := c.declined.get(now, m.ID); again || !m.Leave {
		c.counts.Conflicts++
		return
	}
	c.declined.put(now, now+finishedLife, m.ID, true)
	lost := m.Parcel
	lost.Key, lost.Gen = m.Key, m.Gen
	c.quarantine(&lost, by)
}

// outranks reports whether a copy that is here, of a session of another node's, is newer than a state of it that is sent here: then that is refused as if the session were
// served here.
func (c *Core) outranks(now int64, e *shelved, from message.Node, m *message.Message) bool {
	return e.owner != from && e.owner != c.opt.Node && c.alive(now, e.owner) && !older(e.p.Gen, e.p.Version, before(m.Gen), m.Parcel.Version)
}

// yield ends a move of a session of which another node serves a newer state: that stays, and this one is not called back.
func (c *Core) yield(now int64, m *Move, by Winner) {
	it := m.it
	m.beaten = true
	c.outcomes.put(now, now+outcomeLife, m.id, false)
	c.gone(now, m)
	it.went = pointer{}
	c.send(m.to, m.addr, &message.Message{Kind: message.Abort, ID: m.id, Key: it.key, Gen: m.parcel.Gen})
	c.quarantine(m.parcel, by)
	c.proceed(now, it)
	c.tidy(now, it)
}

// twins reports whether an update is about another state of a session than the copy that is here, although nothing tells which is newer: two parts of a farm have made it,
// and saved it equally often. The owner whose name comes first goes on, as where such two meet in service.
func (c *Core) twins(e *shelved, owner message.Node, m *message.Message) bool {
	return e != nil && e.owner != owner && m.Change == message.Content && stampOf(&e.p, e.p.Gen) == stampOf(&m.Parcel, m.Gen) && !bytes.Equal(e.p.Body, m.Parcel.Body)
}

// clashed does what follows when a session that has come here has met another state of it.
func (c *Core) clashed(it *item, clash *engine.Clash) {
	if clash.Lost != nil {
		by := Winner{Gen: clash.Gen, Version: clash.Version}
		if clash.Kept {
			by.Node = c.opt.Node
		}
		c.quarantine(clash.Lost, by)
	} else {
		c.counts.Conflicts++
		c.do(Notice{What: SessionConflict, Key: it.key})
	}
	if !clash.Kept || c.opt.Copies < 2 {
		return
	}
	// What has been told of the one that has come is not so.
	hash := it.hash(c)
	c.withdraw(it.key)
	c.eachHolder(c.track[hash], func(node message.Node, _ bool) { c.setHolder(hash, node, false) })
	c.generation(hash, clash.Gen)
	c.want(it.key)
}
