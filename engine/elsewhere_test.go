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

// undecided ends the oldest search: nobody knows.
func undecided(w *world) { w.undecided() }

// forgets makes it unknown whether other nodes have a session; knows says that none has.
func forgets(key string) func(*world) { return func(w *world) { delete(w.nowhere, key) } }
func knows(key string) func(*world)   { return func(w *world) { w.nowhere[key] = true } }

// places puts a session here that nobody has asked for.
func places(p Parcel, want Placed) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		if p.Key == "" {
			p.Key = k
		}
		if got := w.place(p); got != want {
			w.tb.Errorf("placed: %s, want %s", got, want)
		}
	}
}

// looks checks where the session is.
func looks(want SightState, gen, version uint32) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		if got := w.e.Look(w.now, []byte(k)); got != (Sight{want, gen, version}) {
			w.tb.Errorf("seen: %+v, want %s of %d.%d", got, want, gen, version)
		}
	}
}

// searches checks how many times others have been asked.
func searches(want int64) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		if got := w.e.Stats().Fetches; got != want {
			w.tb.Errorf("%d searches, want %d", got, want)
		}
	}
}

// sessions checks how many there are.
func sessions(want int64) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		if got := w.e.Stats().Sessions; got != want {
			w.tb.Errorf("%d sessions, want %d", got, want)
		}
	}
}

// tookAny is took for the only hand-over that is under way.
func tookAny(w *world) { w.moving = w.away1() }

// took notes that the latest request has taken the session out of service.
func took(w *world) { w.moving = w.last.t.Leaving }

// leaves takes the session out of service.
func leaves(w *world) {
	w.tb.Helper()
	if w.do(urgent(leave(k))).want("200"); w.last.t.Leaving == nil {
		w.tb.Fatal("there is nothing to move")
	}
	w.moving = w.last.t.Leaving
}

// left ends the hand-over: another node has the session.
func left(w *world) { w.leftFor(w.moving) }

// stayed ends the hand-over: nobody wanted it.
func stayed(w *world) { w.stayed(w.moving) }

// gen is a parcel of this generation and version.
func gen(p Parcel, gen, version uint32) Parcel {
	p.Gen, p.Version = gen, version
	return p
}

// reserved is a parcel whose body has been accounted for.
func reserved(p Parcel) Parcel {
	p.Reserved = true
	return p
}

// away1 returns the hand-over that is under way.
func (w *world) away1() *Leaving {
	w.tb.Helper()
	for _, c := range w.all {
		if x := c.t.Leaving; x != nil && !x.over.Load() {
			return x
		}
	}
	w.tb.Fatal("nothing is leaving")
	return nil
}

