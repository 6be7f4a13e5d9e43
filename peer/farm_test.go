package peer

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/legacy"
	"github.com/farmstate/farmstate/peer/link"
	"github.com/farmstate/farmstate/peer/message"
)

// memberlist ends the goroutines that it has begun itself in its own time: a probe or an exchange that is under way runs to its timeout.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probe"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).pushPull"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).gossip"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).handleConn"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).triggerFunc"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).pushPullTrigger"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode.func7"),
	)
}

// testNode is a node of a farm within this process: an engine and its part of the farm, without a state port.
type testNode struct {
	tb     testing.TB
	engine *engine.Engine
	farm   *Farm
	began  time.Time
	work   chan struct{}
}

func (n *testNode) now() engine.Time { return engine.Time{Mono: int64(time.Since(n.began))} }

// startNode starts a node that is linked to others.
func startNode(tb testing.TB, peers ...*testNode) *testNode {
	tb.Helper()
	return startNodeWith(tb, Copies{}, peers...)
}

// startNodeWith starts a node with copies.
func startNodeWith(tb testing.TB, copies Copies, peers ...*testNode) *testNode {
	tb.Helper()
	return startNodeOf(tb, func(o *Options) { o.Copies = copies }, peers...)
}

// startNodeOf starts a node with other options than the usual ones.
func startNodeOf(tb testing.TB, change func(*Options), peers ...*testNode) *testNode {
	tb.Helper()
	n := &testNode{tb: tb, began: time.Now(), work: make(chan struct{}, 1)}
	var err error
	n.engine, err = engine.New(engine.Options{Ready: func(int) {
		select {
		case n.work <- struct{}{}:
		default:
		}
	}}, n.now())
	if err != nil {
		tb.Fatal(err)
	}
	var addrs []string
	for _, p := range peers {
		addrs = append(addrs, p.farm.Addr().String())
	}
	options := Options{
		Engine: n.engine, Now: n.now, MaxForwards: 5, QueryTimeout: 2500 * time.Millisecond,
		KeyOf: func(target string) string { return target },
		Link:  link.Options{Listen: "127.0.0.1:0", Peers: addrs, Security: link.Security{Secret: []byte("a secret of the tests")}},
	}
	change(&options)
	n.farm, err = New(options)
	if err != nil {
		tb.Fatal(err)
	}
	n.engine.SetElsewhere(n.farm)
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-n.work:
				for n.engine.Run(n.now(), engine.NoLane, 16) {
				}
			case <-tick.C:
				n.engine.Tick(n.now())
			}
		}
	}()
	tb.Cleanup(func() {
		n.close()
		close(quit)
		<-ended
	})
	return n
}

func (n *testNode) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	n.farm.Close(ctx)
}

// request is one request and its answer.
type request struct {
	ticket engine.Ticket
	body   []byte
	done   chan struct{}
}

func (*request) Park(*engine.Ticket) {}

func (r *request) Answer(t *engine.Ticket, _ int) bool {
	r.body = bytes.Clone(t.Out.Body)
	close(r.done)
	return true
}

func (n *testNode) do(op engine.Op, key, body string, cookie uint32) (engine.Outcome, string) {
	n.tb.Helper()
	r := &request{done: make(chan struct{})}
	r.ticket = engine.Ticket{Op: op, Key: []byte(key), Body: []byte(body), Minutes: 20, Cookie: cookie, HasCookie: cookie != 0, Caller: r}
	r.ticket.Hash = n.engine.Hash(r.ticket.Key)
	n.engine.Do(n.now(), engine.NoLane, &r.ticket)
	select {
	case <-r.done:
	case <-time.After(10 * time.Second):
		n.tb.Errorf("%s of %s is not answered", op, key)
	}
	return r.ticket.Out, string(r.body)
}

// linked waits until a node has so many neighbours.
func (n *testNode) linked(neighbours int) {
	n.tb.Helper()
	waitFor(n.tb, fmt.Sprintf("%d neighbours", neighbours), func() bool {
		return n.farm.Stats().Links.Neighbours == neighbours && !n.farm.alone.Load()
	})
}

func waitFor(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			tb.Fatalf("there are not %s", what)
		case <-tick.C:
		}
	}
}

