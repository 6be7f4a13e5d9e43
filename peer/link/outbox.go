package link

import (
	"crypto/rand"
	"slices"
	"sync"

	"github.com/farmstate/farmstate/peer/message"
)

const (
	// PartSize is the largest body that travels in one piece, and the size of the parts of those that are larger. A query waits for the rest of a part at
	// most. A body that is larger must never change once it has been given to Send; the engine's do not.
	PartSize = 64 << 10
	// maxActive is how many bodies travel in parts at a time, over one link.
	maxActive = 8
	// chunkSize is when a chunk of encoded messages is full.
	chunkSize = 64 << 10
	// burst is how many chunks of messages without a body go before a body has a turn, so that they cannot hold up bodies for ever.
	burst = 4
	// maxControl bounds the bytes of messages without a body that wait.
	maxControl = 16 << 20
	// overhead is what a message with a body counts for beyond its body.
	overhead = 512
)

// outbox is what one link has to send. Messages without a body, for which others wait, go before those with one. Both are encoded as they come in; a body
// above PartSize is kept as it is and goes in parts, in turn with others of its kind and with whole ones.
type outbox struct {
	self                  message.Node
	maxMessages, maxBytes int
	wake                  chan struct{} // something has come, or the end; one is enough

	mu sync.Mutex // guards all that follows

	addr     string             // ours, as the other side sees it
	pending  []*message.Message // what came while the link was being dialled: until then addr is not known
	opened   bool
	finished bool // no more is taken; what is here still goes
	closed   bool // nothing goes any more

	control, whole chunks
	large          []*parted // in order of arrival; the first up to maxActive are on their way
	turn           int       // which of those has the next turn
	partNext       bool      // a part has the next turn, not whole bodies

	messages, controlBytes int // that wait without a body
	bodies, bodyBytes      int // and with one
}

// parted is a message whose body goes in parts.
type parted struct {
	m    message.Message
	sent int
}

func newOutbox(self message.Node, maxMessages, maxBytes int) *outbox {
	return &outbox{self: self, maxMessages: maxMessages, maxBytes: maxBytes, wake: make(chan struct{}, 1)}
}

// put queues a message, and has it written. m may be used again when it returns. Never blocks.
func (o *outbox) put(m *message.Message) Drop {
	drop := o.queue(m)
	if drop == Queued {
		o.poke()
	}
	return drop
}

// queue queues a message. The caller calls poke afterwards: one is enough for several.
func (o *outbox) queue(m *message.Message) Drop {
	n := len(m.Parcel.Body)
	if len(m.Key) > message.MaxKey || n > hardMaxBody {
		return DropTooLarge
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed || o.finished:
		return DropLinkLost
	case n == 0 && (o.messages >= o.maxMessages || o.controlBytes >= maxControl):
		return DropQueueFull
	case n > 0 && o.bodies > 0 && o.bodyBytes+n+overhead > o.maxBytes:
		return DropQueueFull
	}
	if !o.opened {
		own := *m
		if n <= PartSize {
			own.Parcel.Body = slices.Clone(m.Parcel.Body)
		}
		o.pending = append(o.pending, &own)
		o.countLocked(n, 0)
		return Queued
	}
	o.encodeLocked(m)
	return Queued
}

// countLocked takes a message with n bytes of body, or without one and with so many bytes of head, into the account.
func (o *outbox) countLocked(n, head int) {
	if n == 0 {
		o.messages++
		o.controlBytes += head
		return
	}
	o.bodies++
	o.bodyBytes += n + overhead
}

// open lets everything go that has been queued, and will be.
func (o *outbox) open(addr string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addr, o.opened = addr, true
	pending := o.pending
	o.pending, o.messages, o.bodies, o.bodyBytes = nil, 0, 0, 0
	for _, m := range pending {
		o.encodeLocked(m)
	}
	o.poke()
}