// TestElsewhere has scripts for "While the item is on its way" in docs/lock.md. Acquires wait for a second, requests for the farm two and a half.
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
			searches(2),
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
			arrives(Parcel{Body: []byte("a"), Minutes: 20, Left: 1e9, Cookie: 4}), time.Second, turn(1), is("A", "parked"), // it asks again
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
		{"nothing to leave, and not yet known", []any{get(k), "parked", leave(k), "sought", missing, run, leave(k), "404"}},
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
		{"a deadline stays when the session moves on and comes back locked", append(locked,
			acquire(k), "parked", as("W"),
			ticks(600*time.Millisecond), leaves, left, run,
			arrives(lockedThere), run, is("W", "parked"),
			acquire(k), "parked", as("N"),
			ticks(300*time.Millisecond), is("W", "parked"),
			ticks(100*time.Millisecond), run, is("W", "423 #4 90s"), is("N", "parked"),
			ticks(600*time.Millisecond), run, is("N", "423 #4 91s"),
		)},
		{"a deadline that passes on the way", append(locked,
			acquire(k), "parked", as("W"),
			ticks(600*time.Millisecond), leaves, left, run, ticks(600*time.Millisecond), is("W", "parked"),
			arrives(lockedThere), run, is("W", "423 #4 90s"),
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
			missing,
			yielding(leave(k)), "parked",
			yielding(get(k)), "parked", as("B"),
			turn(1), is("A", "200"),
			turn(1), tookAny, left,
			run, is("B", "parked"), // behind the one who took it
			arrives(there), run, is("B", "200 a/20"),
		}},

		// Void placeholders.

		{"void: in order, a save makes the session", []any{
			get(k), "parked", as("A"),
			set(k, "a"), "parked", as("B"),
			missing, sessions(0), looks(SightOccupied, 0, 0),
			leave(k), "parked", as("P"), // it stands behind the save
			get(k), "parked", as("C"),
			run, is("A", "404"), is("B", "200"), is("P", "200"), is("C", "parked"), looks(SightAway, 0, 0), sessions(1), searches(1),
			tookAny, left, run,
			missing, run, is("C", "404"), searches(2),
		}},
		{"void: a peer that asks before the save", []any{
			get(k), "parked", as("A"),
			missing,
			leave(k), "parked", as("P"),
			set(k, "a"), "parked", as("B"),
			turn(2), is("A", "404"), is("P", "404"), looks(SightAbsent, 0, 0),
			run, is("B", "parked"), searches(2), // the peer may have created it
			arrives(there), run, is("B", "200"),
		}},
		{"void: every operation", []any{
			acquire(k), "parked", as("A"),
			release(k, 2), "parked", as("B"),
			remove(k, 2), "parked", as("C"),
			touch(k), "parked", as("D"),
			missing, get(k), "parked", as("E"),
			run, is("A", "404"), is("B", "404"), is("C", "404"), is("D", "404"), is("E", "404"), looks(SightAbsent, 0, 0), searches(1),
		}},
		{"void: all are cancelled", []any{
			get(k), "parked", as("A"),
			missing, cancels("A"), run, looks(SightAbsent, 0, 0),
		}},
		{"void: nobody is queued any more", []any{
			get(k), "parked", as("A"), cancels("A"),
			missing, looks(SightAbsent, 0, 0), run,
		}},
		{"void: a lock is taken back that is nowhere", []any{
			get(k), "parked", as("A"),
			revoke(k, 2), missing, run, is("A", "404"), looks(SightAbsent, 0, 0),
		}},
		{"void: it does not expire", []any{
			get(k), "parked", as("A"), set(k, "a"), "parked", as("B"),
			missing, 24 * time.Hour, func(w *world) { w.e.sweep(w.now, 1000); w.e.findStaleLocks(w.now) },
			run, is("A", "404"), is("B", "200"), get(k), "200 a/20",
		}},

		// What is known to be nowhere.

		{"known to be nowhere", []any{
			knows(k), get(k), "404", acquire(k), "404", release(k, 2), "404", remove(k), "404", touch(k), "404", revoke(k, 2),
			set(k, "a"), "200", get(k), "200 a/20", searches(0),
		}},
		{"known until a moment ago", []any{
			knows(k), get(k), "404",
			forgets(k), leave(k), "404",
			set(k, "a"), "parked", searches(1), missing, run, get(k), "200 a/20",
		}},

		// Undecided.

		{"undecided", []any{
			get(k), "parked", as("A"), set(k, "a"), "parked", as("B"), revoke(k, 2),
			undecided, is("A", "cut"), is("B", "cut"), run, looks(SightAbsent, 0, 0), sessions(0),
			get(k), "parked", searches(2), missing, run,
		}},

		// Taking a lock back that has moved on.

		{"a lock that has moved on is taken back", append(locked,
			leaves, left, revoke(k, 2), searches(2), looks(SightSought, 0, 0),
			func(w *world) {
				if !w.finds[0].Urgent {
					w.tb.Error("it is not urgent")
				}
			},
			arrives(Parcel{Body: []byte("a"), Minutes: 20, Left: 1e9, Cookie: 2, Locked: true}), run,
			acquire(k), "200 a/20 #3",
		)},
		{"a lock that is moving on is taken back", append(locked,
			leaves, revoke(k, 2), left, run, searches(2),
			arrives(Parcel{Body: []byte("a"), Minutes: 20, Left: 1e9, Cookie: 2, Locked: true}), run,
			acquire(k), "200 a/20 #3",
		)},
		{"a lock that has gone is taken back", append(locked,
			leaves, left, revoke(k, 2), missing, run, revoke(k, 2), undecided, run, looks(SightAbsent, 0, 0),
		)},
		{"a lock is taken back too late", append(locked,
			leaves, revoke(k, 2), 3*time.Second, left, run, searches(1), looks(SightAbsent, 0, 0),
		)},

		// Leaving while somebody waits.

		{"who waits keeps a locked session here", append(locked,
			acquire(k), "parked", as("W"),
			time.Second/2, leave(k), "423 #2 0s", looks(SightHere, 0, 1),
			release(k, 2), "200", is("W", "200 a/20 #3"),
			leave(k), "200", looks(SightAway, 0, 0), took, stayed, looks(SightHere, 1, 1), // nobody waits for the lock
		)},
		{"an urgent one takes it all the same", append(locked,
			acquire(k), "parked", as("W"),
			urgent(leave(k)), "200", took, left, run, is("W", "parked"),
			arrives(there), run, is("W", "200 a/20 #5"),
		)},
		{"who has gone does not count", append(locked,
			acquire(k), "parked", as("W"), cancels("W"), leave(k), "200", took, stayed,
		)},
		{"each move raises the generation, also one that is called off", []any{
			knows(k), set(k, "a"), "200", set(k, "b"), "200", set(k, "b"), "200", looks(SightHere, 0, 2),
			leaves, func(w *world) {
				if p := w.e.Parcel(w.now, w.moving); p.Gen != 1 || p.Version != 2 {
					w.tb.Errorf("%d.%d leaves, want 1.2", p.Gen, p.Version)
				}
			}, stayed, looks(SightHere, 1, 2),
			leaves, stayed, looks(SightHere, 2, 2),
			yielding(leave(k)), "parked", as("P"), gone("P"), run, looks(SightHere, 2, 2),
			func(w *world) { w.session(k).gen = 1<<32 - 1 }, leaves, stayed, looks(SightHere, 1<<32-1, 2),
		}},

		// Place.

		{"placed: new", []any{
			places(gen(there, 3, 7), PlacedNew), looks(SightHere, 3, 7), sessions(1), get(k), "200 a/20", acquire(k), "200 a/20 #5", searches(0),
		}},
		{"placed: locked", []any{
			places(lockedThere, PlacedNew), get(k), "423 #4 90s", release(k, 4), "200", acquire(k), "200 a/20 #5",
		}},
		{"placed: it was looked for", []any{
			acquire(k), "parked", as("A"),
			places(gen(there, 3, 7), PlacedSought), run, is("A", "200 a/20 #5"), sessions(1),
			func(w *world) {
				if !w.finds[0].Done() {
					w.tb.Error("the search is not over")
				}
			},
			leaves, missing, looks(SightAway, 0, 0), stayed, looks(SightHere, 4, 7), // the answer comes too late
		}},
		{"placed: it was looked for, and then arrives", []any{
			get(k), "parked", places(there, PlacedSought), arrives(gen(there, 9, 9)), looks(SightOccupied, 0, 0),
			run, looks(SightHere, 0, 7), sessions(1),
		}},
		{"placed: it was looked for, and then nobody knows", []any{
			get(k), "parked", as("A"), places(there, PlacedSought), undecided, run, is("A", "200 a/20"),
		}},
		{"placed: newer by its generation", []any{
			places(gen(there, 1, 9), PlacedNew), places(gen(Parcel{Body: []byte("b"), Minutes: 3, Left: 1e9, Cookie: 2}, 2, 1), PlacedNewer),
			looks(SightHere, 2, 1), sessions(1), get(k), "200 b/3", acquire(k), "200 b/3 #5",
		}},
		{"placed: newer by its version, and it lives for ever", []any{
			places(gen(there, 1, 9), PlacedNew), places(gen(Parcel{Body: []byte("b"), Cookie: 9, Uninitialized: true}, 1, 10), PlacedNewer),
			ticks(time.Hour), get(k), "200 b/0 A", acquire(k), "200 b/0 #10",
		}},
		{"placed: the lock of the newer one holds, the older one's does not", []any{
			places(gen(there, 1, 9), PlacedNew),
			acquire(k), "200 a/20 #5", acquire(k), "parked", as("W"),
			places(gen(lockedThere, 1, 10), PlacedNewer),
			set(k, "b", 5), "parked", as("S"),
			run, is("S", "423 #4 90s"), is("W", "parked"), // a save of the copy that gave way; who waits for the other lock
			release(k, 4), "200", is("W", "200 a/20 #6"), // 5 has been given out
		}},
		{"placed: the newer one is free, and who waits gets it", []any{
			places(gen(there, 1, 9), PlacedNew),
			acquire(k), "200 a/20 #5", acquire(k), "parked", as("W1"), acquire(k), "parked", as("W2"),
			places(gen(there, 2, 0), PlacedNewer), run, is("W1", "200 a/20 #6"), is("W2", "parked"),
			release(k, 6), "200", is("W2", "200 a/20 #7"),
		}},
		{"placed: a lock whose cookie must be skipped moves on", []any{
			places(gen(there, 1, 9), PlacedNew), acquire(k), "200 a/20 #5", places(gen(lockedThere, 1, 10), PlacedNewer),
			leaves, func(w *world) {
				p := w.e.Parcel(w.now, w.moving)
				w.play(left, places(p, PlacedNew), looks(SightHere, 2, 10))
			},
			release(k, 4), "200", acquire(k), "200 a/20 #6",
		}},
		{"placed: cookies to be skipped at the end of their range", []any{
			places(gen(Parcel{Body: []byte("a"), Cookie: maxCookie, Skip: 9, Locked: true, Minutes: 20, Left: 20 * minute}, 1, 1), PlacedNew),
			places(gen(there, 2, 1), PlacedNewer),
			leaves, func(w *world) {
				if p := w.e.Parcel(w.now, w.moving); p.Cookie > maxCookie {
					w.tb.Errorf("cookie %d, which no peer takes", p.Cookie)
				}
			},
			stayed,
		}},
		{"placed: not newer", []any{
			places(gen(there, 2, 7), PlacedNew),
			places(gen(Parcel{Body: []byte("b")}, 2, 7), KeptNewer), places(gen(Parcel{Body: []byte("b")}, 1, 9), KeptNewer),
			get(k), "200 a/20", sessions(1),
		}},
		{"placed: over", []any{
			places(gen(there, 2, 7), PlacedNew), 5 * time.Minute, places(gen(there, 1, 1), PlacedNew), looks(SightHere, 1, 1),
		}},
		{"placed: busy", []any{
			places(there, PlacedNew),
			leaves, places(gen(there, 9, 9), PlacedBusy), stayed,
			yielding(get(k)), "parked", places(gen(there, 9, 9), PlacedBusy), looks(SightOccupied, 0, 0), run,
			get("void"), "parked", missing, places(Parcel{Key: "void", Body: []byte("a")}, PlacedBusy), run,
		}},
		{"placed: its memory was reserved", []any{
			places(reserved(gen(there, 1, 1)), PlacedNew), places(reserved(gen(there, 1, 1)), KeptNewer), places(reserved(gen(there, 2, 1)), PlacedNewer),
			leaves, places(reserved(gen(there, 2, 1)), PlacedBusy), left, get(k), "parked", places(reserved(there), PlacedSought), run,
		}},

		// Waiting for the farm.

		{"who waits too long is cut", []any{
			get(k), "parked", as("A"), 100 * time.Millisecond, set(k, "a"), "parked", as("B"), revoke(k, 2),
			ticks(2399 * time.Millisecond), is("A", "parked"),
			ticks(time.Millisecond), is("A", "cut"), is("B", "parked"),
			ticks(100 * time.Millisecond), is("B", "cut"), looks(SightSought, 0, 0),
			get(k), "parked", as("C"), searches(1), missing, run, is("C", "404"),
		}},
		{"who waits too long for a session that leaves is cut", append(locked,
			leaves, get(k), "parked", as("A"), leave(k), "parked", as("P"),
			ticks(2500*time.Millisecond), is("A", "cut"), is("P", "423 #0 0s"), stayed,
		)},
		{"who waits for a session that is here is not", append(locked,
			leaves, yielding(get(k)), "parked", as("A"), stayed, ticks(time.Hour/4), is("A", "parked"), run, is("A", "423 #2 900s"),
		)},
		{"a second search has the time that is left", append(locked,
			leaves, time.Second, get(k), "parked", as("A"), release(k, 2), "parked", time.Second, left, run, searches(2),
			func(w *world) {
				if f := w.finds[0]; f.Deadline != w.now.Mono+int64(1500*time.Millisecond) || f.Urgent {
					w.tb.Errorf("%+v at %d", f, w.now.Mono)
				}
			}, missing, run,
		)},
		{"a second search has a chance", append(locked,
			leaves, get(k), "parked", 2499*time.Millisecond, left, run, searches(2),
			func(w *world) {
				if f := w.finds[0]; f.Deadline != w.now.Mono+int64(10*time.Millisecond) {
					w.tb.Errorf("%+v at %d", f, w.now.Mono)
				}
			}, missing, run,
		)},
		{"there is no time for a second search", append(locked,
			leaves, get(k), "parked", as("A"), set(k, "b"), "parked", as("B"), 2500*time.Millisecond, left,
			run, searches(1), is("A", "cut"), is("B", "cut"), looks(SightAbsent, 0, 0),
		)},
		{"who has waited for the lock has all the time for the farm", append(locked,
			acquire(k), "parked", as("W"), 900*time.Millisecond, leaves, 2400*time.Millisecond, left, run, is("W", "parked"),
			ticks(100*time.Millisecond), is("W", "cut"), missing, run,
		)},
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

