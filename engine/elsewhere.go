package engine

// Elsewhere knows where else a session may be.
type Elsewhere interface {
	// Find asks for a session that is not here. Requests for it are queued until Engine.Arrived or Engine.Missing is called with f, which must happen
	// exactly once. Find must not block, and must not call the engine before it has returned.
	Find(f *Fetch)
}

// Fetch is a session that is being looked for.
type Fetch struct {
	Key     string
	session *session
}

// Parcel is everything about a session that travels with it.
type Parcel struct {
	Key           string
	Body          []byte // at least one byte
	Minutes       uint32 // sliding life
	Left          int64  // ns of it that remain; meaningless if Minutes is 0
	Version       uint64 // saves so far
	Uninitialized bool
	Cookie        uint32 // of the latest lock; 1 if there has been none
	Locked        bool
	LockAge       int64 // ns
}

// fetch makes a place for a session that is not here, queues the ticket there, and asks elsewhere. It returns false if the session has appeared
// meanwhile.
func (e *Engine) fetch(now Time, lane int, t *Ticket) bool {
	s := e.newSession(t.Key)
	if !e.memory.take(s.cost()) {
		if t.Op == Set {
			e.refuse(t)
		} else {
			t.Out = Outcome{Status: Cut, LockDate: now.Date}
		}
		e.answer(lane, t)
		return true
	}
	s.gate.tryEnter() // nobody else knows it; held until the answer is there
	if !e.settle(t.Hash, t.Key, s) {
		e.memory.take(-s.cost())
		return false
	}
	e.counts.add(lane, countFetches)
	e.enqueue(now, lane, s, t)
	e.opt.Elsewhere.Find(&Fetch{Key: string(s.key()), session: s})
	return true
}

// Arrived says that a session that was looked for is here now. The engine takes ownership of p.Body. The requests that were queued for it are
// served.
func (e *Engine) Arrived(now Time, lane int, f *Fetch, p Parcel) {
	s := f.session
	e.memory.force(int64(cap(p.Body))) // beyond the cap, if need be: it exists, and must not be lost
	s.body, s.version, s.uninit = makeBlob(p.Body), p.Version, p.Uninitialized
	s.lock.cookie = p.Cookie
	if p.Locked {
		s.lock.held, s.lock.since, s.lock.date = true, now.Mono-p.LockAge, now.Date-p.LockAge/100
		e.counts.add(lane, countLocked)
	}
	s.minutes, s.expires = p.Minutes, now.Mono+p.Left
	h := e.shardOf(s)
	h.mu.Lock()
	h.wheel.add(s)
	h.mu.Unlock()
	e.counts.add(lane, countArrived)
	e.leave(lane, s)
}

// Missing says that a session that was looked for is nowhere. The requests that were queued for it are answered so; a save among them makes
// a new session.
func (e *Engine) Missing(lane int, f *Fetch) {
	f.session.missed = true
	e.bury(lane, f.session)
	e.leave(lane, f.session)
}

// Parcel describes the session of a Leave ticket that was answered OK. The session is out of service and cannot change until Left or Stayed is
// called. p.Body aliases it until then.
func (e *Engine) Parcel(now Time, x *Leaving) Parcel {
	s := x.session
	p := Parcel{
		Key: string(s.key()), Body: s.body.bytes(), Minutes: s.minutes, Left: max(0, s.expires-now.Mono), Version: s.version,
		Uninitialized: s.uninit, Cookie: s.lock.cookie, Locked: s.lock.held,
	}
	if p.Locked {
		p.LockAge = max(0, now.Mono-s.lock.since)
	}
	return p
}

// Leaving is a session on its way to another node.
type Leaving struct{ session *session }

// Left says that the other node has the session. Those who wait or are queued for it look for it again, elsewhere.
func (e *Engine) Left(lane int, x *Leaving) {
	s := x.session
	e.queue.requeueWaiters(s)
	s.waiters = false
	e.bury(lane, s)
	e.counts.add(lane, countLeft)
	e.leave(lane, s)
}

// Stayed says that the session could not be handed over: it is served here again.
func (e *Engine) Stayed(lane int, x *Leaving) { e.leave(lane, x.session) }

// requeueWaiters moves those who wait for the session's lock to the front of its queue: they came before all that are queued (§8.8). Requires the
// session entered.
func (q *queue) requeueWaiters(s *session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.box == nil {
		return
	}
	for t := s.box.waiters.tail; t != nil; t = s.box.waiters.tail {
		q.unwaitLocked(s, t)
		t.place, t.session = queued, s
		s.box.tickets.pushFront(t)
		q.queued++
		s.gate.offer()
	}
}
