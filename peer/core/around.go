package core

import (
	"encoding/binary"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// Neighbours tell each other who their neighbours are. A query that comes from one of them need not go to those that it has asked itself: in a full mesh a miss
// then costs a question and an answer for each node, where it would cost that for each pair of nodes.
//
// It holds only if the list is the one by which the sender has asked, so its sum stands in the query. Who is on the list and has not been asked has fallen silent or
// ended, and the sender says so in its answer (Lost). A census goes to everybody.

// sumOf is a number for a set of nodes, whatever their order; never 0.
func sumOf(nodes []message.Node) uint32 {
	var sum uint64
	for i := range nodes {
		x := binary.LittleEndian.Uint64(nodes[i][:8]) ^ binary.LittleEndian.Uint64(nodes[i][8:])*0x9e3779b97f4a7c15
		x ^= x >> 32
		x *= 0xd6e8feb86659fd93
		sum += x ^ x>>32
	}
	return max(1, uint32(sum^sum>>32))
}

// announceAfter is how long a change of the neighbours waits for further ones, which come together when a farm starts. Meanwhile questions go to everybody.
const announceAfter = int64(20 * time.Millisecond)

// changed takes note that the neighbours are others now.
func (c *Core) changed(now int64) {
	c.sum = 0
	if !c.announcing {
		c.announcing = true
		c.timers.add(timer{at: now + announceAfter})
	}
}

// announce tells all neighbours who they are.
func (c *Core) announce() {
	c.announcing = false
	if len(c.order) == 0 || len(c.order) > message.MaxNodes {
		return
	}
	m := &message.Message{Kind: message.Around, Addr: c.opt.Addr, Nodes: make([]message.Node, len(c.order))}
	for i, n := range c.order {
		m.Nodes[i] = n.node
	}
	c.sum = sumOf(m.Nodes)
	m.Sum = c.sum
	for _, n := range c.order {
		c.send(n.node, "", m)
	}
}

// around takes in who a neighbour's neighbours are.
func (c *Core) around(from message.Node, m *message.Message) {
	n := c.neighbours[from]
	if n == nil || sumOf(m.Nodes) != m.Sum {
		return
	}
	n.around = make(map[message.Node]struct{}, len(m.Nodes))
	for _, node := range m.Nodes {
		n.around[node] = struct{}{}
	}
	n.sum = m.Sum
}

// askedBy are those whom a neighbour has asked that sends a query; nil if that is not known. Must not be changed.
func (c *Core) askedBy(from message.Node, m *message.Message) map[message.Node]struct{} {
	if n := c.neighbours[from]; n != nil && m.Sum != 0 && m.Sum == n.sum && !m.Census && !m.Direct {
		return n.around
	}
	return nil
}
