//go:build unix

package farm

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// inModes runs a test with each protection of links.
func inModes(t *testing.T, test func(t *testing.T, m mode), modes ...mode) {
	for _, m := range modes {
		t.Run(string(m), func(t *testing.T) { test(t, m) })
	}
}

// someModes are those to try what does not depend on them much.
func someModes() []mode {
	if raceEnabled {
		return []mode{secret}
	}
	return []mode{plain, secret, certs}
}

// TestTimes has what is promised in milliseconds. It is not parallel: it wants a quiet machine.
func TestTimes(t *testing.T) {
	inModes(t, func(t *testing.T, m mode) {
		f := startFarm(t, pair(), m)
		const n = 200
		local, a, b := newKey(), f.nodes[0].dial(), f.nodes[1].dial()
		f.nodes[0].save(t, 1000, local)
		control := func() answer { return a.do(GET(local)) }
		want := func(t *testing.T, got answer, status int) time.Duration {
			t.Helper()
			if got.status != status {
				t.Fatalf("%v, want %d", got, status)
			}
			return got.took
		}
		t.Run("T1", func(t *testing.T) { // new session
			budget{p99: 5 * time.Millisecond}.hold(t, n, control, func(int) time.Duration { return want(t, a.do(PUT(newKey(), body("", 1000))), 200) })
		})
		t.Run("T2", func(t *testing.T) { // saved again
			budget{p99: 2 * time.Millisecond}.hold(t, n, control, func(int) time.Duration { return want(t, a.do(PUT(local, body(local, 1000))), 200) })
		})
		t.Run("T3", func(t *testing.T) { // a move
			key := newKey()
			f.nodes[0].save(t, 1000, key)
			budget{median: 2 * time.Millisecond, p99: 5 * time.Millisecond}.hold(t, n, control, func(i int) time.Duration {
				return want(t, []*client{b, a}[i%2].do(GET(key)), 200)
			})
		})
		t.Run("T4", func(t *testing.T) { // a miss
			budget{p99: 5 * time.Millisecond}.hold(t, n, control, func(int) time.Duration { return want(t, b.do(GET(newKey())), 404) })
		})
	}, plain, secret)
}

// TestTwo plays what happens between two nodes that live.
func TestTwo(t *testing.T) {
	t.Parallel()
	inModes(t, testTwo, someModes()...)
}

func testTwo(t *testing.T, m mode) {
	f := startFarm(t, pair(), m, "--lock-wait", "0")
	const a, b = 0, 1
	t.Run("T5", func(t *testing.T) {
		for _, size := range []int{100, 100_000, 1 << 20, 4 << 20} {
			key := newKey()
			f.nodes[a].save(t, size, key)
			for i := range 10 {
				f.nodes[[]int{b, a}[i%2]].wantAll(t, 1, size, key)
			}
		}
	})
	t.Run("T6", func(t *testing.T) { // an empty body is no session: docs/protocol.md §4.7
		key := newKey()
		f.play(t, step{a, PUT(key, "v", flag1()), "200"}, step{b, HEAD(key), "200"}, step{a, HEAD(key), "200"}, step{b, GET(key), "200 ! v"}, step{a, GET(key), okGet("v")})
	})
	t.Run("T7", func(t *testing.T) {
		key, other := newKey(), newKey()
		f.play(t,
			step{a, PUT(key, "v"), "200"}, step{b, ACQ(key), "200 #2 v"}, step{a, GET(key), "423 #2"}, step{b, PUT(key, "w", cookie(2)), "200"}, step{a, GET(key), "200 w"},
			step{a, PUT(other, "v"), "200"}, step{b, ACQ(other), "200 #2 v"}, step{a, GET(other), "423 #2"}, step{b, REL(other, 2), "200"}, step{a, GET(other), "200 v"},
		)
	})
	t.Run("T8", func(t *testing.T) {
		for _, n := range []int{4, 8, 16, 30, 500} {
			all := newKeys(n)
			f.nodes[a].save(t, 1000, all...)
			f.nodes[b].wantAll(t, n, 1000, all...)
		}
	})
	t.Run("T10", func(t *testing.T) {
		for _, n := range []int{20, 21} {
			for i, got := range f.nodes[b].read(n, repeat(newKey(), n)...) {
				if got.status != 404 || got.took > soon(time.Second) {
					t.Errorf("GET %d of %d: %v after %v", i+1, n, got, got.took)
				}
			}
		}
	})
	t.Run("T11", func(t *testing.T) {
		key := newKey()
		f.nodes[a].save(t, 1000, key)
		f.nodes[b].wantAll(t, 30, 1000, repeat(key, 30)...)
	})
	t.Run("T16", func(t *testing.T) {
		before := f.sessions()
		all := newKeys(30)
		for _, key := range all {
			ca, cb := f.nodes[a].dial(), f.nodes[b].dial()
			var got [2]answer
			together(2, func(i int) { got[i] = []*client{ca, cb}[i].do(PUT(key, "from "+f.nodes[i].name)) })
			if got[0].status != 200 || got[1].status != 200 {
				t.Errorf("%v at A, %v at B", got[0], got[1])
			}
			if atA, atB := ca.do(GET(key)), cb.do(GET(key)); atA.status != 200 || atA.body != atB.body {
				t.Errorf("%v at A, %v at B", atA, atB)
			}
			_, _ = ca.Close(), cb.Close()
		}
		if n := f.sessions() - before; n != int64(len(all)) {
			t.Errorf("%d sessions of %d keys", n, len(all))
		}
	})
}

