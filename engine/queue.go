package engine

import "sync"

// queue holds what cannot go the straight way: for each session with work the tickets queued for it, the run list of those sessions, the
// acquires that wait for a lock, and the sessions that are away (see trip). All of it is the slow path; one mutex guards it, held for a few pointer
// assignments at a time, at most for a look at the tickets of one session, never across a callback or a call out, and across a copy in glimpse only.
type queue struct {
	// Static after construction.
	perSession int
	perLock    int
	wait       int64
	farmWait   int64
	ready      func(lane int)

	transferQueue int

	mu sync.Mutex

	// Guarded by mu.

	runHead, runTail   *session // sessions with queued tickets, each once; linked by mailbox.nextRun
	waitHead, waitTail *Ticket  // all waiters by deadline; one LockWait for all makes that the order of arrival, wherever their sessions have been meanwhile
	tripHead, tripTail *trip    // of all sessions that are away; the next to be looked at by trim first
	waiting            int
	trips              int
	queued             int
	spare              []*mailbox // a few to use again
}

// mailbox is what is queued for one session. Guarded by queue.mu.
type mailbox struct {
	tickets list  // place queued
	waiters list  // place waiting
	leaves  int   // of tickets, those that are a Leave
	trip    *trip // nil unless the session is away
	hollow  bool  // there is no session in the record: it is looked for, or void
	nextRun *session
}

// list is a FIFO of tickets, linked through them.
type list struct {
	head, tail *Ticket
	n          int
}

func (l *list) push(t *Ticket) {
	t.prev, t.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = t
	} else {
		l.head = t
	}
	l.tail = t
	l.n++
}

func (l *list) pushFront(t *Ticket) {
	t.prev, t.next = nil, l.head
	if l.head != nil {
		l.head.prev = t
	} else {
		l.tail = t
	}
	l.head = t
	l.n++
}

func (l *list) remove(t *Ticket) {
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		l.head = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		l.tail = t.prev
	}
	t.prev, t.next = nil, nil
	l.n--
}

func (q *queue) init(opt *Options) {
	q.perSession, q.perLock, q.wait, q.ready = opt.SessionQueue, opt.LockQueue, int64(opt.LockWait), opt.Ready
	q.farmWait, q.transferQueue = int64(opt.FarmWait), opt.TransferQueue
}

// boxLocked returns the session's mailbox. Requires q.mu held.
func (q *queue) boxLocked(s *session) *mailbox {
	if s.box != nil {
		return s.box
	}
	if n := len(q.spare); n > 0 {
		s.box, q.spare = q.spare[n-1], q.spare[:n-1]
	} else {
		s.box = new(mailbox)
	}
	return s.box
}

// maxSpare bounds the mailboxes kept for use again: enough for a burst, too few to matter.
const maxSpare = 256

// tidyLocked gives an empty mailbox back, unless the session is away, or its turn is still to come or to end: that is when it is tidied. Requires
// q.mu held.
func (q *queue) tidyLocked(s *session) {
	if s.box == nil || s.box.tickets.n > 0 || s.box.waiters.n > 0 || s.box.trip != nil || s.gate.queued() {
		return
	}
	s.box.hollow = false
	if len(q.spare) < maxSpare {
		q.spare = append(q.spare, s.box)
	}
	s.box = nil
}

// put queues a parked ticket for a session. It returns OK, or the status with which the ticket must be answered instead.
func (q *queue) put(lane int, s *session, t *Ticket) Status {
	q.mu.Lock()
	if status := q.admitLocked(s, t); status != OK {
		q.mu.Unlock()
		return status
	}
	q.pushLocked(s, t)
	wake := false
	if s.gate.offer() {
		wake = q.pushRunLocked(s)
	}
	q.mu.Unlock()
	if wake {
		q.ready(lane)
	}
	return OK
}

// admitLocked returns OK if a ticket may be queued for a session. Requires q.mu held.
func (q *queue) admitLocked(s *session, t *Ticket) Status {
	box := s.box
	if box == nil || t.revoke {
		return OK
	}
	if t.Op == Leave {
		switch {
		case box.trip != nil && box.trip.inward:
			return Sought // at once: two nodes that look for one session must not wait for each other
		case box.leaves >= maxLeaves:
			return Locked
		}
		return OK
	}
	limit := q.perSession
	if t.Op == Release || t.Op == Remove || t.Op == Touch || t.late {
		limit *= 2 // these end a contention instead of making it, and their callers do not come again
	}
	if box.tickets.n-box.leaves >= limit {
		return Cut
	}
	return OK
}

