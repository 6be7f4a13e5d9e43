package engine

import (
	"testing"
	"time"
)

// TestCounters checks that everything is counted once, under the right name.
func TestCounters(t *testing.T) {
	w := newWorld(t, Options{LockWait: time.Second, SessionQueue: 1, MaxMemory: 10000})
	w.play(
		set(k, "a"), "200", // created
		set(k, "a"), "200", // identical
		set("other", "a"), "200", // created
		get(k), "200 a/20",
		get("nothing"), "404",
		acquire(k), "200 a/20 #2",
		acquire(k), "parked", // will be granted
		set(k, "b", 2), "200",
		acquire(k), "parked", // will time out
		ticks(time.Second),
		release(k), "400",
		remove(k), "423 #3 1s",
		remove(k, 3), "200", // removed
		touch("other"), "200",
		yielding(get("other")), "parked",
		get("other"), "cut",
		run,
		set("big", string(make([]byte, 20000))), "refused",
		ticks(time.Hour), // expired
	)
	got := w.e.Stats()
	want := Stats{MaxMemory: 10000, Created: 2, Removed: 1, Expired: 1, Granted: 1, WaitTimeouts: 1, Identical: 1}
	want.Answers[Set][OK] = 4
	want.Answers[Get][OK] = 2
	want.Answers[Get][NotFound] = 1
	want.Answers[Acquire][OK] = 2
	want.Answers[Acquire][Locked] = 1
	want.Answers[Release][NoCookie] = 1
	want.Answers[Remove][Locked] = 1
	want.Answers[Remove][OK] = 1
	want.Answers[Touch][OK] = 1
	want.Answers[Get][Cut] = 1
	want.Answers[Set][Refused] = 1
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
