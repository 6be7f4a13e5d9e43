package peer

import (
	"sync"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// event is something that the driver has to take note of: one of the three.
type event struct {
	do     func(now int64)
	change *engine.Change     // of a session of this node
	batch  []*message.Message // from another node
	from   message.Node
}

// inbox holds what the driver has yet to do.
//
// Invariant: whoever may wait when it is full (put by wait) is a reader of a link, whom the driver never waits for. All others put at once; what they put is
// bounded by what they are: a fetch for each request that is parked, an answer for each session that is being taken.
type inbox struct {
	wake chan struct{} // holds one token while there may be something

	mu     sync.Mutex
	room   sync.Cond // of mu: there may be room again, or it is closed
	events []event   // guarded by mu
	load   int       // of those that were put patiently; guarded by mu
	closed bool      // guarded by mu
}

const (
	// inboxRoom is how much may wait before readers of links do: an event counts as 1, or as the messages that it brings.
	inboxRoom = 1 << 14
	// heavy is how many bytes of a message beside its body count as a further message.
	heavy = 1 << 10
)

func (b *inbox) init() {
	b.wake = make(chan struct{}, 1)
	b.room.L = &b.mu
}

// put adds something to be done. It returns false if the inbox is closed. Never blocks.
func (b *inbox) put(do func(now int64)) bool { return b.putEvent(event{do: do}) }

// putPatiently does the same when there is room. load is what it counts for.
func (b *inbox) putPatiently(load int, do func(now int64)) {
	b.putEventPatiently(load, event{do: do})
}

// putEvent adds an event. It returns false if the inbox is closed. Never blocks.
func (b *inbox) putEvent(e event) bool {
	b.mu.Lock()
	put := !b.closed
	if put {
		b.events = append(b.events, e)
	}
	b.mu.Unlock()
	b.poke()
	return put
}

// putEventPatiently adds an event when there is room for it. load is what it counts for. It returns false if the inbox is closed.
func (b *inbox) putEventPatiently(load int, e event) bool {
	b.mu.Lock()
	for b.load >= inboxRoom && !b.closed {
		b.room.Wait()
	}
	put := !b.closed
	if put {
		b.events = append(b.events, e)
		b.load += load
	}
	b.mu.Unlock()
	b.poke()
	return put
}

func (b *inbox) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take returns what is there, and puts an empty list in its place.
func (b *inbox) take(empty []event) []event {
	b.mu.Lock()
	events := b.events
	b.events, b.load = empty[:0], 0
	b.mu.Unlock()
	b.room.Broadcast()
	return events
}

// close lets nobody wait any more, and takes nothing any more.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.room.Broadcast()
}
