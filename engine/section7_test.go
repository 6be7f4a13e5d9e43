package engine

import (
	"fmt"
	"testing"
	"time"
)

const k = "/LM/W3SVC/1/ROOT(hash)/z445nnecaiiqye55asxwtm55"

// TestSection7 has one script or more for each clause of docs/protocol.md section 7.
func TestSection7(t *testing.T) {
	const wrong = 7
	for _, c := range []struct {
		clause string
		steps  []any
	}{
		{"§7.1 what a new item holds", []any{
			get(k), "404",
			set(k, "a"), "200",
			get(k), "200 a/20",
			acquire(k), "200 a/20 #2", // the counter was 1
		}},
		{"§7.1 the cookie of the request that creates is not taken over", []any{
			set(k, "a", 5), "200",
			get(k), "200 a/20",
			acquire(k), "200 a/20 #2",
		}},
		{"§7.2 the cookies of an item are 2, 3, 4", []any{
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			release(k, 2), "200",
			acquire(k), "200 a/20 #3",
			set(k, "b", 3), "200",
			acquire(k), "200 b/20 #4",
		}},
		{"§7.2 a lock does not end because of its age", []any{
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			19 * time.Minute, touch(k), "200",
			19 * time.Minute, acquire(k), "423 #2 2280s",
		}},
		{"§7.3 nobody but the holder of the lock gets anything", []any{
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			get(k), "423 #2 0s",
			get(k, 2), "423 #2 0s", // a Get does not evaluate cookies
			acquire(k, 2), "423 #2 0s",
			release(k, wrong), "423 #2 0s",
			release(k, 2), "200",
			get(k), "200 a/20",
		}},
		{"§7.3 any cookie releases an item that is not locked", []any{
			set(k, "a"), "200",
			release(k, wrong), "200",
			acquire(k), "200 a/20 #2",
			release(k, 2), "200",
			release(k, 2), "200",
		}},
		{"§7.4 insert-only on an existing item changes nothing", []any{
			set(k, "a"), "200",
			living(5, insert(k, ""), "b"), "200",
			get(k), "200 a/20",
			acquire(k), "200 a/20 #2",
			insert(k, "b", 2), "200",
			get(k), "423 #2 0s",
		}},
		{"§7.4 only the holder saves a locked item", []any{
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			set(k, "b"), "423 #2 0s",
			set(k, "b", wrong), "423 #2 0s",
			set(k, "c", 2), "200",
			get(k), "200 c/20",
		}},
		{"§7.4 anybody saves an item that is not locked", []any{
			set(k, "a"), "200",
			set(k, "b"), "200",
			set(k, "c", wrong), "200",
			get(k), "200 c/20",
		}},
		{"§7.4 a save takes over a new Timeout", []any{
			set(k, "a"), "200",
			living(5, set(k, ""), "b"), "200",
			get(k), "200 b/5",
			5*time.Minute - 1, get(k), "200 b/5",
			5 * time.Minute, get(k), "404",
		}},
		{"§7.5 Remove", []any{
			remove(k), "404",
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			remove(k), "423 #2 0s",
			remove(k, wrong), "423 #2 0s",
			remove(k, 2), "200",
			get(k), "404",
			set(k, "a"), "200",
			remove(k, wrong), "200", // not locked: no cookie is wrong
			set(k, "a"), "200",
			remove(k), "200",
			get(k), "404",
		}},
		{"§7.6 Touch looks at nothing", []any{
			touch(k), "404",
			insert(k, "a"), "200",
			touch(k), "200",
			acquire(k), "200 a/20 #2 A",
			touch(k), "200",
			get(k), "423 #2 0s",
		}},
		{"§7.7 a Get is told, and nobody else", []any{insert(k, "a"), "200", get(k), "200 a/20 A", get(k), "200 a/20"}},
		{"§7.7 an acquire is told", []any{insert(k, "a"), "200", acquire(k), "200 a/20 #2 A", release(k, 2), "200", get(k), "200 a/20"}},
		{"§7.7 a release is told", []any{insert(k, "a"), "200", release(k, wrong), "200 A", get(k), "200 a/20"}},
		{"§7.7 §6.4 a release without cookie is told", []any{insert(k, "a"), "200", release(k), "400 A", release(k), "400", get(k), "200 a/20"}},
		{"§7.7 a Set that keeps Timeout leaves the flag", []any{insert(k, "a"), "200", set(k, "b"), "200", get(k), "200 b/20 A"}},
		{"§7.7 an identical Set leaves the flag", []any{insert(k, "a"), "200", set(k, "a"), "200", get(k), "200 a/20 A"}},
		{"§7.7 a Set that changes Timeout clears the flag", []any{insert(k, "a"), "200", living(21, set(k, ""), "b"), "200", get(k), "200 b/21"}},
		{"§7.7 so does one that changes nothing else", []any{insert(k, "a"), "200", living(21, set(k, ""), "a"), "200", get(k), "200 a/21"}},
		{"§7.7 insert-only with another Timeout leaves the flag", []any{insert(k, "a"), "200", living(21, insert(k, ""), "a"), "200", get(k), "200 a/20 A"}},
		{"§7.7 Remove takes no notice", []any{insert(k, "a"), "200", remove(k), "200", set(k, "b"), "200", get(k), "200 b/20"}},
		{"§6.4 a release without cookie leaves the lock", []any{
			release(k), "404", // comes before 400
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			release(k), "400",
			get(k), "423 #2 0s",
		}},
		{"§7.8 neither refusals nor a new Timeout move the counter", []any{
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			acquire(k), "423 #2 0s",
			acquire(k), "423 #2 0s",
			living(5, set(k, "", 2), "b"), "200",
			acquire(k), "200 b/5 #3",
			living(20, set(k, "", 3), "b"), "200",
			living(21, set(k, ""), "b"), "200",
			acquire(k), "200 b/21 #4",
		}},
		{"§7.8 an item that is created anew starts at 1", []any{
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			remove(k, 2), "200",
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			20 * time.Minute,
			set(k, "a"), "200", // the old one has expired
			acquire(k), "200 a/20 #2",
		}},
		{"§7.8 the counter wraps", []any{
			set(k, "a"), "200",
			func(w *world) { w.session(k).lock.cookie = 2147483645 },
			acquire(k), "200 a/20 #2147483646",
			release(k, 2147483646), "200",
			acquire(k), "200 a/20 #2",
			set(k, "b", 2147483646), "423 #2 0s",
			set(k, "b", 2), "200",
			acquire(k), "200 b/20 #3",
		}},
		{"§7.9 the age counts whole seconds", []any{
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			time.Second - 1, get(k), "423 #2 0s",
			time.Duration(1), get(k), "423 #2 1s",
			release(k, 2), "200",
			acquire(k), "200 a/20 #3",
			get(k), "423 #3 0s", // of this lock
		}},
		{"§7.9 setting the clock does not move the age", []any{
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			func(w *world) { w.now.Date -= 1 << 40 },
			3 * time.Second, get(k), "423 #2 3s",
		}},
		{"§7.9 the age is never negative", []any{
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			func(w *world) { w.now.Mono -= int64(time.Millisecond) }, // another loop read its clock a little earlier
			get(k), "423 #2 0s",
		}},
		{"§7.10 Timeout 0 is for ever", []any{
			living(0, set(k, ""), "a"), "200",
			1000 * 24 * time.Hour, get(k), "200 a/0",
			ticks(1000 * 24 * time.Hour), get(k), "200 a/0",
			remove(k), "200",
			get(k), "404",
		}},
		{"§7.10 from and to for ever", []any{
			living(0, set(k, ""), "a"), "200",
			living(1, set(k, ""), "a"), "200",
			time.Minute - 1, living(0, set(k, ""), "a"), "200",
			ticks(time.Hour), get(k), "200 a/0",
			living(1, set(k, ""), "a"), "200",
			ticks(time.Minute), get(k), "404",
		}},
		{"§7.10 a lock does not prolong life", []any{
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			20 * time.Minute, acquire(k), "404",
			release(k, 2), "404",
		}},
		{"§7.11 of acquires that come together one gets the lock", []any{
			set(k, "a"), "200",
			yielding(acquire(k)), "parked",
			yielding(acquire(k)), "parked",
			yielding(acquire(k)), "parked",
			run, get(k), "423 #2 0s",
		}},
		{"§7.12 a save with an outdated cookie", []any{
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			release(k, 2), "200",
			acquire(k), "200 a/20 #3",
			release(k, 3), "200",
			set(k, "b", 2), "200",
			get(k), "200 b/20",
		}},
	} {
		t.Run(c.clause, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.play(c.steps...)
			w.empty()
		})
	}
}

