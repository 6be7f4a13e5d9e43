package notice

import (
	"time"

	"github.com/farmstate/farmstate/engine"
)

func (l *Listener) lockLeft(now time.Time, s engine.StaleLock) {
	who := SessionOf(s.Key)
	hidden, due := l.locks.pass(now, who.Application())
	if !due {
		return
	}
	l.logger.Warn("a lock was left behind: its page has neither saved nor released the session",
		"event", "lock_left",
		"application", who.Application(),
		"session", who.ID,
		"cookie", s.Cookie,
		"age", s.Age.Round(time.Second),
		"advice", "look on the web servers for requests that hang, for worker processes that crashed, and for objects in the session that cannot be serialised",
		"repeated", hidden,
		"others", l.locks.takeOthers())
}

// A Lock is a lock left behind.
type Lock struct {
	Session
	Cookie uint32  `json:"cookie"`
	Age    float64 `json:"age_seconds"`
}

// Locks makes the engine's list showable.
func Locks(stale []engine.StaleLock) []Lock {
	list := make([]Lock, len(stale))
	for i, s := range stale {
		list[i] = Lock{SessionOf(s.Key), s.Cookie, s.Age.Seconds()}
	}
	return list
}
