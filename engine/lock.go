package engine

import (
	"math"
	"time"
)

// Cookies count up from firstCookie within the life of a session; a new session's first lock is 2. See docs/protocol.md §7.8.
const (
	newCookie = 1
	maxCookie = 2147483646
)

// lock is the exclusive-access state of one session. It has no mutex and no clock: who has entered the session calls it.
//
// Invariant: cookie never goes down but for the wrap after maxCookie, and each acquire hands out a new one. See docs/lock.md.
type lock struct {
	since  int64  // Time.Mono of the acquire
	date   int64  // Time.Date of the acquire
	cookie uint32 // of the latest lock, or newCookie
	held   bool

	reported bool // has been counted as left behind; see audit

	// skip is how many cookies above cookie have been given out by another copy of the session, which has given way to this one: they are not given out again
	// when this lock has ended. 0 unless held.
	skip uint16
}

// acquire takes a free lock and returns its cookie.
func (l *lock) acquire(now Time) uint32 {
	if l.held {
		panic("engine: acquire of a held lock")
	}
	if l.cookie >= maxCookie {
		l.cookie = newCookie
	}
	l.cookie++
	l.held, l.reported, l.since, l.date = true, false, now.Mono, now.Date
	return l.cookie
}

// release gives the lock back. The cookie stays used.
func (l *lock) release() {
	l.cookie = min(l.cookie+uint32(l.skip), maxCookie)
	l.held, l.skip = false, 0
}

// adopt makes the lock that of a parcel, held or not, by its own cookie; the next cookie is above all that have been given out on either side.
func (l *lock) adopt(now Time, p *Parcel) {
	last := max(l.cookie+uint32(l.skip), p.Cookie+uint32(p.Skip))
	*l = lock{cookie: min(last, maxCookie)} // beyond it no peer takes the session
	if p.Locked {
		l.cookie, l.skip = p.Cookie, uint16(min(last-p.Cookie, math.MaxUint16))
		l.held, l.since, l.date = true, now.Mono-p.LockAge, now.Date-p.LockAge/100
	}
}

// admits reports whether a request with this cookie, or none, may change the session.
func (l *lock) admits(has bool, cookie uint32) bool {
	return !l.held || has && cookie == l.cookie
}

// age is how long the lock has been held, in whole seconds. Never negative.
func (l *lock) age(now Time) int64 { return max(0, now.Mono-l.since) / int64(time.Second) }
