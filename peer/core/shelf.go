package core

import (
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// shelved is a copy of a session that this node does not serve.
//
// Invariant: a session is on the shelf or served here, not both, but while it is being put into service, or out of it.
type shelved struct {
	key   string
	hash  uint64
	owner message.Node // whose session it is; this node, if it was its own and may have been taken over meanwhile
	asks  uint8        // how many times the owner is yet to be asked whether it counts us among those who have copies
	p     engine.Parcel
	at    int64 // when Left and LockAge were so
	pos   int   // in Core.shelfOrder

	exact    bool         // its owner has had no requests that are not known here
	claimer  message.Node // who has asked for it last, to take it over; zero if nobody has
	diverged bool         // it was this node's own, and is not what was offered to others meanwhile

	offered  int64          // when it was last offered to somebody who looked for the session
	spread   uint64         // the layout for which further copies have been made of it
	spreadTo []message.Node // where
	tried    int64          // when the farm was asked for it last, although nobody has asked here
}

// askTimes is how often the owner is asked about a copy that has come, or has become doubtful. What a node told that had the session before may have come late: its
// owner knows nothing of such a copy.
const askTimes = 2

// copyCost is what a copy takes beside its key and its content.
const copyCost = 400

// ceasedLife is for how long it is kept in mind that a node has certainly ended: longer than its sessions live, mostly.
const ceasedLife = int64(24 * time.Hour)

// ghostLife is for how long a node that was declared dead may come back with old copies.
const ghostLife = int64(time.Hour)

// put puts a copy on the shelf, in place of the one that is there. The caller has accounted for its content if p.Reserved; otherwise that is done here.
func (c *Core) put(now int64, key string, hash uint64, owner message.Node, p *engine.Parcel) *shelved {
	e := c.shelf[key]
	if e == nil {
		e = &shelved{key: key, hash: hash, pos: len(c.shelfOrder)}
		c.shelf[key] = e
		c.shelfOrder = append(c.shelfOrder, e)
		c.do(Charge{copyCost + len(key)})
		c.do(Forget{Key: key})
	} else {
		c.dropContent(e)
	}
	e.owner, e.p, e.at, e.asks = owner, *p, now, askTimes
	e.claimer, e.diverged, e.exact = message.Node{}, false, false
	e.spread, e.spreadTo, e.offered = 0, nil, 0
	e.p.Key = key
	c.shelfBytes += int64(len(p.Body))
	if !e.p.Reserved {
		e.p.Reserved = true
		c.do(Charge{cap(e.p.Body)})
	}
	return e
}

// dropContent gives back the memory of a copy's content.
func (c *Core) dropContent(e *shelved) {
	c.shelfBytes -= int64(len(e.p.Body))
	p := e.p
	c.do(Drop{&p})
}

// unshelve takes a copy off the shelf. If keep, its content lives on, with what it has taken of the memory account.
func (c *Core) unshelve(e *shelved, keep bool) {
	if c.shelf[e.key] != e {
		return
	}
	if keep {
		c.shelfBytes -= int64(len(e.p.Body))
	} else {
		c.dropContent(e)
	}
	c.do(Charge{-(copyCost + len(e.key))})
	delete(c.shelf, e.key)
	last := len(c.shelfOrder) - 1
	c.shelfOrder[e.pos] = c.shelfOrder[last]
	c.shelfOrder[e.pos].pos = e.pos
	c.shelfOrder[last] = nil
	c.shelfOrder = c.shelfOrder[:last]
}

// aged is a copy's state now.
func (e *shelved) aged(now int64) engine.Parcel {
	p := e.p
	age(&p, now-e.at)
	return p
}

// age lets time pass for a session. One that is handed on lives, if only for a moment.
func age(p *engine.Parcel, by int64) {
	if p.Minutes != 0 {
		p.Left = max(1, p.Left-by)
	}
	if p.Locked {
		p.LockAge += by
	}
}

// revived is a copy's state for whoever takes the session over. It may have been read when its owner was last alive, of which its mirrors had not heard: it lives as long as if
// it had been. That it was idle before says nothing.
func (c *Core) revived(now int64, e *shelved) engine.Parcel {
	p := e.aged(now)
	if p.Minutes != 0 && !e.exact {
		p.Left = max(p.Left, int64(p.Minutes)*int64(time.Minute)-(now-c.endOf(now, e.owner)))
	}
	return p
}

// endOf is when it was noticed here that a node has ended, or when it was taken for dead; now, if that is not known.
func (c *Core) endOf(now int64, node message.Node) int64 {
	if r, ok := c.ceased.m[node]; ok && r.until > now {
		return r.until - ceasedLife
	}
	if r, ok := c.ghosts.m[node]; ok && r.until > now {
		return r.until - ghostLife
	}
	return now
}

// expired reports whether a copy without an owner has outlived the session: its owner may have had requests for it that it has not told of.
func (c *Core) expired(now int64, e *shelved) bool {
	left := e.p.Left
	if !e.exact {
		left += int64(c.opt.TouchPeriod)
	}
	return e.p.Minutes != 0 && now-e.at >= left
}

// alive reports whether a node may live, as far as is known here.
func (c *Core) alive(now int64, node message.Node) bool {
	return node == c.opt.Node || c.neighbours[node] != nil || c.lost.has(now, node)
}

// hasEnded reports whether a node is known to have ended, or counts as dead. One that counted as dead and is back has not.
func (c *Core) hasEnded(now int64, node message.Node) bool {
	if c.neighbours[node] != nil {
		return false
	}
	_, over := c.ceased.get(now, node)
	_, ghost := c.ghosts.get(now, node)
	return over || ghost
}

// orphaned reports whether a copy may be taken over: its owner is not there any more.
func (c *Core) orphaned(now int64, e *shelved) bool {
	return e.owner == c.opt.Node || !c.alive(now, e.owner)
}

// describe describes a copy to somebody who looks for the session. What is offered may be taken: its owner must learn of that when it comes back.
func (c *Core) describe(now int64, e *shelved) message.CopyAt {
	o := message.CopyAt{
		Node: c.opt.Node, Addr: c.opt.Addr, Owner: e.owner, Gen: e.p.Gen, Version: e.p.Version, Cookie: e.p.Cookie, Locked: e.p.Locked,
		Ended: c.orphaned(now, e) && !c.expired(now, e),
	}
	if o.Ended {
		e.offered = now
	}
	if o.Ended && e.owner != c.opt.Node {
		c.offered(e, e.owner)
		if e.claimer != (message.Node{}) && e.claimer != e.owner && e.claimer != c.opt.Node {
			c.offered(e, e.claimer) // it may have taken it over, and have fallen silent since
		}
	}
	return o
}

// copiesOf are the copies of a session of which this node knows: its own, and those that it has made elsewhere.
func (c *Core) copiesOf(now int64, e *shelved) []message.CopyAt {
	own := c.describe(now, e)
	all := []message.CopyAt{own}
	for _, node := range e.spreadTo {
		if n := c.neighbours[node]; n != nil {
			o := own
			o.Node, o.Addr = node, n.addr
			all = append(all, o)
		}
	}
	return all
}

// stamp orders the states of one session. See docs/design/0011-copies.md.
type stamp struct {
	gen, version, cookie uint32
	locked               bool
}

func stampOf(p *engine.Parcel, gen uint32) stamp { return stamp{gen, p.Version, p.Cookie, p.Locked} }

// before reports whether a state is older than another.
func (a stamp) before(b stamp) bool {
	switch {
	case a.gen != b.gen:
		return a.gen < b.gen
	case a.version != b.version:
		return a.version < b.version
	case a.cookie != b.cookie:
		return a.cookie < b.cookie
	}
	return a.locked && !b.locked
}

// Shelve puts a copy on the shelf whose owner has ended; from a snapshot. The content is accounted for here.
func (c *Core) Shelve(now int64, owner message.Node, p *engine.Parcel) {
	c.ceased.put(now, now+ceasedLife, owner, true)
	if e := c.shelf[p.Key]; e != nil && !stampOf(&e.p, e.p.Gen).before(stampOf(p, p.Gen)) {
		return
	}
	own := *p
	own.Reserved = false
	c.put(now, p.Key, c.hashOf(p.Key), owner, &own).exact = true
}

// Keeping is how many copies are here, and how many bytes of content.
func (c *Core) Keeping() (copies int, bytes int64) { return len(c.shelfOrder), c.shelfBytes }
