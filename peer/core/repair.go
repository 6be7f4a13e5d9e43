package core

import (
	"slices"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// Repair. The caller walks over its sessions when Layout has changed, those first that were used last, and asks Short about each; of one that is short of copies it
// hands in the state (Supply). Sessions that are found short otherwise are named by Wants. Copies whose owner has ended are looked after here.

// settleTime is how long a new neighbour, or one that leaves, waits for others before copies are moved.
const settleTime = int64(500 * time.Millisecond)

// maxWants bounds the sessions that are known to be short of copies. Beyond it all are looked at.
const maxWants = 1 << 16

// rebalance has all copies looked at, in a moment.
func (c *Core) rebalance(now int64) {
	c.settleAt = max(c.settleAt, now+settleTime)
	c.layout++
}

// Layout is a number that changes when copies may be missing, or may be too many; at is when it is worth while to look.
func (c *Core) Layout() (layout uint64, at int64) { return c.layout, c.settleAt }

// want has one session looked at.
func (c *Core) want(key string) {
	if len(c.wants) >= maxWants {
		c.layout++
		return
	}
	c.wants = append(c.wants, key)
}

// Wants returns sessions that may be short of copies, and forgets them. The result is valid until the next call.
func (c *Core) Wants() []string {
	c.wants, c.wanted = c.wanted[:0], c.wants
	return c.wanted
}

// Short reports whether a session of ours is short of copies, and drops those that are too many.
func (c *Core) Short(now int64, key string) bool {
	if c.opt.Copies < 2 {
		return false
	}
	hash := c.hashOf(key)
	h := c.track[hash]
	for _, node := range c.mirrors(now, hash, c.opt.Copies-1, nil) {
		if _, cur := h.has(c.numbers[node]); !cur {
			return true
		}
	}
	c.trimHolders(now, key, hash)
	return false
}

// Room reports whether there is room for copies that are not urgent.
func (c *Core) Room() bool {
	for _, st := range c.flow {
		if st.live && c.crowded(st) {
			return false
		}
	}
	return true
}

// Supply makes the copies of one of our sessions that are missing. It returns how many bytes go.
func (c *Core) Supply(now int64, p *engine.Parcel) (bytes int) {
	if c.opt.Copies < 2 {
		return 0
	}
	hash := c.hashOf(p.Key)
	h := c.track[hash]
	w := c.supplying(p.Key, hash)
	for _, node := range slices.Clone(c.mirrors(now, hash, c.opt.Copies-1, nil)) {
		if _, cur := h.has(c.numbers[node]); cur {
			continue
		}
		c.setHolder(hash, node, true)
		c.tellOne(now, node, copyOf(message.Content, p.Key, p), hash, w)
		bytes += updateCost + len(p.Body)
	}
	c.generation(hash, p.Gen)
	c.supplied(now, w)
	return bytes
}

// supplying returns a wait for copies that are about to be made; until it is over no other copy is dropped for being too much. supplied must follow.
func (c *Core) supplying(key string, hash uint64) *wait {
	c.making[hash]++
	return &wait{kind: waitSupply, key: key, hash: hash}
}

// supplied says that all who are to have the copies of a wait have been told.
func (c *Core) supplied(now int64, w *wait) {
	if len(w.on) == 0 && !w.over {
		w.over = true
		c.made(now, w)
	}
}

// made takes note that a wait for copies is over.
func (c *Core) made(now int64, w *wait) {
	if c.making[w.hash]--; c.making[w.hash] <= 0 {
		delete(c.making, w.hash)
	}
	c.trimHolders(now, w.key, w.hash)
}

// trimHolders has the copies dropped that are too many, when those are there that there should be.
func (c *Core) trimHolders(now int64, key string, hash uint64) {
	if c.making[hash] > 0 {
		return // a mirror that has been told may have refused
	}
	if w := c.changes[key]; w != nil {
		w.trim = true
		return
	}
	h := c.track[hash]
	ideal := c.mirrors(now, hash, c.opt.Copies-1, nil)
	for _, node := range ideal {
		if _, cur := h.has(c.numbers[node]); !cur {
			return
		}
	}
	if len(ideal) == 0 {
		return
	}
	c.eachHolder(h, func(node message.Node, _ bool) {
		if slices.Contains(ideal, node) || c.neighbours[node] == nil {
			return
		}
		c.push(now, node, &message.Message{Change: message.Drop, Key: key, Gen: h.gen}, nil, hash)
		c.setHolder(hash, node, false) // until it has acknowledged that: whoever removes the session has to wait for it
	})
}

// Touched tells the mirrors that a session's timer has been slid: left (ns) of its life remain. They hear of it with many others.
func (c *Core) Touched(now int64, key string, left int64) {
	hash := c.hashOf(key)
	c.eachHolder(c.track[hash], func(node message.Node, isCurrent bool) {
		st := c.streams[node]
		switch {
		case !isCurrent || st == nil:
			return
		case len(st.touches) >= touchMost || st.bytes >= c.opt.Backlog:
			c.setHolder(hash, node, false) // the copy is made anew
			c.overflows(node)
			return
		case len(st.touches) == 0:
			st.touchedAt = now
		}
		st.touches = message.AppendTouch(st.touches, key, left)
		if len(st.touches) >= touchRoom {
			c.flushTouches(now, st)
		}
	})
}

// flushTouches sends what Touched has gathered.
func (c *Core) flushTouches(now int64, st *stream) {
	if len(st.touches) == 0 || !st.live || c.crowded(st) && now-st.touchedAt < touchWait {
		return
	}
	m := &message.Message{Change: message.Touch}
	m.Parcel.Body = st.touches
	st.touches = nil
	c.push(now, st.node, m, nil, 0)
}

// known takes in Shelved: a mirror asks whether its copies are good. Of those that we do not count among ours it is told to drop them.
func (c *Core) known(now int64, from message.Node, m *message.Message) {
	n := c.numbers[from]
	_ = message.EachShelved(m.Parcel.Body, func(key string, gen, version uint32) bool {
		hash := c.hashOf(key)
		it := c.items[key]
		e := c.shelf[key]
		if e != nil && (e.p.Gen > gen || e.owner != c.opt.Node && e.p.Gen == gen && e.p.Version >= version) { // it has moved on, or given way, and this one was forgotten on the way
			c.push(now, from, &message.Message{Change: message.Drop, Key: key, Gen: gen}, nil, hash)
			return true
		}
		busy := c.shelf[key] != nil || it != nil && (it.adoption != nil || it.held != nil || it.search != nil)
		if known, _ := c.track[hash].has(n); !known && !busy {
			c.push(now, from, &message.Message{Change: message.Drop, Key: key, Gen: gen}, nil, hash)
		}
		return true
	})
	c.dropParcel(m)
}

const (
	// shelfBudget is how many copies are looked at in one go.
	shelfBudget = 512
	// askAgain is how often an owner is asked about the copies of which it has told us itself.
	askAgain = int64(time.Minute)
	// askAfter is how long a copy that has come is not asked about: what its owner does meanwhile tells more.
	askAfter = int64(time.Second)
)

// Mending reports whether there are, or may be, copies here whose owner has ended and which have not been taken over.
func (c *Core) Mending() bool {
	return len(c.shelfOrder) > 0 && (c.tended != c.layout || c.orphanedLast > 0 || c.orphans > 0)
}

// TendShelf looks after a few of the copies that are here: sessions whose owner has ended are taken over, as many as so many bytes are worth, or expire; owners are
// asked about those that are not certain. It returns how many bytes went, and whether there is more to do.
func (c *Core) TendShelf(now int64, bytes int) (sent int, more bool) {
	if len(c.shelfOrder) == 0 || c.settled {
		return 0, false
	}
	asks := map[message.Node][]byte{}
	for range min(shelfBudget, len(c.shelfOrder)) {
		if c.shelfAt <= 0 {
			if !c.newRound(now) {
				break
			}
		}
		c.shelfAt = min(c.shelfAt, len(c.shelfOrder)) - 1 // from the end: what goes is replaced by one that has been looked at
		if c.shelfAt < 0 {
			break
		}
		e := c.shelfOrder[c.shelfAt]
		if !c.orphaned(now, e) {
			if c.neighbours[e.owner] != nil && (e.asks > 0 && now-e.at >= askAfter || c.askAll) {
				if e.asks > 0 {
					e.asks--
				}
				asks[e.owner] = message.AppendShelved(asks[e.owner], e.key, e.p.Gen, e.p.Version)
			}
			continue
		}
		if c.expired(now, e) {
			c.counts.CopiesExpired++
			c.retire(now, e, Winner{})
			continue
		}
		_, certain := c.ceased.get(now, e.owner)
		certain = certain || e.owner == c.opt.Node
		if !certain && (c.opt.Copies < 2 || e.spread == c.layout) {
			continue
		}
		c.orphans++
		if sent >= bytes || len(c.searches) >= maxReclaims || !c.Room() {
			c.shelfAt++
			c.flushAsks(asks)
			return sent, true
		}
		if certain {
			sent += c.reclaim(now, e)
		} else {
			sent += c.spread(now, e)
		}
	}
	c.flushAsks(asks)
	return sent, c.shelfAt > 0
}

const (
	// reclaimAgain is how long after a search for a session without an owner another one begins, and maxReclaims how many searches there may be for one to begin.
	reclaimAgain = int64(5 * time.Second)
	maxReclaims  = 256
	// reclaimTurn is how long a node waits for each one that comes before it in the order of placement: it may have a copy, too, and take the session over.
	reclaimTurn = int64(time.Second)
)

// reclaim takes over a session whose owner has certainly ended, or that was this node's own and may have been taken over, although nobody asks for it: so it has as many copies
// again as it should have, and somebody who knows who has them. It is a search that does not move the session: if it is served anywhere, the copy here is a leftover.
func (c *Core) reclaim(now int64, e *shelved) (bytes int) {
	if c.opt.Copies < 2 && e.owner != c.opt.Node || e.tried > 0 && now < e.tried+reclaimAgain {
		return 0
	}
	due := max(c.settleAt, e.at+askAfter)
	if ideal := c.ideal(now, e.hash, c.opt.Copies); e.owner != c.opt.Node {
		turn := slices.Index(ideal, c.opt.Node)
		if turn < 0 {
			turn = len(ideal)
		}
		due += int64(turn) * reclaimTurn
	}
	if now < due {
		return 0
	}
	it := c.item(e.key)
	defer c.tidy(now, it)
	if it.search != nil || it.held != nil || it.move != nil || it.settling {
		return 0
	}
	e.tried = now
	c.counts.Reclaims++
	bytes = updateCost + len(e.p.Body)
	c.begin(now, &search{it: it, look: true, about: e.mark(), deadline: now + int64(c.opt.QueryTimeout)})
	return bytes
}

// offeredLately is for how long after a copy has been offered it is not copied elsewhere: whoever takes the session over meanwhile would not know of that copy, and after
// it we have heard from him.
func (c *Core) offeredLately() int64 { return 2 * int64(c.opt.QueryTimeout) }

// spread copies a copy to where there should be one, if its owner is silent. It may live, and serve the session still, so that is not taken over before somebody asks.
func (c *Core) spread(now int64, e *shelved) (bytes int) {
	if now < max(c.settleAt, e.at+askAfter) || e.offered > 0 && now < e.offered+c.offeredLately() {
		return 0
	}
	e.spread = c.layout
	for _, node := range slices.Clone(c.ideal(now, e.hash, c.opt.Copies)) {
		if node == c.opt.Node {
			continue
		}
		if !slices.Contains(e.spreadTo, node) {
			if len(e.spreadTo) >= message.MaxCopies/2 {
				continue
			}
			e.spreadTo = append(e.spreadTo, node)
		}
		p := e.aged(now)
		m := copyOf(message.Content, e.key, &p)
		m.Owner = e.owner
		c.counts.CopiesSpread++
		c.push(now, node, m, nil, e.hash)
		bytes += updateCost + len(p.Body)
	}
	return bytes
}

// mark tells a copy from one that has taken its place.
type mark struct {
	stamp stamp
	owner message.Node
	at    int64
}

func (e *shelved) mark() mark { return mark{stampOf(&e.p, e.p.Gen), e.owner, e.at} }

// served ends a search that did not mean to move the session: it is served by a node. If that is not the owner of our copy, it has taken the session over, and knows
// nothing of this copy, or has told us already.
func (c *Core) served(now int64, s *search, by message.Node) {
	it := s.it
	delete(c.searches, s.id)
	it.search = nil
	if e := c.shelf[it.key]; e != nil && e.mark() == s.about && by != (message.Node{}) && by != e.owner {
		c.counts.Leftovers++
		c.retire(now, e, Winner{})
	}
	c.proceed(now, it)
	c.tidy(now, it)
}

// newRound begins another round over the shelf, if it is time.
func (c *Core) newRound(now int64) bool {
	if now < c.roundAt {
		return false
	}
	c.tended, c.orphanedLast = c.round, c.orphans
	c.round, c.orphans = c.layout, 0
	c.roundAt = now + int64(time.Second)
	c.askAll = now >= c.asked
	if c.askAll {
		c.asked = now + askAgain
	}
	c.shelfAt = len(c.shelfOrder)
	return true
}

func (c *Core) flushAsks(asks map[message.Node][]byte) {
	for _, n := range c.order {
		if body := asks[n.node]; len(body) > 0 {
			m := &message.Message{Kind: message.Shelved, ID: c.opt.NewID()}
			m.Parcel.Body = body
			c.send(n.node, "", m)
		}
	}
}
