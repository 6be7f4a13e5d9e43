package engine

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// StaleLock is a lock that has been held for longer than Options.StaleLock and was never written back: a page that crashed, hangs, or could
// not serialise its session.
type StaleLock struct {
	Key    string
	Cookie uint32
	Age    time.Duration
}

// audit is the search for locks left behind. It goes round the shards, so that each session is looked at about twice in the time after which a lock
// counts as stale, at most once a minute; looking costs a few tens of nanoseconds a session, on the ticker's goroutine.
type audit struct {
	// Owned by Tick.
	begun int64 // Time.Mono at which the present round began
	shard int   // next to be looked at

	sync.Mutex
	found     map[string]StaleLock // by key; guarded by the mutex
	refreshed int64                // Time.Mono; guarded by the mutex
}

// maxStaleLocks bounds the list. Locks beyond it are counted all the same.
const maxStaleLocks = 1000

// findStaleLocks looks at as many shards as the time since the round began asks for.
func (e *Engine) findStaleLocks(now Time) {
	if e.opt.StaleLock == 0 {
		return
	}
	round := int64(min(max(e.opt.StaleLock/2, time.Second), time.Minute))
	if e.audit.shard == numShards {
		if now.Mono-e.audit.begun < round {
			return
		}
		e.audit.shard, e.audit.begun = 0, now.Mono
	}
	elapsed := min(now.Mono-e.audit.begun, round)
	upTo := min(int(elapsed*numShards/round)+1, numShards)
	for ; e.audit.shard < upTo; e.audit.shard++ {
		e.index.each(e.audit.shard, func(s *session) bool {
			if s.gate.tryEnter() { // somebody is in it: then it is not left behind, or the next round sees it
				e.auditSession(now, s)
				e.leave(NoLane, s)
			}
			return true
		})
	}
}

func (e *Engine) auditSession(now Time, s *session) {
	if s.lock.reported || !s.lock.held || now.Mono-s.lock.since < int64(e.opt.StaleLock) || s.life != alive || s.expired(now) {
		return
	}
	s.lock.reported = true
	e.counts.add(NoLane, countLocksLeft)
	l := StaleLock{Key: string(s.key()), Cookie: s.lock.cookie, Age: time.Duration(now.Mono - s.lock.since)}
	e.opt.Events.LockLeft(l)
	e.audit.Lock()
	defer e.audit.Unlock()
	if len(e.audit.found) >= maxStaleLocks && now.Mono-e.audit.refreshed >= int64(time.Second) { // not for each: it looks at all
		e.refreshStaleLocked(now)
	}
	if _, known := e.audit.found[l.Key]; known || len(e.audit.found) < maxStaleLocks {
		e.audit.found[l.Key] = l // a session has one lock
	}
}

// StaleLocks returns the locks left behind that are still held, longest first, at most a thousand.
func (e *Engine) StaleLocks(now Time) []StaleLock {
	e.audit.Lock()
	defer e.audit.Unlock()
	e.refreshStaleLocked(now)
	return slices.SortedFunc(maps.Values(e.audit.found), func(a, b StaleLock) int { return cmp.Compare(b.Age, a.Age) })
}

// refreshStaleLocked drops what is held no longer and brings the ages up to date. Requires audit held.
func (e *Engine) refreshStaleLocked(now Time) {
	e.audit.refreshed = now.Mono
	for text, l := range e.audit.found {
		key := []byte(text)
		s := e.index.find(e.Hash(key), key)
		if s == nil {
			delete(e.audit.found, text)
			continue
		}
		if !s.gate.tryEnter() { // somebody is in it: keep what we know
			continue
		}
		held := s.lock.held && s.lock.reported && s.lock.cookie == l.Cookie && s.life == alive && !s.expired(now)
		l.Age = time.Duration(now.Mono - s.lock.since)
		e.leave(NoLane, s)
		if held {
			e.audit.found[text] = l
		} else {
			delete(e.audit.found, text)
		}
	}
}
