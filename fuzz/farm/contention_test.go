//go:build unix

package farm

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestBurst sends many requests for one session of a node at once. (C1)
func TestBurst(t *testing.T) {
	t.Parallel()
	f := startFarm(t, pair(), plain)
	key := newKey()
	f.nodes[0].save(t, 1000, key)
	for _, n := range []int{50, 100, 200, 400} {
		t.Run(fmt.Sprintf("C1 %d", n), func(t *testing.T) {
			served := 0
			for i, a := range f.nodes[0].read(n, repeat(key, n)...) {
				switch {
				case a.body == body(key, 1000):
					served++
				case !a.cut(): // a read beyond session_queue is told to come again
					t.Errorf("GET %d: %v", i+1, a)
				}
			}
			if served < 50 {
				t.Errorf("%d served", served)
			}
		})
	}
}

// storm is many clients that do something in a closed loop.
type storm struct {
	stop    atomic.Bool
	running sync.WaitGroup
	done    atomic.Int64
}

// rage starts n clients of a node. do reports what was wrong with an answer, if anything.
func (s *storm) rage(t *testing.T, n *node, clients int, do func(c *client) string) {
	for range clients {
		c := n.dial()
		s.running.Go(func() {
			defer func() { _ = c.Close() }()
			for !s.stop.Load() {
				if wrong := do(c); wrong != "" {
					t.Errorf("at %s: %s", n.name, wrong)
					return
				}
				s.done.Add(1)
			}
		})
	}
}

func (s *storm) end() {
	s.stop.Store(true)
	s.running.Wait()
}

// reading reads a session.
func reading(key, want string) func(c *client) string {
	return func(c *client) string {
		if a := c.do(GET(key)); !a.cut() && a.body != want {
			return a.String()
		}
		return ""
	}
}

// adding locks a session that has a number, and saves the next one, as a page does. It counts what was saved.
func adding(key string, saves *atomic.Int64) func(c *client) string {
	return func(c *client) string {
		a := c.do(ACQ(key))
		switch {
		case a.status == 423: // come again
			return ""
		case a.status != 200:
			return "ACQ: " + a.String()
		}
		n, err := strconv.Atoi(a.body)
		if err != nil {
			return "ACQ: " + a.String()
		}
		if p := c.do(PUT(key, strconv.Itoa(n+1), cookie(atoi(a.header("LockCookie"))))); p.status != 200 {
			return "the holder's PUT: " + p.String() // the page's changes would be lost
		}
		saves.Add(1)
		return ""
	}
}

// storms is how long a storm lasts.
const storms = 1500 * time.Millisecond

// TestHotSession has a crowd at one session of one node. Who wants another session does not wait longer for it than when the same crowd is spread over many
// sessions. (C2, C3)
func TestHotSession(t *testing.T) {
	f := startFarm(t, pair(), plain)
	cool, many := newKey(), newKeys(200)
	f.nodes[0].save(t, 1000, append(many, cool)...)
	for try := 1; ; try++ {
		spread, n := coolReads(t, f.nodes[0], cool, many)
		hot, m := coolReads(t, f.nodes[0], cool, repeat(many[0], 200))
		t.Logf("C2: %d reads of one session, %d of many; C3: median %v, p99 %v, with the crowd spread: %v, %v", m, n, hot.at(0.5), hot.at(0.99), spread.at(0.5), spread.at(0.99))
		if m > n/3 && hot.at(0.5) <= 2*spread.at(0.5) && hot.at(0.99) <= 3*spread.at(0.99) {
			return
		}
		if try == attempts {
			t.Error("one hot session is worse for others than many warm ones")
			return
		}
	}
}

// coolReads reads a session while a crowd reads others, one each. It returns how long that took, and how much the crowd has read.
func coolReads(t *testing.T, n *node, cool string, crowd []string) (took latencies, reads int64) {
	t.Helper()
	var s storm
	for _, key := range crowd {
		s.rage(t, n, 1, reading(key, body(key, 1000)))
	}
	c := n.dial()
	defer func() { _ = c.Close() }()
	for end := time.Now().Add(storms / 2); time.Now().Before(end); {
		a := c.do(GET(cool))
		if a.status != 200 {
			t.Fatal(a)
		}
		took = append(took, a.took)
	}
	s.end()
	return took, s.done.Load()
}

// TestRoamingCrowd has crowds on all nodes at one session, which moves all the time, and watches others.
func TestRoamingCrowd(t *testing.T) {
	for _, c := range []struct {
		name  string
		shape shape
		mode  mode
	}{{"line", line(3), plain}, {"ring", ring(3), plain}, {"ring", ring(3), secret}, {"mesh", mesh(3), plain}} {
		t.Run(fmt.Sprintf("%s %s", c.name, c.mode), func(t *testing.T) {
			f := startFarm(t, c.shape, c.mode)
			t.Run("C4, C6, C7", func(t *testing.T) { crowd(t, f) })
			t.Run("C5", func(t *testing.T) { lockers(t, f) })
			for _, n := range f.nodes { // C8
				if !n.running() {
					t.Errorf("%s has ended", n.name)
				}
			}
		})
	}
}

