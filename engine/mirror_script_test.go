package engine

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// The events of a script with a mirror.

// mirrors switches the mirroring.
func mirrors(m Mirroring) func(*world) { return func(w *world) { w.mirrored(m) } }

// leased says how long this node may answer on its own from now on.
func leased(d time.Duration) func(*world) {
	return func(w *world) { w.e.SetLease(w.now.Mono + int64(d)) }
}

// tells checks what has been told to the mirror and to clients with names since the last time, in order; see telling.
func tells(want ...string) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		names := map[*client]string{}
		for name, c := range w.named {
			names[c] = name
		}
		if got := w.logOf(names); got != strings.Join(want, "; ") {
			w.tb.Errorf("told %q, want %q", got, strings.Join(want, "; "))
		}
		w.log = nil
	}
}

// confirmed confirms the oldest change.
func confirmed(w *world) { w.confirm(0) }

// superseded ends the oldest change: another node has the session.
func superseded(w *world) { w.supersede(0) }

// deaf lets the mirror take no changes any more.
func deaf(w *world) { w.deaf = true }

// ousts takes the session out of service.
func ousts(want SightState) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		if p, got := w.e.Oust(w.now, 0, []byte(k)); got != want || (got == SightHere) != (p.Key == k) {
			w.tb.Errorf("ousted: %s of %q, want %s", got, p.Key, want)
		}
	}
}

// hasExpired checks how many times the mirror has been told that a session's time was up.
func hasExpired(want int) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		if len(w.expired) != want {
			w.tb.Errorf("expired: %q, want %d", w.expired, want)
		}
	}
}

// supersessions checks how many sessions have been taken out of service because others have them.
func supersessions(want int64) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		if got := w.e.Stats().Superseded; got != want {
			w.tb.Errorf("%d superseded, want %d", got, want)
		}
	}
}