// encodeLocked puts a message where it waits to be sent. One of ours that is to say where we are says how the other side sees it; one that goes in parts
// needs an id, which those have not for which it means nothing else.
func (o *outbox) encodeLocked(m *message.Message) {
	if m.Addr == "" && m.Node == o.self && (m.Kind == message.Query || m.Kind == message.Transfer || m.Kind == message.Claim) {
		own := *m
		own.Addr = o.addr
		m = &own
	}
	head := 0
	n := len(m.Parcel.Body)
	switch {
	case n == 0:
		head = o.control.add(-1, func(dst []byte) []byte { return message.Append(dst, m) })
	case n <= PartSize:
		o.whole.add(n+overhead, func(dst []byte) []byte { return append(message.Append(dst, m), m.Parcel.Body...) })
	default:
		p := &parted{m: *m}
		if p.m.ID == (message.ID{}) {
			_, _ = rand.Read(p.m.ID[:]) // never fails
		}
		o.large = append(o.large, p)
	}
	o.countLocked(n, head)
}

// fill appends what is to be written next to dst: nothing, if nothing waits. done says that nothing will come any more.
func (o *outbox) fill(dst []byte) (filled []byte, messages int, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return dst, 0, true
	}
	for range burst {
		c, ok := o.control.take()
		if !ok {
			break
		}
		dst = append(dst, c.b...)
		messages += c.messages
		o.messages -= c.messages
		o.controlBytes -= c.weight
		o.control.give(c.b)
	}
	parts := len(o.large) > 0 && (o.partNext || len(o.whole.list) == 0)
	if parts {
		var complete int
		dst, complete = o.partLocked(dst)
		messages += complete
	} else if c, ok := o.whole.take(); ok {
		dst = append(dst, c.b...)
		messages += c.messages
		o.bodies -= c.messages
		o.bodyBytes -= c.weight
		o.whole.give(c.b)
	}
	o.partNext = !parts
	return dst, messages, o.finished && len(dst) == 0
}

// partLocked appends the next part of the body that has its turn. Requires that there is one.
//
// Invariant: two bodies with one id are never on their way at a time; the receiver could not tell their parts apart.
func (o *outbox) partLocked(dst []byte) (filled []byte, complete int) {
	active := min(maxActive, len(o.large))
	for o.turn %= active; o.repeatedLocked(o.turn); {
		o.turn = (o.turn + 1) % active // ends: the first one repeats nobody
	}
	p := o.large[o.turn]
	body := p.m.Parcel.Body
	n := min(PartSize, len(body)-p.sent)
	dst = message.AppendPiece(dst, &p.m, int64(p.sent), int64(n))
	dst = append(dst, body[p.sent:p.sent+n]...)
	p.sent += n
	if p.sent < len(body) {
		o.turn++
		return dst, 0
	}
	o.large = slices.Delete(o.large, o.turn, o.turn+1)
	o.bodies--
	o.bodyBytes -= len(body) + overhead
	return dst, 1
}

// repeatedLocked reports whether a body with the same id stands before the i-th.
func (o *outbox) repeatedLocked(i int) bool {
	id := o.large[i].m.ID
	return slices.ContainsFunc(o.large[:i], func(p *parted) bool { return p.m.ID == id })
}

// finish lets what is queued go, and takes no more.
func (o *outbox) finish() {
	o.mu.Lock()
	o.finished = true
	o.mu.Unlock()
	o.poke()
}

// shut ends it and returns how many messages were left.
func (o *outbox) shut() (left int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0
	}
	left = o.messages + o.bodies
	o.closed = true
	o.control, o.whole, o.large, o.pending = chunks{}, chunks{}, nil, nil
	o.messages, o.controlBytes, o.bodies, o.bodyBytes = 0, 0, 0, 0
	o.poke()
	return left
}

// abandon ends one that was never opened, and returns what was queued.
func (o *outbox) abandon() []*message.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	pending := o.pending
	o.pending, o.messages, o.bodies, o.bodyBytes = nil, 0, 0, 0
	return pending
}

// trim gives up memory that is kept for further messages.
func (o *outbox) trim() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.control.spare, o.whole.spare = nil, nil
}

// load is what waits.
func (o *outbox) load() (messages, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.messages + o.bodies, o.controlBytes + o.bodyBytes
}

func (o *outbox) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}