// crowd only reads.
func crowd(t *testing.T, f *farm) {
	hot, local, roaming := newKey(), newKey(), newKey()
	f.nodes[0].save(t, 1000, hot, local, roaming)
	var s storm
	for _, n := range f.nodes {
		s.rage(t, n, 8, reading(hot, body(hot, 1000)))
	}
	var visitors sync.WaitGroup
	visitors.Go(func() { // C7
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := 0; !s.stop.Load(); i++ {
			n := f.nodes[i%len(f.nodes)]
			if a := n.do(GET(roaming)); a.body != body(roaming, 1000) || a.took > soon(500*time.Millisecond) {
				t.Errorf("the roaming session at %s: %v after %v", n.name, a, a.took)
			}
			<-tick.C
		}
	})
	for try := 1; ; try++ {
		took := localReads(t, f.nodes[0], local)
		t.Logf("%d reads; C6: median %v, p99 %v", s.done.Load(), took.at(0.5), took.at(0.99))
		if took.at(0.99) <= soon(10*time.Millisecond) {
			break
		}
		if try == attempts {
			t.Errorf("C6: p99 %v", took.at(0.99))
			break
		}
	}
	s.end()
	visitors.Wait()
	if s.done.Load() < 200 {
		t.Errorf("C4: %d reads", s.done.Load())
	}
	for _, n := range f.nodes {
		n.wantAll(t, 1, 1000, hot, local, roaming)
	}
}

// localReads reads a session every 10 ms.
func localReads(t *testing.T, n *node, key string) (took latencies) {
	c := n.dial()
	defer func() { _ = c.Close() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(storms); time.Now().Before(end); <-tick.C {
		a := c.do(GET(key))
		if a.status != 200 {
			t.Fatal(a)
		}
		took = append(took, a.took)
	}
	return took
}

// lockers lock and save.
func lockers(t *testing.T, f *farm) {
	key := newKey()
	f.play(t, step{0, PUT(key, "0"), "200"})
	var s storm
	var saves atomic.Int64
	for _, n := range f.nodes {
		s.rage(t, n, 8, adding(key, &saves))
	}
	pass(storms)
	s.end()
	t.Logf("C5: %d saves, %d refusals", saves.Load(), s.done.Load()-saves.Load())
	if saves.Load() < 50 {
		t.Errorf("C5: %d saves", saves.Load())
	}
	f.play(t, step{1, GET(key), fmt.Sprintf("200 %d", saves.Load())}, step{2, GET(key), fmt.Sprintf("200 %d", saves.Load())})
}

// TestBounds: what is beyond the bounds of a session that is away is told to come again, reads with a lock of age 0, saves with 400.
func TestBounds(t *testing.T) {
	t.Parallel()
	const timeout = 800 * time.Millisecond
	f := newFarm(t, pair(), secret, "--transfer-queue", "3", "--session-queue", "6", "--query-timeout", timeout.String())
	r := f.relay(0)
	f.start()
	key := newKey()
	f.nodes[0].save(t, 1000, key)
	r.set(rules{hold: [2]bool{true, true}})
	var answers [12]answer
	var order [12]sync.WaitGroup
	conns := make([]*client, len(answers))
	for i := range conns {
		conns[i] = f.nodes[1].dial()
	}
	for i := range answers {
		order[i].Go(func() {
			request := GET(key)
			if i == 9 {
				request = PUT(key, "too many")
			}
			answers[i] = conns[i].do(request)
		})
		pass(5 * time.Millisecond) // so that they stand in this order
	}
	for i := range order {
		order[i].Wait()
	}
	r.set(rules{})
	for i, a := range answers {
		switch {
		case i == 9:
			if a.status != 400 || a.took > soon(60*time.Millisecond) {
				t.Errorf("the save: %v after %v, want 400 at once: session_queue", a, a.took)
			}
		case !a.cut():
			t.Errorf("read %d: %v, want 423 with age 0", i+1, a)
		case i < 3 && a.took < timeout-50*time.Millisecond:
			t.Errorf("read %d: after %v, want query_timeout", i+1, a.took)
		case i >= 3 && i < 6 && (a.took < 50*time.Millisecond || a.took > soon(timeout/2)):
			t.Errorf("read %d: after %v, want 100 ms: transfer_queue", i+1, a.took)
		case i >= 6 && a.took > soon(60*time.Millisecond):
			t.Errorf("read %d: after %v, want at once: session_queue", i+1, a.took)
		}
	}
	f.nodes[1].wantAll(t, 1, 1000, key)
}