// pushLocked puts a ticket at the end of a session's queue. Requires q.mu held.
func (q *queue) pushLocked(s *session, t *Ticket) {
	box := q.boxLocked(s)
	t.place, t.session = queued, s
	box.tickets.push(t)
	if t.Op == Leave {
		box.leaves++
	}
	q.queued++
}

// takeLocked takes a ticket out of a session's queue. Requires q.mu held.
func (q *queue) takeLocked(s *session, t *Ticket) {
	s.box.tickets.remove(t)
	if t.Op == Leave {
		s.box.leaves--
	}
	q.queued--
	t.place, t.session = nowhere, nil
}

// pushRunLocked puts a session at the end of the run list. It reports whether the list was empty: somebody must then be told. Requires q.mu held.
func (q *queue) pushRunLocked(s *session) bool {
	if q.runTail == nil {
		q.runHead, q.runTail = s, s
		return true
	}
	q.runTail.box.nextRun = s
	q.runTail = s
	return false
}

// beginTurn takes the first session off the run list, enters it, and takes its first ticket; the ticket is nil if all have been cancelled. It
// returns nil if the list is empty.
func (q *queue) beginTurn() (*session, *Ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.runHead
	if s == nil {
		return nil, nil
	}
	q.runHead = s.box.nextRun
	s.box.nextRun = nil
	if q.runHead == nil {
		q.runTail = nil
	}
	s.gate.beginTurn()
	t := s.box.tickets.head
	if t != nil {
		q.takeLocked(s, t)
	}
	return s, t
}

// leave leaves a session for which tickets may be queued.
func (q *queue) leave(lane int, s *session) {
	q.mu.Lock()
	wake := false
	if s.box != nil && s.box.tickets.n > 0 {
		s.gate.requeue()
		wake = q.pushRunLocked(s)
	} else {
		s.gate.clear()
		q.tidyLocked(s)
	}
	q.mu.Unlock()
	if wake {
		q.ready(lane)
	}
}

// enqueue parks a ticket in its session's queue, or answers it if the session has too many, and a Leave if the session is being looked for.
func (e *Engine) enqueue(now Time, lane int, s *session, t *Ticket) {
	t.Yield = false
	t.Caller.Park(t)
	switch status := e.queue.put(lane, s, t); status {
	case OK:
	case Sought:
		t.Out = Outcome{Status: Sought}
		e.answer(lane, t)
	default:
		e.cut(now, lane, t)
	}
}

// Run serves the sessions of the run list in turn, one ticket each, for at most so many turns. It reports whether there is more
// to do. Never blocks.
func (e *Engine) Run(now Time, lane, turns int) bool {
	for range turns {
		s, t := e.queue.beginTurn()
		if s == nil {
			return false
		}
		e.turn(now, lane, s, t)
	}
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	return e.queue.runHead != nil
}

// turn serves one ticket, or none, in a session that has been entered for it, and leaves the session.
func (e *Engine) turn(now Time, lane int, s *session, t *Ticket) {
	switch {
	case t == nil: // all have been cancelled
	case e.gone(now, lane, s):
		e.leave(lane, s)
		e.do(now, lane, t) // it starts over, and may meet another session with this key
		return
	case s.life == void:
		if !e.actVoid(now, lane, s, t) {
			return
		}
	case !e.act(now, lane, s, t):
		return
	}
	e.leaveTurn(lane, s)
}

// Cancel withdraws a parked ticket. It returns true if the ticket will not be answered, and false if it has been, or is being, answered: a lock
// that came with the answer must then be given back with Revoke. A ticket that waits until a change of its session has been confirmed has been carried out all the
// same; only the lock that it would have got goes to the next.
func (e *Engine) Cancel(t *Ticket) bool {
	q := &e.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	s := t.session
	switch t.place {
	case queued:
		q.takeLocked(s, t) // The session stays on the run list; its turn will find nothing to do.
	case waiting:
		q.unwaitLocked(s, t)
		q.tidyLocked(s)
	case confirming:
		q.dropAnswerLocked(t)
	default:
		return false
	}
	return true
}

// Queued reports whether a parked ticket stands in its session's queue, or has been carried out and waits until that is confirmed: it will be answered soon, whoever
// holds the lock.
func (e *Engine) Queued(t *Ticket) bool {
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	return t.place == queued || t.place == confirming
}
