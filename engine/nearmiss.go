package engine

import "github.com/farmstate/farmstate/engine/appkey"

// diagnose looks whether the session that a request missed lives under another application's key. That costs a comparison for each application
// seen, and a look-up for those few whose difference would be a mistake; hits pay nothing.
func (e *Engine) diagnose(now Time, lane int, t *Ticket) {
	if t.Op > Release {
		return
	}
	asked, ok := appkey.Split(t.Key)
	if !ok {
		return
	}
	e.apps.Each(func(prefix string) bool {
		var room [256]byte
		other := append(append(append(room[:0], prefix...), '/'), asked.ID...)
		found, ok := appkey.Split(other)
		if !ok {
			return true
		}
		cause := appkey.Compare(asked, found)
		if cause == appkey.None || !e.lives(now, lane, other) {
			return true
		}
		e.counts.nearMiss(cause)
		e.opt.Events.NearMiss(NearMiss{Asked: string(t.Key), Found: string(other), Cause: cause, Client: t.Client})
		return false
	})
}

// lives reports whether there is a session with this key. One that somebody is in counts as living, the place for one that is looked for does not.
func (e *Engine) lives(now Time, lane int, key []byte) bool {
	s := e.index.find(e.Hash(key), key)
	if s == nil {
		return false
	}
	if !s.gate.tryEnter() {
		return !e.queue.isHollow(s)
	}
	defer e.leave(lane, s)
	return s.life == alive && !s.expired(now)
}
