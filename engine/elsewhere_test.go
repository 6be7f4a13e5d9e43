package engine

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// arrives ends the oldest search: this is found.
func arrives(p Parcel) func(*world) {
	return func(w *world) {
		p := p
		p.Body = bytes.Clone(p.Body)
		w.arrive(p)
	}
}

// missing ends the oldest search: nothing is found.
func missing(w *world) { w.missing() }

// leaves takes the session out of service.
func leaves(w *world) {
	w.tb.Helper()
	if w.do(leave(k)).want("200"); w.last.t.Leaving == nil {
		w.tb.Fatal("there is nothing to move")
	}
	w.moving = w.last.t.Leaving
}

// left ends the hand-over: another node has the session.
func left(w *world) { w.leftFor(w.moving) }

// stayed ends the hand-over: nobody wanted it.
func stayed(w *world) { w.stayed(w.moving) }

// TestElsewhere has scripts for "While the item is on its way" in docs/lock.md. Acquires wait for a second.
func TestElsewhere(t *testing.T) {
	there := Parcel{Body: []byte("a"), Minutes: 20, Left: int64(5 * time.Minute), Version: 7, Cookie: 4}
	lockedThere := there
	lockedThere.Locked, lockedThere.LockAge = true, int64(90*time.Second)
	newThere := there
	newThere.Uninitialized = true
	locked := []any{set(k, "a"), "parked", missing, run, acquire(k), "200 a/20 #2"}
	for _, c := range []struct {
		name  string
		steps []any
	}{
		{"nowhere", []any{
			get(k), "parked", as("A"),
			acquire(k), "parked", as("B"),
			remove(k), "parked", as("C"),
			run, is("A", "parked"), // until the farm has answered
			missing, run, is("A", "404"), is("B", "404"), is("C", "404"),
		}},
		{"nowhere, and a save makes it", []any{
			get(k), "parked", as("A"),
			set(k, "a"), "parked", as("B"),
			get(k), "parked", as("C"),
			acquire(k), "parked", as("D"),
			missing, run, is("A", "404"), is("B", "200"), is("C", "200 a/20"), is("D", "200 a/20 #2"),
		}},
		{"nowhere, and insert-only makes it", []any{
			insert(k, "a"), "parked",
			missing, run, get(k), "200 a/20 A",
		}},
		{"each miss asks again", []any{
			get(k), "parked", missing, run,
			get(k), "parked", missing, run,
			func(w *world) {
				if n := w.e.Stats().Fetches; n != 2 {
					w.tb.Errorf("%d fetches, want 2", n)
				}
			},
		}},
		{"one search for all", []any{
			get(k), "parked", get(k), "parked", yielding(get(k)), "parked",
			func(w *world) {
				if n := len(w.finds); n != 1 {
					w.tb.Errorf("%d searches, want 1", n)
				}
			},
			missing, run,
		}},
		{"found", []any{
			get(k), "parked", as("A"),
			acquire(k), "parked", as("B"),
			get(k), "parked", as("C"),
			arrives(there), run, is("A", "200 a/20"), is("B", "200 a/20 #5"), is("C", "423 #5 0s"),
			release(k, 5), "200",
			func(w *world) {
				if v := w.session(k).version; v != 7 {
					w.tb.Errorf("version %d, want 7", v)
				}
			},
		}},
		{"found locked", []any{
			get(k), "parked", as("A"),
			time.Second, arrives(lockedThere), run, is("A", "423 #4 90s"),
			func(w *world) {
				if date := w.named["A"].got.LockDate; date != w.now.Date-int64(90*time.Second)/100 {
					w.tb.Errorf("LockDate %d at %d", date, w.now.Date)
				}
			},
			time.Second, acquire(k), "parked", as("B"),
			release(k, 4), "200", is("B", "200 a/20 #5"),
		}},
		{"found uninitialised", []any{
			touch(k), "parked",
			arrives(newThere), run, get(k), "200 a/20 A",
		}},
		{"found, and nobody asks any more", []any{
			get(k), "parked", as("A"), cancels("A"),
			arrives(there),
			func(w *world) {
				s := w.session(k)
				if s.expires != w.now.Mono+int64(5*time.Minute) {
					w.tb.Error("it has slid, and no request has found it")
				}
			},
			run, get(k), "200 a/20",
		}},
		{"found at the end of its life", []any{
			get(k), "parked", as("A"),
			arrives(there), 5 * time.Minute, turn(1), is("A", "parked"), // it asks again
			missing, run, is("A", "404"),
		}},
		{"found, lives for ever", []any{
			get(k), "parked",
			arrives(Parcel{Body: []byte("a"), Cookie: 1}), run,
			ticks(1000 * time.Hour), get(k), "200 a/0",
		}},
		{"a queued acquire that is cancelled while the session is fetched", []any{
			acquire(k), "parked", as("A"), cancels("A"),
			arrives(there), run, acquire(k), "200 a/20 #5",
		}},
		{"a queued acquire that is gone while the session is fetched", []any{
			acquire(k), "parked", as("A"), gone("A"),
			arrives(there), run, acquire(k), "200 a/20 #6",
		}},
		{"taking back a lock of a session that is fetched", []any{
			get(k), "parked", as("A"),
			revoke(k, 4),
			arrives(lockedThere), run, acquire(k), "200 a/20 #5",
		}},
		{"leaving and staying", append(locked,
			acquire(k), "parked", as("W"),
			leaves,
			get(k), "parked", as("A"),
			release(k, 2), "parked", as("B"),
			run, is("A", "parked"), // out of service
			stayed, run, is("A", "423 #2 0s"), is("B", "200"), is("W", "200 a/20 #3"),
		)},
		{"leaving is no hit", append(locked,
			19*time.Minute, leaves, stayed,
			time.Minute, get(k), "parked", // it is gone
			missing, run,
		)},
		{"leaving again while it is leaving", append(locked,
			leaves, leave(k), "parked", as("A"),
			left, run, is("A", "404"),
		)},
		{"nothing to leave", []any{leave(k), "404"}},
		{"nothing to leave, and not yet known", []any{get(k), "parked", leave(k), "parked", as("A"), missing, run, is("A", "404")}},
		{"who wanted it is gone", []any{
			set(k, "a"), "parked", missing, run,
			yielding(leave(k)), "parked", as("A"), gone("A"),
			yielding(get(k)), "parked", as("B"),
			run, is("B", "200 a/20"),
		}},
		{"left", append(locked,
			leaves,
			get(k), "parked", as("A"),
			left, is("A", "parked"),
			run, is("A", "parked"), // looks for it elsewhere
			arrives(lockedThere), run, is("A", "423 #4 90s"),
		)},
		{"left with waiters, who stay in front", append(locked,
			acquire(k), "parked", as("W1"),
			acquire(k), "parked", as("W2"),
			leaves,
			acquire(k), "parked", as("N"),
			left, run,
			arrives(there), run, is("W1", "200 a/20 #5"), is("W2", "parked"), is("N", "parked"),
			release(k, 5), "200", is("W2", "200 a/20 #6"), is("N", "parked"),
			release(k, 6), "200", is("N", "200 a/20 #7"),
		)},
		{"left with a waiter who goes away", append(locked,
			acquire(k), "parked", as("W"),
			leaves, left, cancels("W"),
			run, get(k), "parked", as("A"),
			arrives(there), run, is("A", "200 a/20"),
		)},
		{"a waiter goes away while the session leaves", append(locked,
			acquire(k), "parked", as("W"),
			leaves, cancels("W"), stayed,
			release(k, 2), "200", acquire(k), "200 a/20 #3",
		)},
		{"a deadline while the session leaves, and stays", append(locked,
			acquire(k), "parked", as("W"),
			leaves, ticks(time.Second), is("W", "parked"),
			stayed, run, is("W", "423 #2 1s"),
		)},
		{"a deadline while the session leaves, and is found locked", append(locked,
			acquire(k), "parked", as("W"),
			leaves, ticks(time.Second), left, run, is("W", "parked"),
			arrives(lockedThere), run, is("W", "423 #4 90s"), // and does not wait again
		)},
		{"a deadline while the session leaves, and is found free", append(locked,
			acquire(k), "parked", as("W"),
			leaves, ticks(time.Second), left, run, is("W", "parked"),
			arrives(there), run, is("W", "200 a/20 #5"),
		)},
		{"left, while it expires on the way", append(locked,
			leaves, ticks(30*time.Minute), left, get(k), "parked", missing, run,
		)},
		{"a session that was found nowhere and then left is looked for again", []any{
			set(k, "a"), "parked", as("A"),
			get(k), "parked", as("B"),
			missing, turn(1), is("A", "200"), // B knows that there is nothing elsewhere
			yielding(leave(k)), "parked",
			turn(1), is("B", "parked"), // behind the one before it
			turn(1), func(w *world) { w.moving = w.last.t.Leaving }, left,
			run, is("B", "parked"), // and must forget what it knew
			arrives(there), run, is("B", "200 a/20"),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{LockWait: time.Second}).farm()
			w.play(c.steps...)
			w.e.opt.Elsewhere = nil
			w.empty()
		})
	}
}

