//go:build unix

package farm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestLeaving stops nodes that have somebody to hand their sessions to.
func TestLeaving(t *testing.T) {
	t.Parallel()
	const quick = 3 * time.Second
	t.Run("D1", func(t *testing.T) {
		f := startFarm(t, pair(), secret)
		all := newKeys(20)
		f.nodes[1].save(t, 1000, all...)
		if took := f.nodes[1].stop(0, patience); took > soon(quick) {
			t.Errorf("it took %v", took)
		}
		f.nodes[0].wantAll(t, 1, 1000, all...)
	})
	t.Run("D2", func(t *testing.T) {
		f := startFarm(t, pair(), secret)
		large, larger, all := newKey(), newKey(), newKeys(20)
		f.nodes[1].save(t, 6<<20, large)
		f.nodes[1].save(t, 20<<20, larger)
		f.nodes[1].save(t, 1000, all...)
		if took := f.nodes[1].stop(0, patience); took > soon(quick) {
			t.Errorf("it took %v", took)
		}
		f.nodes[0].wantAll(t, 1, 1000, all...)
		f.nodes[0].wantAll(t, 1, 6<<20, large)
		f.nodes[0].wantAll(t, 1, 20<<20, larger)
	})
	t.Run("D3", func(t *testing.T) { // A has links that were accepted, and no peers in its configuration
		f := startFarm(t, star(3), plain)
		all := newKeys(20)
		f.nodes[0].save(t, 1000, all...)
		f.nodes[0].stop(0, patience)
		if n := f.sessions(); n != 20 {
			t.Errorf("%d sessions", n)
		}
	})
	t.Run("D4", func(t *testing.T) {
		f := newFarm(t, shape{{}, {}, {}, {0, 1, 2}}, plain)
		f.start()
		all := newKeys(300)
		f.nodes[3].save(t, 1000, all...)
		if took := f.nodes[3].stop(0, patience); took > soon(quick) {
			t.Errorf("it took %v", took)
		}
		total := int64(0)
		for _, n := range f.nodes[:3] {
			got := n.sessions()
			if total += got; got < 80 || got > 120 {
				t.Errorf("%s has %d of 300 sessions", n.name, got)
			}
		}
		if total != 300 {
			t.Errorf("%d of 300 sessions", total)
		}
	})
	t.Run("D5", func(t *testing.T) {
		f := newFarm(t, shape{{1}, {0}}, secret)
		f.start()
		f.nodes[0].save(t, 1000, newKeys(10)...)
		f.nodes[1].save(t, 1000, newKeys(10)...)
		together(2, func(i int) { f.nodes[i].signal(syscall.SIGTERM) })
		for _, n := range f.nodes {
			n.exit(10 * time.Second)
		}
		if a, b := f.nodes[0].status, f.nodes[1].status; a == 0 && b == 0 {
			t.Error("neither says that sessions were lost")
		}
	})
	t.Run("D8", func(t *testing.T) {
		f := startFarm(t, pair(), secret)
		all := newKeys(2000)
		f.nodes[1].save(t, 1000, all...)
		if took := f.nodes[1].stop(0, patience); took > soon(quick) {
			t.Errorf("it took %v", took)
		}
		f.nodes[0].wantAll(t, 4, 1000, all...)
	})
	t.Run("D9", func(t *testing.T) {
		f := startFarm(t, pair(), plain, "--lock-wait", "0")
		key := newKey()
		f.play(t, step{1, PUT(key, "v"), "200"}, step{1, ACQ(key), "200 #2 v"})
		f.nodes[1].stop(0, patience)
		f.play(t, step{0, GET(key), "423 #2"}, step{0, PUT(key, "w"), "423 #2"}, step{0, REL(key, 2), "200"}, step{0, ACQ(key), "200 #3 v"})
	})
}

// TestLeavingBadPeers has a node leave whose peers are not what they should be.
func TestLeavingBadPeers(t *testing.T) {
	t.Parallel()
	all := newKeys(50)
	leave := func(t *testing.T, f *farm, within time.Duration) {
		t.Helper()
		if took := f.nodes[1].stop(0, patience); took > soon(within) {
			t.Errorf("it took %v", took)
		}
		f.nodes[0].wantAll(t, 1, 1000, all...)
	}
	t.Run("D6", func(t *testing.T) {
		f := newFarm(t, pair(), plain)
		f.nodes[1].args = append(f.nodes[1].args, "--peer", freeAddr(t))
		f.start()
		f.nodes[1].save(t, 1000, all...)
		leave(t, f, 3*time.Second)
	})
	t.Run("D7 mute", func(t *testing.T) {
		f := newFarm(t, pair(), secret)
		f.nodes[1].args = append(f.nodes[1].args, "--peer", newMute(t))
		f.start()
		f.nodes[1].save(t, 1000, all...)
		leave(t, f, 3*time.Second)
	})
	t.Run("D7 stopped", func(t *testing.T) { // a node that has a link and stands still
		f := newFarm(t, shape{{}, {0, 2}, {0}}, secret)
		f.start()
		f.nodes[1].save(t, 1000, all...)
		c := f.nodes[2]
		c.signal(syscall.SIGSTOP)
		leave(t, f, 10*time.Second)
		c.signal(syscall.SIGCONT)
		await(t, "the node that stood still to forget what it was given", patience, func() bool { return c.sessions() == 0 })
	})
	t.Run("D12", func(t *testing.T) {
		f := newFarm(t, pair(), secret)
		r := f.relay(0)
		f.start()
		a, b := f.nodes[0], f.nodes[1]
		b.save(t, 1000, newKeys(2000)...)
		r.set(rules{delay: 20 * time.Millisecond})
		b.signal(syscall.SIGTERM)
		await(t, "some sessions to arrive", patience, func() bool { return a.sessions() > 0 })
		a.kill()
		r.set(rules{})
		if status := b.exit(20 * time.Second); status != 1 {
			t.Errorf("exit status %d, want 1: sessions were lost", status)
		}
	})
}

