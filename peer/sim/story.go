package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// story is what has been done to one session, as far as those know who did it. Each answer is compared with it.
//
// A deed is something that changes the session: a save or a removal. When it happened is not known exactly: not before it was begun, not after its node has answered or
// died. It is certain to have happened from the moment on at which that was answered, or a read has shown it.
type story struct {
	sim    *mesh
	key    string
	deeds  []*deed
	hits   []hit    // what has slid its timer, or may have
	grants []*grant // in this life
}

// deed is a save, or a removal.
type deed struct {
	write  uint64 // 0 = a removal
	begun  int64
	over   int64 // it has happened by then, or never will
	sure   int64 // since when it is certain that it has happened
	cookie uint32
}

type hit struct {
	begun, over int64
	sure        bool // it has
}

// grant is a lock that has been given to somebody.
type grant struct {
	cookie uint32
	at     int64
	closed int64 // since when it may have been given back, or broken; never
}

func (s *mesh) story(key string) *story {
	t := s.stories[key]
	if t == nil {
		t = &story{sim: s, key: key, deeds: []*deed{{over: 0, sure: 0, begun: -1}}} // in the beginning there is none
		s.stories[key] = t
	}
	return t
}

// asked takes note of a request that has been sent.
func (t *story) asked(r *ask) {
	switch r.op {
	case engine.Set, engine.Remove:
		r.did = &deed{write: r.write, begun: r.begun, over: never, sure: never, cookie: r.cookie}
		t.deeds = append(t.deeds, r.did)
	}
	t.used(r)
}

// used takes note that somebody comes, or has come, with the cookie of a lock. Cookies begin anew with each life of a session: one of an earlier life is as good.
func (t *story) used(r *ask) {
	if !r.hasCookie {
		return
	}
	for _, g := range t.grants {
		if g.cookie == r.cookie {
			g.closed = min(g.closed, max(r.begun, g.at))
		}
	}
}

// died takes note that the node has ended that had a request.
func (t *story) died(r *ask) {
	t.used(r)
	if r.did != nil {
		r.did.over = t.sim.now
	}
	t.hits = append(t.hits, hit{r.begun, t.sim.now, false})
}

// answered takes note of an answer, and compares it with what has been done.
func (t *story) answered(r *ask, a answer) {
	s := t.sim
	bad := func(check int, format string, args ...any) {
		if !s.loose {
			s.fail("%d %s: #%d %s %s is answered %s (write %d, cookie %d): %s", check, r.node.name, r.n, r.op, r.key, a.status, a.write, a.cookie, fmt.Sprintf(format, args...))
		}
	}
	if d := r.did; d != nil {
		d.over = s.now
		switch a.status {
		case engine.OK:
			d.sure = s.now
		case engine.Cut: // nobody knows
		default:
			t.undo(d)
		}
	}
	t.used(r)
	if t.mayHaveExpired(r) {
		t.grants = nil
	}
	switch {
	case a.status == engine.Cut || a.status == engine.Refused || a.status == engine.NoCookie:
	case a.status == engine.NotFound:
		t.saw(r, 0, bad)
	case a.status == engine.Locked:
	case r.op == engine.Get:
		t.saw(r, a.write, bad)
	case r.op == engine.Acquire:
		t.saw(r, a.write, bad)
		t.granted(r, a, bad)
	case r.op == engine.Set || r.op == engine.Remove || r.op == engine.Release:
		if g := t.holder(r.begun); g != nil && g.cookie != r.cookie && g.closed >= s.now {
			bad(2, "cookie %d has had the lock since %v", g.cookie, time.Duration(g.at-int64(time.Hour)))
		}
	}
	if a.status != engine.NotFound {
		t.hits = append(t.hits, hit{r.begun, s.now, a.status != engine.Cut})
	}
	t.forget()
}

func (t *story) undo(d *deed) {
	for i, x := range t.deeds {
		if x == d {
			t.deeds = append(t.deeds[:i:i], t.deeds[i+1:]...)
			return
		}
	}
}

