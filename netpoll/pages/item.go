package pages

import (
	"fmt"
	"time"
)

// Item is what a read of a session gives. At most one of Found and Locked is
// true; neither means that there is no such session.
type Item struct {
	Found  bool
	Locked bool
	// Cookie is the lock id: the reader's own if it acquired, the holder's if
	// the session is locked.
	Cookie uint32
	// LockAge is how long the lock is held, as the client understands it.
	LockAge time.Duration
	// Uninitialised asks for Session_Start.
	Uninitialised bool
	// Blob is the content. The caller owns it.
	Blob []byte
}

// item makes of an answer to a read what the real client does. See
// docs/protocol.md §9.5.
func (a *answer) item(now time.Time) (Item, error) {
	switch {
	case a.status == 423 && a.actionFlags != 0:
		return Item{}, fmt.Errorf("pages: a 423 with ActionFlags %d, which the client's assertions exclude", a.actionFlags)
	case a.status == 423:
		return Item{Locked: true, Cookie: uint32(a.cookie), LockAge: a.age(now)}, nil
	case a.status == 404, a.status == 200 && len(a.body) == 0:
		return Item{}, nil
	case a.status == 200:
		return Item{Found: true, Cookie: uint32(a.cookie), Uninitialised: a.actionFlags&1 != 0, Blob: a.body}, nil
	}
	return Item{}, fmt.Errorf("pages: a read was answered %d", a.status)
}

// age returns the age of a lock. LockDate only serves where LockAge is missing
// or negative, and is then taken for a time of this machine's zone.
func (a *answer) age(now time.Time) time.Duration {
	const year = 365 * 24 * 60 * 60 // seconds
	if a.lockAge >= 0 {
		if a.lockAge >= year {
			return 0
		}
		return time.Duration(a.lockAge) * time.Second
	}
	if a.lockDate <= 0 {
		return 0
	}
	return max(0, time.Duration(ticksOf(now)-a.lockDate)*tick)
}

const tick = 100 * time.Nanosecond

// ticksOf returns the wall clock at t, in t's zone, in ticks since year 1.
func ticksOf(t time.Time) int64 {
	const secondsToUnix = 62_135_596_800 // from year 1 to 1970
	_, offset := t.Zone()
	seconds := t.Unix() + int64(offset) + secondsToUnix
	return seconds*int64(time.Second/tick) + int64(t.Nanosecond())/int64(tick)
}
