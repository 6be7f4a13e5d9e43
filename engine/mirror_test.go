package engine

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// The states of TestMirrorTable beside those of locktable_test.go. A session that has been fetched has been saved seven times, one that was fetched locked has the
// cookie rightCookie.
const (
	isVoid        = "void"
	fetched       = "fetched"
	fetchedLocked = "fetched locked"
)

var mirrorStates = []string{absent, unlocked, locked1, lockedW, isVoid, fetched, fetchedLocked}

// mirrorTable says for each request and each of mirrorStates what the mirror is told, and then what is answered to whom, in order: R made the request, V and W wait.
// What is not told is answered at once. Nobody is told anything of what is executed as a part of another thing.
var mirrorTable = []struct {
	name    string
	request any // a Ticket, or a function
	cells   []string
}{
	{"Get", get(k), []string{
		"R 404", "R 200 old/20", "R 423 #2 0s", "R 423 #2 0s", "R 404", "R 200 old/20", "R 423 #2 0s",
	}},
	{"acquire", acquire(k), []string{
		"R 404", "state 20 #2 v1 locked; R 200 old/20 #2", "", "", "R 404", "state 20 #2 v7 locked; R 200 old/20 #2", "",
	}},
	{"release, right cookie", release(k, rightCookie), []string{
		"R 404", "R 200", "state 20 #2 v1; R 200", "state 20 #3 v1 locked; R 200; V 200 old/20 #3", "R 404", "R 200", "state 20 #2 v7; R 200",
	}},
	{"release, wrong cookie", release(k, wrongCookie), []string{
		"R 404", "R 200", "R 423 #2 0s", "R 423 #2 0s", "R 404", "R 200", "R 423 #2 0s",
	}},
	{"release, no cookie", release(k), []string{
		"R 404", "R 400", "R 400", "R 400", "R 404", "R 400", "R 400",
	}},
	{"Set, right cookie", set(k, "new", rightCookie), []string{
		"content new/20 #1 v1; R 200", "content new/20 #1 v2; R 200", "content new/20 #2 v2; R 200",
		"content new/20 #3 v2 locked; R 200; V 200 new/20 #3", "content new/20 #1 v1; R 200", "content new/20 #1 v8; R 200", "content new/20 #2 v8; R 200",
	}},
	{"Set, wrong cookie", set(k, "new", wrongCookie), []string{
		"content new/20 #1 v1; R 200", "content new/20 #1 v2; R 200", "R 423 #2 0s",
		"R 423 #2 0s", "content new/20 #1 v1; R 200", "content new/20 #1 v8; R 200", "R 423 #2 0s",
	}},
	{"Set, no cookie", set(k, "new"), []string{
		"content new/20 #1 v1; R 200", "content new/20 #1 v2; R 200", "R 423 #2 0s",
		"R 423 #2 0s", "content new/20 #1 v1; R 200", "content new/20 #1 v8; R 200", "R 423 #2 0s",
	}},
	{"identical Set", set(k, "old", rightCookie), []string{
		"content old/20 #1 v1; R 200", "R 200", "state 20 #2 v1; R 200",
		"state 20 #3 v1 locked; R 200; V 200 old/20 #3", "content old/20 #1 v1; R 200", "R 200", "state 20 #2 v7; R 200",
	}},
	{"identical Set with another Timeout", living(30, set(k, "", rightCookie), "old"), []string{
		"content old/30 #1 v1; R 200", "content old/30 #1 v1; R 200", "content old/30 #2 v1; R 200",
		"content old/30 #3 v1 locked; R 200; V 200 old/30 #3", "content old/30 #1 v1; R 200", "content old/30 #1 v7; R 200", "content old/30 #2 v7; R 200",
	}},
	{"insert-only Set", insert(k, "new", rightCookie), []string{
		"content new/20 #1 v1; R 200", "R 200", "R 200", "R 200", "content new/20 #1 v1; R 200", "R 200", "R 200",
	}},
	{"Remove, right cookie", remove(k, rightCookie), []string{
		"R 404", "removed #1 v1; R 200", "removed #2 v1 locked; R 200",
		"removed #2 v1 locked; V 404; W 404; R 200", "R 404", "removed #1 v7; R 200", "removed #2 v7 locked; R 200",
	}},
	{"Remove, wrong cookie", remove(k, wrongCookie), []string{
		"R 404", "removed #1 v1; R 200", "R 423 #2 0s", "R 423 #2 0s", "R 404", "removed #1 v7; R 200", "R 423 #2 0s",
	}},
	{"Touch", touch(k), []string{
		"R 404", "R 200", "R 200", "R 200", "R 404", "R 200", "R 200",
	}},
	{"taking a lock back", revoke(k, rightCookie), []string{
		"", "", "state 20 #2 v1", "state 20 #3 v1 locked; V 200 old/20 #3", "", "", "state 20 #2 v7",
	}},
	{"taking back a lock that has ended", revoke(k, wrongCookie), []string{
		"", "", "", "", "", "", "",
	}},
}