// session finds a session that must be there.
func (w *world) session(key string) *session {
	w.tb.Helper()
	s := w.e.index.find(w.e.Hash([]byte(key)), []byte(key))
	if s == nil {
		w.tb.Fatalf("no session %q", key)
	}
	return s
}

// TestEveryHitSlides walks the hits of §7.10: each of them starts the item's life anew, to the exact nanosecond.
func TestEveryHitSlides(t *testing.T) {
	const wrong = 7
	for _, locked := range []bool{false, true} {
		for _, c := range []struct {
			t            Ticket
			free, locked string
		}{
			{get(k), "200 a/20", "423 #2 600s"},
			{acquire(k), "200 a/20 #3", "423 #2 600s"},
			{release(k), "400", "400"},
			{release(k, wrong), "200", "423 #2 600s"},
			{release(k, 2), "200", "200"},
			{set(k, "b"), "200", "423 #2 600s"},
			{set(k, "b", wrong), "200", "423 #2 600s"},
			{set(k, "b", 2), "200", "200"},
			{insert(k, "b"), "200", "200"},
			{remove(k, wrong), "", "423 #2 600s"},
			{remove(k), "", "423 #2 600s"},
			{touch(k), "200", "200"},
		} {
			want := c.free
			if locked {
				want = c.locked
			}
			if want == "" {
				continue // it is gone then
			}
			t.Run(fmt.Sprintf("§7.10 %s, cookie %v, locked %v", c.t.Op, c.t.HasCookie, locked), func(t *testing.T) {
				w := newWorld(t, Options{})
				w.play(set(k, "a"), "200", acquire(k), "200 a/20 #2")
				if !locked {
					w.play(release(k, 2), "200")
				}
				w.play(10*time.Minute, c.t, want)
				w.after(20*time.Minute - 1)
				if w.session(k).expired(w.now) {
					t.Error("it has not slid")
				}
				w.play(time.Duration(1), touch(k), "404")
			})
		}
	}
}