// TestLine: in a line of three every node finds what another one has, with its lock, and a miss is a miss.
func TestLine(t *testing.T) {
	a := startNode(t)
	b := startNode(t, a)
	c := startNode(t, b)
	a.linked(1)
	b.linked(2)
	c.linked(1)
	const k = "/app(1)/session"
	if out, _ := c.do(engine.Acquire, k, "", 0); out.Status != engine.NotFound {
		t.Fatalf("an acquire of what is nowhere: %v", out.Status)
	}
	if out, _ := a.do(engine.Set, k, "one", 0); out.Status != engine.OK {
		t.Fatalf("a new session: %v", out.Status)
	}
	lock, body := c.do(engine.Acquire, k, "", 0)
	if lock.Status != engine.OK || body != "one" {
		t.Fatalf("acquire at the other end: %v %q", lock.Status, body)
	}
	if out, _ := b.do(engine.Get, k, "", 0); out.Status != engine.Locked || out.Cookie != lock.Cookie {
		t.Errorf("a get in the middle while it is locked: %v, cookie %d, want locked, %d", out.Status, out.Cookie, lock.Cookie)
	}
	if out, _ := a.do(engine.Set, k, "two", lock.Cookie); out.Status != engine.OK {
		t.Errorf("a save by the holder of the lock through another node: %v", out.Status)
	}
	if again, body := c.do(engine.Acquire, k, "", 0); again.Status != engine.OK || body != "two" || again.Cookie <= lock.Cookie {
		t.Errorf("the next lock: %v %q, cookie %d after %d", again.Status, body, again.Cookie, lock.Cookie)
	}
	if n := a.engine.Stats().Sessions + b.engine.Stats().Sessions + c.engine.Stats().Sessions; n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}

// TestTwoCreators: nodes that are told at the same moment to make the same session make one.
func TestTwoCreators(t *testing.T) {
	a := startNode(t)
	b := startNode(t, a)
	c := startNode(t, a, b)
	nodes := []*testNode{a, b, c}
	for _, n := range nodes {
		n.linked(2)
	}
	const keys = 200
	var wg sync.WaitGroup
	for i := range keys {
		for _, n := range nodes {
			wg.Go(func() {
				if out, _ := n.do(engine.Set, fmt.Sprint("/k/", i), "x", 0); out.Status != engine.OK {
					t.Errorf("a save: %v", out.Status)
				}
			})
		}
		wg.Wait()
	}
	waitFor(t, "200 sessions in all", func() bool {
		return a.engine.Stats().Sessions+b.engine.Stats().Sessions+c.engine.Stats().Sessions == keys
	})
	if n := a.engine.Stats().Created + b.engine.Stats().Created + c.engine.Stats().Created; n != keys {
		t.Errorf("%d sessions were made, want %d", n, keys)
	}
}