// TestFetch: who is asked for a session learns what is known of the first request for it.
func TestFetch(t *testing.T) {
	for _, c := range []struct {
		t      Ticket
		urgent bool
	}{
		{get(k), false}, {acquire(k), false}, {touch(k), false}, {release(k, 2), true}, {set(k, "a"), true}, {remove(k), true},
	} {
		w := newWorld(t, Options{FarmWait: time.Second}).farm()
		c.t.Target = []byte("/as%20spelt")
		w.play(c.t, "parked")
		f := w.finds[0]
		if f.Key != k || f.Target != "/as%20spelt" || f.Urgent != c.urgent || f.Deadline != w.now.Mono+int64(time.Second) || f.Done() {
			t.Errorf("%s: %+v", c.t.Op, f)
		}
		w.play(missing)
		if !f.Done() {
			t.Error("it is not over")
		}
		w.play(run)
	}
}

// TestLiteral: it travels with a session whether its creator spelt the key as it is.
func TestLiteral(t *testing.T) {
	for target, want := range map[string]bool{k: true, "/as%20spelt": false, "": false} {
		for _, asks := range []bool{false, true} {
			w := newWorld(t, Options{}).farm()
			save := set(k, "a")
			save.Target = []byte(target)
			if asks {
				w.play(save, "parked", missing, run)
			} else {
				w.play(knows(k), save, "200")
			}
			other := set(k, "b")
			other.Target = []byte("/another")
			w.play(other, "200", leaves)
			p := w.e.Parcel(w.now, w.moving)
			if p.Literal != want {
				t.Errorf("created as %q, asked before %v: literal %v", target, asks, p.Literal)
			}
			w.play(left, places(p, PlacedNew), leaves)
			if p := w.e.Parcel(w.now, w.moving); p.Literal != want {
				t.Errorf("placed, created as %q: literal %v", target, p.Literal)
			}
		}
	}
}

