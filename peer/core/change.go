package core

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// Ack says when a change is answered.
type Ack uint8

// The ways.
const (
	AckAll  Ack = iota // when all mirrors have it that can be reached, and at least one, unless there is none in the farm
	AckOne             // when one has it
	AckNone            // at once
)

// Change is a change of one of our sessions. Its caller learns by Confirm, or Supersede, what becomes of it, if it is awaited.
type Change struct {
	Key     string
	Parcel  engine.Parcel        // the state after it; with Body if Content
	Content bool                 // the content has changed, or the life
	Removed bool                 // the session is gone
	Awaited bool                 // the session stays as it is until we say so
	Full    func() engine.Parcel // the state with content; of an awaited one
	Handle  any                  // the caller's
	At      int64                // when it was; the caller's, too
}

// wait is what waits until mirrors have something.
type wait struct {
	kind waitKind
	key  string
	hash uint64
	ch   *Change              // waitChange
	ad   *adoption            // waitAdoption
	full func() engine.Parcel // the state with content; nil if it cannot be had
	on   []message.Node       // who has not acknowledged it yet
	to   []message.Node       // who has been sent it
	acks int
	over bool
	trim bool // there are too many copies: that is looked at afterwards
	done bool // over, because the mirrors have it: what others say of it counts all the same
}

type waitKind uint8

const (
	waitChange   waitKind = iota // a change of a session, which is answered then
	waitAdoption                 // a session that is being taken over, which is served then
	waitSupply                   // a copy that was missing; those that are too many are dropped then
)

// copyOf is an update that says what a session is like.
func copyOf(what message.Change, key string, p *engine.Parcel) *message.Message {
	m := &message.Message{Change: what, Key: key, Gen: p.Gen, Parcel: *p}
	if what == message.State {
		m.Parcel.Body = nil
	}
	return m
}

// Changed takes in a change of one of our sessions.
func (c *Core) Changed(now int64, ch *Change) {
	c.feel(now)
	hash := c.hashOf(ch.Key)
	var w *wait
	if ch.Awaited {
		w = &wait{kind: waitChange, key: ch.Key, hash: hash, ch: ch, full: ch.Full}
	}
	if e := c.shelf[ch.Key]; e != nil && e.p.Gen <= ch.Parcel.Gen {
		c.retire(now, e, Winner{ch.Parcel.Gen, ch.Parcel.Version, c.opt.Node}) // of a session that is no more: this one has its key
	}
	switch {
	case ch.Removed: // also without copies: somebody who is away may have a snapshot
		c.do(Forget{Key: ch.Key}) // whoever makes it anew has to ask: he must begin above this generation
		c.takeAway(now, ch, hash, w)
	case c.opt.Copies < 2:
	default:
		c.tellAll(now, ch, hash, w)
	}
	if w == nil {
		return
	}
	c.changes[ch.Key] = w
	if ch.Removed {
		c.going++
	}
	if len(w.on) == 0 {
		c.complete(now, w)
	}
}

// tellAll tells a change to those who have current copies, and makes further copies if there are too few.
func (c *Core) tellAll(now int64, ch *Change, hash uint64, w *wait) {
	defer func() { c.generation(hash, ch.Parcel.Gen) }()
	h := c.track[hash]
	told := 0
	overflows := func(node message.Node) bool { return w == nil && c.overflows(node) }
	what := message.State
	if ch.Content {
		what = message.Content
	}
	c.eachHolder(h, func(node message.Node, isCurrent bool) {
		switch {
		case !isCurrent:
		case c.neighbours[node] == nil, overflows(node):
			c.setHolder(hash, node, false)
		default:
			c.tellOne(now, node, copyOf(what, ch.Key, &ch.Parcel), hash, w)
			told++
		}
	})
	missing := c.opt.Copies - 1 - told
	if missing <= 0 {
		return
	}
	h = c.track[hash]
	isCurrent := func(n message.Node) bool { _, cur := h.has(c.numbers[n]); return cur }
	more := slices.Clone(c.mirrors(now, hash, missing, func(n message.Node) bool { return isCurrent(n) || overflows(n) }))
	if len(more) < missing && w != nil { // an old copy may not be all that is left
		more = append(more, c.keepers(now, hash, missing-len(more), func(n message.Node) bool { return isCurrent(n) || slices.Contains(more, n) })...)
	}
	if len(more) == 0 && told == 0 {
		more = slices.DeleteFunc(slices.Clone(c.absent(now, hash)), overflows)
	}
	for _, node := range more {
		switch {
		case ch.Content:
			c.setHolder(hash, node, true)
			c.tellOne(now, node, copyOf(what, ch.Key, &ch.Parcel), hash, w)
		case w != nil:
			c.sendWhole(now, w, node)
		default:
			c.want(ch.Key)
		}
	}
}