// mirrorScripts are about one session, which no other node has at first, in a farm that awaits each change. Acquires wait for a second, requests for the farm two and
// a half.
var mirrorScripts = []struct {
	name  string
	steps []any
}{
	{"a page", []any{
		set(k, "a"), "parked", as("A"), tells("content a/20 #1 v1"), confirmed, tells("A 200"),
		acquire(k), "parked", as("B"), tells("state 20 #2 v1 locked"), confirmed, tells("B 200 a/20 #2"),
		set(k, "b", 2), "parked", as("C"), tells("content b/20 #2 v2"), confirmed, tells("C 200"),
	}},
	{"others wait in line, and are served in order, each change for itself", []any{
		set(k, "a"), "parked", as("A"),
		acquire(k), "parked", as("B"), get(k), "parked", as("C"), release(k, 2), "parked", as("D"), get(k), "parked", as("E"),
		run, tells("content a/20 #1 v1"),
		confirmed, tells("A 200"), run, tells("state 20 #2 v1 locked"),
		confirmed, tells("B 200 a/20 #2"), run, tells("C 423 #2 0s", "state 20 #2 v1"),
		confirmed, tells("D 200"), run, tells("E 200 a/20"),
	}},
	{"sessions do not wait for each other", []any{
		set(k, "a"), "parked", as("A"), set("other", "b"), "parked", as("B"), tells("content a/20 #1 v1", "content b/20 #1 v1"),
		func(w *world) { w.confirm(1) }, tells("B 200"), get("other"), "200 b/20",
		confirmed, tells("A 200"),
	}},
	{"what was parked before", []any{
		set(k, "a"), "parked", confirmed,
		yielding(set(k, "b")), "parked", as("A"), run, confirmed, tells("content a/20 #1 v1", "content b/20 #1 v2", "A 200"),
	}},

	{"who gets the lock goes away while the change waits", []any{
		mirrors(MirrorNone), set(k, "a"), acquire(k), acquire(k), as("V"), acquire(k), as("W"), tells(), mirrors(MirrorAwait),
		set(k, "b", 2), "parked", as("A"), tells("content b/20 #3 v2 locked"), cancels("V"),
		confirmed, tells("A 200", "state 20 #4 v2 locked"), is("W", "parked"),
		confirmed, tells("W 200 b/20 #4"), release(k, 4), confirmed, get(k), "200 b/20",
	}},
	{"who gets the lock does not take it", []any{
		mirrors(MirrorNone), set(k, "a"), acquire(k), acquire(k), as("V"), acquire(k), as("W"), acquire(k), as("X"), tells(), mirrors(MirrorAwait),
		gone("V"), gone("W"), release(k, 2), as("A"), tells("state 20 #3 v1 locked"),
		confirmed, tells("A 200", "V 200 a/20 #3", "state 20 #4 v1 locked"),
		confirmed, tells("W 200 a/20 #4", "state 20 #5 v1 locked"), get(k), "parked", as("B"),
		confirmed, tells("X 200 a/20 #5"), run, tells("B 423 #5 0s"),
	}},
	{"nobody takes the lock", []any{
		mirrors(MirrorNone), set(k, "a"), tells(), mirrors(MirrorAwait),
		acquire(k), as("A"), gone("A"), tells("state 20 #2 v1 locked"),
		confirmed, tells("A 200 a/20 #2", "state 20 #2 v1"), get(k), "parked", as("B"),
		confirmed, tells(), run, tells("B 200 a/20"),
	}},
	{"nobody takes the lock, and mirroring has ended meanwhile", []any{
		mirrors(MirrorNone), set(k, "a"), acquire(k), acquire(k), as("V"), acquire(k), as("W"), acquire(k), as("X"), tells(), mirrors(MirrorAwait),
		release(k, 2), as("A"), gone("V"), gone("W"), mirrors(MirrorNone),
		confirmed, tells("state 20 #3 v1 locked", "A 200", "V 200 a/20 #3", "W 200 a/20 #4", "X 200 a/20 #5"),
	}},
	{"nobody takes the lock, and changes are only told now", []any{
		mirrors(MirrorNone), set(k, "a"), acquire(k), acquire(k), as("V"), acquire(k), as("W"), acquire(k), as("X"), tells(), mirrors(MirrorAwait),
		release(k, 2), as("A"), gone("V"), gone("W"), mirrors(MirrorTell),
		confirmed, tells("state 20 #3 v1 locked", "A 200", "V 200 a/20 #3", "state 20 #4 v1 locked", "W 200 a/20 #4", "state 20 #5 v1 locked", "X 200 a/20 #5"),
	}},
	{"an acquire is cancelled", []any{
		mirrors(MirrorNone), set(k, "a"), tells(), mirrors(MirrorAwait),
		acquire(k), "parked", as("A"), cancels("A"), get(k), "parked", as("B"),
		confirmed, tells("state 20 #2 v1 locked", "state 20 #2 v1"), confirmed, run, is("B", "200 a/20"),
	}},
	{"what is cancelled has been done", []any{
		set(k, "a"), "parked", as("A"), cancels("A"), confirmed, get(k), "200 a/20",
		func(w *world) { w.do(w.owned(set(k, "bb"), 10)).want("parked") }, as("B"), cancels("B"), confirmed, get(k), "200 bb/20",
		remove(k), "parked", as("C"), cancels("C"), confirmed, get(k), "404",
	}},

	{"a change that takes too long", []any{
		mirrors(MirrorNone), set(k, "a"), acquire(k), acquire(k), as("V"), tells(), mirrors(MirrorAwait),
		func(w *world) { w.do(w.owned(set(k, "bb", 2), 10)).want("parked") }, as("A"), tells("content bb/20 #3 v2 locked"),
		ticks(2400 * time.Millisecond), get(k), "parked", as("B"), tells(),
		ticks(100 * time.Millisecond), tells("A cut", "V cut"), is("B", "parked"),
		ticks(2400 * time.Millisecond), tells("B cut"), get(k), "parked", as("C"), run, is("C", "parked"),
		confirmed, tells("state 20 #3 v2"), is("C", "parked"), confirmed, run, is("C", "200 bb/20"),
	}},
	{"a removal that takes too long", []any{
		set(k, "a"), confirmed, tells("content a/20 #1 v1"),
		remove(k), as("A"), ticks(2500 * time.Millisecond), tells("removed #1 v1", "A cut"), sessions(1), confirmed, sessions(0), get(k), "404",
	}},
	{"a lock taken back while a change waits", []any{
		set(k, "a"), confirmed, acquire(k), confirmed, acquire(k), "parked", as("V"), set(k, "b", 2), "parked", as("A"), confirmed,
		is("A", "200"), is("V", "200 b/20 #3"),
		insert(k, "x"), "200", living(30, set(k, "", 3), "b"), "parked", revoke(k, 3), confirmed, run, get(k), "200 b/30",
	}},
	{"a waiter's deadline comes while a change waits", []any{
		mirrors(MirrorNone), set(k, "a"), acquire(k), acquire(k), as("V"), 500 * time.Millisecond, acquire(k), as("W"), tells(), mirrors(MirrorAwait),
		release(k, 2), as("A"), ticks(700 * time.Millisecond), is("V", "parked"), // it has the lock
		ticks(700 * time.Millisecond), is("W", "parked"), // it is queued now
		confirmed, tells("state 20 #3 v1 locked", "A 200", "V 200 a/20 #3"), run, is("W", "423 #3 1s"),
	}},
	{"expiry while a change waits", []any{
		set(k, "a"), as("A"), 19 * time.Minute, ticks(time.Minute), sessions(1), get(k), "parked", as("B"),
		confirmed, tells("content a/20 #1 v1", "A cut"), run, hasExpired(1), tells("B 404"), sessions(0),
	}},
	{"expiry while a change waits, and nobody asks", []any{
		set(k, "a"), as("A"), 20 * time.Minute, confirmed, tells("content a/20 #1 v1", "A 200"), ticks(time.Minute), ticks(time.Minute), hasExpired(1), sessions(0),
	}},
	{"expiry while a change waits, and nobody takes the lock", []any{
		mirrors(MirrorNone), living(1, set(k, ""), "a"), acquire(k), acquire(k), as("V"), acquire(k), as("W"), tells(), mirrors(MirrorAwait),
		release(k, 2), as("A"), cancels("V"), time.Minute, // nobody has told the engine: this process has been frozen
		confirmed, tells("state 1 #3 v1 locked", "A 200", "W 404"), hasExpired(1), sessions(0),
	}},
	{"no word of an expiry without mirrors", []any{
		mirrors(MirrorNone), set(k, "a"), 20 * time.Minute, get(k), "404", hasExpired(0),
		set(k, "a"), mirrors(MirrorTell), 20 * time.Minute, get(k), "404", hasExpired(1),
	}},

	{"a peer asks while a change waits", []any{
		set(k, "a"), as("A"), forgets(k), leave(k), "parked", as("B"), get(k), "parked", as("C"),
		run, confirmed, is("B", "parked"), run, is("B", "200"), is("C", "parked"), tookB, tells("content a/20 #1 v1", "A 200", "B 200"),
		left, run, searches(1), missing, run, is("C", "404"),
	}},
	{"a peer has waited too long", []any{
		set(k, "a"), forgets(k), leave(k), "parked", as("B"), ticks(2500 * time.Millisecond), is("B", "423 #0 0s"), confirmed, get(k), "200 a/20",
	}},

	{"another node has the session", []any{
		mirrors(MirrorNone), set(k, "a"), acquire(k), acquire(k), as("V"), acquire(k), as("W"), tells(), mirrors(MirrorAwait), forgets(k),
		func(w *world) { w.do(w.owned(set(k, "bb", 2), 10)).want("parked") }, as("A"), get(k), "parked", as("B"),
		func(w *world) {
			if p := w.supersede(0); string(p.Body) != "bb" || p.Cookie != 3 || !p.Locked || p.Version != 2 || p.Key != k {
				w.tb.Errorf("it was %+v", p)
			}
		},
		tells("content bb/20 #3 v2 locked", "A cut", "V cut"), sessions(0), supersessions(1),
		run, searches(1), arrives(Parcel{Key: k, Body: []byte("there"), Minutes: 20, Left: minute, Gen: 5, Version: 9, Cookie: 20}), run,
		tells("state 20 #21 v9 locked"), confirmed, tells("W 200 there/20 #21"), run, tells("B 423 #21 0s"),
	}},
	{"another node has made the session", []any{
		set(k, "a"), as("A"), forgets(k), set(k, "b"), as("B"), superseded, tells("content a/20 #1 v1", "A cut"), sessions(0),
		run, searches(1), missing, run, tells("content b/20 #1 v1"), confirmed, tells("B 200"),
	}},
	{"another node has the session that is removed", []any{
		set(k, "a"), confirmed, acquire(k), confirmed, acquire(k), "parked", as("V"), forgets(k), remove(k, 2), as("A"),
		func(w *world) {
			if p := w.supersede(0); string(p.Body) != "a" || !p.Locked {
				w.tb.Errorf("it was %+v", p)
			}
		},
		is("A", "cut"), sessions(0), is("V", "parked"), run, searches(1), undecided, is("V", "cut"),
	}},
	{"another node has the session, and nobody wants it any more", []any{
		set(k, "a"), as("A"), ticks(2500 * time.Millisecond), is("A", "cut"), superseded, sessions(0), supersessions(1),
	}},
	{"only the first word counts", []any{
		set(k, "a"), as("A"),
		func(w *world) {
			c := w.changes[0]
			w.confirm(0)
			w.e.Confirm(w.now, 0, c)
			if _, ok := w.e.Supersede(w.now, 0, c); ok {
				w.tb.Error("a change that has been confirmed is superseded")
			}
		},
		get(k), "200 a/20", set(k, "b"), as("B"),
		func(w *world) {
			c := w.changes[0]
			w.supersede(0)
			w.e.Confirm(w.now, 0, c)
			if _, ok := w.e.Supersede(w.now, 0, c); ok {
				w.tb.Error("a change is superseded twice")
			}
		},
		tells("content a/20 #1 v1", "A 200", "content b/20 #1 v2", "B cut"), sessions(0),
	}},

	{"ousting", []any{
		ousts(SightAbsent),
		mirrors(MirrorNone), set(k, "a"), acquire(k), acquire(k), as("V"), mirrors(MirrorAwait), forgets(k), tells(),
		yielding(get(k)), "parked", as("B"), ousts(SightOccupied), run, is("B", "423 #2 0s"),
		ousts(SightHere), sessions(0), supersessions(1), is("V", "parked"), set(k, "b", 2), "parked", as("A"),
		ousts(SightSought), run, ousts(SightSought),
		arrives(Parcel{Key: k, Body: []byte("there"), Minutes: 20, Left: minute, Gen: 1, Version: 2, Cookie: 20, Locked: true}), run,
		is("A", "423 #20 0s"), is("V", "parked"), ticks(time.Second), is("V", "423 #20 1s"),
	}},
	{"ousting what is not there", []any{
		set(k, "a"), confirmed, 20 * time.Minute, ousts(SightAbsent), get(k), "404",
		set(k, "a"), ousts(SightAway), confirmed, forgets(k), leaves, ousts(SightAway), stayed, ousts(SightHere), get(k), "parked",
		ousts(SightSought), missing, ousts(SightOccupied), run, ousts(SightAbsent), supersessions(1),
	}},

	{"told, and answered at once", []any{
		mirrors(MirrorTell), set(k, "a"), "200", as("A"), acquire(k), as("B"), acquire(k), "parked", as("V"), acquire(k), "parked", as("W"), gone("V"),
		set(k, "b", 2), as("C"), "200",
		func(w *world) { w.named["A"], w.named["B"] = nil, nil },
		tells("content a/20 #1 v1", "state 20 #2 v1 locked", "content b/20 #3 v2 locked", "C 200", "V 200 b/20 #3", "state 20 #4 v2 locked", "W 200 b/20 #4"),
		remove(k, 4), as("D"), "200", tells("removed #4 v2 locked", "D 200"), leased(0), get(k), "404",
	}},
	{"removals alone are told", []any{
		mirrors(MirrorRemovals), set(k, "a"), "200", acquire(k), "200 a/20 #2", set(k, "b", 2), "200", get(k), "200 b/20", tells(),
		leased(0), get(k), "200 b/20", remove(k), as("A"), "200", tells("removed #2 v2", "A 200"), get(k), "404",
		set(k, "a"), 20 * time.Minute, get(k), "404", tells(), hasExpired(0),
	}},
	{"mirroring begins and ends", []any{
		mirrors(MirrorNone), set(k, "a"), "200", tells(),
		mirrors(MirrorAwait), acquire(k), "parked", as("A"), get(k), "parked", as("B"), set(k, "b", 2), "parked", as("C"),
		mirrors(MirrorNone), tells("state 20 #2 v1 locked"), run, tells(), confirmed, tells("A 200 a/20 #2"), run, tells("B 423 #2 0s", "C 200"),
		get(k), "200 b/20",
		mirrors(MirrorAwait), yielding(set(k, "c")), "parked", as("D"), mirrors(MirrorTell), run, tells("content c/20 #2 v3", "D 200"),
		yielding(remove(k)), "parked", as("E"), mirrors(MirrorAwait), run, mirrors(MirrorTell), tells("removed #2 v3"),
		get(k), "parked", as("F"), confirmed, tells("E 200"), run, is("F", "404"),
	}},
	{"a mirror that takes nothing any more", []any{
		deaf, set(k, "a"), "200", acquire(k), "200 a/20 #2", acquire(k), "parked", as("V"), gone("V"), acquire(k), "parked", as("W"),
		set(k, "b", 2), "200", is("W", "200 b/20 #4"), leased(0), touch(k), "200", remove(k, 4), "200", get(k), "404",
	}},

	{"a lease that is over", []any{
		set(k, "a"), confirmed, living(0, set("other", ""), "x"), confirmed, tells("content a/20 #1 v1", "content x/0 #1 v1"), leased(time.Second),
		get(k), "200 a/20", touch(k), "200", ticks(time.Second),
		get(k), "parked", as("A"), tells("state 20 #1 v1"), confirmed, tells("A 200 a/20"),
		touch(k), "parked", as("A"), tells("state 20 #1 v1"), confirmed, tells("A 200"),
		release(k), "parked", as("A"), tells("state 20 #1 v1"), confirmed, tells("A 400"),
		release(k, 2), "parked", as("A"), tells("state 20 #1 v1"), confirmed, tells("A 200"),
		insert(k, "b"), "parked", as("A"), tells("state 20 #1 v1"), confirmed, tells("A 200"),
		set(k, "a"), "parked", as("A"), tells("state 20 #1 v1"), confirmed, tells("A 200"),
		acquire(k), "parked", as("A"), tells("state 20 #2 v1 locked"), confirmed, tells("A 200 a/20 #2"),
		get(k), "parked", as("A"), tells("state 20 #2 v1 locked"), confirmed, tells("A 423 #2 0s"),
		set(k, "b", 7), "parked", as("A"), tells("state 20 #2 v1 locked"), confirmed, tells("A 423 #2 0s"),
		remove(k), "parked", as("A"), tells("state 20 #2 v1 locked"), confirmed, tells("A 423 #2 0s"),
		release(k, 7), "parked", as("A"), tells("state 20 #2 v1 locked"), confirmed, tells("A 423 #2 0s"),
		acquire(k), "parked", as("V"), tells("state 20 #2 v1 locked"), confirmed, tells(), is("V", "parked"), // it waits for the lock
		ticks(time.Second), tells("state 20 #2 v1 locked"), is("V", "parked"), confirmed, tells("V 423 #2 1s"),
		revoke(k, 7), tells("state 20 #2 v1 locked"), confirmed,
		leave(k), "423 #2 1s", urgent(leave(k)), "423 #2 1s", tells(),
		get("nobody"), "parked", missing, run, func(w *world) { w.last.want("404") },
		knows("new"), set("new", "n"), "parked", as("A"), tells("content n/20 #1 v1"), confirmed, tells("A 200"),
		leased(time.Second), get(k), "423 #2 1s", leave(k), "200", tookLast, stayed,
	}},
	{"a lease that is over counts while changes are awaited", []any{
		set(k, "a"), confirmed, leased(0), get(k), "parked", as("A"), mirrors(MirrorTell), tells("content a/20 #1 v1", "state 20 #1 v1"), get(k), "parked", as("B"),
		confirmed, run, tells("A 200 a/20", "B 200 a/20"), get(k), "200 a/20", mirrors(MirrorNone), get(k), "200 a/20",
	}},
	{"the answer to a question is that another node has the session", []any{
		set(k, "a"), confirmed, leased(0), forgets(k), get(k), as("A"), get(k), "parked", as("B"), superseded, is("A", "cut"), sessions(0),
		run, searches(1), undecided, is("B", "cut"),
	}},
	{"who learns that a session is new", []any{
		insert(k, "a"), confirmed, acquire(k), as("A"), confirmed, is("A", "200 a/20 #2 A"),
	}},
}

