package bench

import (
	"testing"

	"github.com/farmstate/farmstate/engine"
)

// follower is a mirror that has each change at once, and says so when it is asked to.
type follower struct {
	taker
	changes []*engine.Change
}

func (*follower) Park(*engine.Ticket) {}

func (m *follower) Changed(c *engine.Change) bool {
	if c.Awaited {
		m.changes = append(m.changes, c)
	}
	return true
}

func (*follower) Expired(string) {}

// confirm confirms what has been told.
func (m *follower) confirm(s *store) {
	for _, c := range m.changes {
		s.Confirm(s.now, 0, c)
	}
	m.changes = m.changes[:0]
}

// follow lets the store tell its changes to a mirror.
func (s *store) follow(how engine.Mirroring) *follower {
	m := new(follower)
	s.t.Caller = m
	s.SetMirror(m)
	s.SetMirroring(how)
	return m
}

// mirroredPage is an acquire and a save, each confirmed.
func (s *store) mirroredPage(tb testing.TB, m *follower, body []byte) {
	s.lock()
	m.confirm(s)
	s.t.HasCookie, s.t.Cookie = true, s.t.Out.Cookie
	body[0]++
	s.save(body)
	m.confirm(s)
	must(tb, s.t.Out.Status, engine.OK)
}

// BenchmarkMirrored answers what it costs the engine to tell a page's changes, against BenchmarkAcquireSave. The mirror costs nothing.
func BenchmarkMirrored(b *testing.B) {
	for _, how := range []struct {
		name string
		engine.Mirroring
	}{{"none", engine.MirrorNone}, {"removals", engine.MirrorRemovals}, {"tell", engine.MirrorTell}, {"await", engine.MirrorAwait}} {
		b.Run("changes="+how.name, func(b *testing.B) {
			bySize(b, func(b *testing.B, s *store, body []byte) {
				m, ok := s.t.Caller.(*follower)
				if !ok {
					m = s.follow(how.Mirroring)
				}
				s.mirroredPage(b, m, body)
			})
		})
	}
}