// absent is the neighbour whose link has broken that suits a session best, if there is one: when nobody else is left, it is waited for.
func (c *Core) absent(now int64, hash uint64) []message.Node {
	best := c.room[:0]
	for _, node := range c.lost.nodes(now) {
		best = insert(best, ranked{node, c.weigh(node, hash)}, 1)
	}
	c.room = best
	return nodesOf(c.chosen[:0], best, &c.chosen)
}

// overflows reports whether so much waits for a mirror that an update is left out, because nobody waits for it. The copy is made anew when there is room: all are looked
// at then, so those that are short of copies need not be kept in mind.
func (c *Core) overflows(node message.Node) bool {
	st := c.streams[node]
	if st == nil || st.bytes < c.opt.Backlog {
		return false
	}
	if !st.overflow {
		st.overflow = true
		c.do(Notice{What: CopyBacklog, Node: node})
	}
	return true
}

// tellOne puts an update into a mirror's stream.
func (c *Core) tellOne(now int64, node message.Node, m *message.Message, hash uint64, w *wait) {
	if w != nil {
		w.on, w.to = append(w.on, node), append(w.to, node)
	}
	c.push(now, node, m, w, hash)
}

// sendWhole gives a mirror the whole state of what waits.
func (c *Core) sendWhole(now int64, w *wait, node message.Node) {
	p := w.full()
	c.setHolder(w.hash, node, true)
	if i := slices.Index(w.on, node); i >= 0 {
		c.push(now, node, copyOf(message.Content, w.key, &p), w, w.hash)
		return
	}
	c.tellOne(now, node, copyOf(message.Content, w.key, &p), w.hash, w)
}

// takeAway has the copies of a session dropped that has been removed. Those who cannot be told must not bring it back: the others keep in mind that it is gone. Those
// who had copies do so in any case: whoever makes a session with this key while we are away must hear of it, or we would take its copies for leftovers when we are back.
func (c *Core) takeAway(now int64, ch *Change, hash uint64, w *wait) {
	h := c.track[hash]
	tomb, live := c.opt.Ack == AckNone || len(c.ghosts.keys(now)) > 0 || len(c.missed(now)) > 0, 0 // somebody who is away may have a copy of which only its former owners knew
	c.eachHolder(h, func(node message.Node, _ bool) {
		if c.neighbours[node] == nil {
			tomb = true
		} else {
			live++
		}
	})
	drop := func(node message.Node, w *wait) {
		m := &message.Message{Change: message.Drop, Key: ch.Key, Gen: ch.Parcel.Gen, Tomb: true}
		m.Parcel.Minutes = cmp.Or(ch.Parcel.Minutes, uint32(mostTomb/int64(time.Minute)))
		c.tellOne(now, node, m, hash, w)
	}
	c.eachHolder(h, func(node message.Node, _ bool) {
		if c.neighbours[node] != nil || live == 0 {
			drop(node, w)
		} else {
			drop(node, nil)
		}
	})
	c.dropTrack(hash)
	c.bury(now, hash, removal{ch.Parcel.Gen, above(ch.Parcel.Gen)}, c.tombLife(ch.Parcel.Minutes)) // in any case: what has been told before may come late, and somebody may come back with a snapshot
	if !tomb {
		return
	}
	for _, node := range slices.Clone(c.mirrors(now, hash, c.opt.Copies-1, func(n message.Node) bool { known, _ := h.has(c.numbers[n]); return known })) {
		drop(node, nil)
	}
}

// confirmAll answers all changes that wait: nobody will acknowledge them any more.
func (c *Core) confirmAll() {
	keys := make([]string, 0, len(c.changes))
	for key := range c.changes {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		w := c.changes[key]
		w.over = true
		c.do(Confirm{w.ch})
	}
	clear(c.changes)
	c.going = 0
}

// Expired takes note that the time of one of our sessions is up.
func (c *Core) Expired(now int64, key string) {
	hash := c.hashOf(key)
	h := c.track[hash]
	c.eachHolder(h, func(node message.Node, _ bool) {
		c.push(now, node, &message.Message{Change: message.Drop, Key: key, Gen: h.gen}, nil, hash)
	})
	c.dropTrack(hash)
}

// acknowledged takes note that a mirror has what is waited for.
func (c *Core) acknowledged(now int64, w *wait, node message.Node) {
	i := slices.Index(w.on, node)
	if w.over || i < 0 {
		return
	}
	w.on = slices.Delete(w.on, i, i+1)
	w.acks++
	if len(w.on) == 0 || c.opt.Ack == AckOne && w.kind == waitChange && !w.ch.Removed { // a session that is gone must not come back
		c.complete(now, w)
	}
}

// complete ends a wait: the mirrors have it.
func (c *Core) complete(now int64, w *wait) {
	w.over, w.done = true, true
	switch w.kind {
	case waitChange:
		c.endChange(w)
		if w.trim {
			c.want(w.key)
		}
		if w.acks == 0 && c.opt.Copies > 1 && !w.ch.Removed {
			c.counts.Alone++
		}
		c.do(Confirm{w.ch})
	case waitAdoption:
		c.adopted(now, w.ad)
	default:
		c.counts.CopiesMade++
		c.made(now, w)
	}
}

