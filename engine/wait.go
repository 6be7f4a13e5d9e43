package engine

// wait parks an acquire among those who wait for the lock of an entered session. It returns false if it may not wait. See docs/protocol.md §8.2.
func (e *Engine) wait(now Time, s *session, t *Ticket) bool {
	q := &e.queue
	if q.wait == 0 {
		return false
	}
	q.mu.Lock()
	full := s.box != nil && s.box.waiters.n >= q.perLock // nobody else can add: the gate is ours
	if t.deadline == 0 {
		t.deadline = now.Mono + q.wait
	}
	over := t.deadline <= now.Mono
	q.mu.Unlock()
	if full || over {
		return false
	}
	t.held = nil // what it has changed, if anything, is not what it waits for
	t.Caller.Park(t)
	q.mu.Lock()
	defer q.mu.Unlock()
	s.marks |= waiters
	t.place, t.session = waiting, s
	q.boxLocked(s).waiters.push(t)
	q.waiting++
	q.lineUpLocked(t)
	return true
}

// lineUpLocked puts a waiter into the list of deadlines. One that waits for the first time belongs at its end. One whose session has moved meanwhile has
// waited before, and stands before those who came since: its deadline has stayed, or a locked session that moves to and fro between nodes where others
// wait would hold it for as long as it is locked. Requires q.mu held.
func (q *queue) lineUpLocked(t *Ticket) {
	after := q.waitTail
	for after != nil && after.deadline > t.deadline {
		after = after.waitPrev
	}
	t.waitPrev, t.waitNext = after, q.waitHead
	if after != nil {
		t.waitNext = after.waitNext
		after.waitNext = t
	} else {
		q.waitHead = t
	}
	if t.waitNext != nil {
		t.waitNext.waitPrev = t
	} else {
		q.waitTail = t
	}
}

// unwaitLocked takes a waiter out of its session's list and out of the list of deadlines. Requires q.mu held.
func (q *queue) unwaitLocked(s *session, t *Ticket) {
	s.box.waiters.remove(t)
	q.waiting--
	if t.waitPrev != nil {
		t.waitPrev.waitNext = t.waitNext
	} else {
		q.waitHead = t.waitNext
	}
	if t.waitNext != nil {
		t.waitNext.waitPrev = t.waitPrev
	} else {
		q.waitTail = t.waitPrev
	}
	t.waitPrev, t.waitNext = nil, nil
	t.place, t.session = nowhere, nil
}

// nextWaiter takes the session's first waiter, or returns nil if there is none.
func (q *queue) nextWaiter(s *session) *Ticket {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.box == nil || s.box.waiters.n == 0 {
		return nil
	}
	t := s.box.waiters.head
	q.unwaitLocked(s, t)
	q.tidyLocked(s)
	return t
}

// overdue takes a waiter whose deadline has passed, or returns nil if there is none.
func (q *queue) overdue(now Time) *Ticket {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.waitHead
	if t == nil || t.deadline > now.Mono {
		return nil
	}
	s := t.session
	q.unwaitLocked(s, t)
	q.tidyLocked(s)
	return t
}

// Revoke takes back a lock whose grant could not be delivered, as by a release, and hands it to the next waiter. The cookie is not used
// again. It does nothing if the lock has been broken or the session is gone. key may be reused on return. See docs/protocol.md §8.9.
//
// A session that has moved on took the lock with it, and it would stay locked for as long as a page may run; so it is fetched, as for a release. That cannot
// take away somebody else's lock: no cookie is given out twice while the session lives, and nobody can remove it and make another one while the lock
// is held, unless he has its cookie. If it does not come within Options.FarmWait that is all that can be done.
func (e *Engine) Revoke(now Time, lane int, key []byte, cookie uint32) {
	t := &Ticket{Op: Release, Cookie: cookie, Key: append([]byte(nil), key...), Caller: nobody{}, revoke: true, since: now.Mono}
	t.Hash = e.Hash(t.Key)
	e.do(now, lane, t)
}

// nobody is the caller of requests that the engine makes itself.
type nobody struct{}

func (nobody) Park(*Ticket)             {}
func (nobody) Answer(*Ticket, int) bool { return true }