// saw compares what somebody has read with the deeds: there must be one that brought it about, and none that is certain to have come between.
func (t *story) saw(r *ask, write uint64, bad func(int, string, ...any)) {
	if write == 0 && t.mayHaveExpired(r) {
		t.deeds = append(t.deeds, &deed{begun: t.sim.now, over: t.sim.now, sure: t.sim.now})
		t.grants = nil
		return
	}
	var found *deed
	last := &deed{begun: -2}
	for _, y := range t.deeds {
		if y.sure < r.begun && y.begun > last.begun {
			last = y
		}
	}
	several := false
	for _, x := range t.deeds {
		if x.write == write && x.over >= last.begun {
			several = found != nil
			found = x
		}
	}
	switch {
	case found != nil:
		if !several { // otherwise nobody knows which removal it was
			found.sure = min(found.sure, t.sim.now)
		}
	case write == 0:
		bad(1, "it was written by %d at %v", last.write, time.Duration(last.begun-int64(time.Hour)))
	case last.write == 0:
		bad(3, "it was removed at %v", time.Duration(last.begun-int64(time.Hour)))
	default:
		bad(1, "it was written by %d at %v", last.write, time.Duration(last.begun-int64(time.Hour)))
	}
	if write == 0 {
		t.grants = nil // the next one has a life of its own
		return
	}
	if !t.mayLive(r) {
		bad(3, "its time was up")
	}
}

// slack is how much earlier or later than it should a session may expire when it has been taken over, and beyond that.
func (t *story) slack() int64 { return int64(t.sim.opt.TouchPeriod) + int64(2*time.Second) }

// mayHaveExpired reports whether the session's time may have been up when a request was answered.
func (t *story) mayHaveExpired(r *ask) bool {
	life := int64(t.sim.opt.Minutes)*int64(time.Minute) - t.slack()
	for _, h := range t.hits {
		if h.sure && h.over <= r.begun && h.begun+life > t.sim.now {
			return false
		}
	}
	return true
}

// mayLive reports whether the session's time may not have been up.
func (t *story) mayLive(r *ask) bool {
	life := int64(t.sim.opt.Minutes)*int64(time.Minute) + t.slack()
	for _, h := range t.hits {
		if h.begun < t.sim.now && h.over+life > r.begun {
			return true
		}
	}
	for _, d := range t.deeds {
		if d.over == never {
			return true
		}
	}
	return false
}

// holder is who is certain to have had the lock since a time.
func (t *story) holder(since int64) *grant {
	for _, g := range slices.Backward(t.grants) {
		if g.at < since {
			return g
		}
	}
	return nil
}

// granted takes note that somebody has been given the lock.
func (t *story) granted(r *ask, a answer, bad func(int, string, ...any)) {
	for _, d := range t.deeds {
		if d.write == 0 && d.begun > 0 && (d.over > r.begun || len(t.grants) > 0 && d.over >= t.grants[len(t.grants)-1].at) {
			t.grants = nil // it may have been removed, and made anew
			break
		}
	}
	for _, g := range t.grants {
		switch {
		case g.cookie >= a.cookie:
			bad(2, "cookie %d had been given out at %v", g.cookie, time.Duration(g.at-int64(time.Hour)))
		case g.closed > t.sim.now:
			bad(2, "cookie %d has had the lock since %v", g.cookie, time.Duration(g.at-int64(time.Hour)))
		}
	}
	closed := never
	if r.done { // nobody has got it
		closed = t.sim.now
	}
	t.grants = append(t.grants, &grant{a.cookie, t.sim.now, closed})
}

// forget gives up what can make no difference any more.
func (t *story) forget() {
	if len(t.deeds) > 100 {
		last := &deed{begun: -2}
		for _, y := range t.deeds {
			if y.sure < t.sim.now-2*hangUp && y.begun > last.begun {
				last = y
			}
		}
		rest := t.deeds[:0]
		for _, y := range t.deeds {
			if y.over >= last.begun {
				rest = append(rest, y)
			}
		}
		t.deeds = rest
	}
	if len(t.hits) > 64 {
		t.hits = append(t.hits[:0], t.hits[32:]...)
	}
}
