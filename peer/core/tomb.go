package core

import (
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// leastTomb and mostTomb bound how long it is kept in mind that a session has been removed.
const (
	leastTomb = int64(time.Hour)
	mostTomb  = 365 * 24 * int64(time.Hour) // the longest life of a session that has one
)

// tombLife is how long it is kept in mind that a session has been removed: for as long as it could have lived on as a copy, or in a snapshot, of somebody who is away.
// minutes is its life after each request; 0 = for ever.
func (c *Core) tombLife(minutes uint32) int64 {
	if minutes == 0 {
		return mostTomb
	}
	return min(max(leastTomb, int64(minutes)*int64(time.Minute)+int64(c.opt.TouchPeriod)), mostTomb)
}

// tombSlack is what a removal may come to live longer when nodes tell each other of it, by the time that this takes, without counting as news.
const tombSlack = int64(time.Second)

// removal is what is known of a removal.
type removal struct {
	gen uint32 // the generation in which the session was removed
	// own is above the generation of which this node was told when it happened; 0 = others have told of it since, or a snapshot.
	//
	// Only for its sake are updates refused, and their owner then takes its session for another one with the same key (see outlive). Whoever was there at the removal also
	// confesses to an owner that had been taken for dead meanwhile; who has heard of it later knows nothing of that, and would bring the session back.
	own uint32
}

// bury keeps in mind that a session has been removed: no copy of this generation or an older one comes back.
func (c *Core) bury(now int64, hash uint64, t removal, life int64) {
	old := c.tombs.m[hash]
	until := now + min(life, mostTomb)
	if old.n != 0 && old.v.gen >= t.gen && old.v.own >= t.own && old.until >= until-tombSlack {
		return
	}
	c.tombs.put(now, max(until, old.until), hash, removal{max(t.gen, old.v.gen), max(t.own, old.v.own)})
}

// buried reports whether a copy is of a session that has been removed.
func (c *Core) buried(now int64, e *shelved) bool {
	t, ok := c.tombs.get(now, e.hash)
	return ok && e.p.Gen <= t.gen
}

// Tomb says that a session has been removed.
type Tomb struct {
	Hash uint64 // of its key, by which copies are placed
	Gen  uint32 // in which it was removed: what is not newer does not come back
	Left int64  // ns for which that is to be kept in mind yet
}

// Bury keeps in mind what somebody else knows of a removal.
func (c *Core) Bury(now int64, t Tomb) { c.bury(now, t.Hash, removal{gen: t.Gen}, t.Left) }

// Tombs returns up to most of the removals that are kept in mind, in the order in which they came, from behind a position on, and the position to go on from. An empty
// list is the end.
func (c *Core) Tombs(now int64, from uint64, most int) (list []Tomb, next uint64) {
	next = from
	c.tombs.after(now, from, func(n uint64, hash uint64, t removal, until int64) bool {
		list, next = append(list, Tomb{hash, t.gen, until - now}), n
		return len(list) < most
	})
	return list, next
}

// TellTombs has a neighbour that has just come told, in the background, which sessions have been removed. It may have been away when they were, or have begun since: then
// it keeps in mind what we know, in case that we end. It must understand a Copy with Buried.
func (c *Core) TellTombs(now int64, node message.Node) {
	if n := c.neighbours[node]; n != nil && len(c.tombs.m) > 0 {
		n.telling, n.told = true, 0
		c.streamTo(now, node)
	}
}

// tombsAtOnce is how many removals go in one update: about 30 KB.
const tombsAtOnce = 2048

// flushTombs tells a mirror of the next few removals, if there are any of which it is to be told.
func (c *Core) flushTombs(now int64, st *stream) {
	n := c.neighbours[st.node]
	if n == nil || !n.telling || c.crowded(st) {
		return
	}
	list, next := c.Tombs(now, n.told, tombsAtOnce)
	n.told, n.telling = next, len(list) == tombsAtOnce
	if len(list) == 0 {
		return
	}
	m := &message.Message{Change: message.Buried}
	for _, t := range list {
		m.Parcel.Body = message.AppendBuried(m.Parcel.Body, t.Hash, t.Gen, t.Left)
	}
	c.push(now, st.node, m, nil, 0)
}
