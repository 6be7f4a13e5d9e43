package legacy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestChain: an original that stops sends a session as soon as it has read the answer to the one before, and is answered at once. On a connection that also
// carries what was asked for, answers keep their distance: it may send the next before it has read the last. See docs/peer-protocol.md §8.1.
func TestChain(t *testing.T) {
	answers := func(x *stranger) (at []time.Time) {
		x.out.mu.Lock()
		defer x.out.mu.Unlock()
		for i, w := range x.in.writes {
			if strings.Contains(w, "X-Assoc-ID") {
				at = append(at, x.in.at[i])
			}
		}
		return at
	}
	put := func(x *stranger, i int) {
		x.say(transferText(fmt.Sprintf("/c/%d", i), "body"))
	}
	t.Run("one after the other", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: plainPeer()})
			x := knock(t, s, "10.0.0.9:5000")
			began := time.Now()
			for i := range 50 {
				put(x, i)
				if got := x.got(); !strings.HasPrefix(got, "200 OK") {
					t.Fatalf("session %d: %q", i, got)
				}
			}
			if took := time.Since(began); took > spacing {
				t.Errorf("50 sessions took %v", took)
			}
		})
	})
	t.Run("two at once", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: plainPeer()})
			x := knock(t, s, "10.0.0.9:5000")
			s.hold = true
			put(x, 0)
			put(x, 1)
			pass(0)
			for _, answer := range s.held {
				answer(Stored)
			}
			pass(time.Second)
			if at := answers(x); len(at) != 2 || at[1].Sub(at[0]) < spacing {
				t.Errorf("answers at %v", at)
			}
		})
	})
	t.Run("asked for", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: plainPeer()})
			s.net.asked.add("/c/1", time.Now())
			x := knock(t, s, "10.0.0.9:5000")
			for i := range 3 { // neither what was asked for, nor what comes behind it
				put(x, i)
				pass(0)
			}
			pass(time.Second)
			if at := answers(x); len(at) != 3 || at[1].Sub(at[0]) < spacing || at[2].Sub(at[1]) < spacing {
				t.Errorf("answers at %v", at)
			}
		})
	})
}

func TestAsked(t *testing.T) {
	var a asked
	now := time.Unix(0, 0)
	a.add("a", now)
	if !a.has("a", now.Add(askedLife)) || a.has("b", now) || a.has("a", now.Add(2*askedLife+time.Second)) {
		t.Error("what was asked for is known for a minute, and not for ever")
	}
	for i := range maxAsked + 1 {
		a.add(fmt.Sprint(i), now.Add(time.Hour))
	}
	if !a.has("b", now.Add(time.Hour)) || a.has("b", now.Add(time.Hour+askedLife)) {
		t.Error("beyond the bound, all may have been asked for")
	}
}

// TestOneAddress: a query for each of two originals with one address reaches it, whichever connected first, and one that comes over a connection that may be
// either's is passed on to both.
func TestOneAddress(t *testing.T) {
	for name, p := range map[string]Peer{"plain": {}, "authenticated": {Authenticate: true, Password: "Cello"}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFabric()
				at := func(addr string) Peer { return Peer{Addr: addr, Authenticate: p.Authenticate, Password: p.Password} }
				s := startSite(t, f, "10.0.0.1:42425", Options{Peers: []Peer{at("10.0.0.9:1"), at("10.0.0.9:2")}})
				second := startSite(t, f, "10.0.0.9:2", Options{Peers: []Peer{at(s.addr)}})
				pass(10 * time.Millisecond)
				if !s.net.Query(0, Query{Target: "/early", ID: ID{1}}) && !s.net.Query(1, Query{Target: "/early", ID: ID{1}}) {
					t.Error("nobody is asked while one of them is linked by its own connection alone")
				}
				first := startSite(t, f, "10.0.0.9:1", Options{Peers: []Peer{at(s.addr)}})
				pass(5 * time.Second)
				for i := range 20 {
					for peer := range 2 {
						s.net.Query(peer, Query{Target: fmt.Sprintf("/%d/%d", peer, i), ID: ID{2, byte(peer), byte(i)}}) // the test sees whether it arrives
					}
				}
				pass(5 * time.Second)
				for peer, o := range []*site{first, second} {
					n := 0
					for _, q := range o.asked() {
						if strings.HasPrefix(q.Target, fmt.Sprintf("/%d/", peer)) {
							n++
						}
					}
					if n != 20 {
						t.Errorf("%d of 20 queries reached original %d", n, peer)
					}
				}
			})
		})
	}
}
