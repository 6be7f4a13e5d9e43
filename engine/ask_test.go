package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// asked is Ask, and how it ended; see client.String.
func (w *world) asked(ctx context.Context, t Ticket) string {
	w.keys[string(t.Key)] = true
	out, err := w.e.Ask(ctx, w.now, t)
	if err != nil {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			w.tb.Errorf("the error is %q", err)
		}
		return "error"
	}
	return describe(t.Op, &out)
}

// asks asks, and checks how that ends.
func asks(t Ticket, want string) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		if got := w.asked(context.Background(), t); got != want {
			w.tb.Errorf("%s of %s: %q, want %q", t.Op, t.Key, got, want)
		}
	}
}

// TestAskBreaksLocks: a Release with the lock's cookie breaks it, and gives it to who waits; one with another cookie does nothing.
func TestAskBreaksLocks(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []any
	}{
		{"held", []any{set("a", "x"), acquire("a"), asks(release("a", 2), "200"), get("a"), "200 x/20"}},
		{"the page that had it comes late", []any{
			set("a", "x"), acquire("a"), asks(release("a", 2), "200"), acquire("a"), "200 x/20 #3", set("a", "late", 2), "423 #3 0s", set("a", "y", 3), "200",
		}},
		{"waited for", []any{
			set("a", "x"), acquire("a"), acquire("a"), as("waits"), asks(release("a", 2), "200"), is("waits", "200 x/20 #3"),
			asks(release("a", 2), "423 #3 0s"), asks(release("a", 3), "200"),
		}},
		{"not there", []any{asks(release("a", 2), "404")}},
		{"not locked any more", []any{set("a", "x"), acquire("a"), set("a", "y", 2), asks(release("a", 2), "200"), get("a"), "200 y/20"}},
		{"content", []any{set("a", "x"), asks(get("a"), "200 x/20"), set("a", "y"), asks(get("a"), "200 y/20")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			newWorld(t, Options{LockWait: time.Second}).play(c.steps...)
		})
	}
}

// TestAskWaits: what cannot be answered at once is waited for, as long as there is time, and leaves nothing behind if it is given up.
func TestAskWaits(t *testing.T) {
	for _, c := range []struct {
		name   string
		before []any
		ask    Ticket
		then   func(*world) // while it waits; nil = its time runs out
		want   string
		after  []any
	}{
		{"served in its turn", []any{set("a", "x"), acquire("a"), yielding(get("a"))}, release("a", 2), run, "200", []any{get("a"), "200 x/20"}},
		{"confirmed", []any{set("a", "x"), acquire("a"), func(w *world) { w.mirrored(MirrorAwait) }}, release("a", 2),
			func(w *world) { w.confirm(0) }, "200", []any{func(w *world) { w.e.SetMirroring(MirrorNone) }, get("a"), "200 x/20"}},
		{"from another node", []any{func(w *world) { w.farm() }}, release("a", 9), func(w *world) {
			w.arrive(Parcel{Key: "a", Body: []byte("x"), Minutes: 20, Left: 20 * minute, Cookie: 9, Locked: true})
			w.run()
		}, "200", []any{get("a"), "200 x/20"}},
		{"nobody knows where", []any{func(w *world) { w.farm() }}, release("a", 9), func(w *world) { w.undecided() }, "cut", nil},
		{"given up in the queue", []any{set("a", "x"), acquire("a"), yielding(get("a"))}, release("a", 2), nil, "error", []any{run, get("a"), "423 #2 60s"}},
		{"given up as a waiter", []any{set("a", "x"), acquire("a")}, acquire("a"), nil, "error", []any{release("a", 2), get("a"), "200 x/20"}},
		{"given up, and its lock taken back", []any{set("a", "x"), func(w *world) { w.mirrored(MirrorAwait) }}, acquire("a"), nil, "error",
			[]any{func(w *world) { w.confirm(0) }, func(w *world) { w.confirmAll() }, get("a"), "200 x/20"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{LockWait: 700 * time.Millisecond})
				for _, step := range c.before {
					w.play(step)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				done := make(chan string)
				go func() { done <- w.asked(ctx, c.ask) }()
				synctest.Wait()
				if c.then != nil {
					c.then(w)
				} else {
					w.after(time.Minute)
				}
				if got := <-done; got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
				for _, step := range c.after {
					w.play(step)
				}
			})
		})
	}
}

// TestAskGivesBack: a body that was reserved for a save that is given up is given back.
func TestAskGivesBack(t *testing.T) {
	w := newWorld(t, Options{}).play(set("a", "x"), acquire("a"), yielding(get("a")))
	before := w.e.Stats().Bytes
	if !w.e.Reserve(100) {
		t.Fatal("no room")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	tk := set("a", "", 2)
	tk.Body, tk.Owned = make([]byte, 100), true
	if got := w.asked(ctx, tk); got != "error" {
		t.Error(got)
	}
	if after := w.e.Stats().Bytes; after != before {
		t.Errorf("%d bytes are kept", after-before)
	}
	w.run()
}

// TestAskAndGiveUpAtOnce: an answer that meets the end of its context is either had or refused, never lost: no lock stays behind.
func TestAskAndGiveUpAtOnce(t *testing.T) {
	now := Time{Mono: 1}
	e, err := New(Options{LockWait: time.Second}, now)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(ctx context.Context, tk Ticket) (Outcome, error) { return e.Ask(ctx, now, tk) }
	if _, err := ask(t.Context(), set("a", "x")); err != nil {
		t.Fatal(err)
	}
	had := 0
	for i := range 300 {
		held, err := ask(t.Context(), acquire("a"))
		if err != nil || held.Status != OK {
			t.Fatalf("round %d: %s, %v", i, held.Status, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			cancel()
			if _, err := e.Ask(t.Context(), now, release("a", held.Cookie)); err != nil {
				t.Error(err)
			}
		}()
		served := make(chan struct{})
		go func() { // either may find the other in the session, and is queued then
			defer close(served)
			for {
				select {
				case <-done:
					return
				default:
					e.Run(now, 0, 10)
				}
			}
		}()
		out, err := ask(ctx, acquire("a"))
		<-served
		for e.Run(now, 0, 10) {
		}
		if err == nil && out.Status == OK {
			had++
			if out, err := ask(t.Context(), release("a", out.Cookie)); err != nil || out.Status != OK {
				t.Fatalf("round %d: the lock cannot be given back: %s, %v", i, out.Status, err)
			}
		}
		if locked := e.Stats().Locked; locked != 0 {
			t.Fatalf("round %d: a lock stays behind; %v, %v", i, out, err)
		}
	}
	t.Logf("%d locks were had, the others were given up", had)
}
