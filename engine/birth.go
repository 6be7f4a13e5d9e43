package engine

import "github.com/farmstate/farmstate/engine/appkey"

// absent carries out a ticket whose session was not found. It returns false if the session has appeared meanwhile, in which case
// nothing has been done.
func (e *Engine) absent(now Time, lane int, t *Ticket) bool {
	t.Out = Outcome{}
	if t.revoke {
		return true // a session that has moved on took the lock with it
	}
	if e.opt.Elsewhere != nil && !t.final && t.Op != Leave { // who wants to take a session away does not mean one that is elsewhere
		return e.fetch(now, lane, t)
	}
	if t.Op == Set {
		return e.create(now, lane, t)
	}
	t.Out.Status = NotFound
	e.diagnose(now, lane, t)
	e.answer(lane, t)
	return true
}

// create makes a new session of a Set. It returns false if there is one already. See docs/protocol.md §7.1.
func (e *Engine) create(now Time, lane int, t *Ticket) bool {
	s := e.newSession(t.Key)
	s.minutes, s.uninit, s.version = t.Minutes, t.InsertOnly, 1
	body := t.Body
	if !t.Owned {
		body = append([]byte(nil), t.Body...)
	}
	s.body = makeBlob(body)
	s.slide(now)
	cost := s.cost()
	if t.Owned {
		cost -= int64(cap(body)) // accounted for by Reserve
	}
	if !e.memory.takeNew(cost) {
		e.refuse(t)
		e.answer(lane, t)
		return true
	}
	if !e.settle(t.Hash, t.Key, s) {
		e.memory.take(-cost)
		return false
	}
	e.counts.add(lane, countCreated)
	e.apps.Note(appkey.Prefix(t.Key))
	e.answer(lane, t)
	return true
}

// settle puts a session into the index and the wheel, unless there is one with its key. The caller has accounted for it.
func (e *Engine) settle(hash uint64, key []byte, s *session) bool {
	h := &e.shards[shardOf(hash)]
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.index.find(hash, key) != nil {
		return false
	}
	h.wheel.add(s)
	e.index.insert(hash, s) // Must be last: from here on others enter the session.
	return true
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
	s.dead, s.body = true, blob{}
	if s.lock.held {
		s.lock.release()
		e.counts.add(lane, countUnlocked)
	}
	if s.waiters {
		for w := e.queue.nextWaiter(s); w != nil; w = e.queue.nextWaiter(s) {
			w.Out = Outcome{Status: NotFound}
			e.answer(lane, w)
		}
		s.waiters = false
	}
}

func (e *Engine) shardOf(s *session) *shard {
	return &e.shards[shardOf(e.hashOf(s))]
}