// TestParcel: everything about a session travels with it.
func TestParcel(t *testing.T) {
	w := newWorld(t, Options{}).farm()
	before := Parcel{Body: []byte("content"), Minutes: 3, Left: 100, Version: 9, Uninitialized: true, Cookie: 12}
	lockedBefore := before
	lockedBefore.Uninitialized, lockedBefore.Locked, lockedBefore.LockAge = false, true, 12345
	for _, p := range []Parcel{before, lockedBefore, {Body: []byte("x"), Version: 1, Cookie: 1}} {
		w.play(touch(k), "parked", as("A"), cancels("A"), arrives(p), run, leaves)
		got := w.e.Parcel(w.now, w.moving)
		if got.Key != k || !bytes.Equal(got.Body, p.Body) {
			t.Errorf("%q with %q", got.Key, got.Body)
		}
		if got.Key, got.Body = "", nil; p.Minutes == 0 {
			got.Left = 0
		}
		if want := p; got.Minutes != want.Minutes || got.Left != want.Left || got.Version != want.Version || got.Uninitialized != want.Uninitialized ||
			got.Cookie != want.Cookie || got.Locked != want.Locked || got.LockAge != want.LockAge {
			t.Errorf("arrived %+v, leaves %+v", want, got)
		}
		w.after(50)
		if p.Minutes > 0 {
			if got := w.e.Parcel(w.now, w.moving); got.Left != p.Left-50 {
				t.Errorf("%d ns left, 50 ns later %d", p.Left, got.Left)
			}
			w.after(100)
			if got := w.e.Parcel(w.now, w.moving); got.Left != 0 {
				t.Errorf("%d ns left after its end", got.Left)
			}
		}
		w.play(left)
	}
	if s := w.e.Stats(); s.Fetches != 3 || s.Arrived != 3 || s.Left != 3 || s.Sessions != 0 || s.Bytes != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestArrivalBeyondTheCap: a session that exists elsewhere is taken in even if there is no memory for it, and the account tells so.
func TestArrivalBeyondTheCap(t *testing.T) {
	w := newWorld(t, Options{MaxMemory: 10000}).farm()
	w.play(
		get(k), "parked", as("A"),
		arrives(Parcel{Body: []byte(strings.Repeat("x", 20000)), Minutes: 20, Left: 1e9, Cookie: 1}),
		run, get(k), "200 "+strings.Repeat("x", 20000)+"/20",
		set(k, "a"), "200", // smaller is always possible
		get(k), "200 a/20",
	)
	w.e.opt.Elsewhere = nil
	w.empty()
}

// TestNoMemoryToLook: who asks for a session that may be elsewhere while there is no memory to note it is sent away for the moment; but a save
// must not be lost silently. See docs/protocol.md §6.5.
func TestNoMemoryToLook(t *testing.T) {
	w := newWorld(t, Options{MaxMemory: 100}).farm()
	w.play(
		get(k), "cut",
		acquire(k), "cut",
		set(k, "a"), "refused",
		w.owned(set(k, "a"), 10), "refused",
	)
	if len(w.finds) != 0 {
		t.Errorf("%d searches", len(w.finds))
	}
}
