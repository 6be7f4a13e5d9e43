package engine

import "math"

// Mirror keeps copies of this node's sessions elsewhere. Its methods are called with the session's gate held: they must not block, and must not call the engine
// before they have returned.
type Mirror interface {
	// Changed tells of a change that mirrors have to be told. If c.Awaited says so, Confirm, or Supersede, must be called with c, once. It returns false if
	// nobody will be told any more; then that must not be called.
	Changed(c *Change) bool
	// Expired says that a session's time is up. It is not called if only removals are told.
	Expired(key string)
}

// Mirroring says whether changes are told to the Mirror.
type Mirroring uint32

// The ways of mirroring.
const (
	MirrorNone     Mirroring = iota // there is nobody to tell
	MirrorRemovals                  // there is nobody now, but somebody may come with old copies: that a session has been removed is told, and answered at once
	MirrorTell                      // changes are told, and answered at once
	MirrorAwait                     // changes are told, and answered when they have been confirmed
)

// SetMirror installs the Mirror. Must come before the first ticket.
func (e *Engine) SetMirror(m Mirror) { e.mirror = m }

// SetMirroring says how changes are told from now on. May be called at any time once there is a Mirror. Requests that are being carried out at that moment go on as
// before, and changes that are awaited still have to be confirmed.
func (e *Engine) SetMirroring(m Mirroring) { e.mirroring.Store(uint32(m)) }

// SetLease says until when (Time.Mono) this node may answer with what it has, without asking its mirrors: after that they may have let somebody else take
// its sessions over, because they have not heard of it. It counts while changes are awaited. See docs/design/0011-copies.md.
func (e *Engine) SetLease(until int64) { e.lease.Store(until) }

// NoLease is a lease that does not end.
const NoLease = math.MaxInt64

// Change is a change of a session, or, if nothing has changed, a question whether it is still this node's. While it is awaited its session is away: whoever wants
// it is queued, and those who were served by the change have not been told so yet.
type Change struct {
	trip

	// Set before Mirror.Changed; must not be changed after it.

	Key     string
	Parcel  Parcel // the state after the change; without Body unless Content
	Content bool   // the content, or how long it lives, is another
	Removed bool   // the session is gone
	Awaited bool

	began int64 // Time.Mono

	// Owned by who has entered the session.

	dirty  bool    // something has changed, in what mirrors have to know
	grant  *Ticket // who has been given the lock
	cookie uint32  // with this cookie

	// Guarded by queue.mu while the change is awaited.

	answers list // who has not been told yet, in order
	revoked bool // the one who was given the lock has gone
}

// changes returns a Change for a ticket that is about to be carried out in an entered session, or nil if no mirror need know of it.
func (e *Engine) changes(now Time, s *session, t *Ticket, mode Mirroring) *Change {
	if t.Op == Leave || mode == MirrorRemovals && t.Op != Remove {
		return nil
	}
	doubtful := e.doubtful(now)
	if !doubtful && !s.mayChange(t) {
		return nil
	}
	return newChange(now, s, mode, doubtful)
}

// newChange returns a change of an entered session. doubtful says that it is to be told even if nothing has changed.
func newChange(now Time, s *session, mode Mirroring, doubtful bool) *Change {
	c := &Change{began: now.Mono, Awaited: mode == MirrorAwait, dirty: doubtful}
	c.trip.session, c.trip.change = s, c
	return c
}

// mayChange reports whether a ticket may change what mirrors have to know. What it says is not final: a save may turn out to be identical.
func (s *session) mayChange(t *Ticket) bool {
	switch {
	case t.revoke:
		return s.lock.held && s.lock.cookie == t.Cookie
	case t.Op == Acquire:
		return !s.lock.held
	case t.Op == Release:
		return s.lock.held && s.lock.admits(t.HasCookie, t.Cookie)
	case t.Op == Set:
		return !t.InsertOnly && s.lock.admits(t.HasCookie, t.Cookie)
	case t.Op == Remove:
		return s.lock.admits(t.HasCookie, t.Cookie)
	}
	return false
}

// doubtful reports whether this node must ask its mirrors before it answers with what it has, or hands it over.
func (e *Engine) doubtful(now Time) bool {
	return Mirroring(e.mirroring.Load()) == MirrorAwait && now.Mono >= e.lease.Load()
}

// touch says that something has changed, in what mirrors have to know.
func (c *Change) touch(content bool) {
	if c != nil {
		c.dirty, c.Content = true, c.Content || content
	}
}

