package engine

import (
	"fmt"
	"testing"
	"time"
)

// slot is the width of one slot of the wheel.
const slot = time.Duration(1 << slotBits)

// TestExpiryIsExact: §7.10, to the nanosecond, whether or not the session has been swept, and whatever is asked.
func TestExpiryIsExact(t *testing.T) {
	for _, swept := range []bool{false, true} {
		for _, asked := range []Ticket{get(k), acquire(k), release(k, 2), release(k), remove(k, 2), touch(k)} {
			w := newWorld(t, Options{})
			w.play(set(k, "a"), "200", acquire(k), "200 a/20 #2")
			if swept {
				w.play(ticks(20*time.Minute + 2*slot))
			} else {
				w.play(20 * time.Minute)
			}
			w.play(asked, "404")
			w.empty()
		}
	}
	for _, save := range []Ticket{set(k, "b"), insert(k, "b"), set(k, "b", 2)} {
		w := newWorld(t, Options{})
		w.play(insert(k, "a"), "200", acquire(k), "200 a/20 #2 A", 20*time.Minute, save, "200", acquire(k))
		if want := map[bool]string{false: "200 b/20 #2", true: "200 b/20 #2 A"}[save.InsertOnly]; w.last.String() != want {
			t.Errorf("after %+v an acquire gets %q, want %q", save, w.last, want)
		}
	}
}

// TestSweep: memory of the expired is free again at most two slots after their end, and nothing happens to the others.
func TestSweep(t *testing.T) {
	for _, minutes := range []uint32{1, 2, 20, 36, 37, 40, 600, 525600} { // up to a ring's 36 minutes, and beyond
		t.Run(fmt.Sprint(minutes), func(t *testing.T) {
			w := newWorld(t, Options{})
			w.after(slot / 3)
			w.play(living(minutes, set("dies", ""), "a"), "200", living(0, set("stays", ""), "a"), "200")
			life := time.Duration(minutes) * time.Minute
			for passed := time.Duration(0); passed < life; {
				step := min(slot*10, life-1)
				if life > 20*time.Hour {
					step = 100 * time.Hour
				}
				step = min(step, life-passed)
				w.play(ticks(step), swept)
				if passed += step; passed < life && w.e.Stats().Sessions != 2 {
					t.Fatalf("swept %v too early", life-passed)
				}
			}
			w.play(ticks(2*slot), swept)
			if s := w.e.Stats(); s.Sessions != 1 || s.Expired != 1 {
				t.Errorf("%d sessions, %d expired two slots after the end", s.Sessions, s.Expired)
			}
			w.empty()
		})
	}
}

// swept checks that the sweep has come as far as the time: no session kept it busy.
func swept(w *world) {
	w.tb.Helper()
	for i := range w.e.shards {
		if next := w.e.shards[i].wheel.next; next != w.now.Mono>>slotBits+1 {
			w.tb.Fatalf("shard %d has been swept up to slot %d, it is slot %d", i, next, w.now.Mono>>slotBits)
		}
	}
}

// TestSweepOfTheBusy: somebody who is in the session is not disturbed, and the session is swept later.
func TestSweepOfTheBusy(t *testing.T) {
	w := newWorld(t, Options{})
	w.play(set(k, "a"), "200", yielding(get(k)), "parked", as("A"), ticks(time.Hour), is("A", "parked"))
	if n := w.e.Stats().Sessions; n != 1 {
		t.Fatalf("%d sessions", n)
	}
	w.play(cancels("A"), run) // the turn finds nothing to do, not even that the session has expired
	if n := w.e.Stats().Sessions; n != 1 {
		t.Fatalf("%d sessions after the turn", n)
	}
	w.play(ticks(2 * slot))
	if n := w.e.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions after another sweep", n)
	}
	w.empty()
}

// TestSweepOfTheUsed: a session that is used stays, and is looked at about once per lifetime only.
func TestSweepOfTheUsed(t *testing.T) {
	w := newWorld(t, Options{})
	w.play(set(k, "a"), "200")
	moved, last := 0, w.session(k).slot
	const hours = 20
	for range hours * 60 {
		w.play(ticks(time.Minute), touch(k), "200")
		if at := w.session(k).slot; at != last {
			moved, last = moved+1, at
		}
	}
	if moved < 3*hours-3 || moved > 3*hours+3 {
		t.Errorf("in %d hours it was moved %d times, want about every 20 minutes", hours, moved)
	}
}

// TestTickIsBounded: one tick sweeps at most tickBudget sessions; those that are left are absent all the same, and go with the next ticks.
func TestTickIsBounded(t *testing.T) {
	const all = 3*tickBudget + 100
	w := newWorld(t, Options{})
	key := func(i int) []byte { return fmt.Appendf(nil, "session%d", i) }
	c := &client{w: w}
	for i := range all {
		c.t = living(1, Ticket{Op: Set, Key: key(i), Hash: w.e.Hash(key(i)), Caller: c}, "a")
		c.answers = 0
		w.e.Do(w.now, 0, &c.t)
	}
	w.after(time.Minute)
	w.do(get("session0")).want("404")
	w.after(2 * slot)
	for left := int64(all - 1); left > 0; {
		w.e.Tick(w.now)
		was := left
		left = w.e.Stats().Sessions
		if was-left != min(tickBudget, was) {
			t.Fatalf("one tick swept %d of %d sessions", was-left, was)
		}
	}
	w.e.Tick(w.now)
	w.checkIndex()
	w.check()
}

// TestTickBudgetIsForTheLivingToo: looking at sessions that are still used is work as well.
func TestTickBudgetIsForTheLivingToo(t *testing.T) {
	w := newWorld(t, Options{})
	c := &client{w: w}
	const all = 1000
	for i := range all {
		key := fmt.Appendf(nil, "session%d", i)
		c.t, c.answers = living(1, Ticket{Op: Set, Key: key, Hash: w.e.Hash(key), Caller: c}, "a"), 0
		w.e.Do(w.now, 0, &c.t)
		s := w.session(string(key))
		s.expires += int64(time.Hour)
	}
	w.after(time.Minute + 2*slot)
	due := func() (n int) {
		for i := range w.e.shards {
			wheel := &w.e.shards[i].wheel
			for at := wheel.next; at <= w.now.Mono>>slotBits; at++ {
				for s := wheel.slots[at%numSlots]; s != nil; s = s.next {
					n++
				}
			}
		}
		return n
	}
	for left := due(); left > 0; {
		w.e.sweep(w.now, 100)
		was := left
		left = due()
		if was-left > 100 || was == left {
			t.Fatalf("with a budget of 100 one sweep looked at %d of %d", was-left, was)
		}
	}
	if n := w.e.Stats().Sessions; n != all {
		t.Errorf("%d sessions, want %d", n, all)
	}
}

// TestLongSleep: a machine that wakes up after years has as much to do as after an hour.
func TestLongSleep(t *testing.T) {
	w := newWorld(t, Options{})
	w.play(
		set("a", "x"), "200",
		living(525600, set("b", ""), "x"), "200",
		living(0, set("c", ""), "x"), "200",
		ticks(200*365*24*time.Hour),
	)
	w.tick(0)
	if n := w.e.Stats().Sessions; n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	w.play(get("c"), "200 x/0", set("a", "x"), "200", ticks(time.Minute), get("a"), "200 x/20", ticks(20*time.Minute+2*slot))
	if n := w.e.Stats().Sessions; n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	w.empty()
}