// TestParcelBody: what is on the way stays as it is, although the session stays here and is saved over.
func TestParcelBody(t *testing.T) {
	for _, size := range []int{10, bodyShared, bodyShared + 10} {
		w := newWorld(t, Options{}).farm()
		before, after := strings.Repeat("a", size), strings.Repeat("b", size)
		w.play(knows(k), set(k, before), "200", leaves)
		p := w.e.Parcel(w.now, w.moving)
		w.play(stayed, set(k, after), "200", get(k), "200 "+after+"/20")
		if string(p.Body) != before {
			t.Errorf("a body of %d bytes has changed on its way", size)
		}
		if shared := cap(p.Body) > bodyShared; shared != (size > bodyShared) {
			t.Errorf("a body of %d bytes: capacity %d", size, cap(p.Body))
		}
	}
}

// TestTransferQueue: a burst of requests for a session that is away waits, a crowd that stays does not; saves and unlockings are no crowd.
func TestTransferQueue(t *testing.T) {
	w := newWorld(t, Options{TransferQueue: 3}).farm()
	var readers, enders []*client
	for i := range 6 {
		readers = append(readers, w.do([]Ticket{get(k), acquire(k)}[i%2]))
		w.after(10 * time.Millisecond)
	}
	for _, t := range []Ticket{release(k, 2), set(k, "a"), remove(k, 2), touch(k)} {
		enders = append(enders, w.do(t))
	}
	count := func(of []*client, want int) {
		t.Helper()
		open := 0
		for i, c := range of {
			if c.answers == 0 {
				open++
			} else if i < 3 && want > 0 {
				t.Errorf("%d is answered", i)
			}
		}
		if open != want {
			t.Errorf("%d wait, want %d", open, want)
		}
	}
	w.tick(70 * time.Millisecond) // all have come within 130 ms, the fourth is now as old as it may get
	count(readers, 6)
	w.tick(1)
	count(readers, 5)
	w.tick(time.Second)
	count(readers, 3)
	count(enders, 4)
	w.check()
	if s := w.e.Stats(); s.TransferCuts != 3 || s.FarmCuts != 0 {
		t.Errorf("%d trimmed, %d cut", s.TransferCuts, s.FarmCuts)
	}
	w.tick(2 * time.Second)
	count(enders, 0)
	w.play(missing, run)
	if s := w.e.Stats(); s.TransferCuts != 3 || s.FarmCuts != 7 {
		t.Errorf("%d trimmed, %d cut", s.TransferCuts, s.FarmCuts)
	}
}

