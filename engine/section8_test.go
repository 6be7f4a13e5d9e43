package engine

import (
	"testing"
	"time"
)

// TestSection8 has one script or more for each clause of docs/protocol.md section 8 that concerns the engine. Acquires wait for a second.
func TestSection8(t *testing.T) {
	const wrong = 7
	locked := []any{set(k, "a"), "200", acquire(k), "200 a/20 #2"}
	for _, c := range []struct {
		clause string
		steps  []any
	}{
		{"§8.2 only an acquire of a locked item waits", []any{
			acquire(k), "404",
			set(k, "a"), "200",
			acquire(k), "200 a/20 #2",
			get(k), "423 #2 0s",
			release(k, wrong), "423 #2 0s",
			release(k), "400",
			set(k, "b"), "423 #2 0s",
			insert(k, "b"), "200",
			remove(k), "423 #2 0s",
			touch(k), "200",
			acquire(k), "parked",
			acquire(k, 2), "parked",
		}},
		{"§8.2 a full line", append(locked,
			acquire(k), "parked",
			acquire(k), "parked",
			acquire(k), "parked", as("last"),
			acquire(k), "423 #2 0s",
			cancels("last"),
			acquire(k), "parked", // there is room again
			acquire(k), "423 #2 0s",
		)},
		{"§8.3 a waiter slides the timer when it arrives", append(locked,
			19*time.Minute, acquire(k), "parked",
			ticks(time.Second),
			19*time.Minute, touch(k), "200",
		)},
		{"§8.3 a waiter slides the timer when it is granted the lock", append(locked,
			acquire(k), "parked", as("A"),
			500*time.Millisecond, release(k, 2), "200", is("A", "200 a/20 #3"),
			20*time.Minute-1, get(k), "423 #3 1199s",
		)},
		{"§8.3 its deadline does not slide the timer", append(locked,
			acquire(k), "parked", as("A"),
			ticks(time.Second), is("A", "423 #2 1s"),
			19*time.Minute+59*time.Second-1,
			func(w *world) {
				if w.session(k).expired(w.now) {
					w.tb.Error("too early")
				}
			},
			time.Duration(1), get(k), "404",
		)},
		{"§8.4 the first in line gets the lock with the release", append(locked,
			acquire(k), "parked", as("A"),
			acquire(k), "parked", as("B"),
			release(k, 2), "200", is("A", "200 a/20 #3"), is("B", "parked"),
			release(k, 3), "200", is("B", "200 a/20 #4"),
			release(k, 4), "200",
			get(k), "200 a/20",
		)},
		{"§8.4 and with a save, whose content and Timeout it is shown", append(locked,
			acquire(k), "parked", as("A"),
			living(5, set(k, "", 2), "b"), "200", is("A", "200 b/5 #3"),
		)},
		{"§8.4 an identical save hands the lock on as well", append(locked,
			acquire(k), "parked", as("A"),
			set(k, "a", 2), "200", is("A", "200 a/20 #3"),
		)},
		{"§8.4 nobody is woken by", append(locked,
			acquire(k), "parked", as("A"),
			release(k, wrong), "423 #2 0s",
			release(k), "400",
			set(k, "b"), "423 #2 0s",
			set(k, "b", wrong), "423 #2 0s",
			insert(k, "b", 2), "200",
			remove(k), "423 #2 0s",
			touch(k), "200",
			get(k), "423 #2 0s",
			is("A", "parked"),
		)},
		{"§8.5 the rest of the line keeps its deadlines", append(locked,
			acquire(k), "parked", as("A"),
			400*time.Millisecond, acquire(k), "parked", as("B"),
			400*time.Millisecond, release(k, 2), "200", is("A", "200 a/20 #3"),
			ticks(600*time.Millisecond-1), is("B", "parked"),
			ticks(1), is("B", "423 #3 0s"),
		)},
		{"§8.6 the item is removed", append(locked,
			acquire(k), "parked", as("A"),
			acquire(k), "parked", as("B"),
			remove(k, 2), "200", is("A", "404"), is("B", "404"),
			get(k), "404",
		)},
		{"§8.6 the item expires", append(locked,
			acquire(k), "parked", as("A"),
			expire, // a wait is too short for that to happen by itself
			get(k), "404", is("A", "404"),
		)},
		{"§8.6 the item expires and is swept", append(locked,
			acquire(k), "parked", as("A"),
			expire,
			func(w *world) {
				w.e.sweep(Time{Mono: w.now.Mono + 1<<slotBits}, tickBudget)
				w.forget()
			},
			is("A", "404"),
		)},
		{"§8.7 the deadline, with the values of the lock in force then", append(locked,
			5*time.Second, acquire(k), "parked", as("A"),
			ticks(time.Second-1), is("A", "parked"),
			ticks(1), is("A", "423 #2 6s"),
			release(k, 2), "200",
			acquire(k), "200 a/20 #3", // the counter has not moved
		)},
		{"§8.7 many deadlines in one tick", append(locked,
			acquire(k), "parked", as("A"),
			acquire(k), "parked", as("B"),
			acquire(k), "parked", as("C"),
			ticks(time.Hour), is("A", "404"), is("B", "404"), is("C", "404"), // long after the item has expired
		)},
		{"§8.7 a deadline that finds the lock free after all", append(locked,
			acquire(k), "parked", as("A"),
			yielding(release(k, 2)), "parked",
			ticks(time.Second), is("A", "parked"), // it stands behind the release now
			turn(1), is("A", "parked"),
			10*time.Minute, run, is("A", "200 a/20 #3"), // and slides the timer
			20*time.Minute-1, get(k), "423 #3 1199s",
		)},
		{"§8.7 a deadline while others are in the session", append(locked,
			acquire(k), "parked", as("A"),
			yielding(get(k)), "parked",
			ticks(time.Second), is("A", "parked"),
			run, is("A", "423 #2 1s"),
		)},
		{"§8.8 a newcomer does not get the lock first", append(locked,
			acquire(k), "parked", as("A"),
			yielding(acquire(k)), "parked", as("N"),
			yielding(release(k, 2)), "parked",
			run, is("A", "200 a/20 #3"), is("N", "parked"),
			release(k, 3), "200", is("N", "200 a/20 #4"),
		)},
		{"§8.8 the wait is not part of the age", append(locked,
			700*time.Millisecond, acquire(k), "parked", as("A"),
			700*time.Millisecond, release(k, 2), "200", is("A", "200 a/20 #3"),
			999*time.Millisecond, get(k), "423 #3 0s",
			time.Millisecond, get(k), "423 #3 1s",
		)},
		{"§8.9 who is gone leaves the line", append(locked,
			acquire(k), "parked", as("A"),
			acquire(k), "parked", as("B"),
			acquire(k), "parked", as("C"),
			cancels("B"), cancels("A"),
			release(k, 2), "200", is("C", "200 a/20 #3"), is("A", "cancelled"),
		)},
		{"§8.9 the last in line is gone", append(locked,
			acquire(k), "parked", as("A"),
			cancels("A"),
			release(k, 2), "200",
			acquire(k), "200 a/20 #3",
		)},
		{"§8.9 the departure of the holder changes nothing", append(locked,
			func(w *world) {
				if w.last.cancel() {
					w.tb.Error("an answered request is cancelled")
				}
			},
			get(k), "423 #2 0s",
		)},
		{"§8.9 a grant that cannot be delivered goes to the next", append(locked,
			acquire(k), "parked", as("A"), gone("A"),
			acquire(k), "parked", as("B"), gone("B"),
			acquire(k), "parked", as("C"),
			release(k, 2), "200", is("C", "200 a/20 #5"), // 3 and 4 are used up
			release(k, 3), "423 #5 0s",
			release(k, 4), "423 #5 0s",
			release(k, 5), "200",
			get(k), "200 a/20",
		)},
		{"§8.9 a grant that nobody takes", append(locked,
			acquire(k), "parked", as("A"), gone("A"),
			set(k, "b", 2), "200",
			get(k), "200 b/20",
			acquire(k), "200 b/20 #4",
		)},
		{"§8.9 a queued acquire whose client is gone", []any{
			set(k, "a"), "200",
			yielding(acquire(k)), "parked", as("A"), gone("A"),
			run, get(k), "200 a/20",
			acquire(k), "200 a/20 #3",
		}},
		{"§8.9 a late acquire whose client is gone", append(locked,
			acquire(k), "parked", as("A"), gone("A"),
			yielding(release(k, 2)), "parked",
			ticks(time.Second), run,
			get(k), "200 a/20",
			acquire(k), "200 a/20 #4",
		)},
		{"§8.9 a lock is taken back", append(locked,
			revoke(k, 2),
			get(k), "200 a/20",
			acquire(k), "200 a/20 #3",
		)},
		{"§8.9 a lock is taken back and goes to the next", append(locked,
			acquire(k), "parked", as("A"),
			revoke(k, 2), is("A", "200 a/20 #3"),
		)},
		{"§8.9 a lock that has been broken is not taken back", append(locked,
			release(k, 2), "200",
			acquire(k), "200 a/20 #3",
			revoke(k, 2),
			get(k), "423 #3 0s",
		)},
		{"§8.9 what is taken back may be gone", append(locked,
			remove(k, 2), "200",
			revoke(k, 2),
			get(k), "404",
		)},
		{"§8.9 taking back is no request", []any{
			insert(k, "a"), "200",
			19 * time.Minute, revoke(k, 2),
			func(w *world) {
				if n := sumAnswers(w.e.Stats()); n != 1 {
					w.tb.Errorf("%d requests have been answered, want 1", n)
				}
			},
			time.Minute - 1, get(k), "200 a/20 A",
		}},
		{"§8.9 taking back waits for its turn", append(locked,
			yielding(get(k)), "parked", as("G"),
			revoke(k, 2), is("G", "parked"),
			run, is("G", "423 #2 0s"),
			get(k), "200 a/20",
		)},
	} {
		t.Run(c.clause, func(t *testing.T) {
			w := newWorld(t, Options{LockWait: time.Second, LockQueue: 3})
			w.play(c.steps...)
			w.empty()
		})
	}
}

// expire puts the end of the item's life into the past.
func expire(w *world) {
	w.e.setMinutes(Time{Mono: w.now.Mono - int64(time.Hour)}, w.session(k), 1)
}

// sumAnswers is how many requests have been answered.
func sumAnswers(s Stats) (sum int64) {
	for _, row := range s.Answers {
		for _, n := range row {
			sum += n
		}
	}
	return sum
}

// TestRevokeIsNotCut: a queue that is full must not keep a lock from being taken back, or somebody who is gone would hold it.
func TestRevokeIsNotCut(t *testing.T) {
	w := newWorld(t, Options{SessionQueue: 2})
	w.play(
		set(k, "a"), "200",
		acquire(k), "200 a/20 #2",
		yielding(get(k)), "parked",
		yielding(get(k)), "parked",
		yielding(get(k)), "cut",
		yielding(touch(k)), "parked",
		yielding(touch(k)), "parked",
		yielding(touch(k)), "cut",
		revoke(k, 2),
		run, get(k), "200 a/20",
	)
}
