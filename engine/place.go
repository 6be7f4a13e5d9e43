package engine

import "bytes"

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
	result, _ := e.place(now, lane, &p, &rank{gen: p.Gen})
	return result
}

// Clash is what has become of two states of one session that have met.
type Clash struct {
	Kept    bool    // the one that was here stays
	Gen     uint32  // of the one that stays, from now on
	Version uint32  // of the same
	Lost    *Parcel // the one that has given way; nil if what is in both is the same
}

// Meet is Place for a session that may have been served here without its last holder knowing of that. It is compared as if it were of generation gen: that of before its
// move, which says nothing about which of the two is newer; of two that are equal it is the newer. The one that stays is above the other when they are compared by their
// generations: copies of both may be elsewhere. clash is set if there was one here.
func (e *Engine) Meet(now Time, lane int, p Parcel, gen uint32) (result Placed, clash *Clash) {
	return e.place(now, lane, &p, &rank{gen: gen, lift: true})
}

// rank says how a parcel is compared with what is here.
type rank struct {
	gen   uint32
	lift  bool // what stays is lifted above it, and compared with it
	clash *Clash
}

// newer reports whether a parcel is a later state of the session than this one. Generations are raised by each move and saves by each version, so a copy that was left
// behind by a move is older than the one that moved on, whatever was saved to it since. Requires the session entered.
func (r *rank) newer(p *Parcel, s *session) bool {
	if r.gen != s.gen {
		return r.gen > s.gen
	}
	return p.Version > s.version || p.Version == s.version && p.Gen > s.gen
}

// met takes note of two states, of which the first has given way. Requires the session entered.
func (r *rank) met(lost, stays *Parcel, kept bool) {
	r.clash = &Clash{Kept: kept, Gen: stays.Gen, Version: stays.Version}
	if !bytes.Equal(lost.Body, stays.Body) {
		own := *lost
		r.clash.Lost = &own
	}
}

func (e *Engine) place(now Time, lane int, p *Parcel, r *rank) (Placed, *Clash) {
	key := []byte(p.Key)
	hash := e.Hash(key)
	for {
		s := e.index.find(hash, key)
		switch {
		case s == nil:
			if e.placeNew(now, lane, hash, key, p) {
				return PlacedNew, nil
			}
			// Somebody else was quicker.
		case s.gate.tryEnter():
			if result, ok := e.placeOver(now, lane, s, p, r); ok {
				return result, r.clash
			}
			// It was just gone.
		case e.queue.landSought(s):
			e.moveIn(now, lane, s, p)
			return PlacedSought, nil
		default:
			return PlacedBusy, nil
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
func (e *Engine) placeOver(now Time, lane int, s *session, p *Parcel, r *rank) (Placed, bool) {
	defer e.leave(lane, s)
	if e.gone(now, lane, s) {
		return 0, false
	}
	if !r.newer(p, s) {
		e.counts.add(lane, countKeptNewer)
		if r.lift {
			if s.gen < p.Gen || s.gen == p.Gen && s.version <= p.Version {
				s.gen = p.Gen
				raise(&s.gen)
			}
			here := s.view(now)
			r.met(p, &here, true)
		}
		return KeptNewer, true
	}
	if r.lift {
		here := s.parcel(now)
		r.met(&here, p, false)
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
