//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/farm"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// TestKill kills nodes of a farm at random moments and starts them again, the next one when each session has its copy again.
func TestKill(t *testing.T) {
	seed := seeds(t)
	c := startCluster(t, setup{nodes: 3})
	tr := startTraffic(t, c, load{clients: 8, sessions: 60, shared: 10, body: 700, think: 4 * time.Millisecond, limit: 10 * time.Second, seed: seed})
	tr.work()
	rnd := rand.New(rand.NewPCG(seed, 1))
	probe := tr.newClient(99)
	var first, repairs latencies
	for k := range *killsFlag {
		pass(t.Context(), time.Duration(30+rnd.IntN(500))*time.Millisecond)
		if tr.bad() {
			break
		}
		victim := rnd.IntN(len(c.nodes))
		first = append(first, probe.kill(c.nodes[victim], k, rnd))
		pass(t.Context(), time.Duration(rnd.IntN(600))*time.Millisecond)
		begun := time.Now()
		if err := c.nodes[victim].start(t.Context()); err != nil {
			t.Fatal(err)
		}
		tr.mended(fmt.Sprintf("copies of all sessions, after kill %d, of node %d", k, victim))
		repairs = append(repairs, time.Since(begun))
		tr.judge(false)
	}
	tr.finish()
	t.Logf("%d kills; the first answer for a session of the dead node, asked elsewhere: %v; all copies there again: %v", len(first), first, repairs)
	if limit := 2 * time.Second * raceFactor; first.at(1) > limit {
		t.Errorf("it took %v, more than %v", first.at(1), limit)
	}
}

// mended waits until each session has its copy.
func (tr *traffic) mended(what string) {
	tr.t.Helper()
	tr.c.await("links between all nodes", tr.c.linked)
	tr.quiet(func() {
		live := tr.live()
		tr.c.await(what, func() error { return tr.c.whole(live) })
	})
}

// kill kills a node that has just had the client's sessions, and returns how long it takes until one of them can be read elsewhere.
func (cl *client) kill(n *node, k int, rnd *rand.Rand) time.Duration {
	target := farm.Target(fmt.Sprintf("probe%019d", k))
	body := make([]byte, 100)
	for {
		if r, how := cl.tell(n.i, farm.Save(target, 0), body); how == sure && r.Status == wire.StatusOK {
			break
		}
		pass(cl.tr.t.Context(), time.Millisecond)
	}
	pass(cl.tr.t.Context(), time.Duration(rnd.IntN(5000))*time.Microsecond)
	other := (n.i + 1 + rnd.IntN(len(cl.tr.addrs)-1)) % len(cl.tr.addrs)
	begun := time.Now()
	n.kill()
	for {
		r, how := cl.tell(other, farm.Get(target), nil)
		switch {
		case how == sure && r.Status == wire.StatusOK:
			return time.Since(begun)
		case how == sure:
			cl.tr.fault("the probe of kill %d: %v, %v after the death", k, r.Status, time.Since(begun))
			return time.Since(begun)
		case time.Since(begun) > patience:
			cl.tr.fault("the probe of kill %d: no answer", k)
			return time.Since(begun)
		}
		pass(cl.tr.t.Context(), time.Millisecond)
	}
}

// latencies are how long something took, again and again.
type latencies []time.Duration

// at is the latency that a share of them stays within.
func (l latencies) at(share float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(l))
	return s[min(len(s)-1, int(share*float64(len(s))))]
}

func (l latencies) String() string {
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return fmt.Sprintf("median %v, p90 %v, p99 %v, most %v", round(l.at(0.5)), round(l.at(0.9)), round(l.at(0.99)), round(l.at(1)))
}