func repeat(key string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = key
	}
	return all
}

// relayed is a farm of three, B→A and C→A, with a relay in front of A.
func relayed(t *testing.T, args ...string) (*farm, *relay) {
	t.Helper()
	f := newFarm(t, star(3), plain, append([]string{"--lock-wait", "0"}, args...)...)
	r := f.relay(0)
	f.start()
	return f, r
}

// TestLostMessages has a relay lose and delay what moves depend on. What was lost is sent again, so nobody may notice but by the time it takes.
func TestLostMessages(t *testing.T) {
	t.Parallel()
	f, r := relayed(t)
	const a, b, c = 0, 1, 2
	for _, lost := range []struct{ what, begins string }{
		{"the question", "GET %"}, {"found", "302 "}, {"the session", "PUT %"}, {"held", "202 "}, {"commit", "200 "},
	} {
		t.Run("T12 without "+lost.what, func(t *testing.T) {
			key := newKey()
			f.play(t, step{a, PUT(key, "version-1"), "200"})
			r.meddle(t, dropFirst(1, lost.begins), func() {
				f.play(t, step{b, GET(key), okGet("version-1")}, step{b, PUT(key, "version-2"), "200"}, step{a, GET(key), okGet("version-2")}, step{c, GET(key), okGet("version-2")})
			})
		})
	}
	t.Run("T12 without an answer to a miss", func(t *testing.T) {
		r.meddle(t, dropFirst(1, "404 "), func() { f.play(t, step{b, GET(newKey()), "404"}) })
	})
	t.Run("T13", func(t *testing.T) {
		first, others := newKey(), newKeys(8)
		f.nodes[a].save(t, 1000, append(others, first)...)
		r.meddle(t, dropFirst(1, "202 "), func() {
			f.nodes[b].wantAll(t, 1, 1000, first)
			for i, got := range f.nodes[b].read(1, others...) {
				if got.body != body(others[i], 1000) || got.took > soon(500*time.Millisecond) {
					t.Errorf("GET %d: %v after %v", i+1, got, got.took)
				}
			}
		})
	})
	for _, begins := range []string{"202 ", "200 "} {
		t.Run("T14 "+strings.TrimSpace(begins), func(t *testing.T) {
			key := newKey()
			f.play(t, step{a, PUT(key, "v"), "200"})
			r.meddle(t, delayFirst(1, begins, time.Second), func() {
				var both sync.WaitGroup
				both.Go(func() {
					if got := f.nodes[b].do(GET(key)); !got.is(okGet("v")) {
						t.Errorf("at B: %v", got)
					}
				})
				pass(50 * time.Millisecond)
				if got := f.nodes[a].do(GET(key)); !got.is(okGet("v")) {
					t.Errorf("at A: %v", got)
				}
				both.Wait()
				pass(1100 * time.Millisecond) // what was delayed has come
			})
			f.play(t, step{a, GET(key), okGet("v")}, step{b, GET(key), okGet("v")}, step{c, GET(key), okGet("v")})
		})
	}
	t.Run("one serving copy", func(t *testing.T) {
		all := newKeys(20)
		before := f.sessions()
		f.nodes[a].save(t, 1000, all...)
		var n atomic.Int64
		r.set(rules{message: func(_ way, line string) (verdict, after) { // every third message is lost, but for those that keep links alive: a link that dies is another test
			if !strings.HasPrefix(line, `GET \`) && n.Add(1)%3 == 0 {
				return drop, 0
			}
			return goOn, 0
		}})
		f.nodes[b].wantAllInTheEnd(t, 10, 1000, all...)
		r.set(rules{})
		f.nodes[c].wantAll(t, 10, 1000, all...)
		await(t, "one copy of each", patience, func() bool { return f.sessions() == before+int64(len(all)) })
	})
}

// TestOneWay has a link on which nothing comes one way, or at all, until it works again, or breaks.
func TestOneWay(t *testing.T) {
	t.Parallel()
	f, r := relayed(t)
	const a, b = 0, 1
	for _, c := range []struct {
		name string
		hold [2]bool
	}{{"in", [2]bool{in: true}}, {"out", [2]bool{out: true}}, {"both", [2]bool{true, true}}} {
		t.Run(c.name, func(t *testing.T) {
			key := newKey()
			f.play(t, step{a, PUT(key, "v"), "200"})
			r.set(rules{hold: c.hold})
			var reader sync.WaitGroup
			reader.Go(func() {
				if got := f.nodes[b].do(GET(key)); !got.is(okGet("v")) {
					t.Errorf("%v", got)
				}
			})
			pass(300 * time.Millisecond)
			r.set(rules{})
			reader.Wait()
			f.play(t, step{a, GET(key), okGet("v")})
		})
	}
	t.Run("cut", func(t *testing.T) {
		all := newKeys(50)
		before := f.sessions()
		f.nodes[a].save(t, 1000, all...)
		r.set(rules{delay: 2 * time.Millisecond})
		var cutter sync.WaitGroup
		cutter.Go(func() {
			for range 3 {
				pass(30 * time.Millisecond)
				r.cut()
			}
		})
		f.nodes[b].wantAllInTheEnd(t, 10, 1000, all...)
		cutter.Wait()
		r.set(rules{})
		await(t, "one copy of each", patience, func() bool { return f.sessions() == before+int64(len(all)) })
	})
}

// TestRestarts ends and restarts nodes of a pair.
func TestRestarts(t *testing.T) {
	t.Parallel()
	inModes(t, func(t *testing.T, m mode) {
		f := startFarm(t, pair(), m)
		a, b := f.nodes[0], f.nodes[1]
		all := newKeys(3)
		a.save(t, 1000, all...)
		t.Run("T15", func(t *testing.T) {
			b.wantAll(t, 1, 1000, all[0])
			b.kill()
			b.start()
			b.wantAll(t, 1, 1000, all[1])
		})
		t.Run("T17", func(t *testing.T) {
			f.awaitLinks(patience)
			a.kill()
			pass(300 * time.Millisecond)
			a.start()
			f.awaitLinks(soon(3 * time.Second))
			if got := a.do(GET(all[1])); got.body != body(all[1], 1000) {
				t.Errorf("%v", got)
			}
		})
		t.Run("T18", func(t *testing.T) {
			c := a.dial()
			b.kill()
			for i := range 20 {
				if got := c.do(PUT(newKey(), "v")); got.status != 200 || got.took > soon(250*time.Millisecond) {
					t.Errorf("save %d after the other node's end: %v after %v", i+1, got, got.took)
				}
			}
		})
	}, plain, secret)
}