// TestManyTrips: one Tick looks at so many sessions that are away, the next at the next ones.
func TestManyTrips(t *testing.T) {
	w := newWorld(t, Options{}).farm()
	for i := range tripBudget + 10 {
		w.do(get(string(rune('a'+i%26)) + strings.Repeat("x", i/26)))
	}
	w.tick(DefaultFarmWait)
	if n := len(w.calls); n != 10 {
		t.Errorf("%d wait, want 10", n)
	}
	w.tick(0)
	if n := len(w.calls); n != 0 {
		t.Errorf("%d wait, want none", n)
	}
}

// TestManyPeers: few peers may be queued for a session, and they take nobody's place.
func TestManyPeers(t *testing.T) {
	w := newWorld(t, Options{SessionQueue: 1}).farm()
	w.play(knows(k), set(k, "a"), "200", leaves)
	for range maxLeaves {
		w.play(leave(k), "parked")
	}
	w.play(leave(k), "423 #0 0s", get(k), "parked", as("A"), get(k), "cut", as("B"), cancelPeers, stayed, run, is("A", "200 a/20"))
}

// cancelPeers withdraws the requests of peers that are queued.
func cancelPeers(w *world) {
	for _, c := range w.all {
		if c.t.Op == Leave && c.answers == 0 {
			c.cancel()
		}
	}
}

