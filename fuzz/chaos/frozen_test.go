//go:build linux

package chaos

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestFrozen lets a node stand still for so long that others take its sessions over, while some clients go on sending to it, and then go on where it was.
// Nothing that was acknowledged may be lost, and nobody may be told anything old by it.
func TestFrozen(t *testing.T) {
	t.Parallel()
	seed := seeds(t)
	c := startCluster(t, setup{nodes: 3})
	tr := startTraffic(t, c, load{
		clients: 9, sessions: 30, shared: 6, body: 500, think: long(20*time.Millisecond, 10*time.Millisecond), limit: time.Second, seed: seed, late: true, loyal: true,
	})
	c.await("copies of all sessions", func() error { return c.whole(tr.live()) })
	for round := range long(1, 5) {
		tr.work()
		pass(t.Context(), 300*time.Millisecond)
		victim := c.nodes[(int(seed%3)+round)%3]
		stopped := time.Now()
		if err := victim.signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		pass(t.Context(), 10*time.Second)
		woken := time.Now()
		if err := victim.signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		pass(t.Context(), time.Second)
		c.await("links between all nodes", c.linked)
		c.await("a word of it that it has lost sessions", func() error {
			if n := c.eventsSince(woken, victim.i)["session_superseded"]; n == 0 {
				return errors.New("no such event")
			}
			return nil
		})
		tr.stop()
		others := slices.DeleteFunc([]int{0, 1, 2}, func(i int) bool { return i == victim.i })
		said := c.eventsSince(stopped, others...)
		t.Logf("while node %d stood still the others said %v; afterwards it says %v", victim.i, said, c.eventsSince(woken, victim.i))
		if said["session_taken_over"] == 0 {
			t.Error("nobody has taken anything over")
		}
		tr.mended("copies of all sessions")
	}
	tr.finish()
}

// TestFrozenMirror lets a node stand still that nobody asks anything: it only has copies. Changes wait until it counts as lost, and not longer.
func TestFrozenMirror(t *testing.T) {
	t.Parallel()
	seed := seeds(t)
	c := startCluster(t, setup{nodes: 3})
	tr := startTraffic(t, c, load{
		clients: 4, sessions: 40, shared: 5, body: 500, think: long(30*time.Millisecond, 10*time.Millisecond), limit: 10 * time.Second, seed: seed,
		reach: func(client int) []int { return []int{client % 2, 1 - client%2} },
	})
	for range long(1, 10) {
		tr.work()
		pass(t.Context(), 300*time.Millisecond)
		if err := c.nodes[2].signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		pass(t.Context(), 6*time.Second)
		if err := c.nodes[2].signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		pass(t.Context(), 500*time.Millisecond)
		c.await("links between all nodes", c.linked)
		tr.stop()
	}
	tr.finish()
	// The link counts as broken after three seconds of silence; then another node gets the whole state. A request that came just before has been told to come again, after
	// 2.75 s, and does so after half a second; another one of the same page may wait as well.
	if limit := 6 * time.Second * raceFactor; tr.worst > limit {
		t.Errorf("a page took %v, more than %v", tr.worst, limit)
	}
}

// live is how many sessions of clients of their own there certainly are.
func (tr *traffic) live() (n int) {
	for _, cl := range tr.clientList {
		for _, v := range cl.mine {
			if v.saved > 0 && !v.gone {
				n++
			}
		}
	}
	return n
}
