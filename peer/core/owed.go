package core

import (
	"cmp"
	"slices"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// Company reports whether there is anybody who may have, or take, copies of what is here: also one who counts as dead, and may be back.
func (c *Core) Company(now int64) bool {
	return len(c.order) > 0 || len(c.lost.nodes(now)) > 0 || len(c.ghosts.m) > 0
}

// Met reports whether there has ever been anybody.
func (c *Core) Met() bool { return c.met }

// Keeps reports whether a copy of a session is on the shelf.
func (c *Core) Keeps(key string) bool { return c.shelf[key] != nil }

// Owed counts the copies that others may need yet when this node ends: those whose owner has not told us to drop them, and those without an owner that have not been
// copied elsewhere. A session of the only other node that stays can have no copy, whoever waits for it. It looks at all.
func (c *Core) Owed(now int64) (n int) {
	stay, _ := c.Takers()
	for _, e := range c.shelfOrder {
		owner := c.neighbours[e.owner]
		if hopeless := stay == 1 && owner != nil && !owner.leaving; !hopeless && !c.expired(now, e) {
			n++
		}
	}
	return n
}

// Backlog is what waits for one mirror.
type Backlog struct {
	Node    message.Node
	Updates int   // that are not acknowledged
	Bytes   int   // of them
	Lease   int64 // until when the mirror lets nobody take our sessions over
	Linked  bool
}

// Backlogs describes the streams to mirrors, in the order in which they were made.
func (c *Core) Backlogs() []Backlog {
	all := make([]Backlog, 0, len(c.flow))
	for _, st := range c.flow {
		all = append(all, Backlog{Node: st.node, Updates: len(st.backlog) - st.first, Bytes: st.bytes, Lease: st.lease, Linked: st.live})
	}
	return all
}

// Copied counts the sessions of ours of which there are copies elsewhere, and the changes that wait for mirrors.
func (c *Core) Copied() (sessions, waiting int) { return len(c.track), len(c.changes) }

// Orphans returns up to n sessions that are not served, as far as is known here, because their owner has ended, from the copies behind position from on. It returns the
// position to go on from, 0 at the end. What comes or goes meanwhile may be missed, or be met twice. After Settle those are among them, and beyond n, that are on
// their way here: whether they will come is not known, and who sends them may be ending, too.
func (c *Core) Orphans(now int64, from, n int) (list []engine.Parcel, next int) {
	if from == 0 && c.settled && c.holding > 0 {
		list = c.onTheirWay(now)
		n += len(list)
	}
	for ; from < len(c.shelfOrder); from++ {
		if len(list) == n {
			return list, from
		}
		if e := c.shelfOrder[from]; c.orphaned(now, e) && !c.expired(now, e) && !c.buried(now, e) {
			list = append(list, e.aged(now))
		}
	}
	return list, 0
}

// onTheirWay are the sessions that another node is just handing over to here.
func (c *Core) onTheirWay(now int64) (list []engine.Parcel) {
	for _, it := range c.items {
		if h := it.held; h != nil {
			p := *h.parcel
			p.Key, p.Body = it.key, slices.Clone(p.Body) // the engine may come to own it meanwhile
			age(&p, now-h.since)
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b engine.Parcel) int { return cmp.Compare(a.Key, b.Key) })
	return list
}

// Settle makes an end of what is under way, and lets nothing new begin but the end of moves: this node is about to stop, and what is here is written down next. All changes
// that wait are answered, whoever has them or not; what is just being taken over is served here at once; nothing is looked for and taken over any more, for what is taken
// over after that would be nowhere written down as served here, and be taken for lost.
func (c *Core) Settle(now int64) {
	c.settled = true
	for _, s := range c.sortedSearches() {
		delete(c.searches, s.id)
		s.it.search = nil
		c.undecided(s)
	}
	items := make([]*item, 0, c.settling)
	for _, it := range c.items {
		if it.adoption != nil {
			items = append(items, it)
		}
	}
	slices.SortFunc(items, func(a, b *item) int { return cmp.Compare(a.key, b.key) })
	for _, it := range items {
		c.adopted(now, it.adoption)
	}
	c.confirmAll()
}
