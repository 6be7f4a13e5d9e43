package engine

import (
	"bytes"

	"github.com/farmstate/farmstate/engine/appkey"
)

// absent carries out a ticket whose session was not found. It returns false if the session has appeared meanwhile, in which case
// nothing has been done.
func (e *Engine) absent(now Time, lane int, t *Ticket) bool {
	t.Out = Outcome{}
	switch {
	case t.Op == Leave: // who wants to take a session away does not mean one that is elsewhere
		if !e.nothing(t.Hash, t.Key) {
			return false
		}
	case e.mayBeElsewhere(t.Hash, t.Key):
		// Also to take a lock back: a session that has moved on took the lock with it.
		return e.fetch(now, lane, t)
	case t.revoke:
		return true
	case t.Op == Set:
		return e.create(now, lane, t)
	}
	e.notFound(now, lane, t)
	return true
}

// notFound tells that there is no such session.
func (e *Engine) notFound(now Time, lane int, t *Ticket) {
	t.Out.Status = NotFound
	e.diagnose(now, lane, t)
	e.answer(lane, t)
}

// create makes a new session of a Set. It returns false if there is one already, or if another node must be asked first. See
// docs/protocol.md §7.1.
func (e *Engine) create(now Time, lane int, t *Ticket) bool {
	if e.closed.Load() {
		e.turnAway(lane, t)
		return true
	}
	s := e.newSession(t.Key)
	cost := s.cost() + s.begin(now, t)
	if !e.memory.takeNew(cost) {
		e.refuse(t)
		e.answer(lane, t)
		return true
	}
	s.gate.tryEnter() // nobody else knows it
	if !e.settle(t.Hash, t.Key, s, true) {
		e.memory.take(-cost)
		return false
	}
	if e.born(now, lane, s, t) {
		e.leave(lane, s)
	}
	return true
}

// Close says whether new sessions are turned away, because this node is about to stop and nobody would take them over: the requester must learn
// that its session is not kept (§6.5). Those that are here, and that come from other nodes, are served.
func (e *Engine) Close(closed bool) { e.closed.Store(closed) }

// turnAway refuses to create a session.
func (e *Engine) turnAway(lane int, t *Ticket) {
	e.drop(t)
	t.Out.Status = Refused
	e.answer(lane, t)
}

// begin makes a record the new session of a Set. It returns what its body takes of the memory account.
func (s *session) begin(now Time, t *Ticket) (cost int64) {
	body := t.Body
	if !t.Owned { // otherwise it is accounted for by Reserve
		body = append([]byte(nil), t.Body...)
		cost = int64(cap(body))
	}
	s.life, s.body = alive, makeBlob(body)
	s.minutes, s.marks, s.version = t.Minutes, 0, 1
	s.marks.set(uninit, t.InsertOnly)
	s.marks.set(literal, bytes.Equal(t.Target, t.Key))
	s.slide(now)
	return cost
}

// born counts an entered session that a Set has made, and answers the Set. It returns false if the session must stay entered: mirrors are to know of it first.
func (e *Engine) born(now Time, lane int, s *session, t *Ticket) bool {
	e.counts.add(lane, countCreated)
	e.apps.Note(appkey.Prefix(t.Key))
	mode := Mirroring(e.mirroring.Load())
	if mode < MirrorTell {
		e.answer(lane, t)
		return true
	}
	c := newChange(now, s, mode, false)
	c.touch(true)
	t.held = c
	e.answer(lane, t)
	return e.settleChange(now, lane, s, c)
}

// settle puts a session into the index and the wheel, unless there is one with its key. A created one, which did not exist before, is put there only if it is
// known at that moment that no other node has it. The caller has accounted for it.
//
// Invariant: no peer is told "not here" (a Leave that is answered NotFound) while a session is created here without asking. Elsewhere.Nowhere turns
// false before the Leave is handed in and is still false when it is answered, and Nowhere is asked in the same step, under the shard's mutex, as the session is inserted; under the
// same mutex a Leave makes sure that there is nothing (see nothing). So if the creation is first, the Leave finds the session; if the Leave is
// first, the creation finds that it may not. Void placeholders keep it in another way: see actVoid.
func (e *Engine) settle(hash uint64, key []byte, s *session, created bool) bool {
	h := &e.shards[shardOf(hash)]
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.index.find(hash, key) != nil || created && e.mayBeElsewhere(hash, key) {
		return false
	}
	h.wheel.add(s)
	e.index.insert(hash, s) // Must be last: from here on others enter the session.
	return true
}

// nothing makes sure that there is no session with this key, and that none is being created.
func (e *Engine) nothing(hash uint64, key []byte) bool {
	h := &e.shards[shardOf(hash)]
	h.mu.Lock()
	defer h.mu.Unlock()
	return e.index.find(hash, key) == nil
}

// enrol puts an entered session into the slot of the wheel for its present expiry.
func (e *Engine) enrol(s *session) {
	h := e.shardOf(s)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wheel.remove(s)
	h.wheel.add(s)
}

// bury removes an entered session from the index and the wheel, gives back its memory, and tells its waiters that it is gone (§8.6).
func (e *Engine) bury(lane int, s *session) {
	hash := e.hashOf(s)
	h := &e.shards[shardOf(hash)]
	h.mu.Lock()
	h.wheel.remove(s)
	e.index.remove(hash, s)
	h.mu.Unlock()
	e.memory.take(-s.cost())
	s.life, s.body = dead, blob{}
	if s.lock.held {
		s.lock.release()
		e.counts.add(lane, countUnlocked)
	}
	if s.marks.has(waiters) {
		for w := e.queue.nextWaiter(s); w != nil; w = e.queue.nextWaiter(s) {
			w.Out = Outcome{Status: NotFound}
			e.answer(lane, w)
		}
		s.marks.set(waiters, false)
	}
}

func (e *Engine) shardOf(s *session) *shard {
	return &e.shards[shardOf(e.hashOf(s))]
}