// TestLockDate checks §7.9: all refusals of one lock tell the moment at which it was taken.
func TestLockDate(t *testing.T) {
	w := newWorld(t, Options{})
	w.play(set(k, "a"), "200", acquire(k), "200 a/20 #2")
	date := w.now.Date
	for range 3 {
		w.after(time.Minute)
		if c := w.do(get(k)); c.got.LockDate != date {
			t.Errorf("LockDate %d, want %d", c.got.LockDate, date)
		}
	}
	w.play(release(k, 2), "200", acquire(k), "200 a/20 #3")
	if c := w.do(get(k)); c.got.LockDate != w.now.Date {
		t.Errorf("LockDate of the next lock %d, want %d", c.got.LockDate, w.now.Date)
	}
}

// TestIdenticalSave checks that a save that changes nothing is a save all the same: it unlocks, and is counted.
func TestIdenticalSave(t *testing.T) {
	w := newWorld(t, Options{})
	w.play(set(k, "a"), "200")
	version := w.session(k).version
	w.play(
		acquire(k), "200 a/20 #2",
		set(k, "a", 2), "200",
		get(k), "200 a/20",
		w.owned(set(k, "a"), 10), "200",
		get(k), "200 a/20",
	)
	if s := w.session(k); s.version != version {
		t.Errorf("version %d became %d", version, s.version)
	}
	if n := w.e.Stats().Identical; n != 2 {
		t.Errorf("%d identical saves, want 2", n)
	}
	for i, body := range []string{"b", "bb", "ba", "ab"} { // as long as the one before it, and much like it
		w.play(set(k, body), "200", get(k), "200 "+body+"/20")
		if s := w.session(k); s.version != version+uint32(i)+1 {
			t.Errorf("version %d after %d saves, want %d", s.version, i+1, version+uint32(i)+1)
		}
	}
	w.empty()
}
