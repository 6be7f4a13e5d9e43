package core

import (
	"cmp"
	"slices"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// neighbour is a node to which queries go.
type neighbour struct {
	node    message.Node
	addr    string
	leaving bool
	free    int64                     // bytes, -1 = not known
	given   float64                   // bytes handed over to it, by its weight
	shunned int64                     // no hand-over to it until then
	full    int64                     // no copies to it until then
	crammed int64                     // it has had no room; it counts as full until then. See Nodes
	around  map[message.Node]struct{} // its neighbours, as it said last; replaced as a whole
	sum     uint32                    // of around
	telling bool                      // it is being told of removals that it may not know of
	told    uint64                    // which of them it has been told, by their place in Core.tombs
}

// Up says that there is a link to a neighbour.
func (c *Core) Up(now int64, node message.Node, addr string) {
	c.feel(now)
	c.lost.drop(node)
	c.met = true
	if n := c.neighbours[node]; n != nil {
		n.addr = addr
		c.openStream(now, node) // messages may have been lost with a link
		return
	}
	n := &neighbour{node: node, addr: addr, free: -1}
	for _, other := range c.order {
		n.given = max(n.given, other.given) // it does not have to catch up
	}
	c.neighbours[node] = n
	c.order = append(c.order, n)
	c.changed(now)
	c.do(Forget{})
	c.openStream(now, node)
	c.doubt(node)
	c.confess(now, node)
	c.rebalance(now)
	for _, s := range c.sortedSearches() { // what is sought may be behind it
		if !s.found && !s.direct && s.id != (message.ID{}) {
			c.askOne(now, s, n)
		}
	}
}

// Down says that the last link to a neighbour has gone.
func (c *Core) Down(now int64, node message.Node) {
	c.feel(now)
	if c.neighbours[node] == nil {
		return
	}
	if forgotten, ok := c.lost.put(now, now+c.lostLife(), node); ok {
		defer c.dead(now, forgotten, false)
	}
	c.part(now, node)
	c.silent(now, node)
	c.closeStream(now, node)
}

// part takes a node out of the neighbours.
func (c *Core) part(now int64, node message.Node) {
	delete(c.neighbours, node)
	c.order = slices.DeleteFunc(c.order, func(n *neighbour) bool { return n.node == node })
	c.changed(now)
}

// silent takes note that a node will not answer any more.
func (c *Core) silent(now int64, node message.Node) {
	for _, s := range c.sortedSearches() {
		if i := slices.Index(s.pending, node); i >= 0 {
			s.pending = slices.Delete(s.pending, i, i+1)
			s.undecided = true
			c.conclude(now, s)
		}
		if s.claimed.Node == node && s.found {
			s.retry = now + int64(time.Millisecond)
			c.at(s.retry, s.it)
		}
	}
	for _, q := range c.sortedQueries(node) {
		if i := slices.Index(q.pending, node); i >= 0 {
			q.pending = slices.Delete(q.pending, i, i+1)
			q.undecided = true
			c.concludeQuery(now, q)
		}
		if q.chaseID != (message.ID{}) && q.chased == node {
			c.chaseEnded(now, q, true)
		}
	}
}

// Gone says that it is certain that a node has ended.
func (c *Core) Gone(now int64, node message.Node) {
	c.feel(now)
	c.lost.drop(node)
	c.part(now, node)
	c.ended = now
	c.ends++
	c.silent(now, node)
	c.dead(now, node, true)
	for _, it := range c.sortedItems(node) {
		if it.went.node == node && !it.went.original {
			it.went = pointer{}
		}
		if m := it.move; m != nil && m.state == moveOffered && m.to == node {
			c.callOff(now, m)
		}
		if h := it.held; h != nil && h.from == node && !h.orphan {
			c.orphan(now, h)
		}
		c.tidy(now, it)
	}
}

// OriginalUp and OriginalDown say whether there is a live link to an original.
func (c *Core) OriginalUp(peer int) {
	c.originals[peer] = true
	c.do(Forget{})
}

// OriginalDown is the opposite of OriginalUp.
func (c *Core) OriginalDown(peer int) { delete(c.originals, peer) }

// Alone reports whether there is nobody to ask, and nothing held that may be what is asked for.
func (c *Core) Alone(now int64) bool {
	return len(c.neighbours) == 0 && len(c.originals) == 0 && !c.joining && now >= c.dazed && c.holding == 0 && len(c.missed(now)) == 0 && len(c.shelfOrder) == 0 && len(c.tombs.m) == 0
}

// missed are the neighbours whose link has broken and who may live.
func (c *Core) missed(now int64) []message.Node { return c.lost.nodes(now) }

// The sorted functions give what a map holds in an order that depends on nothing but the events so far.

func (c *Core) sortedSearches() []*search {
	all := make([]*search, 0, len(c.searches))
	for _, s := range c.searches {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *search) int { return cmp.Compare(a.it.key, b.it.key) })
	return all
}

func (c *Core) sortedQueries(node message.Node) []*query { // for which a node owes an answer
	var all []*query
	for _, q := range c.queries {
		if q.state == queryAsks && (slices.Contains(q.pending, node) || q.chaseID != (message.ID{}) && q.chased == node) {
			all = append(all, q)
		}
	}
	slices.SortFunc(all, func(a, b *query) int { return slices.Compare(a.id[:], b.id[:]) })
	return all
}

func (c *Core) sortedItems(node message.Node) []*item { // that have to do with a node
	var all []*item
	for _, it := range c.items {
		if it.went.node == node || it.move != nil && it.move.to == node || it.held != nil && it.held.from == node {
			all = append(all, it)
		}
	}
	slices.SortFunc(all, func(a, b *item) int { return cmp.Compare(a.key, b.key) })
	return all
}
