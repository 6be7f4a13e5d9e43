package engine

import "bytes"

// act carries out a ticket in an entered, living session, and answers or parks it. It returns false if the session must stay entered, because
// it is leaving for another node, or until what has changed has been confirmed.
func (e *Engine) act(now Time, lane int, s *session, t *Ticket) bool {
	t.Out = Outcome{}
	var c *Change
	if mode := Mirroring(e.mirroring.Load()); mode != MirrorNone {
		c = e.changes(now, s, t, mode)
		t.held = c
	}
	if t.revoke {
		if s.lock.held && s.lock.cookie == t.Cookie {
			e.unlock(now, lane, s, c)
		}
		return e.settleChange(now, lane, s, c)
	}
	if !t.late && t.Op != Leave { // a waiter's timer slid when it arrived (§8.3); a move is no hit
		s.slide(now) // every hit does, whatever comes of it (§7.10)
		if t.Op.asksAgain() {
			s.marks |= reread
		}
	}
	switch t.Op {
	case Get, Acquire, Release:
		e.read(now, lane, s, t, c)
	case Set:
		e.set(now, lane, s, t, c)
	case Remove:
		if !s.lock.admits(t.HasCookie, t.Cookie) {
			s.refusal(&t.Out, now)
			e.answer(lane, t)
			break
		}
		if c != nil { // it goes when its copies have gone
			c.Removed, c.dirty = true, true
			e.answer(lane, t)
			break
		}
		e.bury(lane, s)
		e.counts.add(lane, countRemoved)
		e.answer(lane, t)
	case Touch:
		e.answer(lane, t)
	case Leave:
		return e.depart(now, lane, s, t)
	}
	return c == nil || e.settleChange(now, lane, s, c)
}

// read carries out the GET family. See docs/protocol.md §7.3.
func (e *Engine) read(now Time, lane int, s *session, t *Ticket, c *Change) {
	out := &t.Out
	if s.marks.has(uninit) { // any kind of GET reports it, whatever comes of it (§7.7)
		s.marks.set(uninit, false)
		out.Uninitialized = true
	}
	switch {
	case t.Op == Release:
		switch {
		case !t.HasCookie:
			out.Status = NoCookie
		case !s.lock.admits(true, t.Cookie):
			s.refusal(out, now)
		case s.lock.held:
			e.answer(lane, t)
			e.unlock(now, lane, s, c)
			return
		}
	case s.lock.held:
		if t.Op == Acquire && !t.late && e.wait(now, s, t) {
			return
		}
		s.refusal(out, now)
	case t.Op == Acquire:
		if !e.grant(now, lane, s, t, c) {
			e.unlock(now, lane, s, c) // the requester went away while it was queued (§8.9)
		}
		return
	default:
		s.content(out)
	}
	e.answer(lane, t)
}

// grant gives a free lock to a ticket. It reports whether the requester took it. If there is a change to be told that is not known yet; see conclude.
func (e *Engine) grant(now Time, lane int, s *session, t *Ticket, c *Change) bool {
	s.slide(now) // a waiter's timer has run since it arrived (§8.3)
	t.Out.Cookie = s.lock.acquire(now)
	s.holder = t.Client
	c.touch(false)
	if c != nil {
		t.held, c.grant, c.cookie = c, t, t.Out.Cookie
	}
	s.content(&t.Out)
	e.counts.add(lane, countLocked)
	return e.answer(lane, t)
}

// unlock takes the lock away from its holder and hands it to the first waiter that is still there, in one step: nobody can find
// the session unlocked in between. See docs/protocol.md §8.4.
func (e *Engine) unlock(now Time, lane int, s *session, c *Change) {
	for {
		s.lock.release()
		c.touch(false)
		e.counts.add(lane, countUnlocked)
		if !s.marks.has(waiters) {
			return
		}
		w := e.queue.nextWaiter(s)
		if w == nil {
			s.marks.set(waiters, false)
			return
		}
		w.Out = Outcome{}
		if e.grant(now, lane, s, w, c) {
			e.counts.add(lane, countGranted)
			return
		}
		// The waiter went away in this very moment: its cookie stays used, the lock goes on (§8.9).
	}
}

// set stores a body. See docs/protocol.md §7.4.
func (e *Engine) set(now Time, lane int, s *session, t *Ticket, c *Change) {
	switch {
	case t.InsertOnly: // decided before lock and cookie are looked at
		e.drop(t)
	case !s.lock.admits(t.HasCookie, t.Cookie):
		e.drop(t)
		s.refusal(&t.Out, now)
	case !e.store(lane, s, t, c):
		e.refuse(t)
	default:
		if s.minutes != t.Minutes {
			e.setMinutes(now, s, t.Minutes)
			s.marks.set(uninit, false)
			c.touch(true)
		}
		held := s.lock.held
		e.answer(lane, t)
		if held {
			e.unlock(now, lane, s, c)
		}
		return
	}
	e.answer(lane, t)
}

// store makes the ticket's body the content. It returns false, and has changed nothing, if there is no memory for it.
func (e *Engine) store(lane int, s *session, t *Ticket, c *Change) bool {
	switch {
	case s.body.len() == len(t.Body) && bytes.Equal(s.body.bytes(), t.Body):
		// An identical save: nothing to copy here, nothing to send to a mirror.
		e.drop(t)
		e.counts.add(lane, countIdentical)
		return true
	case t.Owned:
		old := s.body.cap()
		s.body = makeBlob(t.Body) // accounted for by Reserve
		e.memory.take(-int64(old))
	case fits(s.body.cap(), len(t.Body)):
		s.body.overwrite(t.Body)
	default:
		fresh := append([]byte(nil), t.Body...)
		if !e.memory.take(int64(cap(fresh) - s.body.cap())) {
			return false
		}
		s.body = makeBlob(fresh)
	}
	raise(&s.version)
	c.touch(true)
	return true
}

// fits reports whether n bytes may be written over a body of this capacity: it is large enough, not so large that much would be wasted,
// and nobody can hold an alias of it.
func fits(capacity, n int) bool {
	return n <= capacity && capacity <= bodyShared && capacity <= 2*n+64
}

// setMinutes changes the sliding life and starts it anew.
func (e *Engine) setMinutes(now Time, s *session, minutes uint32) {
	s.minutes = minutes
	s.slide(now)
	e.enrol(s)
}

// drop gives back the body of a ticket that is not stored.
func (e *Engine) drop(t *Ticket) {
	if t.Owned {
		e.memory.take(-int64(cap(t.Body)))
		t.Body = nil
	}
}

// refuse drops a save for which there is no memory. The requester must learn of it (§6.5).
func (e *Engine) refuse(t *Ticket) {
	e.opt.Events.Refused(Refusal{Key: string(t.Key), Bytes: len(t.Body), Used: e.memory.used.Load(), Max: e.memory.max})
	e.drop(t)
	t.Out.Status = Refused
}
