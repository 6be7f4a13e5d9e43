package relay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
)

// TestPick: targets get like shares, and when one goes only its sessions move.
func TestPick(t *testing.T) {
	var names []uint64
	for _, addr := range []string{"10.0.0.1:42424", "10.0.0.2:42424", "10.0.0.3:42424", "10.0.0.4:42424"} {
		names = append(names, xxhash.Sum64String(addr))
	}
	turned := []uint64{names[3], names[2], names[1], names[0]}
	all := func(int) bool { return true }
	without2 := func(i int) bool { return i != 2 }
	const n = 10000
	var shares, heirs [4]int
	for i := range n {
		id := fmt.Sprintf("session%d", i)
		home := pick(id, names, all)
		shares[home]++
		if other := pick(id, turned, all); other != 3-home {
			t.Fatalf("%s: another target when they are named in another order", id)
		}
		now := pick(id, names, without2)
		if home != 2 && now != home {
			t.Fatalf("%s moved from %d to %d although its target is up", id, home, now)
		}
		if home == 2 {
			heirs[now]++
		}
	}
	for i, share := range shares {
		if share < n/4*9/10 || share > n/4*11/10 {
			t.Errorf("target %d has %d of %d sessions", i, share, n)
		}
		if i != 2 && (heirs[i] < shares[2]/3*8/10 || heirs[i] > shares[2]/3*12/10) {
			t.Errorf("target %d inherits %d of %d", i, heirs[i], shares[2])
		}
	}
	if got := pick("x", names, func(int) bool { return false }); got != -1 {
		t.Errorf("%d is picked although all are down", got)
	}
}

// TestHealth plays outcomes of probes, a second apart.
func TestHealth(t *testing.T) {
	for _, v := range []struct{ outcomes, want string }{
		{"++++", "1111"},
		{"-+-+-+", "111111"},                   // one that is lost means little
		{"--++++++", "10000001"},               // a warm-up of 5 s, from the first good probe
		{"--+++++-++++++", "10000000000001"},   // which a bad one begins anew
		{"--+-+-+-+-+-+-+", "100000000000000"}, // a flapping target stays down
		{"--+++++++--", "10000001110"},
	} {
		h := health{up: true}
		now := time.Unix(1000, 0)
		got := ""
		for _, o := range v.outcomes {
			was := h.up
			changed := h.probed(o == '+', now, 5*time.Second)
			if changed != (was != h.up) {
				t.Errorf("%s: changed is %t at %s", v.outcomes, changed, now)
			}
			got += map[bool]string{true: "1", false: "0"}[h.up]
			now = now.Add(time.Second)
		}
		if got != v.want {
			t.Errorf("%s: %s, want %s", v.outcomes, got, v.want)
		}
	}
}

