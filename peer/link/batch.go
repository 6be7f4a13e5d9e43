package link

import (
	"slices"

	"github.com/farmstate/farmstate/peer/message"
)

// Batch sends messages that go together: what is sent to one node until Flush, or until there is much of it, takes one write. Owned by one goroutine. Whoever sends by
// it must call Flush before it waits for anything.
type Batch struct {
	net   *Net
	due   []*outbox // that have something of which their writers have not been told
	count int       // messages since they were told last
}

// batchMost is how many messages wait for Flush at most: a writer that is idle should not be so for long.
const batchMost = 64

// NewBatch returns an empty batch.
func (n *Net) NewBatch() *Batch { return &Batch{net: n} }

// Send is Net.Send, but for that the message may wait for Flush.
func (b *Batch) Send(to message.Node, addr string, m *message.Message) Drop {
	o, drop := b.net.queue(to, addr, m)
	if o == nil {
		return drop
	}
	if !slices.Contains(b.due, o) {
		b.due = append(b.due, o)
	}
	if b.count++; b.count >= batchMost {
		b.Flush()
	}
	return drop
}

// Flush has everything written that has been sent.
func (b *Batch) Flush() {
	for i, o := range b.due {
		o.poke()
		b.due[i] = nil
	}
	b.due, b.count = b.due[:0], 0
}
