package core

import (
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// stream is the numbered updates from this node to one mirror.
//
// Invariant: updates acked+1 to next-1 are in backlog, in order; of these, up to sent have been sent at least once since the link is there. An update leaves the backlog
// when the mirror has acknowledged it, or has ended, and then whoever waits for it is told.
type stream struct {
	node      message.Node
	id        message.ID
	next      uint64 // the number of the next update
	acked     uint64
	sent      uint64
	backlog   []update
	first     int // of backlog
	bytes     int // of the backlog
	flight    int // of those that have been sent and not acknowledged
	live      bool
	moved     int64  // when the latest acknowledgement came, or the first update was sent after everything had been acknowledged
	pushed    int64  // when the latest update was put in
	lease     int64  // until when this mirror lets nobody take our sessions over
	touches   []byte // of sessions that have been read, to be told
	touchedAt int64  // since when
	overflow  bool   // updates have been left out
}

// update is one update that is not acknowledged.
type update struct {
	m    *message.Message
	w    *wait // who waits for it; nil if nobody does
	hash uint64
	at   int64 // when it was first sent; 0 = not yet
	word bool  // it is our confession
	size int
}

// Bounds and times of a stream.
const (
	// windowBytes and windowUpdates are how much is under way to one mirror at a time.
	windowBytes   = 4 << 20
	windowUpdates = 1024
	updateCost    = 512 // bytes that an update counts for beyond its body
	// resendUpdates is after how long without an acknowledgement the window is sent again.
	resendUpdates = int64(500 * time.Millisecond)
	// beatEvery is how often something goes to a mirror that has copies of ours.
	beatEvery = int64(500 * time.Millisecond)
	pulse     = int64(100 * time.Millisecond)
	// leaseTime is for how long a mirror that has heard from us lets nobody take our sessions over; it must be less than deadAfter.
	leaseTime = int64(2500 * time.Millisecond)
	// deadAfter is how long a node whose link has broken counts as alive at least, whatever others say.
	deadAfter = int64(3 * time.Second)
	// touchRoom is how much of what has been read is told at once, touchMost how much is kept for it, and touchWait how long it waits for what is urgent: where there is
	// always something urgent it would wait for ever.
	touchRoom = 32 << 10
	touchMost = 256 << 10
	touchWait = int64(time.Second)
)

// streamTo returns the stream to a mirror.
func (c *Core) streamTo(now int64, node message.Node) *stream {
	st := c.streams[node]
	if st == nil {
		st = &stream{node: node, id: c.opt.NewID(), next: 1, live: c.neighbours[node] != nil, moved: now, lease: now + leaseTime}
		c.streams[node] = st
		c.flow = append(c.flow, st)
		c.wakeBy(now + pulse)
	}
	return st
}

// push puts an update into the stream to a mirror.
func (c *Core) push(now int64, node message.Node, m *message.Message, w *wait, hash uint64) {
	if !c.alive(now, node) { // it has ended, or is not known here yet
		if c.hasEnded(now, node) {
			c.dropHolder(hash, node)
		} else {
			c.demote(hash, node)
		}
		if w != nil {
			c.reroute(now, w, node, true)
		}
		return
	}
	st := c.streamTo(now, node)
	m.Kind, m.Stream, m.Update = message.Copy, st.id, st.next
	if len(m.Parcel.Body) > 0 {
		m.ID = c.opt.NewID()
	}
	st.next++
	u := update{m: m, w: w, hash: hash, size: updateCost + len(m.Key) + len(m.Parcel.Body)}
	st.backlog = append(st.backlog, u)
	st.bytes += u.size
	st.pushed = now
	c.pump(now, st)
}

// crowded reports whether what is not urgent should wait. What is urgent waits behind what is in the stream: a mirror takes in some hundreds of updates in a few
// milliseconds.
func (c *Core) crowded(st *stream) bool {
	return st.bytes > windowBytes/16 || len(st.backlog)-st.first > windowUpdates/8
}

// pump sends what the window lets through.
func (c *Core) pump(now int64, st *stream) {
	if !st.live {
		return
	}
	for st.sent+1 < st.next {
		u := &st.backlog[st.first+int(st.sent-st.acked)]
		if st.flight > 0 && (st.flight+u.size > windowBytes || st.sent-st.acked >= windowUpdates) {
			return
		}
		if u.at == 0 {
			u.at = now
			u.m.Heard = st.acked
			if st.flight == 0 {
				st.moved = now
			}
		}
		st.flight += u.size
		st.sent++
		c.send(st.node, "", u.m)
	}
}

// copied takes in Copied.
func (c *Core) copied(now int64, from message.Node, m *message.Message) {
	st := c.streams[from]
	if st == nil || st.id != m.Stream || m.Update >= st.next {
		return
	}
	if m.Heard > 0 {
		c.heardWord(now, st, m.Heard)
	}
	if m.Update == 0 && st.acked > 0 {
		c.restart(now, st) // it has forgotten
		return
	}
	for st.acked < m.Update {
		u := st.backlog[st.first]
		st.backlog[st.first] = update{}
		st.first++
		st.acked++
		st.bytes -= u.size
		if st.sent < st.acked {
			st.sent = st.acked // acknowledged before it was sent again
		} else {
			st.flight -= u.size
		}
		st.moved = now
		if u.at > 0 && u.m.Change != message.Taken { // that is acknowledged by those who may have taken over sessions of ours
			st.lease = max(st.lease, u.at+leaseTime)
		}
		c.concluded(now, st, u, refusalOf(m, st.acked))
	}
	if st.overflow && st.bytes <= c.opt.Backlog/2 { // not when it is empty: where changes never cease it never is
		st.overflow = false
		c.rebalance(now)
	}
	if st.first == len(st.backlog) {
		st.backlog, st.first = st.backlog[:0], 0
	} else if st.first > 1024 && st.first > len(st.backlog)/2 {
		n := copy(st.backlog, st.backlog[st.first:])
		clear(st.backlog[n:])
		st.backlog, st.first = st.backlog[:n], 0
	}
	c.pump(now, st)
}

// heardWord takes note that our confession up to an update has been dealt with.
func (c *Core) heardWord(now int64, st *stream, upTo uint64) {
	for i := st.first; i < len(st.backlog) && st.backlog[i].m.Update <= upTo; i++ {
		if u := &st.backlog[i]; u.word {
			u.word = false
			c.confessed(now, st)
		}
	}
}

// confessed lets what the other side has sent be acknowledged: it knows what may have been taken over.
func (c *Core) confessed(now int64, st *stream) {
	t := c.taken[st.node]
	for key, s := range c.confessing[st.node] {
		if t[key] == s { // otherwise there is more to tell of it by now
			delete(t, key)
		}
	}
	if len(t) == 0 {
		delete(c.taken, st.node)
	}
	delete(c.confessing, st.node)
	c.confess(now, st.node)
	if in := c.inflows[st.node]; in != nil {
		in.dirty, c.dirty = true, true
	}
}

func refusalOf(m *message.Message, n uint64) *message.Refusal {
	for i := range m.Refusals {
		if m.Refusals[i].Update == n {
			return &m.Refusals[i]
		}
	}
	return nil
}

// concluded does what follows when one update has been acknowledged, or refused.
func (c *Core) concluded(now int64, st *stream, u update, r *message.Refusal) {
	if r != nil && u.m.Change == message.Nothing {
		r = nil // it was about what has been taken back since
	}
	if r == nil {
		if u.m.Change == message.Drop {
			c.counts.CopiesDropped++
			if _, cur := c.track[u.hash].has(c.numbers[st.node]); !cur {
				c.dropHolder(u.hash, st.node)
			}
		}
		if u.word {
			c.confessed(now, st)
		}
		if u.w != nil {
			c.acknowledged(now, u.w, st.node)
		}
		return
	}
	c.counts.CopiesRefused++
	if u.m.Change == message.Taken { // it must be heard
		m := *u.m
		c.pushWord(now, st.node, &m)
		return
	}
	switch r.Reason {
	case message.Lacking:
		c.demote(u.hash, st.node)
		if u.w != nil && !u.w.over && u.w.full != nil {
			c.sendWhole(now, u.w, st.node)
			return
		}
		c.want(u.m.Key)
	case message.Newer:
		c.outdated(now, u, st.node, r)
		if u.w != nil && u.w.kind == waitSupply {
			c.acknowledged(now, u.w, st.node)
		}
		return
	case message.Busy:
		if u.w != nil && !u.w.over { // it is the latest still: while somebody waits for it there is no other
			m := *u.m
			c.push(now, st.node, &m, u.w, u.hash)
			return
		}
		c.demote(u.hash, st.node)
		c.want(u.m.Key)
	default: // no room
		c.dropHolder(u.hash, st.node)
		if n := c.neighbours[st.node]; n != nil {
			n.full, n.crammed = now+fullTime, now+crammedFor
		}
		c.do(Notice{What: CopyRefused, Key: u.m.Key, Node: st.node})
		if u.w != nil {
			c.reroute(now, u.w, st.node, true)
			return
		}
		c.want(u.m.Key)
	}
	if u.w != nil {
		c.acknowledged(now, u.w, st.node)
	}
}

// fullTime is how long a node that had no room gets no further copies.
const fullTime = int64(5 * time.Second)

// restart begins a stream anew: the mirror is not sure of what it has from us any more.
func (c *Core) restart(now int64, st *stream) {
	c.counts.Resyncs++
	c.do(Notice{What: CopyResync, Node: st.node})
	left := st.backlog[st.first:]
	*st = stream{node: st.node, id: c.opt.NewID(), next: 1, live: st.live, moved: now, lease: st.lease}
	c.forgetHolder(st.node, false)
	for _, u := range left {
		m := *u.m
		c.push(now, st.node, &m, u.w, u.hash)
		st.backlog[len(st.backlog)-1].word = u.word
		if u.w != nil || u.m.Change == message.Content {
			c.setHolder(u.hash, st.node, u.m.Change == message.Content)
		}
	}
	c.rebalance(now)
}

// beat keeps streams going: what has not been acknowledged for a while is sent again, and those on which nothing goes get a sign of life.
func (c *Core) beat(now int64) {
	if now < c.beatAt {
		return
	}
	c.beatAt = now + pulse
	for _, n := range c.order {
		if n.full != 0 && n.full <= now { // it may have room again
			n.full = 0
			c.rebalance(now)
		}
	}
	for _, st := range c.flow {
		if !st.live {
			continue
		}
		c.flushTouches(now, st)
		c.flushTombs(now, st)
		switch {
		case st.next == st.acked+1:
			if now-st.pushed >= beatEvery {
				c.push(now, st.node, &message.Message{Change: message.Nothing}, nil, 0)
			}
		case now-st.moved >= resendUpdates+int64(float64(st.flight)/bytesPerNano):
			c.counts.Repeated++
			st.moved, st.sent, st.flight = now, st.acked, 0
			c.pump(now, st)
		}
	}
}

// wakeBy has Tick called at a time.
func (c *Core) wakeBy(at int64) {
	if c.beatAt == 0 || c.beatAt > at {
		c.beatAt = at
	}
}

// openStream lets the updates to a neighbour go that has come, or come back, from the last one that it has acknowledged.
func (c *Core) openStream(now int64, node message.Node) {
	if st := c.streams[node]; st != nil {
		st.live, st.moved, st.sent, st.flight = true, now, st.acked, 0
		c.pump(now, st)
	}
}

// closeStream keeps the updates to a neighbour back that cannot be reached.
func (c *Core) closeStream(now int64, node message.Node) {
	st := c.streams[node]
	if st == nil {
		return
	}
	st.live = false
	for _, w := range st.waits() {
		c.reroute(now, w, node, false)
	}
}

// endStream gives up the updates to a node that is dead.
func (c *Core) endStream(now int64, node message.Node) {
	st := c.streams[node]
	if st == nil {
		return
	}
	delete(c.streams, node)
	delete(c.confessing, node)
	for i, other := range c.flow {
		if other == st {
			c.flow = append(c.flow[:i:i], c.flow[i+1:]...)
			break
		}
	}
	for _, w := range st.waits() {
		c.reroute(now, w, node, true)
	}
}

// withdraw takes back what has been told of a session that is not ours any more: its new owner tells all who may have a copy, and what came after that would be a
// copy that nobody knows of.
func (c *Core) withdraw(key string) {
	for _, st := range c.flow {
		for i := st.first; i < len(st.backlog); i++ {
			u := &st.backlog[i]
			if u.m.Key != key || u.w != nil && !u.w.over && u.w.kind != waitSupply {
				continue
			}
			u.m = &message.Message{Kind: message.Copy, Stream: u.m.Stream, Update: u.m.Update, Heard: u.m.Heard, Change: message.Nothing}
		}
	}
}

// waits are those who wait for updates in the backlog, in order.
func (st *stream) waits() (all []*wait) {
	for _, u := range st.backlog[st.first:] {
		if u.w != nil && !u.w.over {
			all = append(all, u.w)
		}
	}
	return all
}

// Lease is until when this node may answer with what it has, without asking its mirrors.
func (c *Core) Lease() int64 {
	lease := int64(noLease)
	if c.opt.Weaken&NoLease != 0 {
		return lease
	}
	for _, st := range c.flow {
		lease = min(lease, st.lease)
	}
	return lease
}

const noLease = 1<<63 - 1