// settleChange tells a change of an entered session to the mirror, if there is anything to tell, and answers it, if that need not wait. It returns false if the
// session must not be left: it is away until the change has been confirmed.
func (e *Engine) settleChange(now Time, lane int, s *session, c *Change) bool {
	for c != nil {
		if c.dirty {
			c.describe(now, s)
			e.counts.add(lane, countMirrored)
			if c.Awaited {
				e.await(now, lane, c)
				return false
			}
			e.mirror.Changed(c)
		}
		c = e.conclude(now, lane, s, c)
	}
	return true
}

// describe takes down what has become of an entered session.
func (c *Change) describe(now Time, s *session) {
	if c.Content && !c.Removed {
		c.Parcel = s.parcel(now)
	} else {
		c.Parcel = s.view(now)
		c.Parcel.Body = nil
	}
	c.Key = c.Parcel.Key
}

// await tells a change that is awaited: its session is away from now on.
func (e *Engine) await(now Time, lane int, c *Change) {
	for t := c.answers.head; t != nil; t = t.next {
		if t.Op == Set {
			t.Body = nil // it is the content now, or has been dropped: nothing to keep for its sake
		}
		t.Caller.Park(t)
	}
	e.queue.departChange(c) // Must come before Changed: it may be confirmed at once.
	if !e.mirror.Changed(c) {
		e.Confirm(now, lane, c)
	}
}

// release answers those of a change that need not wait any more.
func (e *Engine) release(lane int, c *Change) {
	for t := c.answers.head; t != nil; {
		next := t.next // Must come first: an answered ticket is its caller's.
		t.prev, t.next, t.held = nil, nil, nil
		taken := e.answer(lane, t)
		if !taken && t == c.grant {
			c.revoked = true
		}
		t = next
	}
	c.answers = list{}
}

// departChange says that a session is away until a change of it has been confirmed.
func (q *queue) departChange(c *Change) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for t := c.answers.head; t != nil; t = t.next {
		t.place, t.session = confirming, c.session
	}
	box := q.boxLocked(c.session)
	box.trip = &c.trip
	q.pushTripLocked(&c.trip)
}

// landChange ends the waiting for a change: the caller has entered the session. ok is false if it was over already.
func (q *queue) landChange(c *Change) (ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.over.Load() {
		return false
	}
	for t := c.answers.head; t != nil; t = t.next {
		t.place, t.session, t.held = nowhere, nil, nil
	}
	q.landLocked(&c.trip)
	return true
}

// dropAnswerLocked takes a ticket from those that a change has to answer. Requires q.mu held.
func (*queue) dropAnswerLocked(t *Ticket) {
	c := t.held
	c.answers.remove(t)
	if t == c.grant {
		c.revoked = true
	}
	t.place, t.session, t.held = nowhere, nil, nil
}

// State is the session's state, content included, after a change that has not been confirmed yet; of one that removes the session, the state before. It must not be
// called when the change may have been confirmed.
func (e *Engine) State(now Time, c *Change) Parcel { return c.session.parcel(now) }

// Lift raises a session's generation to gen, if it is lower: a mirror remembers that another one with this key was removed, in a generation that is not lower. If somebody
// is in the session nothing is done.
func (e *Engine) Lift(key []byte, gen uint32) {
	s := e.index.find(e.Hash(key), key)
	if s == nil || !s.gate.tryEnter() {
		return
	}
	if s.life == alive {
		s.gen = max(s.gen, gen)
	}
	e.leave(NoLane, s)
}

// LiftChange is Lift for the session of a change that has not been confirmed yet.
func (e *Engine) LiftChange(c *Change, gen uint32) { c.session.gen = max(c.session.gen, gen) }

// Confirm says that the mirrors know of a change: those who were served by it are told so.
func (e *Engine) Confirm(now Time, lane int, c *Change) {
	if !e.queue.landChange(c) {
		return
	}
	if again := e.conclude(now, lane, c.session, c); e.settleChange(now, lane, c.session, again) {
		e.leave(lane, c.session)
	}
}

