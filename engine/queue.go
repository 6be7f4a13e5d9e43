package engine

import "sync"

// queue holds what cannot go the straight way: for each session with work the tickets queued for it, the run list of those sessions, and the
// acquires that wait for a lock. All of it is the slow path; one mutex guards it, held for a few pointer assignments at a time, never across
// a copy, a callback or a call out.
type queue struct {
	// Static after construction.
	perSession int
	perLock    int
	wait       int64
	ready      func(lane int)

	mu sync.Mutex

	// Guarded by mu.

	runHead, runTail   *session // sessions with queued tickets, each once; linked by mailbox.nextRun
	waitHead, waitTail *Ticket  // all waiters by deadline; one LockWait for all makes that the order of arrival
	waiting            int
	queued             int
	spare              []*mailbox // a few to use again
}

// mailbox is what is queued for one session. Guarded by queue.mu.
type mailbox struct {
	tickets list // place queued
	waiters list // place waiting
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

// tidyLocked gives an empty mailbox back, unless the session's turn is still to come or to end: that is when it is tidied. Requires q.mu held.
func (q *queue) tidyLocked(s *session) {
	if s.box == nil || s.box.tickets.n > 0 || s.box.waiters.n > 0 || s.gate.queued() {
		return
	}
	if len(q.spare) < maxSpare {
		q.spare = append(q.spare, s.box)
	}
	s.box = nil
}

// put queues a parked ticket for a session, or returns false if the session's queue is full.
func (q *queue) put(lane int, s *session, t *Ticket) bool {
	limit := q.perSession
	if t.Op == Release || t.Op == Remove || t.Op == Touch || t.late {
		limit *= 2 // these end a contention instead of making it, and their callers do not come again
	}
	q.mu.Lock()
	box := q.boxLocked(s)
	if box.tickets.n >= limit && !t.revoke {
		q.mu.Unlock()
		return false
	}
	t.place, t.session = queued, s
	box.tickets.push(t)
	q.queued++
	wake := false
	if s.gate.offer() {
		wake = q.pushRunLocked(s)
	}
	q.mu.Unlock()
	if wake {
		q.ready(lane)
	}
	return true
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
		s.box.tickets.remove(t)
		t.place, t.session = nowhere, nil
		q.queued--
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

// enqueue parks a ticket in its session's queue, or cuts it if the session has too many.
func (e *Engine) enqueue(now Time, lane int, s *session, t *Ticket) {
	t.Yield = false
	t.Caller.Park(t)
	if e.queue.put(lane, s, t) {
		return
	}
	e.drop(t)
	t.Out = Outcome{Status: Cut, LockDate: now.Date}
	e.answer(lane, t)
}

// Run serves the sessions of the run list in turn, one ticket each, for at most so many turns. It reports whether there is more
// to do. Never blocks.
func (e *Engine) Run(now Time, lane, turns int) bool {
	for range turns {
		s, t := e.queue.beginTurn()
		if s == nil {
			return false
		}
		stays, again := false, false
		if t != nil {
			if e.gone(now, lane, s) {
				again = true
				t.final = s.missed
			} else {
				stays = !e.act(now, lane, s, t)
			}
		}
		if !stays {
			e.queue.leave(lane, s)
		}
		if again {
			e.do(now, lane, t)
		}
	}
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	return e.queue.runHead != nil
}

// Cancel withdraws a parked ticket. It returns true if the ticket will not be answered, and false if it has been, or is being, answered: a lock
// that came with the answer must then be given back with Revoke.
func (e *Engine) Cancel(t *Ticket) bool {
	q := &e.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	s := t.session
	switch t.place {
	case queued:
		s.box.tickets.remove(t)
		q.queued-- // The session stays on the run list; its turn will find nothing to do.
	case waiting:
		q.unwaitLocked(s, t)
		q.tidyLocked(s)
	default:
		return false
	}
	t.place, t.session = nowhere, nil
	return true
}

// Queued reports whether a parked ticket stands in its session's queue: it will be answered soon, whoever holds the lock.
func (e *Engine) Queued(t *Ticket) bool {
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	return t.place == queued
}
