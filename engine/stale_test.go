package engine

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// staleAfter is Options.StaleLock of the tests here.
const staleAfter = 2 * time.Minute

// live lets time pass with a tick every second, as a server does.
func live(d time.Duration) func(*world) {
	return func(w *world) {
		for ; d > 0; d -= time.Second {
			w.tick(min(d, time.Second))
		}
	}
}

// found checks which locks are told to have been left behind, longest first, and their ages in seconds.
func found(want ...string) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		list := w.e.StaleLocks(w.now)
		got := make([]string, len(list))
		for i, l := range list {
			got[i] = fmt.Sprintf("%s #%d %ds", l.Key, l.Cookie, l.Age/time.Second)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			w.tb.Errorf("locks left behind: %q, want %q", got, want)
		}
	}
}

// toldOf checks how many locks left behind have been told of and counted.
func toldOf(n int) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		if counted := w.e.Stats().LocksLeft; len(w.left) != n || counted != int64(n) {
			w.tb.Errorf("%d locks told, %d counted, want %d", len(w.left), counted, n)
		}
	}
}

// TestStaleLocks has scripts for §7.2: a lock older than StaleLock is told once, counted, and listed as long as it is held.
func TestStaleLocks(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []any
	}{
		{"too young", []any{set("a", "x"), acquire("a"), live(staleAfter - time.Second), found(), toldOf(0)}},
		{"found within half its time", []any{set("a", "x"), acquire("a"), live(staleAfter + staleAfter/2), found("a #2 180s"), toldOf(1)}},
		{"told once", []any{set("a", "x"), acquire("a"), live(10 * time.Minute), found("a #2 600s"), toldOf(1)}},
		{"longest first", []any{
			set("a", "x"), set("b", "x"), set("c", "x"),
			acquire("b"), time.Second, acquire("a"), time.Second, acquire("c"),
			live(10 * time.Minute), found("b #2 602s", "a #2 601s", "c #2 600s"), toldOf(3),
		}},
		{"released", []any{set("a", "x"), acquire("a"), live(5 * time.Minute), release("a", 2), found(), toldOf(1)}},
		{"removed", []any{set("a", "x"), acquire("a"), live(5 * time.Minute), remove("a", 2), found(), toldOf(1)}},
		{"expired", []any{set("a", "x"), acquire("a"), live(20*time.Minute - time.Second), toldOf(1), time.Second, found()}},
		{"passed on", []any{set("a", "x"), acquire("a"), live(5 * time.Minute), set("a", "y", 2), acquire("a"), found(), toldOf(1)}},
		{"left behind again", []any{
			set("a", "x"), acquire("a"), live(5 * time.Minute), release("a", 2),
			acquire("a"), live(5 * time.Minute), found("a #3 300s"), toldOf(2),
		}},
		{"another session under the key", []any{
			set("a", "x"), acquire("a"), live(5 * time.Minute), remove("a", 2),
			set("a", "y"), acquire("a"), found(), // the cookie is the same
		}},
		{"another session under the key, left behind too", []any{
			set("a", "x"), acquire("a"), live(5 * time.Minute), remove("a", 2),
			set("a", "y"), acquire("a"), live(5 * time.Minute), found("a #2 300s"), toldOf(2),
		}},
		{"while somebody is in the session", []any{
			set("a", "x"), acquire("a"), live(5 * time.Minute), found("a #2 300s"),
			yielding(get("a")), "parked", found("a #2 300s"), // what was known is kept
			run, time.Second, found("a #2 301s"),
		}},
		{"after so long a sleep that its product with the number of shards is none any more", []any{
			living(0, set("a", ""), "x"), acquire("a"), ticks(math.MaxInt64 / numShards / 2 * 3), toldOf(1),
		}},
		{"a lock that arrived", []any{
			func(w *world) { w.farm() },
			get("a"), "parked",
			arrives(Parcel{Body: []byte("x"), Cookie: 9, Locked: true, LockAge: int64(time.Hour)}), run,
			live(time.Minute + time.Second), found("a #9 3661s"), toldOf(1),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{StaleLock: staleAfter})
			w.tick(0)
			w.play(c.steps...)
		})
	}
}

// TestStaleLocksOff: a StaleLock of 0 switches the search off.
func TestStaleLocksOff(t *testing.T) {
	newWorld(t, Options{}).play(set("a", "x"), acquire("a"), live(15*time.Minute), found(), toldOf(0))
}

// TestManyStaleLocks: the list is bounded, the count is not, and places become free again.
func TestManyStaleLocks(t *testing.T) {
	const all = maxStaleLocks + 50
	w := newWorld(t, Options{StaleLock: staleAfter})
	for i := range all {
		key := fmt.Sprint("session", i)
		w.do(living(0, set(key, ""), "x"))
		w.do(acquire(key))
	}
	live(5 * time.Minute)(w)
	toldOf(all)(w)
	if n := len(w.e.StaleLocks(w.now)); n != maxStaleLocks {
		t.Fatalf("%d are listed, want %d", n, maxStaleLocks)
	}
	for _, l := range w.e.StaleLocks(w.now) {
		w.do(remove(l.Key, l.Cookie)).want("200")
	}
	w.do(living(0, set("new", ""), "x"))
	w.do(acquire("new"))
	live(5 * time.Minute)(w)
	found("new #2 300s")(w)
	toldOf(all + 1)(w)
}

// TestAuditIsBounded: one round looks at each session once, spread over its time.
func TestAuditIsBounded(t *testing.T) {
	w := newWorld(t, Options{StaleLock: staleAfter})
	w.tick(0)
	for range 3 {
		last := w.e.audit.shard
		for w.e.audit.shard < numShards {
			w.tick(20 * time.Millisecond)
			if looked := w.e.audit.shard - last; looked < 0 || looked > 2 {
				t.Fatalf("one tick looks at %d shards", looked)
			}
			last = w.e.audit.shard
		}
		if took := time.Duration(w.now.Mono - w.e.audit.begun); took < staleAfter/2-time.Second || took > staleAfter/2+time.Second {
			t.Errorf("a round took %v", took)
		}
		w.tick(20 * time.Millisecond)
		w.tick(20 * time.Millisecond)
	}
}