// reroute finds another mirror for one that cannot be reached, or has no room. If dead, it is not waited for any more.
//
// What has not been told to anybody waits for a node that cannot be reached and may live, if there is no other: if it were answered now and this node died, the older
// copy there would be taken for the session.
func (c *Core) reroute(now int64, w *wait, node message.Node, dead bool) {
	i := slices.Index(w.on, node)
	if w.over || i < 0 {
		return
	}
	removed := w.kind == waitChange && w.ch.Removed
	if !removed && w.kind != waitSupply && w.full != nil {
		for _, other := range slices.Clone(c.mirrors(now, w.hash, 1, func(n message.Node) bool { return slices.Contains(w.to, n) })) {
			w.on = slices.Delete(w.on, i, i+1)
			c.sendWhole(now, w, other)
			return
		}
	}
	if !dead && w.acks == 0 && len(w.on) == 1 && w.kind != waitSupply {
		return
	}
	w.on = slices.Delete(w.on, i, i+1)
	if len(w.on) > 0 {
		return
	}
	if dead && w.acks == 0 && !removed && w.kind != waitSupply && w.full != nil {
		for _, other := range slices.Clone(c.absent(now, w.hash)) {
			if !slices.Contains(w.to, other) {
				c.sendWhole(now, w, other)
				return
			}
		}
	}
	c.complete(now, w)
}

// outdated takes in that a mirror has, or knows of, a newer state of a session than an update of ours. That may be an old update: what we have now may be newer still.
func (c *Core) outdated(now int64, u update, by message.Node, r *message.Refusal) {
	switch {
	case u.w == nil || !u.w.over:
	case u.w.done:
		u.w = nil // one that has been answered already is like one for which nobody has waited
	default:
		return
	}
	if r.Version == removedVersion && (u.w == nil || u.w.kind != waitAdoption) {
		c.outlive(now, u, by, r.Gen)
		return
	}
	if w := u.w; w != nil && w.kind != waitSupply {
		c.dropTrack(u.hash)
		w.over = true
		if w.kind == waitAdoption {
			c.beaten(now, w.ad)
			return
		}
		c.endChange(w)
		c.do(Supersede{Change: w.ch, Newer: true, Gen: r.Gen, Version: r.Version, Node: by})
		return
	}
	if w := c.changes[u.m.Key]; w != nil {
		if !older(w.ch.Parcel.Gen, w.ch.Parcel.Version, r.Gen, r.Version) {
			return
		}
		c.dropTrack(u.hash)
		c.Blocked(Oust{Key: u.m.Key, Newer: true, Gen: r.Gen, Version: r.Version, Node: by})
		return
	}
	if e := c.shelf[u.m.Key]; e != nil {
		if u.m.Owner != (message.Node{}) && e.p.Gen <= u.m.Gen {
			c.retire(now, e, Winner{r.Gen, r.Version, by}) // an old copy that we have sent on
		}
		return
	}
	if h, ok := c.track[u.hash]; ok && h.gen > r.Gen {
		return
	}
	c.do(Oust{Key: u.m.Key, Newer: true, Gen: r.Gen, Version: r.Version, Node: by})
}

// removedVersion stands for the version in a refusal of a mirror that remembers that the session was removed.
const removedVersion = math.MaxUint32

// outlive raises the generation of a session that a mirror takes for one that was removed: it has the same key, and was made when nobody who could be asked knew of the
// old one. A node that had been taken for dead, and whose sessions have been taken over and removed meanwhile, has put them out of service before it comes to this: it
// has heard the confession of those who let them be taken over, and until then nothing of it is acknowledged.
func (c *Core) outlive(now int64, u update, by message.Node, removed uint32) {
	gen := removed + min(genJump, math.MaxUint32-removed)
	w := c.changes[u.m.Key]
	switch {
	case w == nil || w.ch.Removed:
		if c.shelf[u.m.Key] == nil {
			c.do(Lift{Key: u.m.Key, Gen: gen})
			c.eachHolder(c.track[u.hash], func(node message.Node, _ bool) { c.setHolder(u.hash, node, false) }) // they have it with the old generation
		}
	case w.ch.Parcel.Gen <= removed:
		full := w.full
		w.ch.Parcel.Gen = gen
		w.full = func() engine.Parcel {
			p := full()
			p.Gen = max(p.Gen, gen)
			return p
		}
		c.do(Lift{Change: w.ch, Gen: gen})
		c.generation(u.hash, gen)
		p := w.full()
		c.eachHolder(c.track[u.hash], func(node message.Node, isCurrent bool) {
			if isCurrent && node != by {
				c.push(now, node, copyOf(message.State, u.m.Key, &p), nil, u.hash)
			}
		})
	}
	if w != nil && w == u.w && !w.over && !w.ch.Removed {
		c.sendWhole(now, w, by)
		return
	}
	c.demote(u.hash, by)
	if u.w != nil {
		c.acknowledged(now, u.w, by)
	}
	c.want(u.m.Key)
}
