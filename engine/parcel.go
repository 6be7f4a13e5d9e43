package engine

import "math"

// Parcel is everything about a session that travels with it.
type Parcel struct {
	Key     string
	Literal bool   // the session's creator spelt the key as it is, without escapes; see Ticket.Target
	Body    []byte // at least one byte
	// Reserved says, of a parcel that is passed to the engine, that cap(Body) has been taken with Engine.Reserve.
	Reserved      bool
	Minutes       uint32 // sliding life
	Left          int64  // ns of it that remain; meaningless if Minutes is 0
	Gen           uint32 // moves so far; see rank.newer
	Version       uint32 // saves so far that changed the content
	Uninitialized bool
	Cookie        uint32 // of the latest lock; 1 if there has been none
	// Skip is how many cookies above Cookie have been given out by a copy of the session that gave way to this one while this one was locked. It is 0
	// unless that has happened during the present lock.
	Skip    uint16
	Locked  bool
	LockAge int64 // ns
}

// unpaid is what the body takes of the memory account beyond what has been reserved for it.
func (p *Parcel) unpaid() int64 {
	if p.Reserved {
		return 0
	}
	return int64(cap(p.Body))
}

// load makes the record the session of a parcel. The caller accounts for the memory, the lock and the wheel. Requires the session entered.
func (s *session) load(now Time, p *Parcel) {
	s.life, s.body = alive, makeBlob(p.Body)
	s.gen, s.version = p.Gen, p.Version
	s.marks.set(uninit, p.Uninitialized)
	s.marks.set(literal, p.Literal)
	s.marks.set(reread, true)                                                       // it may have been, where it comes from
	s.minutes, s.expires = p.Minutes, now.Mono+min(p.Left, int64(p.Minutes)*minute) // never more than a hit would give it; the wheel relies on it
	s.lock.adopt(now, p)
	s.holder = 0 // clients are numbered by each node for itself
}

// parcel describes an entered session. Its body stays as it is when the session is left.
func (s *session) parcel(now Time) Parcel {
	p := s.view(now)
	if !s.shared() {
		p.Body = append([]byte(nil), p.Body...) // it may be overwritten in place when the session is served again
	}
	return p
}

// view is parcel without a copy: unless the body is shared, it is valid until the session is left.
func (s *session) view(now Time) Parcel {
	p := Parcel{
		Key: *s.head + string(s.tail[:s.tailLen]), Literal: s.marks.has(literal), Body: s.body.bytes(), Minutes: s.minutes, Left: max(0, s.expires-now.Mono),
		Gen: s.gen, Version: s.version, Uninitialized: s.marks.has(uninit), Cookie: s.lock.cookie, Skip: s.lock.skip, Locked: s.lock.held,
	}
	if p.Locked {
		p.LockAge = max(0, now.Mono-s.lock.since)
	}
	return p
}

// raise adds one to a generation or a version. At its end it stays: a copy is then no longer newer for it, but never older.
func raise(n *uint32) {
	if *n < math.MaxUint32 {
		*n++
	}
}