// TestDivided: sessions stay with their servers; those of one that dies are lost and begin anew on the other, those of the
// other stay; and when it is back it has its share again after the warm-up.
func TestDivided(t *testing.T) {
	t.Parallel()
	one, two := serve(t, "127.0.0.1:0"), serve(t, "127.0.0.1:0")
	var elapsed atomic.Int64 // the clock stands still but for what is added here
	began := time.Now()
	now := func() time.Time { return began.Add(time.Duration(elapsed.Load())) }
	r := start(t, Options{Probe: 5 * time.Millisecond, WarmUp: 10 * time.Second, Now: now}, one.addr, two.addr)
	c := dial(t, r.addr)
	direct := map[string]*testClient{one.addr: dial(t, one.addr), two.addr: dial(t, two.addr)}
	home := map[string]string{}
	count := map[string]int{}
	for i := range 40 {
		id := fmt.Sprintf("session%d", i)
		expect(t, c, put(id, id), "200 OK", "")
		for addr, d := range direct {
			if status, _ := d.ask(get(id)); status == "200 OK" {
				home[id] = addr
				count[addr]++
			}
		}
	}
	if len(home) != 40 || count[one.addr] < 5 || count[two.addr] < 5 {
		t.Fatalf("the sessions lie at %v", count)
	}

	// Pipelined requests for both are answered in order.
	var all strings.Builder
	for i := range 40 {
		all.WriteString(get(fmt.Sprintf("session%d", i)))
	}
	c.send(all.String())
	for i := range 40 {
		if head, body := c.reply(); !strings.HasPrefix(head, "200") || body != fmt.Sprintf("session%d", i) {
			t.Fatalf("answer %d: %q %q", i, head, body)
		}
	}

	two.stop()
	eventually(t, "the other is down", func() bool { return !r.isUp(1) })
	c = dial(t, r.addr)
	for id, addr := range home {
		want := "200 OK"
		if addr == two.addr {
			want = "404 Not Found"
		}
		if status, _ := c.ask(get(id)); status != want {
			t.Errorf("%s of %s: %q", id, addr, status)
		}
	}
	for id := range home {
		expect(t, c, put(id, "again"), "200 OK", "")
	}

	// It comes and goes, and is not used; the sessions stay where they are.
	two = serve(t, two.addr)
	eventually(t, "it has been seen", func() bool { return seen(r.targets[1]) })
	for id := range home {
		expect(t, c, get(id), "200 OK", "again")
	}
	elapsed.Add(int64(9 * time.Second))
	two.stop()
	eventually(t, "it has been missed", func() bool { return !seen(r.targets[1]) })
	for id := range home {
		expect(t, c, get(id), "200 OK", "again")
	}
	if n := strings.Count(r.lines(), "is up"); n != 0 {
		t.Errorf("it was up %d times:\n%s", n, r.lines())
	}
	serve(t, two.addr)
	eventually(t, "it has been seen again", func() bool { return seen(r.targets[1]) })
	elapsed.Add(int64(9 * time.Second))
	for id := range home {
		expect(t, c, get(id), "200 OK", "again")
	}
	elapsed.Add(int64(2 * time.Second))
	eventually(t, "it is up", func() bool { return r.isUp(1) })
	for id, addr := range home {
		want := "200 OK"
		if addr == two.addr {
			want = "404 Not Found"
		}
		if status, _ := c.ask(get(id)); status != want {
			t.Errorf("%s of %s: %q", id, addr, status)
		}
	}
	if !strings.Contains(r.lines(), "target "+two.addr+" is up, and gets its share") {
		t.Error(r.lines())
	}
}

// seen reports whether the last probe of a target that is down succeeded.
func seen(t *target) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.since.IsZero()
}

// TestNobodyUp: a refusal that a page sees, and a close. What came before is answered.
func TestNobodyUp(t *testing.T) {
	t.Parallel()
	dead := deadAddr(t)
	another := deadAddr(t)
	for _, targets := range [][]string{{dead}, {dead, another}} {
		r := start(t, Options{}, targets...)
		c := dial(t, r.addr)
		c.send(put(plainID, "x"))
		head, _ := c.reply()
		if head != "400 Bad Request\r\nX-AspNet-Version: 4.0.30319\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n" {
			t.Errorf("%q", head)
		}
		if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
		_ = c.Close()
		if s := r.Summary(); s.Refused != 1 {
			t.Errorf("%+v", s)
		}
	}
}

// TestDividedNonsense: with several targets what is no request is refused, after the answers to what was one.
func TestDividedNonsense(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, Options{}, serve(t, "127.0.0.1:0").addr, serve(t, "127.0.0.1:0").addr).addr)
	c.send(get("a") + get("b") + "NONSENSE\r\n\r\n")
	for _, want := range []string{"404", "404", "400", ""} {
		if head, _ := c.reply(); !strings.HasPrefix(head, want) || want == "" && head != "" {
			t.Errorf("%q, want %s", head, want)
		}
	}
}

// TestConnectionClose: the client's wish is granted although it has other servers.
func TestConnectionClose(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, Options{}, serve(t, "127.0.0.1:0").addr, serve(t, "127.0.0.1:0").addr).addr)
	c.send(get("a") + get("b", "Connection: close\r\n") + get("c"))
	for _, want := range []string{"404", "404", ""} {
		if head, _ := c.reply(); !strings.HasPrefix(head, want) || want == "" && head != "" {
			t.Errorf("%q, want %s", head, want)
		}
	}
}

// deadAddr is an address that nobody listens on.
func deadAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	return addr
}
