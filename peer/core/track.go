package core

import (
	"math"

	"github.com/farmstate/farmstate/peer/message"
)

// maxHolders is how many nodes an owner can keep in mind for one session. A copy beyond that is dropped.
const maxHolders = 6

// holders are the nodes that have a copy of one of our sessions: their numbers in Core.names, with current set if, when all that is in their stream has been taken in, the
// copy is the session's state. There is one for each session, so it is small and has no pointers.
type holders struct {
	slots [maxHolders]uint16
	gen   uint32 // the session's generation: copies of later ones are not ours to drop
}

const (
	current    = 1 << 15
	maxNumbers = math.MaxInt16
)

// number is a node's number, by which it stands in holders; 0 if there are too many nodes.
func (c *Core) number(node message.Node) uint16 {
	if n, ok := c.numbers[node]; ok {
		return n
	}
	if len(c.names) > maxNumbers {
		return 0
	}
	if len(c.names) == 0 {
		c.names = append(c.names, message.Node{}) // 0 is nobody
	}
	n := uint16(len(c.names))
	c.names = append(c.names, node)
	c.numbers[node] = n
	return n
}

// each calls f with those that have copies.
func (c *Core) eachHolder(h holders, f func(node message.Node, isCurrent bool)) {
	for _, s := range h.slots {
		if s != 0 {
			f(c.names[s&^current], s&current != 0)
		}
	}
}

// with returns h with a node in it, and whether its copy is current. ok is false if there is no room.
func (h holders) with(n uint16, isCurrent bool) (_ holders, ok bool) {
	if n == 0 {
		return h, false
	}
	slot := n
	if isCurrent {
		slot |= current
	}
	free := -1
	for i, s := range h.slots {
		if s&^current == n {
			h.slots[i] = slot
			return h, true
		}
		if s == 0 && free < 0 {
			free = i
		}
	}
	if free < 0 {
		return h, false
	}
	h.slots[free] = slot
	return h, true
}

// without returns h without a node.
func (h holders) without(n uint16) holders {
	for i, s := range h.slots {
		if s&^current == n {
			h.slots[i] = 0
		}
	}
	return h
}

// has reports whether a node has a copy, and whether that is current.
func (h holders) has(n uint16) (known, isCurrent bool) {
	for _, s := range h.slots {
		if s != 0 && s&^current == n {
			return true, s&current != 0
		}
	}
	return false, false
}

// setHolder takes note that a node has a copy of one of our sessions, or will have.
func (c *Core) setHolder(hash uint64, node message.Node, isCurrent bool) bool {
	before := c.track[hash]
	h, ok := before.with(c.number(node), isCurrent)
	if ok {
		c.setTrack(hash, before, h)
	}
	return ok
}

// generation takes note of the generation of one of our sessions of which there are copies.
func (c *Core) generation(hash uint64, gen uint32) {
	if h, ok := c.track[hash]; ok && h.gen != gen {
		before := h
		h.gen = gen
		c.setTrack(hash, before, h)
	}
}

// demote takes note that a node's copy is not current, if it has one.
func (c *Core) demote(hash uint64, node message.Node) {
	if known, _ := c.track[hash].has(c.numbers[node]); known {
		c.setHolder(hash, node, false)
	}
}

// dropHolder takes note that a node has none any more.
func (c *Core) dropHolder(hash uint64, node message.Node) {
	h, ok := c.track[hash]
	if !ok {
		return
	}
	before := h
	if h = h.without(c.number(node)); h.slots == [maxHolders]uint16{} {
		c.dropTrack(hash)
		return
	}
	c.setTrack(hash, before, h)
}

// forgetHolder takes a node that has ended out of all lists; what it had is missing from now on. If it has only forgotten, or may have, its copies are current no longer.
func (c *Core) forgetHolder(node message.Node, ended bool) {
	n := c.numbers[node]
	if n == 0 {
		return
	}
	for hash, h := range c.track { // the order makes no difference
		if known, _ := h.has(n); !known {
			continue
		}
		before := h
		if !ended {
			h, _ = h.with(n, false)
		} else if h = h.without(n); h.slots == [maxHolders]uint16{} {
			c.dropTrack(hash)
			continue
		}
		c.setTrack(hash, before, h)
	}
	if ended {
		delete(c.numbers, node) // its number is not used again: it may stand in a list that is being made
	}
}
