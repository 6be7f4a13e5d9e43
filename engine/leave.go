package engine

// Leaving is a session on its way to another node. It is out of service until Left or Stayed is called, one of which must happen once.
type Leaving struct {
	trip
	began int64 // Time.Mono
}

// depart carries out a Leave in an entered, living session. It returns false if the session must stay entered, because it is leaving.
func (e *Engine) depart(now Time, lane int, s *session, t *Ticket) bool {
	if t.Look && !e.doubtful(now) {
		e.answer(lane, t)
		return true
	}
	if e.doubtful(now) { // it may be another node's by now: ask again when that is known
		s.refusal(&t.Out, now)
		e.answer(lane, t)
		return true
	}
	if !t.Urgent && s.lock.held && e.queue.waitedFor(s) {
		// Who wants it only to wait for the lock waits there, or two nodes with waiters would throw the session to and fro.
		s.refusal(&t.Out, now)
		e.answer(lane, t)
		return true
	}
	x := &Leaving{trip: trip{session: s}, began: now.Mono}
	before := s.gen
	raise(&s.gen)
	t.Leaving = x
	e.queue.depart(&x.trip) // Must come before the answer: whoever gets it may end the trip at once.
	if e.answer(lane, t) {
		return false
	}
	s.gen = before // a peer that has gone cannot take it
	e.queue.land(&x.trip)
	return true
}

// waitedFor reports whether anybody waits for an entered session's lock.
func (q *queue) waitedFor(s *session) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return s.box != nil && s.box.waiters.n > 0
}

// Parcel describes the session of a Leave ticket that was answered OK. It cannot change until Left or Stayed is called, but for what is left of its life;
// p.Body stays valid and as it is even after that.
func (e *Engine) Parcel(now Time, x *Leaving) Parcel { return x.session.parcel(now) }

// Left says that the other node has the session. Those who wait or are queued for it look for it again, elsewhere.
func (e *Engine) Left(lane int, x *Leaving) {
	if _, ok := e.queue.land(&x.trip); !ok {
		return
	}
	s := x.session
	e.queue.requeueWaiters(s, x.began)
	e.bury(lane, s)
	e.counts.add(lane, countLeft)
	e.leave(lane, s)
}

// Stayed says that the session could not be handed over: it is served here again. Its generation stays raised, so that a word about this hand-over that
// comes late cannot be taken for one about the next.
func (e *Engine) Stayed(lane int, x *Leaving) {
	if _, ok := e.queue.land(&x.trip); ok {
		e.leave(lane, x.session)
	}
}