// TestDrain: a node hands over all it has, and says when it cannot.
func TestDrain(t *testing.T) {
	a := startNode(t)
	b := startNode(t, a)
	c := startNode(t, a, b)
	a.linked(2)
	b.linked(2)
	c.linked(2)
	const sessions = 1000
	for i := range sessions {
		a.do(engine.Set, fmt.Sprint("/k/", i), "content", 0)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if left := a.farm.Drain(ctx, false); left != 0 {
		t.Errorf("%d sessions are left", left)
	}
	waitFor(t, "all sessions at the others", func() bool { // the last of them are on the point of being served
		return b.engine.Stats().Sessions+c.engine.Stats().Sessions == sessions
	})
	nb, nc := b.engine.Stats().Sessions, c.engine.Stats().Sessions
	if nb+nc != sessions || nb < sessions/3 || nc < sessions/3 {
		t.Errorf("%d and %d sessions have arrived, want %d, evenly", nb, nc, sessions)
	}
	// What is asked of it now comes back, and whoever is to take the rest has gone.
	if out, body := a.do(engine.Get, "/k/7", "", 0); out.Status != engine.OK || body != "content" {
		t.Errorf("a get at the drained node: %v %q", out.Status, body)
	}
	b.close()
	c.close()
	a.linked0()
	if left := a.farm.Drain(ctx, false); left != 1 {
		t.Errorf("%d sessions are left, want the one that nobody can take", left)
	}
	if out, _ := a.do(engine.Set, "/new", "x", 0); out.Status == engine.OK {
		t.Error("a node that leaves and has nobody to hand sessions to has taken a new one")
	}
}

func (n *testNode) linked0() {
	n.tb.Helper()
	waitFor(n.tb, "no neighbours", func() bool { return n.farm.Stats().Links.Neighbours == 0 })
}

// TestInboxFull: readers of links wait when the inbox is full, and nobody else does.
func TestInboxFull(t *testing.T) {
	var b inbox
	b.init()
	for range inboxRoom / 256 {
		b.putPatiently(256, func(int64) {}) // a batch of messages counts as so many
	}
	b.put(func(int64) {}) // an event loop
	passed := make(chan struct{})
	go func() {
		defer close(passed)
		b.putPatiently(1, func(int64) {})
	}()
	select {
	case <-passed:
		t.Fatal("a reader did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	if n := len(b.take(nil)); n != inboxRoom/256+1 {
		t.Errorf("%d events, want %d", n, inboxRoom/256+1)
	}
	select {
	case <-passed:
	case <-time.After(5 * time.Second):
		t.Fatal("the reader goes on waiting")
	}
	b.close()
	for range inboxRoom + 2 {
		b.putPatiently(1, func(int64) {}) // nobody will take it: must not wait
	}
	b.put(func(int64) {})
	if n := len(b.take(nil)); n > 1 {
		t.Errorf("%d events are kept for nobody", n)
	}
}

func TestMisses(t *testing.T) {
	var m misses
	m.init()
	const hash = 5
	if m.has(hash, []byte("k"), 0) {
		t.Error("it knows what nobody has told")
	}
	m.add(hash, "k", 0)
	if !m.has(hash, []byte("k"), missLife-1) || m.has(hash, []byte("k"), missLife) || m.has(hash, []byte("other"), 0) {
		t.Error("a miss is remembered for missLife, and no other")
	}
	m.drop(hash, "k")
	if m.has(hash, []byte("k"), 0) {
		t.Error("it was not forgotten")
	}
	for i := range 3 * missRoom {
		m.add(hash, fmt.Sprint(i), 0)
	}
	if n := len(m.part(hash).at); n > missRoom {
		t.Errorf("%d misses are remembered, more than there is room for", n)
	}
	m.clear()
	if m.has(hash, []byte(fmt.Sprint(3*missRoom-1)), 0) {
		t.Error("clear has left one")
	}
}

// TestShort: of a session id the log shows its beginning.
func TestShort(t *testing.T) {
	for key, want := range map[string]string{
		"/lm/w3svc/1/root(hash=)/0123456789abcdefghij":  "/lm/w3svc/1/root(hash=)/012345",
		"/lm/w3svc/1/root(hash=)/012345SECRET/":         "/lm/w3",
		"/lm/w3svc/1/root(hash=)/012/345/SECRET":        "/lm/w3",
		"/a/b":                                          "/a/b",
		strings.Repeat("x", 500) + "(hash=)/0123456789": strings.Repeat("x", 120) + ".../012345",
		"withoutslash":                                  "withou",
		"":                                              "",
	} {
		if got := short(key); got != want {
			t.Errorf("short(%q) = %q, want %q", key, got, want)
		}
	}
}

// recording returns a logger, and what it has been given so far, a line each.
func recording() (*slog.Logger, func() []string) {
	var mu sync.Mutex
	var b strings.Builder
	log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	}), nil))
	return log, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Collect(strings.Lines(b.String()))
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// with returns the lines with a text in them.
func with(lines []string, text string) (found []string) {
	for _, line := range lines {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// TestConflictsTold: each state that gives way is an event that says which it was, and so is each for which the quarantine has no room. The log has some of them only.
func TestConflictsTold(t *testing.T) {
	log, logged := recording()
	events, rest := recording()
	n := startNodeOf(t, func(o *Options) { o.Logger, o.Events, o.Copies = log, events, Copies{N: 2, Quarantine: 8 << 10} })
	const states = 60
	n.farm.tell(func() {
		for i := range states {
			p := engine.Parcel{Key: fmt.Sprintf("app(hash)/%06d-secret", i), Gen: 3, Version: 4, Body: make([]byte, 100)}
			n.farm.carryOut(core.Quarantine{Parcel: &p, Winner: core.Winner{Gen: 5, Version: 6, Node: message.Node{0xab, 0xcd}}})
		}
		n.farm.carryOut(core.Notice{What: core.SessionConflict, Key: "app(hash)/unknown"})
	})
	q := n.farm.Quarantine()
	lost := states - len(q.States)
	if lost < 10 || q.Dropped != int64(lost) || n.farm.Stats().Dropped != int64(lost) {
		t.Errorf("%d states are there, %d are said to be dropped, the counter says %d", len(q.States), q.Dropped, n.farm.Stats().Dropped)
	}
	told := append(logged(), rest()...)
	for event, want := range map[string]int{"session_conflict": states + 1, "quarantine_dropped": lost} {
		// Five lines a second, and two seconds if one ends while this goes on.
		if all, lines := len(with(told, "event="+event)), len(with(logged(), "event="+event)); all != want || lines > 2*5 {
			t.Errorf("%s: %d events for %d, %d lines in the log", event, all, want, lines)
		}
	}
	first := with(told, "session=app(hash)/000000")
	for i, want := range []string{
		`event=session_conflict session=app(hash)/000000 node=abcd0000 epoch=3 version=4 newer_epoch=5 newer_version=6 quarantine=1`,
		`event=quarantine_dropped quarantine=1 session=app(hash)/000000 epoch=3 version=4 bytes=100`,
	} {
		if len(first) != 2 || !strings.Contains(first[i], want) {
			t.Errorf("%q, want %s", first, want)
		}
	}
	if line := with(told, "unknow"); len(line) != 1 || strings.Contains(line[0], "node=") || strings.Contains(line[0], "epoch") || strings.Contains(line[0], "quarantine=") {
		t.Errorf("what is not known is shown: %q", line)
	}
}

var _ legacy.Handler = (*originalEvents)(nil)
