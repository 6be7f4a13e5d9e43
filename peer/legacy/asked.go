package legacy

import (
	"sync"
	"time"
)

// Originals remember a query for 60 s, and may deliver its session as long as that.
const (
	askedLife = 60 * time.Second
	maxAsked  = 1 << 16
)

// asked knows which sessions were asked for lately to be delivered here. The zero value is ready.
type asked struct {
	mu       sync.Mutex
	now, old map[string]struct{} // targets; guarded by mu
	turned   time.Time           // guarded by mu
	full     time.Time           // until when more were asked for than are known; guarded by mu
}

// turn forgets what is old. Requires that mu is held.
func (a *asked) turn(now time.Time) {
	switch age := now.Sub(a.turned); {
	case age >= 2*askedLife:
		a.now, a.old, a.turned = nil, nil, now
	case age >= askedLife:
		a.now, a.old, a.turned = nil, a.now, now
	}
}

func (a *asked) add(target string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn(now)
	if len(a.now) >= maxAsked {
		a.full = now.Add(askedLife)
		return
	}
	if a.now == nil {
		a.now = map[string]struct{}{}
	}
	a.now[target] = struct{}{}
}

// has reports whether a session may have been asked for.
func (a *asked) has(target string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn(now)
	_, young := a.now[target]
	_, old := a.old[target]
	return young || old || now.Before(a.full)
}
