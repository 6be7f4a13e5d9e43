package core

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/farmstate/farmstate/peer/message"
)

// Placement: which nodes are to have the copies of a session. All nodes that know each other come to the same order, and nobody without the farm's seed can make up
// keys that meet on one node. Nothing depends on the order being the same everywhere but how much is copied.

// hashOf is the hash of a key by which copies are placed and kept in mind.
func (c *Core) hashOf(key string) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(c.opt.Seed)
	_, _ = d.WriteString(key) // never fails
	return d.Sum64()
}

// weigh is how well a node suits a session: the one with the highest weight comes first.
func (c *Core) weigh(node message.Node, hash uint64) uint64 {
	x := binary.LittleEndian.Uint64(node[:8]) ^ binary.LittleEndian.Uint64(node[8:])*0x9e3779b97f4a7c15 ^ c.opt.Seed
	x ^= hash
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// mirrors are up to n nodes that are to have copies of a session, the best first: neighbours that take some, but those to skip. The result is valid until the next call.
func (c *Core) mirrors(now int64, hash uint64, n int, skip func(message.Node) bool) []message.Node {
	best := c.room[:0]
	for _, nb := range c.order {
		if !nb.takesCopies(now) || skip != nil && skip(nb.node) {
			continue
		}
		best = insert(best, ranked{nb.node, c.weigh(nb.node, hash)}, n)
	}
	c.room = best
	return nodesOf(c.chosen[:0], best, &c.chosen)
}

// keepers are up to n nodes that have copies of one of our sessions already and can be reached, the best first: those that take further ones come before those that are
// full, or leave. Those for which skip is true do not count.
func (c *Core) keepers(now int64, hash uint64, n int, skip func(message.Node) bool) []message.Node {
	h := c.track[hash]
	not := func(node message.Node) bool {
		known, _ := h.has(c.numbers[node])
		return !known || skip != nil && skip(node)
	}
	all := slices.Clone(c.mirrors(now, hash, n, not))
	for _, nb := range c.order {
		if len(all) < n && !nb.takesCopies(now) && !not(nb.node) {
			all = append(all, nb.node)
		}
	}
	return all
}

// ideal are up to n of the nodes that take copies and this one, the best first. It is how copies without an owner are placed.
func (c *Core) ideal(now int64, hash uint64, n int) []message.Node {
	best := c.room[:0]
	if !c.leaving {
		best = insert(best, ranked{c.opt.Node, c.weigh(c.opt.Node, hash)}, n)
	}
	for _, nb := range c.order {
		if nb.takesCopies(now) {
			best = insert(best, ranked{nb.node, c.weigh(nb.node, hash)}, n)
		}
	}
	c.room = best
	return nodesOf(c.chosen[:0], best, &c.chosen)
}

type ranked struct {
	node   message.Node
	weight uint64
}

// insert puts r into a list of at most n that is sorted by weight.
func insert(list []ranked, r ranked, n int) []ranked {
	i := len(list)
	for i > 0 && list[i-1].weight < r.weight {
		i--
	}
	if i >= n {
		return list
	}
	if len(list) < n {
		list = append(list, ranked{})
	}
	copy(list[i+1:], list[i:])
	list[i] = r
	return list
}

func nodesOf(dst []message.Node, list []ranked, keep *[]message.Node) []message.Node {
	for _, r := range list {
		dst = append(dst, r.node)
	}
	*keep = dst
	return dst
}

// takesCopies reports whether a neighbour is to get copies.
func (n *neighbour) takesCopies(now int64) bool { return !n.leaving && n.full <= now }
