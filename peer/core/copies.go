package core

import (
	"slices"

	"github.com/farmstate/farmstate/peer/message"
)

// copies is what a core knows about copies: of its own sessions elsewhere, and of others' here. See docs/design/0011-copies.md.
type copies struct {
	// Own sessions.

	track   map[uint64]holders      // by the hash of the key: who has copies of it
	numbers map[message.Node]uint16 // of the nodes in holders
	whole   int                     // of track: sessions with all their copies
	names   []message.Node          // by number
	changes map[string]*wait        // awaited changes
	going   int                     // of them, removals
	making  map[uint64]int          // by the hash of the key: copies that are being made, and not acknowledged
	streams map[message.Node]*stream
	flow    []*stream                   // the same, in order of making
	beatAt  int64                       // when the streams are looked at next
	ghosts  *recent[message.Node, bool] // nodes that count as dead
	ceased  *recent[message.Node, bool] // nodes that have ended for certain

	// Others'.

	shelf      map[string]*shelved
	shelfOrder []*shelved // the same, to walk over
	shelfBytes int64
	inflows    map[message.Node]*inflow
	confessing map[message.Node]map[string]stamp // owners that have yet to hear that, and what they are being told
	taken      map[message.Node]map[string]stamp // by owner: what may have been taken over while it counted as dead
	tombs      *recent[uint64, removal]          // by the hash of the key: the generation in which the session was removed
	dirty      bool                              // something is to be acknowledged

	// Repair.

	layout   uint64
	settleAt int64 // copies are not moved before
	wants    []string
	wanted   []string
	shelfAt  int   // the copies before this one are yet to be looked at, in this round
	roundAt  int64 // when the next round may begin
	asked    int64 // when owners are asked about all copies again
	askAll   bool  // they are, in this round

	round        uint64 // the layout for which this round over the shelf is
	tended       uint64 // and the one before
	orphans      int    // copies whose owner has ended, met in this round
	orphanedLast int    // and in the one before

	room   []ranked // used again and again
	chosen []message.Node
}

// maxTombs bounds the removals that are kept in mind.
const maxTombs = 1 << 18

func newCopies() copies {
	return copies{
		track: map[uint64]holders{}, numbers: map[message.Node]uint16{}, changes: map[string]*wait{}, making: map[uint64]int{}, streams: map[message.Node]*stream{},
		ghosts: newRecent[message.Node, bool](maxQueries), ceased: newRecent[message.Node, bool](maxQueries),
		shelf: map[string]*shelved{}, inflows: map[message.Node]*inflow{}, taken: map[message.Node]map[string]stamp{}, confessing: map[message.Node]map[string]stamp{},
		tombs: newRecent[uint64, removal](maxTombs),
	}
}

// holdersOf are those who have a current copy of a session that is leaving, and this node, which keeps one.
func (c *Core) holdersOf(it *item) []message.Node {
	if c.opt.Copies < 2 {
		return nil
	}
	all := []message.Node{c.opt.Node}
	c.eachHolder(c.track[it.hash(c)], func(node message.Node, _ bool) { all = append(all, node) })
	return all
}

// retain keeps a copy of a session that has gone to another node: so there are never fewer copies than before. The new owner says when it is to go.
func (c *Core) retain(now int64, m *Move) {
	if c.opt.Copies < 2 {
		return
	}
	hash := m.it.hash(c)
	c.withdraw(m.it.key)
	if m.original {
		c.eachHolder(c.track[hash], func(node message.Node, _ bool) {
			c.push(now, node, &message.Message{Change: message.Drop, Key: m.it.key, Gen: m.parcel.Gen}, nil, hash)
		})
		c.dropTrack(hash)
		return
	}
	c.dropTrack(hash)
	if m.beaten { // the addressee has copies of its own state, before which this one would come: its generation has been raised
		return
	}
	p := *m.parcel
	p.Reserved = false
	age(&p, now-m.began)
	c.put(now, m.it.key, hash, m.to, &p)
}

// stay says to the engine that a session is served here again. Its generation stays raised, and those who have copies have to know.
func (c *Core) stay(now int64, m *Move) {
	c.do(Stayed{m})
	if c.opt.Copies < 2 {
		return
	}
	hash := m.it.hash(c)
	p := *m.parcel
	age(&p, now-m.began)
	c.eachHolder(c.track[hash], func(node message.Node, isCurrent bool) {
		if isCurrent {
			c.push(now, node, copyOf(message.State, m.it.key, &p), nil, hash)
		}
	})
	c.generation(hash, p.Gen)
}

// inherit tells those who have copies of a session that has come here that it is ours now.
func (c *Core) inherit(now int64, h *held) {
	if e := c.shelf[h.it.key]; e != nil {
		if e.owner != h.from && e.owner != c.opt.Node { // it may have gone to h.from, or serve it still, on the other side of a cut, and believe that its copy is here
			c.supplanted(e.owner, e.key, stampOf(h.parcel, h.gen))
			c.confess(now, e.owner)
		}
		c.retire(now, e, Winner{h.gen, h.parcel.Version, h.from})
	}
	if c.opt.Copies < 2 {
		return
	}
	hash := h.it.hash(c)
	c.dropTrack(hash)
	for _, node := range h.holders {
		if node != c.opt.Node && !c.hasEnded(now, node) { // one that is not known here may be on its way
			c.setHolder(hash, node, false)
		}
	}
	if slices.Contains(h.holders, h.from) { // otherwise it keeps none
		w := c.supplying(h.it.key, hash)
		for _, node := range c.keepers(now, hash, c.opt.Copies-1, nil) { // it may lack the copy that it is believed to have
			c.setHolder(hash, node, true)
			m := copyOf(message.State, h.it.key, h.parcel)
			m.Base = h.from
			c.tellOne(now, node, m, hash, w)
		}
		c.supplied(now, w)
	}
	c.generation(hash, h.gen)
	c.want(h.it.key)
}

// Blocked says that a session could not be put out of service because somebody is in it, or it is away. If that is because a change of it waits, it is given up, and
// Supersede follows; the Oust is not to be tried again then.
func (c *Core) Blocked(o Oust) bool {
	w := c.changes[o.Key]
	if w == nil {
		return false
	}
	w.over = true
	c.endChange(w)
	c.do(Supersede{Change: w.ch, Newer: o.Newer, Gen: o.Gen, Version: o.Version, Node: o.Node, pause: o.pause})
	return true
}