// conclude does what has waited until a change was told, or confirmed, in an entered session. If the one who was given the lock has gone meanwhile, the lock goes on,
// which is a change again.
func (e *Engine) conclude(now Time, lane int, s *session, c *Change) (again *Change) {
	if c.Removed {
		e.bury(lane, s)
		e.counts.add(lane, countRemoved)
	}
	e.release(lane, c)
	if !c.revoked || e.gone(now, lane, s) || !s.lock.held || s.lock.cookie != c.cookie {
		return nil
	}
	if mode := Mirroring(e.mirroring.Load()); mode >= MirrorTell {
		again = newChange(now, s, mode, false)
	}
	e.unlock(now, lane, s, again)
	return again
}

// Supersede says that another node has the session, in a newer state: it is not served here any more. Those who were served by the change are told to come
// again, and a save is refused; all others look for the session elsewhere: from before this call on Elsewhere.Nowhere must not be true for it. The result is what it was
// here.
func (e *Engine) Supersede(now Time, lane int, c *Change) (p Parcel, ok bool) {
	if !e.queue.landChange(c) {
		return Parcel{}, false
	}
	s := c.session
	p = s.parcel(now)
	e.cutAll(now, lane, c.answers)
	c.answers = list{}
	e.oust(now, lane, s)
	return p, true
}

// Oust takes a session out of service that another node has, or may have, in a newer state, and returns what it was. Absent says that there is none;
// busy, that somebody is in it or that it is away: then nothing has been done. Never blocks.
func (e *Engine) Oust(now Time, lane int, key []byte) (p Parcel, sight SightState) {
	return e.OustOlder(now, lane, key, math.MaxUint32, math.MaxUint32)
}

// OustOlder is Oust of a session that is not newer than one of this generation and version. One that is newer counts as absent.
func (e *Engine) OustOlder(now Time, lane int, key []byte, gen, version uint32) (p Parcel, sight SightState) {
	s := e.index.find(e.Hash(key), key)
	if s == nil {
		return Parcel{}, SightAbsent
	}
	if !s.gate.tryEnter() {
		return Parcel{}, e.blocked(s)
	}
	if s.life != alive || s.expired(now) || s.gen > gen || s.gen == gen && s.version > version {
		e.leave(lane, s)
		return Parcel{}, SightAbsent
	}
	p = s.parcel(now)
	e.oust(now, lane, s)
	return p, SightHere
}

// oust takes an entered session out of service, and leaves it.
func (e *Engine) oust(now Time, lane int, s *session) {
	e.queue.requeueWaiters(s, now.Mono)
	e.bury(lane, s)
	e.counts.add(lane, countLeft)
	e.counts.add(lane, countSuperseded)
	e.leave(lane, s)
}

// Peek returns a session's state, content included, and changes nothing. sight is SightHere if there is one, and otherwise says why not. Never blocks.
func (e *Engine) Peek(now Time, key []byte) (p Parcel, sight SightState) {
	s := e.index.find(e.Hash(key), key)
	if s == nil {
		return Parcel{}, SightAbsent
	}
	if !s.gate.tryEnter() {
		return Parcel{}, e.blocked(s)
	}
	defer e.leave(NoLane, s)
	if s.life != alive || s.expired(now) {
		return Parcel{}, SightAbsent
	}
	return s.parcel(now), SightHere
}

// blocked says why a session could not be entered.
func (e *Engine) blocked(s *session) SightState {
	switch away, inward := e.queue.away(s); {
	case !away:
		return SightOccupied
	case inward:
		return SightSought
	}
	return SightAway
}

// Idle calls f with the keys of the sessions in one of NumShards shards, for how long (ns) each has not been asked for, at least, and how much (ns) of its life is
// left. Those that live for ever count as asked for just now, and so do those that somebody is in, of which left is 0. f may call the engine; want, which must not,
// says of which sessions f is to be told: the keys of the others are not copied. If it is nil, of all.
func (e *Engine) Idle(now Time, shard int, want func(idle, left int64) bool, f func(key string, idle, left int64)) {
	if want == nil {
		want = func(int64, int64) bool { return true }
	}
	e.index.each(shard, func(s *session) bool {
		if !s.gate.tryEnter() {
			if !e.queue.isHollow(s) && want(0, 0) {
				f(string(s.key()), 0, 0)
			}
			return true
		}
		lives := s.life == alive && !s.expired(now)
		var idle, left int64
		if lives && s.minutes != 0 {
			left = s.expires - now.Mono
			idle = max(0, int64(s.minutes)*minute-left)
		}
		var key string
		wanted := lives && want(idle, left)
		if wanted {
			key = string(s.key())
		}
		e.leave(NoLane, s)
		if wanted {
			f(key, idle, left)
		}
		return true
	})
}