// tookB notes that B has taken the session out of service, and tookLast that the latest request has.
func tookB(w *world)    { w.moving = w.named["B"].t.Leaving }
func tookLast(w *world) { w.moving = w.last.t.Leaving }

// TestMirror carries out mirrorScripts. See "While a change waits for its copies" in docs/lock.md.
func TestMirror(t *testing.T) {
	for _, c := range mirrorScripts {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{LockWait: time.Second}).farm().mirrored(MirrorAwait)
			w.nowhere[k], w.nowhere["other"] = true, true
			w.play(c.steps...)
			w.e.opt.Elsewhere = nil
			w.empty()
		})
	}
}

// TestMirrorMemory: a save that is refused is told to nobody, and what is superseded gives its memory back, whoever has been told.
func TestMirrorMemory(t *testing.T) {
	w := newWorld(t, Options{MaxMemory: 2000}).mirrored(MirrorAwait)
	big := strings.Repeat("b", 3000)
	w.play(set(k, "a"), "parked", confirmed, acquire(k), confirmed, tells("content a/20 #1 v1", "state 20 #2 v1 locked"),
		set(k, big, 2), "refused", tells(), set("other", big), "refused", tells(), get(k), "423 #2 0s",
		leased(0), set(k, big, 2), "parked", as("A"), tells("state 20 #2 v1 locked"), confirmed, tells("A refused"), leased(time.Hour),
		func(w *world) { w.do(w.owned(set(k, "x", 7), 100)).want("423 #2 0s") }, tells(),
		func(w *world) { w.do(w.owned(set(k, strings.Repeat("c", 500), 2), 100)).want("parked") }, as("B"), superseded, is("B", "cut"), sessions(0),
	)
	if n := w.e.Stats().Bytes; n != 0 {
		t.Errorf("%d bytes remain", n)
	}
	w.play(
		func(w *world) { w.do(w.owned(set(k, strings.Repeat("c", 500)), 100)).want("parked") }, as("C"), cancels("C"), confirmed,
		func(w *world) { w.do(w.owned(set(k, strings.Repeat("d", 600)), 100)).want("parked") }, as("D"), ticks(3*time.Second), is("D", "cut"),
		confirmed, ousts(SightHere), sessions(0),
	)
	if n := w.e.Stats().Bytes; n != 0 {
		t.Errorf("%d bytes remain", n)
	}
}