// TestVoidMemory: a save that cannot be stored leaves the placeholder void, and the account as it was.
func TestVoidMemory(t *testing.T) {
	for _, owned := range []bool{false, true} {
		w := newWorld(t, Options{MaxMemory: 10000}).farm()
		save := set(k, strings.Repeat("x", 9600))
		if owned {
			save = w.owned(save, 0)
		}
		w.play(
			get(k), "parked", save, "parked", as("B"), get(k), "parked", as("C"), set(k, "a"), "parked", as("D"),
			missing, run, is("B", "refused"), is("C", "404"), is("D", "200"), get(k), "200 a/20", sessions(1),
		)
		w.e.SetElsewhere(nil)
		w.empty()
	}
}

// TestNearMissOfPlaceholder: the place for a session that is looked for is not taken for one.
func TestNearMissOfPlaceholder(t *testing.T) {
	const one = "/LM/W3SVC/1/ROOT(Cy7CXGXIdxNYb0mgSt4+0kNVM3E=)/4cqavp3fdz1cmz45ktkpwkfd"
	const two = "/LM/W3SVC/2/ROOT(Cy7CXGXIdxNYb0mgSt4+0kNVM3E=)/4cqavp3fdz1cmz45ktkpwkfd"
	w := newWorld(t, Options{}).farm()
	w.play(
		knows(one), set(one, "a"), "200", remove(one), "200", forgets(one), // both applications have been seen
		knows(two), set(two, "a"), "200", remove(two), "200",
		get(one), "parked", get(two), "404", missing, get(two), "404", run,
	)
	if len(w.nearMisses) != 0 {
		t.Errorf("near misses %+v", w.nearMisses)
	}
	w.play(knows(one), set(one, "a"), "200", yielding(get(one)), "parked", get(two), "404", run)
	if len(w.nearMisses) != 1 {
		t.Errorf("%d near misses, want 1", len(w.nearMisses))
	}
}

