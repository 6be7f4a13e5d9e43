package legacy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// pair starts two nodes that take each other for originals. b's configuration names a, and a's names b.
func pair(t *testing.T, inA, inB Peer) (a, b *site) {
	t.Helper()
	f := newFabric()
	inA.Addr, inB.Addr = "10.0.0.2:42425", "10.0.0.1:42425"
	a = startSite(t, f, "10.0.0.1:42425", Options{Peers: []Peer{inA}, MachineName: "a"})
	b = startSite(t, f, "10.0.0.2:42425", Options{Peers: []Peer{inB}, MachineName: "b"})
	pass(2 * time.Second)
	return a, b
}

// fetch asks for sessions from s, as many as there are targets, and waits.
func (s *site) fetch(targets ...string) {
	s.t.Helper()
	for _, target := range targets {
		id, err := s.net.newID()
		check(s.t, err)
		if !s.net.Query(0, Query{Target: target, ID: id, MaxForwards: 5}) {
			s.t.Errorf("the query for %s is dropped", target)
		}
	}
	pass(2 * DefaultQueryTimeout)
}

// TestPair: T5, T9, N1. Sessions move both ways in every mode, one by one and thirty at once.
func TestPair(t *testing.T) {
	for name, p := range map[string]Peer{
		"plain":                          {},
		"plain, with a password":         {Password: "Cello"},
		"authenticated":                  {Authenticate: true, Password: "Cello"},
		"authenticated and encrypted":    {Authenticate: true, Encrypt: true, Password: "Cello"},
		"encrypted only, which is plain": {Encrypt: true, Password: "Cello"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, b := pair(t, p, p)
				if !a.live() || !b.live() || a.net.Peers()[0].Links != 2 {
					t.Fatalf("a %+v, b %+v", a.net.Peers(), b.net.Peers())
				}
				var targets []string
				for i := range 30 {
					targets = append(targets, fmt.Sprintf("/c/%d", i))
					a.put(targets[i], strings.Repeat("body ", i*1000))
				}
				b.fetch(targets...)
				if a.count() != 0 || b.count() != 30 {
					t.Errorf("after 30 queries at once: %d on a, %d on b", a.count(), b.count())
				}
				for _, target := range targets[:3] {
					a.fetch(target)
				}
				if a.count() != 3 || b.count() != 27 {
					t.Errorf("after the way back of three: %d on a, %d on b", a.count(), b.count())
				}
				for i, target := range targets {
					body, ok := b.has(target)
					if i < 3 {
						body, ok = a.has(target)
					}
					if !ok || body != strings.Repeat("body ", i*1000) {
						t.Errorf("%s has changed", target)
					}
				}
				for _, s := range []*site{a, b} {
					if st := s.net.Stats(); st.Dropped["malformed"]+st.Dropped["late_answer"]+st.Received["bad"]+st.Received["malformed"] != 0 {
						t.Errorf("%+v", st)
					}
				}
				pass(time.Hour)
				if !a.live() || !b.live() || len(a.heard()) != 1 {
					t.Error("the links did not last an hour")
				}
			})
		})
	}
}

// TestMismatches: N9 to N11. Nodes whose settings differ stay apart, no session is lost, and the logs say why.
func TestMismatches(t *testing.T) {
	auth := Peer{Authenticate: true, Password: "Cello"}
	enc := Peer{Authenticate: true, Encrypt: true, Password: "Cello"}
	for name, c := range map[string]struct {
		inA, inB   Peer
		live       bool // both see a live link
		logA, logB string
	}{
		"passwords differ":               {auth, Peer{Authenticate: true, Password: "Viola"}, false, textRefused, textWrongPassword},
		"only a authenticates":           {auth, Peer{}, false, textNotAuth, textWantsAuth},
		"only b authenticates":           {Peer{}, auth, false, textWantsAuth, textNotAuth},
		"only a encrypts":                {enc, auth, true, textWeEncrypt, textGot400},
		"only b encrypts":                {auth, enc, true, textTheyEncrypt, textGot400},
		"encrypted without a, plain b":   {Peer{Encrypt: true}, Peer{}, true, "", ""},
		"only the dialler authenticates": {Peer{Password: "Cello"}, auth, true, "", textNotAuth},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, b := pair(t, c.inA, c.inB)
				pass(time.Minute)
				if a.live() != c.live || b.live() != c.live {
					t.Errorf("a is live %v, b %v", a.live(), b.live())
				}
				a.put("/a", "from a")
				b.put("/b", "from b")
				if c.live {
					a.fetch("/b")
					b.fetch("/a")
				}
				_, onA := a.has("/a")
				moved, onB := b.has("/a")
				if onA == onB || onB && moved != "from a" {
					t.Errorf("/a is on a: %v, on b: %v", onA, onB)
				}
				for s, want := range map[*site]string{a: c.logA, b: c.logB} {
					if !strings.Contains(s.log.String(), want) {
						t.Errorf("the log of %s says\n%s, want\n%s", s.addr, s.log, want)
					}
					if n := strings.Count(s.log.String(), want); want != "" && n > 1 {
						t.Errorf("%q is said %d times", want, n)
					}
				}
			})
		})
	}
}

// TestForwarded: a query that an original has forwarded is answered to where its origin is, in the mode of that one.
func TestForwarded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFabric()
		s := startSite(t, f, "10.0.0.1:42425", Options{Peers: []Peer{
			{Addr: "10.0.0.2:42425"}, {Addr: "10.0.0.3:42425", Authenticate: true, Encrypt: true, Password: "Cello"},
		}})
		origin := startSite(t, f, "10.0.0.3:42425", Options{Peers: []Peer{{Addr: s.addr, Authenticate: true, Encrypt: true, Password: "Cello"}}})
		s.put("/a", "body")
		knock(t, s, "10.0.0.2:5000").say(query("/a", origin.addr))
		pass(time.Second)
		if body, ok := origin.has("/a"); !ok || body != "body" || s.count() != 0 {
			t.Errorf("not delivered: %+v", s.outcomes)
		}
	})
}