// TestMirrorBodies: what the mirror has been told stays as it is whatever is saved next.
func TestMirrorBodies(t *testing.T) {
	for _, size := range []int{10, bodyShared, bodyShared + 1, 3 * bodyShared} {
		w := newWorld(t, Options{}).mirrored(MirrorAwait)
		var kept []Parcel
		keep := func(w *world) { kept = append(kept, w.changes[0].Parcel, w.e.State(w.now, w.changes[0])) }
		save := func(b string, d int) Ticket { return set(k, strings.Repeat(b, size+d)) }
		w.play(save("a", 0), keep, confirmed, save("b", 0), keep, confirmed, save("c", -1), keep, confirmed)
		if p, sight := w.e.Peek(w.now, []byte(k)); sight != SightHere {
			t.Errorf("%s", sight)
		} else {
			kept = append(kept, p)
		}
		p, _ := w.e.Oust(w.now, 0, []byte(k))
		kept = append(kept, p)
		w.play(save("d", 0), confirmed)
		for i, want := range []string{"a", "a", "b", "b", "c", "c", "c", "c"} {
			if got := kept[i].Body; len(got) < size-1 || !bytes.Equal(got, bytes.Repeat([]byte(want), len(got))) {
				t.Errorf("%d: %d bytes of %.10q, want %q", i, len(got), got, want)
			}
		}
	}
}

