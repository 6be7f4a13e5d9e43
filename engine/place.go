package engine

// Placed says what became of a session that came without being asked for.
type Placed uint8

// The results of Place. After the first three the engine owns the parcel's body and its reservation, after the others they are still the caller's.
const (
	PlacedNew    Placed = iota // there was none; it is here now
	PlacedSought               // it was being looked for; it is here now, and the search is over
	PlacedNewer                // an older copy was here, and has been replaced
	KeptNewer                  // the copy that is here is at least as new, and stays
	PlacedBusy                 // somebody is in the session, or it is leaving: nothing has been done; try again
)

var placedNames = [...]string{"new", "sought", "newer", "kept_newer", "busy"}

// String returns the result's name.
func (p Placed) String() string { return placedNames[p] }

// Place puts a session here that comes from another node although nobody here has asked for it: at the other's end, or because its last word was late.
// There may be a copy here already: the newer stays, by generation and version. Never blocks.
func (e *Engine) Place(now Time, lane int, p Parcel) Placed {
	key := []byte(p.Key)
	hash := e.Hash(key)
	for {
		s := e.index.find(hash, key)
		switch {
		case s == nil:
			if e.placeNew(now, lane, hash, key, &p) {
				return PlacedNew
			}
			// Somebody else was quicker.
		case s.gate.tryEnter():
			if result, ok := e.placeOver(now, lane, s, &p); ok {
				return result
			}
			// It was just gone.
		case e.queue.landSought(s):
			e.moveIn(now, lane, s, &p)
			return PlacedSought
		default:
			return PlacedBusy
		}
	}
}

// placeNew makes a record for a session. It returns false if there is one already.
func (e *Engine) placeNew(now Time, lane int, hash uint64, key []byte, p *Parcel) bool {
	s := e.newSession(key)
	cost := s.cost() + p.unpaid()
	s.load(now, p)
	e.memory.force(cost) // beyond the cap, if need be: it exists, and must not be lost
	if !e.settle(hash, key, s, false) {
		e.memory.force(-cost)
		return false
	}
	e.countArrival(lane, p)
	return true
}

// placeOver compares the parcel with the session that is here, which is entered and which it leaves. It returns false if that is gone.
func (e *Engine) placeOver(now Time, lane int, s *session, p *Parcel) (Placed, bool) {
	defer e.leave(lane, s)
	if e.gone(now, lane, s) {
		return 0, false
	}
	if !p.newer(s) {
		e.counts.add(lane, countKeptNewer)
		return KeptNewer, true
	}
	e.replace(now, lane, s, p)
	return PlacedNewer, true
}

// replace makes an entered session the newer one of a parcel. Who waits for its lock has to look at the new one.
func (e *Engine) replace(now Time, lane int, s *session, p *Parcel) {
	e.memory.force(p.unpaid() - int64(s.body.cap()))
	held := s.lock.held
	s.load(now, p)
	switch {
	case held && !s.lock.held:
		e.counts.add(lane, countUnlocked)
	case !held && s.lock.held:
		e.counts.add(lane, countLocked)
	}
	e.enrol(s)
	e.queue.requeueWaiters(s, now.Mono)
	e.counts.add(lane, countReplaced)
}

// Sight is what can be seen of a session from outside.
type Sight struct {
	State        SightState
	Gen, Version uint32 // SightHere only
}

// SightState says where a session is.
type SightState uint8

// The states.
const (
	SightAbsent   SightState = iota
	SightHere                // it is served here
	SightSought              // it is being looked for
	SightAway                // it is leaving
	SightOccupied            // somebody is in it or queued for it this very moment, so that nothing can be said; look again
)

var sightNames = [...]string{"absent", "here", "sought", "away", "occupied"}

// String returns the state's name.
func (s SightState) String() string { return sightNames[s] }

// Look tells where a session is, and changes nothing: it is no hit.
func (e *Engine) Look(now Time, key []byte) Sight {
	s := e.index.find(e.Hash(key), key)
	if s == nil {
		return Sight{}
	}
	if !s.gate.tryEnter() {
		switch away, inward := e.queue.away(s); {
		case !away:
			return Sight{State: SightOccupied}
		case inward:
			return Sight{State: SightSought}
		default:
			return Sight{State: SightAway}
		}
	}
	defer e.leave(NoLane, s)
	if s.life != alive || s.expired(now) {
		return Sight{}
	}
	return Sight{State: SightHere, Gen: s.gen, Version: s.version}
}

// Room reports whether a session with a content of n bytes could be taken in under the cap for new sessions.
func (e *Engine) Room(n int64) bool { return e.memory.hasRoomNew(sessionCost + n) }

// Keys calls f with the keys of the sessions in one of NumShards shards. Those that come or go meanwhile may be missed, or listed though they have gone. f may
// call the engine.
func (e *Engine) Keys(shard int, f func(key string)) {
	e.index.each(shard, func(s *session) bool {
		if e.present(NoLane, s) {
			f(string(s.key()))
		}
		return true
	})
}

// present reports whether the record is a session, as opposed to the place for one. One that somebody is in counts.
func (e *Engine) present(lane int, s *session) bool {
	if !s.gate.tryEnter() {
		return !e.queue.isHollow(s)
	}
	defer e.leave(lane, s)
	return s.life == alive
}
