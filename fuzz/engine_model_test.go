package fuzz

import (
	"fmt"

	"github.com/farmstate/farmstate/engine"
)

// session is one session as docs/protocol.md §7 and §8 describe it. See sessions.
type session struct {
	body     string
	minutes  uint32
	ends     int64 // Time.Mono
	fresh    bool  // uninitialised
	locked   bool
	cookie   uint32
	since    engine.Time
	acquires []*request // in line for the lock
}

// request is one request of the fuzzer's, and who makes it.
type request struct {
	ticket   engine.Ticket
	body     string // of a Set
	deadline int64
	parked   bool
	answer   string // of the engine
	want     string // of the model
}

// sessions is the model: all there is, in one map. It knows neither queues nor sweeps, because a client cannot tell whether there are any.
type sessions struct {
	now      engine.Time
	lockWait int64
	inLine   int // requests that may wait for one lock
	all      map[string]*session
}

// find returns the session, if its time is not over.
func (m *sessions) find(key string) *session {
	s := m.all[key]
	if s != nil && s.over(m.now) {
		m.end(key)
		return nil
	}
	return s
}

// end removes a session, and tells those who wait for it.
func (m *sessions) end(key string) {
	for _, r := range m.all[key].acquires {
		r.want = "404"
	}
	delete(m.all, key)
}

func (s *session) over(now engine.Time) bool { return s.minutes > 0 && now.Mono >= s.ends }

func (s *session) slide(now engine.Time) { s.ends = now.Mono + int64(s.minutes)*60e9 }

// do carries out a request. Its want stays empty as long as it waits.
func (m *sessions) do(r *request) {
	t := &r.ticket
	key := string(t.Key)
	s := m.find(key)
	if s == nil {
		r.want = "404"
		if t.Op == engine.Set {
			s = &session{body: r.body, minutes: t.Minutes, fresh: t.InsertOnly, cookie: 1}
			s.slide(m.now)
			m.all[key] = s
			r.want = "200"
		}
		return
	}
	s.slide(m.now)
	right := !s.locked || t.HasCookie && t.Cookie == s.cookie
	note := ""
	if s.fresh && t.Op <= engine.Release {
		s.fresh, note = false, " first"
	}
	switch {
	case t.Op == engine.Touch, t.Op == engine.Set && t.InsertOnly:
		r.want = "200"
	case t.Op == engine.Release && !t.HasCookie:
		r.want = "400" + note
	case t.Op == engine.Acquire && s.locked && m.lockWait > 0 && len(s.acquires) < m.inLine:
		r.deadline = m.now.Mono + m.lockWait
		s.acquires = append(s.acquires, r)
	case t.Op <= engine.Acquire && s.locked, !right:
		r.want = s.refusal(m.now)
	case t.Op == engine.Acquire:
		m.grant(s, r, note)
	case t.Op == engine.Get:
		r.want = fmt.Sprintf("200 %d of %q, %d min%s", len(s.body), s.body[:1], s.minutes, note)
	case t.Op == engine.Remove:
		m.end(key)
		r.want = "200"
	default: // a release, or a save
		if t.Op == engine.Set {
			if s.body = r.body; s.minutes != t.Minutes {
				s.minutes, s.fresh = t.Minutes, false
			}
			s.slide(m.now)
		}
		r.want = "200" + note
		s.locked = false
		if len(s.acquires) > 0 {
			next := s.acquires[0]
			s.acquires = s.acquires[1:]
			m.grant(s, next, "")
		}
	}
}

func (m *sessions) grant(s *session, r *request, note string) {
	s.slide(m.now)
	s.cookie++
	s.locked, s.since = true, m.now
	r.want = fmt.Sprintf("200 %d of %q, %d min, lock %d%s", len(s.body), s.body[:1], s.minutes, s.cookie, note)
}

func (s *session) refusal(now engine.Time) string {
	return fmt.Sprintf("423 lock %d, %d s since %d", s.cookie, (now.Mono-s.since.Mono)/1e9, s.since.Date)
}

// tick refuses those whose deadline is over.
func (m *sessions) tick() {
	for key, s := range m.all {
		for len(s.acquires) > 0 && s.acquires[0].deadline <= m.now.Mono {
			r := s.acquires[0]
			s.acquires = s.acquires[1:]
			if m.find(key) == nil {
				r.want = "404"
				break
			}
			r.want = s.refusal(m.now)
		}
	}
}

// cancel takes a waiting acquire out of its line.
func (m *sessions) cancel(r *request) {
	s := m.all[string(r.ticket.Key)]
	for i := range s.acquires {
		if s.acquires[i] == r {
			s.acquires = append(s.acquires[:i:i], s.acquires[i+1:]...)
			return
		}
	}
}