// TestListing lists the sessions, and no placeholders.
func TestListing(t *testing.T) {
	w := newWorld(t, Options{}).farm()
	w.play(
		knows("here"), set("here", "a"), "200", knows("busy"), set("busy", "a"), "200", yielding(get("busy")), "parked",
		get("sought"), "parked", missing, get("void"), "parked", missing, get("sought2"), "parked",
		knows(k), set(k, "a"), "200", leaves,
	)
	got := map[string]int{}
	for i := range NumShards {
		w.e.Keys(i, func(key string) {
			got[key]++
			w.do(touch(key)) // it may call the engine
		})
	}
	if len(got) != 3 || got["here"] != 1 || got["busy"] != 1 || got[k] != 1 {
		t.Errorf("%v", got)
	}
	w.play(stayed, missing, run)
}

// TestRoom: a new session is refused as long before the cap as a save that makes one.
func TestRoom(t *testing.T) {
	w := newWorld(t, Options{MaxMemory: 32000})
	for _, c := range []struct {
		n    int64
		room bool
	}{{1, true}, {31000 - sessionCost, true}, {31000 - sessionCost + 1, false}} {
		if got := w.e.Room(c.n); got != c.room {
			t.Errorf("room for %d: %v", c.n, got)
		}
	}
	if w = newWorld(t, Options{}); !w.e.Room(1 << 60) {
		t.Error("no room without a cap")
	}
}

// TestMoveStats: what became of searches and copies is counted.
func TestMoveStats(t *testing.T) {
	w := newWorld(t, Options{}).farm()
	p := Parcel{Body: []byte("a"), Cookie: 1}
	w.play(
		places(gen(p, 1, 1), PlacedNew), places(gen(p, 1, 1), KeptNewer), places(gen(p, 1, 2), PlacedNewer), places(gen(p, 2, 0), PlacedNewer),
		get("b"), "parked", undecided, get("c"), "parked", places(Parcel{Key: "c", Body: []byte("a")}, PlacedSought), run,
	)
	s := w.e.Stats()
	if s.Fetches != 2 || s.Arrived != 2 || s.Undecided != 1 || s.Replaced != 2 || s.KeptNewer != 1 || s.Sessions != 2 {
		t.Errorf("%+v", s)
	}
}