// TestQueuedConfirming: a request that waits until its change has been confirmed will be answered soon, so its connection has to wait for it.
func TestQueuedConfirming(t *testing.T) {
	w := newWorld(t, Options{}).mirrored(MirrorAwait)
	c := w.do(set(k, "a")).want("parked")
	if !w.e.Queued(&c.t) {
		t.Error("nobody waits for the answer")
	}
	w.confirm(0)
	if c.want("200"); w.e.Queued(&c.t) {
		t.Error("the answer is still waited for")
	}
}

// TestPeek: a session is seen whole, and is as it was.
func TestPeek(t *testing.T) {
	w := newWorld(t, Options{}).farm()
	key := []byte(k)
	peek := func(want SightState) func(*world) {
		return func(w *world) {
			w.tb.Helper()
			if p, got := w.e.Peek(w.now, key); got != want || got != SightHere && (p.Key != "" || p.Body != nil) {
				w.tb.Errorf("%s: %+v, want %s", got, p, want)
			}
		}
	}
	w.play(peek(SightAbsent), get(k), "parked", peek(SightSought), missing, peek(SightOccupied), run, peek(SightAbsent),
		knows(k), insert(k, "a"), "200", 5*time.Minute, peek(SightHere), get(k), "200 a/20 A", acquire(k), "200 a/20 #2", time.Second)
	p, _ := w.e.Peek(w.now, key)
	if p.Key != k || string(p.Body) != "a" || p.Left != 20*minute-1e9 || p.Cookie != 2 || !p.Locked || p.LockAge != 1e9 || p.Version != 1 || p.Minutes != 20 {
		t.Errorf("%+v", p)
	}
	w.play(forgets(k), yielding(touch(k)), peek(SightOccupied), run, leaves, peek(SightAway), stayed, 20*time.Minute, peek(SightAbsent))
	w.e.opt.Elsewhere = nil
	w.empty()
}