// TestMirrorTable walks mirrorTable, with each way of mirroring.
func TestMirrorTable(t *testing.T) {
	for _, row := range mirrorTable {
		if len(row.cells) != len(mirrorStates) {
			t.Fatalf("%s has %d cells, want %d", row.name, len(row.cells), len(mirrorStates))
		}
		for i, state := range mirrorStates {
			for name, mode := range map[string]Mirroring{"none": MirrorNone, "removals": MirrorRemovals, "tell": MirrorTell, "await": MirrorAwait} {
				t.Run(fmt.Sprintf("%s, %s, %s", row.name, state, name), func(t *testing.T) {
					mirrorCell(t, row.request, state, mode, row.cells[i])
				})
			}
		}
	}
}

// mirrorCell makes one request in one state.
func mirrorCell(t *testing.T, request any, state string, mode Mirroring, want string) {
	w := newWorld(t, Options{LockWait: time.Second}).farm()
	w.e.SetMirror(w)
	names := map[*client]string{}
	do := func(name string) {
		before := len(w.all)
		w.play(request)
		if len(w.all) > before {
			names[w.last] = name
		}
	}
	comes := state == isVoid || state == fetched || state == fetchedLocked
	w.nowhere[k] = !comes
	switch state {
	case unlocked, locked1, lockedW:
		w.play(set(k, "old"), "200")
	}
	switch state {
	case locked1, lockedW:
		w.play(acquire(k), "200 old/20 #2")
	}
	if state == lockedW {
		for _, name := range []string{"V", "W"} {
			w.play(acquire(k), "parked")
			names[w.last] = name
		}
	}
	w.e.SetMirroring(mode)
	if comes {
		w.play(touch(k), "parked")
		do("R")
		there := Parcel{Key: k, Body: []byte("old"), Minutes: 20, Left: 20 * minute, Version: 7, Cookie: 1}
		switch state {
		case isVoid:
			w.play(missing)
		case fetchedLocked:
			there.Cookie, there.Locked = rightCookie, true
			fallthrough
		case fetched:
			w.play(arrives(there))
		}
		w.play(turn(1)) // the opener is answered, and nobody waits for that
		w.log = nil
		w.play(turn(1))
	} else {
		w.log = nil
		do("R")
	}

	told, _, _ := strings.Cut(want, ";")
	changes := want != "" && !strings.HasPrefix(told, "R ")
	if (mode == MirrorNone || mode == MirrorRemovals && !strings.HasPrefix(told, "removed")) && changes {
		want = strings.TrimPrefix(strings.TrimPrefix(want, told), "; ")
	}
	if mode == MirrorAwait && changes {
		if got := w.logOf(names); got != told {
			t.Fatalf("before it is confirmed: %q, want %q", got, told)
		}
		w.shut(state)
		w.confirm(0)
		w.check()
	}
	if got := w.logOf(names); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if len(w.changes) > 0 {
		t.Errorf("%d changes are still to be confirmed", len(w.changes))
	}
	w.run()
	for len(w.finds) > 0 { // to take a lock back that has gone with its session
		w.missing()
		w.run()
	}
	w.check()
	for _, c := range w.calls {
		if c.t.place == queued || c.t.place == confirming {
			t.Errorf("%s has no answer", c.t.Op)
		}
	}
	w.e.opt.Elsewhere = nil
	w.empty()
}

// logOf returns what has been told, in order, of clients that have names.
func (w *world) logOf(names map[*client]string) string {
	var lines []string
	for _, l := range w.log {
		switch name := names[l.c]; {
		case l.c == nil:
			lines = append(lines, l.text)
		case name != "":
			lines = append(lines, name+" "+l.text)
		}
	}
	return strings.Join(lines, "; ")
}

// shut checks that nobody gets into a session of which a change waits, whatever he wants.
func (w *world) shut(state string) {
	w.tb.Helper()
	answers := len(w.log)
	for _, t := range []Ticket{get(k), acquire(k), release(k, 2), set(k, "late", 9), insert(k, "late"), remove(k, 9), touch(k), leave(k)} {
		w.play(t, "parked", run)
	}
	revoke(k, wrongCookie)(w)
	w.tick(0)
	key := []byte(k)
	if sight := w.e.Look(w.now, key); sight.State != SightAway {
		w.tb.Errorf("seen: %+v", sight)
	}
	if _, sight := w.e.Peek(w.now, key); sight != SightAway {
		w.tb.Errorf("peeped at: %s", sight)
	}
	if _, sight := w.e.Oust(w.now, 0, key); sight != SightAway {
		w.tb.Errorf("ousted: %s", sight)
	}
	if placed := w.place(Parcel{Key: k, Body: []byte("placed"), Gen: math.MaxUint32, Cookie: 1}); placed != PlacedBusy {
		w.tb.Errorf("placed: %s", placed)
	}
	if n := w.idle()[k]; n != [2]int64{} {
		w.tb.Errorf("idle for %d", n)
	}
	w.check()
	if len(w.log) != answers {
		w.tb.Errorf("in %s somebody has been told something: %v", state, w.log[answers:])
	}
	for _, c := range slices.Clone(w.calls) { // they have had their part
		if c.t.place == queued {
			c.cancel()
		}
	}
	w.check()
}

// idle returns what Idle tells of all sessions.
func (w *world) idle() map[string][2]int64 {
	all := map[string][2]int64{}
	for shard := range NumShards {
		w.e.Idle(w.now, shard, nil, func(key string, idle, left int64) { all[key] = [2]int64{idle, left} })
	}
	return all
}
