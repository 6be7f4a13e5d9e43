package engine

import "time"

// Elsewhere knows where else a session may be.
type Elsewhere interface {
	// Nowhere reports whether it is known, without asking, that no other node has the session. It must be quick and must not block: it is also called
	// with a shard's mutex held.
	//
	// It must turn false before a Leave for the key is handed in on behalf of another node, and only a search that begins after that Leave has been answered
	// may make it true again, before it calls Engine.Missing. Nor may it be true while the session is leaving, or elsewhere. See settle.
	Nowhere(hash uint64, key []byte) bool
	// Find asks for a session that is not here. Requests for it are queued until Engine.Arrived, Missing or Undecided is called with f, which must happen
	// once unless f is Done. Find must not block, and must not call the engine before it has returned.
	Find(f *Fetch)
}

// Fetch is a session that is being looked for. The fields do not change, but for Floor.
type Fetch struct {
	Key    string
	Target string // the key as the requester spelt it; see Ticket.Target. Empty if not known
	Urgent bool   // the first request for it is a Set, a Release or a Remove
	// Floor is the generation with which a session begins that is made because this one is nowhere. Missing's caller may set it before.
	Floor    uint32
	Deadline int64 // Time.Mono until which an answer is of use: the first request has arrived Options.FarmWait before

	trip
}

// Done reports whether the search has been ended: by Arrived, Missing or Undecided, or because Place has brought the session. May be called from any
// goroutine, also before Find.
func (f *Fetch) Done() bool { return f.over.Load() }

// minFarmWait is the least that a search may take, so that one whose requester has waited before has a chance to be answered.
const minFarmWait = 10 * time.Millisecond

// mayBeElsewhere reports whether another node has to be asked about a session that is not here.
func (e *Engine) mayBeElsewhere(hash uint64, key []byte) bool {
	return e.opt.Elsewhere != nil && !e.opt.Elsewhere.Nowhere(hash, key)
}

// fetch makes a place for a session that is not here, queues the ticket there, and asks elsewhere. It returns false if the session has appeared
// meanwhile.
func (e *Engine) fetch(now Time, lane int, t *Ticket) bool {
	end := t.since + int64(e.opt.FarmWait)
	if end <= now.Mono {
		if !t.revoke {
			e.counts.add(lane, countFarmCuts)
		}
		e.cut(now, lane, t)
		return true
	}
	s := e.newSession(t.Key)
	if !e.memory.take(s.cost()) {
		e.noRoom(now, lane, t)
		return true
	}
	s.life = sought
	s.gate.tryEnter() // nobody else knows it; held until the answer is there
	f := &Fetch{
		Key: string(s.key()), Target: string(t.Target), Urgent: t.Op == Set || t.Op == Release || t.Op == Remove,
		Deadline: max(end, now.Mono+int64(minFarmWait)), trip: trip{session: s, inward: true},
	}
	e.queue.depart(&f.trip) // Must come before settle: from then on others see it.
	if !e.settle(t.Hash, t.Key, s, false) {
		e.memory.take(-s.cost())
		e.queue.land(&f.trip)
		e.queue.leave(lane, s)
		return false
	}
	e.counts.add(lane, countFetches)
	e.enqueue(now, lane, s, t) // from here on the ticket may be answered, and its caller may use it again
	e.opt.Elsewhere.Find(f)
	return true
}

// noRoom answers a ticket whose session cannot be looked for, for want of memory.
func (e *Engine) noRoom(now Time, lane int, t *Ticket) {
	if t.Op != Set {
		e.cut(now, lane, t)
		return
	}
	e.refuse(t)
	e.answer(lane, t)
}

// Arrived says that a session that was looked for is here now. The engine takes ownership of p.Body, and of its reservation. It returns how many requests
// are queued for the session; they are served by Run.
//
// If f is Done already nothing happens, p stays the caller's, and the result is negative: what is here may be older, so the caller should Place p.
func (e *Engine) Arrived(now Time, lane int, f *Fetch, p Parcel) (waiting int) {
	waiting, ok := e.queue.land(&f.trip)
	if !ok {
		return -1
	}
	e.moveIn(now, lane, f.session, &p)
	return waiting
}

// moveIn puts a session that has arrived into its placeholder, which is entered, and leaves it.
func (e *Engine) moveIn(now Time, lane int, s *session, p *Parcel) {
	e.memory.force(p.unpaid()) // beyond the cap, if need be: it exists, and must not be lost
	s.load(now, p)
	e.enrol(s)
	e.queue.inhabit(s)
	e.countArrival(lane, p)
	e.queue.leave(lane, s)
}

func (e *Engine) countArrival(lane int, p *Parcel) {
	e.counts.add(lane, countArrived)
	if p.Locked {
		e.counts.add(lane, countLocked)
	}
}

// Missing says that a session that was looked for is nowhere. The requests that are queued for it are served so, in order: the first save among them
// makes a new session. If f is Done already nothing happens.
func (e *Engine) Missing(_ Time, lane int, f *Fetch) {
	if _, ok := e.queue.land(&f.trip); !ok {
		return
	}
	f.session.life, f.session.gen = void, f.Floor
	e.leaveTurn(lane, f.session)
}

// Undecided says that nobody can tell where a session is. The requests that are queued for it are cut: they may come again, but nothing may be created
// for them. If f is Done already nothing happens.
func (e *Engine) Undecided(now Time, lane int, f *Fetch) {
	if _, ok := e.queue.land(&f.trip); !ok {
		return
	}
	all := e.queue.takeAll(f.session)
	e.bury(lane, f.session)
	e.counts.add(lane, countUndecided)
	e.cutAll(now, lane, all)
	e.queue.leave(lane, f.session)
}