// writers save sessions through open connections to a node, again and again, until that fails.
type writers struct {
	saved   sync.Map // key to the latest body that was acknowledged
	count   atomic.Int64
	running sync.WaitGroup
	refused atomic.Int64 // answers that were neither 200 nor the end of the connection
}

// write starts n writers. next says what to save.
func write(n *node, count int, next func(writer, i int) (key, body string)) *writers {
	w := new(writers)
	for i := range count {
		c := n.dial()
		w.running.Go(func() {
			defer func() { _ = c.Close() }()
			for j := 0; ; j++ {
				key, body := next(i, j)
				a := c.do(PUT(key, body))
				if a.err != nil {
					return
				}
				if a.status != 200 {
					w.refused.Add(1)
					continue
				}
				w.saved.Store(key, body)
				w.count.Add(1)
			}
		})
	}
	return w
}

// lost counts the keys that do not have what was acknowledged, or something newer.
func (w *writers) lost(t *testing.T, at *node) {
	t.Helper()
	var n int
	w.saved.Range(func(key, saved any) bool {
		n++
		a := at.do(GET(key.(string)))
		if got, err := strconv.Atoi(a.body); err != nil || a.status != 200 || got < atoi(saved.(string)) {
			t.Errorf("%v: %v, saved was %v", key, a, saved)
		}
		return true
	})
	t.Logf("%d saves of %d sessions, %d refusals", w.count.Load(), n, w.refused.Load())
	if n == 0 {
		t.Error("nothing was saved")
	}
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// TestSavesWhileLeaving saves at a node while it leaves. What it acknowledges is not lost. (D10, D11)
func TestSavesWhileLeaving(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id   string
		next func(writer, i int) (key, body string)
	}{
		{"D10", func(writer, i int) (string, string) { return fmt.Sprintf("/D10/%d", writer), strconv.Itoa(i) }},
		{"D11", func(writer, i int) (string, string) { return fmt.Sprintf("/D11/%d/%d", writer, i), strconv.Itoa(i) }},
	} {
		t.Run(c.id, func(t *testing.T) {
			f := startFarm(t, pair(), plain)
			a, b := f.nodes[0], f.nodes[1]
			b.save(t, 1000, newKeys(500)...)
			w := write(b, 5, c.next)
			pass(200 * time.Millisecond)
			b.signal(syscall.SIGTERM)
			status := b.exit(patience)
			w.running.Wait()
			w.lost(t, a)
			if status != 0 {
				t.Errorf("exit status %d", status)
			}
		})
	}
	t.Run("reads and saves elsewhere", func(t *testing.T) { // those of the sessions that are being handed over
		f := startFarm(t, star(3), secret)
		a, b := f.nodes[0], f.nodes[1]
		all := newKeys(300)
		b.save(t, 1000, all...)
		w := write(f.nodes[2], 5, func(writer, i int) (string, string) { return fmt.Sprintf("/D/%d/%d", writer, i%20), strconv.Itoa(i) })
		v := write(b, 5, func(writer, i int) (string, string) { return fmt.Sprintf("/D/%d/%d", writer, i%20), strconv.Itoa(-i) })
		pass(200 * time.Millisecond)
		b.stop(0, patience)
		v.running.Wait()
		a.wantAll(t, 4, 1000, all...)
		f.nodes[2].signal(syscall.SIGTERM)
		f.nodes[2].exit(patience)
		w.running.Wait()
		if n := a.sessions(); n != 400 {
			t.Errorf("%d sessions, want 400", n)
		}
	})
}

// TestDrain empties a node that goes on serving.
func TestDrain(t *testing.T) {
	t.Parallel()
	f := startFarm(t, pair(), secret)
	a, b := f.nodes[0], f.nodes[1]
	all := newKeys(1000)
	b.save(t, 1000, all...)
	out := runOK(t, "drain", "--admin", b.admin, "--json", "--timeout", "15s")
	var last progress
	before := int64(1 << 62)
	for line := range strings.Lines(out) {
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatal(err)
		}
		if last.Sessions > before {
			t.Errorf("%d sessions, and before %d", last.Sessions, before)
		}
		before = last.Sessions
	}
	if last.Sessions != 0 || last.Handed < 1000 || !last.Draining {
		t.Errorf("at the end: %+v", last)
	}
	a.wantAll(t, 4, 1000, all[:500]...)
	b.wantAll(t, 4, 1000, all...) // it serves still
	await(t, "what came back to go again", patience, func() bool { return b.sessions() == 0 })
	f.play(t, step{1, PUT(all[0], "new"), "200"})
	await(t, "what was saved here to go, too", patience, func() bool { return b.sessions() == 0 })
	f.play(t, step{0, GET(all[0]), "200 new"})
	resp, err := admin.Get("http://" + b.admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 503 {
		t.Errorf("readyz %d", resp.StatusCode)
	}
	runOK(t, "drain", "--admin", b.admin, "--stop")
	b.wantAll(t, 4, 1000, all[1:100]...)
	if n := b.sessions(); n != 99 {
		t.Errorf("%d sessions stay after the end of the drain, want 99", n)
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a-token-of-nobody"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := run(t, "drain", "--admin", freeAddr(t), "--token-file", token); status == 0 || !strings.Contains(stderr, "cannot be reached") {
		t.Errorf("drain of nothing: %d %q", status, stderr)
	}
}
