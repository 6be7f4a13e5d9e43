//go:build unix

package farm

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestTopologies moves 30 sessions through farms of all shapes, one by one and all at once, and has a node leave.
func TestTopologies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id    string
		shape shape
		moves [][2]int // from, to
		leave int
	}{
		{"N1 pair", pair(), [][2]int{{0, 1}, {1, 0}, {0, 1}}, 1},
		{"N2 line", line(3), [][2]int{{0, 2}, {2, 0}, {0, 1}}, 2},
		{"N3 star", star(4), [][2]int{{0, 3}, {3, 0}, {0, 1}}, 1},
		{"N4 ring", ring(3), [][2]int{{0, 2}, {2, 0}, {0, 1}}, 1},
		{"N5 mesh", mesh(5), [][2]int{{0, 4}, {4, 2}, {2, 0}, {0, 1}}, 1},
	} {
		for _, m := range someModes() {
			t.Run(fmt.Sprintf("%s %s", c.id, m), func(t *testing.T) {
				f := startFarm(t, c.shape, m)
				all := newKeys(30)
				f.nodes[0].save(t, 1000, all...)
				for _, move := range c.moves {
					f.nodes[move[1]].wantAll(t, 1, 1000, all...)
				}
				last := len(f.nodes) - 1
				if last == c.leave {
					last = 0
				}
				f.nodes[c.leave].stop(0, 10*time.Second)
				f.nodes[last].wantAll(t, 30, 1000, all...)
				if n := f.sessions(); n != 30 {
					t.Errorf("%d sessions", n)
				}
			})
		}
	}
}

// TestSplitLine: when the middle of a line leaves, its sessions are on both sides, which cannot reach each other any more. None is lost. (N2)
func TestSplitLine(t *testing.T) {
	t.Parallel()
	f := startFarm(t, line(3), plain)
	all := newKeys(30)
	f.nodes[1].save(t, 1000, all...)
	f.nodes[1].stop(0, 10*time.Second)
	found := 0
	for _, n := range []*node{f.nodes[0], f.nodes[2]} {
		for _, got := range n.read(1, all...) {
			if got.status == 200 {
				found++
			}
		}
	}
	if found != len(all) {
		t.Errorf("%d of %d sessions", found, len(all))
	}
}

// TestRingStart: nodes that are started together find each other's sessions at once, and are all linked within a second. (N4)
func TestRingStart(t *testing.T) {
	inModes(t, func(t *testing.T, m mode) {
		f := newFarm(t, ring(3), m)
		f.startAll()
		began := time.Now()
		all := newKeys(30)
		f.nodes[0].save(t, 1000, all...)
		f.nodes[1].wantAll(t, 30, 1000, all...)
		f.awaitLinks(soon(time.Second) - time.Since(began))
	}, plain, secret)
}

// TestHops: a query goes to the neighbours and max_forwards hops further. (N6)
func TestHops(t *testing.T) {
	t.Parallel()
	for hops, want := range map[int][3]int{0: {200, 404, 404}, 1: {200, 200, 404}, 5: {200, 200, 200}} {
		t.Run(fmt.Sprintf("N6 max_forwards=%d", hops), func(t *testing.T) {
			f := startFarm(t, line(4), plain, "--max-forwards", fmt.Sprint(hops))
			all := newKeys(3)
			for i, key := range all {
				f.nodes[i+1].save(t, 1000, key)
			}
			for i, got := range f.nodes[0].read(1, all...) {
				if got.status != want[i] || got.took > soon(time.Second) {
					t.Errorf("a session on %s: %v after %v, want %d", f.nodes[i+1].name, got, got.took, want[i])
				}
			}
		})
	}
}

// TestMovingTarget asks for sessions that are on their way. (N7, N8)
func TestMovingTarget(t *testing.T) {
	t.Parallel()
	f := newFarm(t, line(3), plain)
	r := f.relay(2) // between B and C
	f.start()
	const a, b, c = 0, 1, 2
	t.Run("N7", func(t *testing.T) {
		all := newKeys(20)
		f.nodes[b].save(t, 1000, all...)
		for _, key := range all {
			f.play(t, step{c, GET(key), okGet(body(key, 1000))}, step{a, GET(key), okGet(body(key, 1000))}, step{b, GET(key), okGet(body(key, 1000))})
		}
	})
	t.Run("N8", func(t *testing.T) {
		key := newKey()
		f.nodes[b].save(t, 1000, key)
		r.set(rules{delay: 300 * time.Millisecond})
		var first sync.WaitGroup
		first.Go(func() { f.nodes[c].wantAll(t, 1, 1000, key) })
		pass(450 * time.Millisecond) // B has heard of it
		f.nodes[a].wantAll(t, 1, 1000, key)
		first.Wait()
		r.set(rules{})
	})
}

// TestStrangers: nodes that are protected differently have nothing to do with each other, say so, and do not wait for each other. (N9 to N11)
func TestStrangers(t *testing.T) {
	t.Parallel()
	f := newFarm(t, pair(), plain) // for its folder
	one, two := []string{"--peer-secret-file", f.secretFile("one")}, []string{"--peer-secret-file", f.secretFile("two")}
	runOK(t, "cert", "ca", "--dir", f.dir)
	for _, c := range []struct {
		id         string
		a, b       []string
		atA, dialB string // reasons in the logs
	}{
		{"N9", one, two, "wrong_secret", "wrong_secret"},
		{"N10 A", one, nil, "plain_refused", "refused"},
		{"N10 B", nil, one, "tls_refused", "refused"},
		{"N11", one, f.certArgs("B"), "", ""},
	} {
		t.Run(c.id, func(t *testing.T) {
			g := newFarm(t, pair(), plain)
			a, b := g.nodes[0], g.nodes[1]
			a.args, b.args = append(a.args, c.a...), append(b.args, c.b...)
			g.startAll()
			a.logs("event=peer_refused", "reason="+c.atA)
			b.logs("event=peer_refused", "reason="+c.dialB)
			key := newKey()
			a.save(t, 1000, key)
			pass(time.Second) // what B waits for links that are configured
			if got := b.do(GET(key)); got.status != 404 || got.took > soon(250*time.Millisecond) {
				t.Errorf("%v after %v", got, got.took)
			}
			a.wantAll(t, 1, 1000, key)
			for _, n := range g.nodes {
				if got := n.neighbours(); got != 0 {
					t.Errorf("%s has %d neighbours", n.name, got)
				}
			}
		})
	}
}
