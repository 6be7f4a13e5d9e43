package engine

import (
	"sync/atomic"
	"time"
)

// trip is the way of a session from another node to this one, or from here to another. Meanwhile the session is away: its gate is held on behalf of the
// trip, so whoever wants the session is queued for it.
//
// Invariant: a session that is away has a mailbox, which names its trip; and the queue lists all trips. Whoever ends a trip, which one caller does, has
// entered the session thereby.
type trip struct {
	session *session // static after construction
	inward  bool     // the session is looked for; otherwise it is leaving, or a change is to be confirmed. Static after construction
	change  *Change  // which one; nil if none. Static after construction

	over atomic.Bool // set once, under queue.mu

	// Guarded by queue.mu.

	prev, next *trip // in queue.trips
}

// Bounds on what is queued for a session that is away. See docs/lock.md.
const (
	// transferGrace is how long every request may wait for a session that is away, however many there are: a page with all it loads comes within
	// this time, whereas what is still behind Options.TransferQueue others then is a sign of contention.
	transferGrace = int64(100 * time.Millisecond)

	// maxLeaves is how many requests to hand over one session may be queued for it. One more is told to try again.
	maxLeaves = 64

	// tripBudget bounds the trips that one Tick looks at; the rest follows in the next ticks.
	tripBudget = 4096
)

// depart says that an entered session, or one that nobody else knows yet, is away from now on.
func (q *queue) depart(x *trip) {
	q.mu.Lock()
	defer q.mu.Unlock()
	box := q.boxLocked(x.session)
	box.trip, box.hollow = x, x.inward
	q.pushTripLocked(x)
}

func (q *queue) pushTripLocked(x *trip) {
	x.prev, x.next = q.tripTail, nil
	if q.tripTail != nil {
		q.tripTail.next = x
	} else {
		q.tripHead = x
	}
	q.tripTail = x
	q.trips++
}

func (q *queue) removeTripLocked(x *trip) {
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		q.tripHead = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	} else {
		q.tripTail = x.prev
	}
	x.prev, x.next = nil, nil
	q.trips--
}

// land ends a trip: the caller has entered the session from now on, and must leave it. It returns how many requests are queued, and false if the trip was
// over already.
func (q *queue) land(x *trip) (queued int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if x.over.Load() {
		return 0, false
	}
	n := x.session.box.tickets.n
	q.landLocked(x)
	return n, true
}

// landLocked ends a trip. The mailbox of a session that was looked for stays for the time being, because it says that the record is hollow: the session
// must be left with queue.leave. Requires q.mu held.
func (q *queue) landLocked(x *trip) {
	x.over.Store(true)
	x.session.box.trip = nil
	q.removeTripLocked(x)
	if !x.inward {
		q.tidyLocked(x.session)
	}
}

// landSought is land for a session that is being looked for, whoever looks. It returns false if it is not.
func (q *queue) landSought(s *session) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.box == nil || s.box.trip == nil || !s.box.trip.inward {
		return false
	}
	q.landLocked(s.box.trip)
	return true
}

// away tells whether a session is away, and which way. Requires nothing; the answer may be old when it is there.
func (q *queue) away(s *session) (away, inward bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.box == nil || s.box.trip == nil {
		return false, false
	}
	return true, s.box.trip.inward
}

// isHollow reports whether there is no session in this record, only the place for one. For who has not entered it.
func (q *queue) isHollow(s *session) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return s.box != nil && s.box.hollow
}

// inhabit says that there is a session in the record from now on. Requires it entered.
func (q *queue) inhabit(s *session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.box != nil {
		s.box.hollow = false
	}
}

// idle reports whether nothing is queued for an entered session.
func (q *queue) idle(s *session) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return s.box == nil || s.box.tickets.n == 0
}

// takeAll takes all that is queued for an entered session.
func (q *queue) takeAll(s *session) (all list) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for s.box != nil && s.box.tickets.head != nil {
		t := s.box.tickets.head
		q.takeLocked(s, t)
		all.push(t)
	}
	return all
}

// requeueWaiters moves those who wait for the session's lock to the front of its queue: they came before all that are queued (§8.8). What they may
// wait for the farm begins at since: until then they have waited for the lock. Requires the session entered.
func (q *queue) requeueWaiters(s *session, since int64) {
	s.marks.set(waiters, false)
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.box == nil {
		return
	}
	for t := s.box.waiters.tail; t != nil; t = s.box.waiters.tail {
		q.unwaitLocked(s, t)
		t.place, t.session, t.since = queued, s, max(t.since, since)
		s.box.tickets.pushFront(t)
		q.queued++
		s.gate.offer()
	}
}

// trim takes out of the queue of one session that is away the tickets that have waited too long for it: overdue ones longer than they may, and surplus
// ones, which stand behind too many others. The next call looks at the next session.
func (q *queue) trim(now Time) (overdue, surplus list) {
	q.mu.Lock()
	defer q.mu.Unlock()
	x := q.tripHead
	if x == nil {
		return overdue, surplus
	}
	q.removeTripLocked(x)
	q.pushTripLocked(x)
	s, ahead := x.session, 0
	if c := x.change; c != nil && c.began+q.farmWait <= now.Mono {
		for t := c.answers.head; t != nil; t = c.answers.head {
			q.dropAnswerLocked(t)
			overdue.push(t)
		}
	}
	for t := s.box.tickets.head; t != nil; {
		next := t.next
		switch {
		case t.revoke: // nobody waits for an answer
		case t.since+q.farmWait <= now.Mono:
			q.takeLocked(s, t)
			overdue.push(t)
		case t.Op == Leave:
		case ahead >= q.transferQueue && t.Op <= Acquire && now.Mono-t.since > transferGrace:
			q.takeLocked(s, t)
			surplus.push(t)
		default:
			ahead++
		}
		t = next
	}
	return overdue, surplus
}

// trimTrips bounds what waits for sessions that are away.
func (e *Engine) trimTrips(now Time) {
	e.queue.mu.Lock()
	n := min(e.queue.trips, tripBudget)
	e.queue.mu.Unlock()
	for range n {
		overdue, surplus := e.queue.trim(now)
		e.counts.addN(NoLane, countFarmCuts, e.cutAll(now, NoLane, overdue))
		e.counts.addN(NoLane, countTransferCuts, e.cutAll(now, NoLane, surplus))
	}
}

// cutAll cuts tickets that have been taken out of a queue. It returns how many of them were requests of clients.
func (e *Engine) cutAll(now Time, lane int, all list) (requests int64) {
	for t := all.head; t != nil; {
		next := t.next // Must come first: an answered ticket is its caller's.
		t.prev, t.next = nil, nil
		if t.Op != Leave && !t.revoke {
			requests++
		}
		e.cut(now, lane, t)
		t = next
	}
	return requests
}

// cut answers a ticket that cannot wait any longer. A read or acquire is told to come back, and so is a peer.
func (e *Engine) cut(now Time, lane int, t *Ticket) {
	if t.revoke {
		return // nobody asked
	}
	e.drop(t)
	t.Out = Outcome{Status: Cut, LockDate: now.Date}
	if t.Op == Leave {
		t.Out.Status = Locked
	}
	e.answer(lane, t)
}
