package engine

// A void placeholder is the record of a session that has been looked for and is nowhere. It stays in the index, in place of the session, until those who
// were queued for it have been served, in order: so a save that is queued creates the session before anybody who comes later is told that there is
// none, and a peer that asks stands in the same queue.
//
// It is no session: it does not expire and is not counted.
//
// Invariant: a void placeholder has been entered or has tickets queued, so the gate is never free and only Run enters it; leaveTurn buries it
// when nobody is left.

// actVoid carries out a ticket in an entered void placeholder, and answers it. It returns false if the record, a session now, must stay entered: mirrors are
// to know of it first.
func (e *Engine) actVoid(now Time, lane int, s *session, t *Ticket) bool {
	t.Out = Outcome{}
	switch {
	case t.revoke: // the lock has gone with the session
	case t.Op == Set:
		return e.fill(now, lane, s, t)
	case t.Op == Leave:
		// From now on the peer may create the session. Those who are queued behind must ask anew: that it is nowhere is no longer known.
		e.bury(lane, s)
		e.notFound(now, lane, t)
	default:
		e.notFound(now, lane, t)
	}
	return true
}

// fill makes an entered void placeholder the session of a Set. If there is no memory for it the placeholder stays void.
func (e *Engine) fill(now Time, lane int, s *session, t *Ticket) bool {
	if e.closed.Load() {
		e.turnAway(lane, t)
		return true
	}
	cost := s.begin(now, t)
	if !e.memory.hasRoomNew(cost) || !e.memory.take(cost) { // the placeholder has paid for the record, but as if a session came
		s.life, s.body, s.minutes = void, blob{}, 0
		e.refuse(t)
		e.answer(lane, t)
		return true
	}
	e.enrol(s)
	e.queue.inhabit(s)
	return e.born(now, lane, s, t)
}

// leaveTurn leaves a session in which a turn or a search has ended. If it is a void placeholder and nobody is queued for it any more, it is buried; who is
// queued in this very moment finds it dead, and starts over.
func (e *Engine) leaveTurn(lane int, s *session) {
	if s.life == void && e.queue.idle(s) {
		e.bury(lane, s)
	}
	e.queue.leave(lane, s)
}
