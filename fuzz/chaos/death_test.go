//go:build linux

package chaos

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/farm"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// still is a number of sessions that nobody works on: their content is their number.
type still struct {
	c       *cluster
	targets [][]byte
	body    []byte
}

// fill makes sessions at one node, and waits until each has its copy.
func (c *cluster) fill(node, sessions, size int) *still {
	c.t.Helper()
	s := &still{c: c, body: make([]byte, size)}
	for i := range sessions {
		s.targets = append(s.targets, farm.Target(fmt.Sprintf("still%019d", i)))
	}
	var all sync.WaitGroup
	const writers = 4
	for w := range writers {
		all.Go(func() {
			cl := farm.NewClient(c.states())
			defer cl.Close()
			for i := w; i < sessions; i += writers {
				if r, err := cl.Do(c.t.Context(), node, farm.Create(s.targets[i]), s.content(i)); err != nil || r.Status != wire.StatusOK {
					c.t.Errorf("session %d: %v, %v", i, r.Status, err)
					return
				}
			}
		})
	}
	all.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
	c.await("copies of all sessions", func() error { return c.whole(sessions) })
	return s
}

// content is what session i holds.
func (s *still) content(i int) []byte {
	return append([]byte(fmt.Sprintf("%08d", i)), s.body[8:]...)
}

// answer is what somebody was told who wants to read a session, again and again if need be.
type answer struct {
	asked, told time.Time
	tries       int
}

// read reads all sessions at some nodes, with so many readers, in order.
func (s *still) read(readers int, nodes ...int) []answer {
	answers := make([]answer, len(s.targets))
	var all sync.WaitGroup
	for r := range readers {
		all.Go(func() {
			cl := farm.NewClient(s.c.states())
			defer cl.Close()
			for i := r; i < len(s.targets) && !s.c.t.Failed(); i += readers {
				answers[i] = s.readOne(cl, i, nodes[(i/readers+r)%len(nodes)])
			}
		})
	}
	all.Wait()
	return answers
}

func (s *still) readOne(cl *farm.Client, i, node int) (a answer) {
	a.asked = time.Now()
	for {
		a.tries++
		r, err := cl.Do(s.c.t.Context(), node, farm.Get(s.targets[i]), nil)
		a.told = time.Now()
		switch {
		case err == nil && r.Status == wire.StatusOK && string(r.Body) == string(s.content(i)):
			return a
		case err != nil || !r.ComeAgain():
			s.c.t.Errorf("session %d at node %d, %v after the question: %v, %d bytes, %v", i, node, a.told.Sub(a.asked), r.Status, len(r.Body), err)
			return a
		case a.told.Sub(a.asked) > patience:
			s.c.t.Errorf("session %d at node %d: no answer", i, node)
			return a
		}
	}
}

// attempts is how often something is measured that took too long: others may have kept the machine busy for a moment.
const attempts = 3

// try repeats a measurement until it is within its limit.
func try(t *testing.T, limit time.Duration, measure func() latencies) {
	t.Helper()
	for n := 1; ; n++ {
		took := measure()
		if t.Failed() {
			return
		}
		t.Logf("%d sessions: %v", len(took), took)
		if p99 := took.at(0.99); p99 <= limit*raceFactor {
			return
		} else if n == attempts {
			t.Errorf("99 of 100 sessions take up to %v, more than %v", p99, limit*raceFactor)
			return
		}
	}
}

// TestReadAfterKill: the sessions of a node that was killed can be read at once.
func TestReadAfterKill(t *testing.T) {
	sessions := long(1000, 5000)
	try(t, 50*time.Millisecond, func() (took latencies) {
		c := startCluster(t, setup{nodes: 3})
		s := c.fill(0, sessions, 1000)
		c.nodes[0].kill()
		for _, a := range s.read(4, 1, 2) {
			took = append(took, a.told.Sub(a.asked))
		}
		c.end()
		return took
	})
}

// TestReadAfterFreeze: those of a node that stands still can be read as soon as it counts as dead.
func TestReadAfterFreeze(t *testing.T) {
	sessions := long(200, 1000)
	limit := long(40*time.Millisecond, 10*time.Millisecond) // the short form is run where others work
	try(t, limit, func() (took latencies) {
		c := startCluster(t, setup{nodes: 3})
		s := c.fill(0, sessions, 1000)
		begun := time.Now()
		if err := c.nodes[0].signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		answers := s.read(8, 1, 2)
		first := answers[0].told
		for _, a := range answers {
			if a.told.Before(first) {
				first = a.told
			}
		}
		for _, a := range answers {
			from := a.asked
			if from.Before(first) {
				from = first
			}
			took = append(took, a.told.Sub(from))
		}
		t.Logf("the first answer came after %v", first.Sub(begun))
		c.end()
		return took
	})
}