// TestIdle: each session once, with how long nobody has asked for it.
func TestIdle(t *testing.T) {
	w := newWorld(t, Options{Seed: 5}).farm()
	keys := append(collidingKeys(5, 2), "ever", "dead", "away", "sought")
	for _, key := range keys[:5] {
		w.nowhere[key] = true
	}
	w.play(set(keys[0], "a"), "200", set(keys[1], "a"), "200", living(0, set("ever", ""), "a"), living(1, set("dead", ""), "a"), set("away", "a"),
		time.Minute, get(keys[1]), "200 a/20", forgets("away"), leave("away"), "200", tookLast, time.Minute, get("sought"), "parked")
	want := map[string][2]int64{keys[0]: {2 * minute, 18 * minute}, keys[1]: {minute, 19 * minute}, "ever": {}, "away": {}}
	got := w.idle()
	if len(got) != len(want) {
		t.Errorf("%v, want %v", got, want)
	}
	for key, n := range want {
		if g, ok := got[key]; !ok || g != n {
			t.Errorf("%q is idle for %d, want %d", key, g, n)
		}
	}
	used := 0
	for shard := range NumShards {
		w.e.Idle(w.now, shard, func(idle, left int64) bool { return idle == minute && left == 19*minute }, func(key string, idle, left int64) {
			used++
			if key != keys[1] || idle != minute || left != 19*minute {
				t.Errorf("%q, idle for %d, with %d left, is not wanted", key, idle, left)
			}
		})
	}
	if used != 1 {
		t.Errorf("%d sessions that are wanted, want 1", used)
	}
	called := 0
	for shard := range NumShards {
		w.e.Idle(w.now, shard, nil, func(key string, _, _ int64) {
			called++
			if slices.Contains(keys[:3], key) {
				w.do(touch(key)).want("200") // f may call the engine
			}
		})
	}
	if called != len(want) {
		t.Errorf("%d sessions, want %d", called, len(want))
	}
	w.play(stayed, missing, run)
	w.e.opt.Elsewhere = nil
	w.empty()
}
