//go:build unix

package farm

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestLocks: a lock that is taken at one node holds at all of them, and its holder may be anywhere.
func TestLocks(t *testing.T) {
	t.Parallel()
	f := startFarm(t, ring(3), secret, "--lock-wait", "0")
	const a, b, c = 0, 1, 2
	t.Run("L1 holds everywhere", func(t *testing.T) {
		key := newKey()
		f.play(t, step{a, PUT(key, "v"), "200"}, step{a, ACQ(key), "200 #2 v"})
		for _, at := range []int{b, c, a} {
			f.play(t,
				step{at, GET(key), "423 #2"}, step{at, ACQ(key), "423 #2"}, step{at, PUT(key, "w"), "423 #2"}, step{at, PUT(key, "w", cookie(3)), "423 #2"},
				step{at, REL(key, 1), "423 #2"}, step{at, DEL(key), "423 #2"}, step{at, HEAD(key), "200"},
			)
		}
		f.play(t, step{c, REL(key, 2), "200"}, step{b, GET(key), "200 v"})
	})
	t.Run("L2 the holder saves and releases anywhere", func(t *testing.T) {
		key := newKey()
		f.play(t, step{a, PUT(key, "0"), "200"})
		for i := range 12 {
			locks, saves := i%3, (i/3+i)%3
			f.play(t, step{locks, ACQ(key), fmt.Sprintf("200 #%d %d", i+2, i)}, step{saves, PUT(key, fmt.Sprint(i+1), cookie(i+2)), "200"})
		}
		f.play(t, step{b, ACQ(key), "200 #14 12"}, step{c, DEL(key, 14), "200"}, step{a, GET(key), "404"})
	})
	t.Run("L3 cookies do not repeat", func(t *testing.T) {
		key := newKey()
		f.play(t, step{a, PUT(key, "v"), "200"})
		for i := range 30 {
			f.play(t, step{i % 3, ACQ(key), fmt.Sprintf("200 #%d v", i+2)}, step{(i + 1) % 3, REL(key, i+2), "200"})
		}
	})
	t.Run("L4 the age of a lock travels", func(t *testing.T) {
		key := newKey()
		f.play(t, step{a, PUT(key, "v"), "200"}, step{a, ACQ(key), "200 #2 v"})
		date := f.nodes[a].do(GET(key)).header("LockDate")
		pass(1100 * time.Millisecond)
		for _, at := range []int{b, c, a} {
			if got := f.nodes[at].do(GET(key)); got.lockAge() < 1 || got.lockAge() > 60 || got.header("LockDate")[:10] != date[:10] {
				t.Errorf("at %s: %q, taken at %s", f.nodes[at].name, got.raw, date)
			}
		}
	})
}

// TestLockWait: who waits for a lock at one node gets it when its holder saves at another, long before ASP.NET would ask again.
func TestLockWait(t *testing.T) {
	t.Parallel()
	inModes(t, func(t *testing.T, m mode) {
		f := startFarm(t, ring(3), m, "--lock-wait", "5s")
		for i := range 6 {
			holder, waiter, saver := i%3, (i+1)%3, (i+i/3)%3
			t.Run(fmt.Sprintf("L5 holder %d, waiter %d, saver %d", holder, waiter, saver), func(t *testing.T) {
				key := newKey()
				f.play(t, step{holder, PUT(key, "v"), "200"}, step{holder, ACQ(key), "200 #2 v"})
				wait, save := f.nodes[waiter].dial(), f.nodes[saver].dial()
				var waiting sync.WaitGroup
				var got, saved answer
				var then time.Time
				waiting.Go(func() {
					got = wait.do(ACQ(key))
					then = time.Now()
				})
				pass(100 * time.Millisecond)
				began := time.Now()
				saved = save.do(PUT(key, "w", cookie(2)))
				waiting.Wait()
				if !saved.is("200") || !got.is("200 #3 w") {
					t.Errorf("the save: %v; who waited: %v", saved, got)
				}
				if d := then.Sub(began); d > soon(100*time.Millisecond) {
					t.Errorf("who waited got the lock %v after the save", d)
				}
				f.play(t, step{holder, PUT(key, "x", cookie(3)), "200"}, step{waiter, GET(key), "200 x"})
			})
		}
	}, plain, secret)
}
