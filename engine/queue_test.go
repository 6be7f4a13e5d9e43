package engine

import (
	"fmt"
	"testing"
)

// TestQueue has scripts about the requests queued for a session. See docs/protocol.md §7.11.
func TestQueue(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []any
	}{
		{"in order of arrival, one a turn", []any{
			set(k, "a"), "200",
			yielding(set(k, "b")), "parked", as("A"),
			get(k), "parked", as("B"), // nobody overtakes the queue
			set(k, "c"), "parked", as("C"),
			get(k), "parked", as("D"),
			turn(1), is("A", "200"), is("B", "parked"),
			turn(1), is("B", "200 b/20"), is("C", "parked"),
			turn(2), is("C", "200"), is("D", "200 c/20"),
			get(k), "200 c/20", // the straight way is open again
		}},
		{"a request for a session that is not there needs no queue", []any{
			yielding(get(k)), "404",
			yielding(set(k, "a")), "200",
		}},
		{"a queued request that is cancelled is never executed", []any{
			set(k, "a"), "200",
			yielding(set(k, "b")), "parked", as("A"),
			yielding(acquire(k)), "parked", as("B"),
			yielding(get(k)), "parked", as("C"),
			cancels("A"), cancels("B"),
			run, is("C", "200 a/20"),
			acquire(k), "200 a/20 #2",
		}},
		{"a queue whose tickets are all cancelled", []any{
			set(k, "a"), "200",
			yielding(set(k, "b")), "parked", as("A"),
			cancels("A"),
			get(k), "parked", as("B"), // the session is still on the run list
			run, is("B", "200 a/20"),
			get(k), "200 a/20",
		}},
		{"all tickets and the only waiter cancelled", []any{
			set(k, "a"), "200", set("other", "b"), "200",
			acquire(k), "200 a/20 #2",
			acquire(k), "parked", as("W"),
			yielding(get(k)), "parked", as("A"),
			cancels("A"), cancels("W"),
			yielding(get("other")), "parked", as("B"),
			run, is("B", "200 b/20"),
			release(k, 2), "200",
		}},
		{"all tickets cancelled, and the only waiter past its deadline", []any{
			set(k, "a"), "200", set("other", "b"), "200",
			acquire(k), "200 a/20 #2",
			acquire(k), "parked", as("W"),
			yielding(get(k)), "parked", as("A"),
			cancels("A"),
			ticks(DefaultLockWait),
			yielding(get("other")), "parked", as("B"),
			run, is("B", "200 b/20"), is("W", "423 #2 0s"),
		}},
		{"the session is removed", []any{
			set(k, "a"), "200",
			yielding(remove(k)), "parked",
			yielding(get(k)), "parked", as("A"),
			yielding(set(k, "b")), "parked",
			yielding(get(k)), "parked", as("B"),
			run, is("A", "404"), is("B", "200 b/20"),
		}},
		{"a new session overtakes those who stand at the grave of the old", []any{
			set(k, "a"), "200",
			yielding(remove(k)), "parked",
			yielding(get(k)), "parked", as("A"),
			turn(1), set(k, "b"), "200",
			yielding(get(k)), "parked", as("B"),
			run, is("A", "200 b/20"), is("B", "200 b/20"),
		}},
		{"a queued request meets the end of the session's life", []any{
			set(k, "a"), "200",
			yielding(get(k)), "parked", as("A"),
			expire, run, is("A", "404"),
			set(k, "b"), "200",
			yielding(set(k, "c")), "parked", as("B"),
			expire, run, is("B", "200"),
			acquire(k), "200 c/20 #2",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{LockWait: DefaultLockWait})
			w.play(c.steps...)
			w.empty()
		})
	}
}

// TestQueueBound checks Options.SessionQueue and what one request too many is told. See docs/lock.md.
func TestQueueBound(t *testing.T) {
	w := newWorld(t, Options{SessionQueue: 3})
	w.play(set(k, "a"), "200")
	for range 3 {
		w.play(yielding(get(k)), "parked")
	}
	date := w.now.Date
	for _, refused := range []Ticket{get(k), acquire(k), set(k, "b"), w.owned(set(k, "b"), 100)} {
		c := w.play(refused, "cut").last
		if c.got.LockDate != date || c.got.LockAge != 0 {
			t.Errorf("%s is cut with LockDate %d and LockAge %d, want %d and 0", c.t.Op, c.got.LockDate, c.got.LockAge, date)
		}
	}
	for range 3 { // what ends a contention may come in twice the number
		w.play(release(k, 2), "parked")
	}
	for _, refused := range []Ticket{release(k, 2), touch(k), remove(k)} {
		w.play(refused, "cut")
	}
	w.play(run, get(k), "200 a/20") // nobody removed it
	w.empty()
}

// TestRoundRobin: a session with a thousand requests gets the same turns as one with a single request.
func TestRoundRobin(t *testing.T) {
	w := newWorld(t, Options{SessionQueue: 1000})
	w.play(set("busy", "a"), "200", set("quiet", "b"), "200")
	busy := make([]*client, 1000)
	for i := range busy {
		busy[i] = w.do(yielding(get("busy")))
	}
	quiet := w.do(yielding(get("quiet")))
	w.turns(1)
	quiet.want("parked")
	w.turns(1)
	quiet.want("200 b/20")
	busy[0].want("200 a/20")
	busy[1].want("parked")
	w.run()
	for _, c := range busy {
		c.want("200 a/20")
	}
	w.empty()
}

// TestTurnsAreShared serves several sessions with different numbers of requests: each round serves one of each.
func TestTurnsAreShared(t *testing.T) {
	w := newWorld(t, Options{})
	const sessions = 5
	calls := make([][]*client, sessions)
	for i := range calls {
		key := fmt.Sprint("session", i)
		w.do(set(key, "a"))
		for range 1 + i*3 {
			calls[i] = append(calls[i], w.do(yielding(get(key))))
		}
	}
	for round := 1; ; round++ {
		left := 0
		for i := range calls {
			if len(calls[i]) >= round {
				left++
			}
		}
		if left == 0 {
			break
		}
		w.turns(left)
		w.check()
		for i := range calls {
			for n, c := range calls[i] {
				if answered := c.answers == 1; answered != (n < round) {
					t.Fatalf("after round %d request %d of session %d is answered: %v", round, n, i, answered)
				}
			}
		}
	}
	w.empty()
}

// TestSpareMailboxes: mailboxes are used again, and a burst of them is not kept for ever.
func TestSpareMailboxes(t *testing.T) {
	w := newWorld(t, Options{})
	for i := range 2 * maxSpare {
		key := fmt.Sprint(i)
		w.do(set(key, "a"))
		w.do(yielding(get(key)))
	}
	w.run()
	if n := len(w.e.queue.spare); n != maxSpare {
		t.Errorf("%d mailboxes are kept, want %d", n, maxSpare)
	}
	w.do(yielding(get("0")))
	if n := len(w.e.queue.spare); n != maxSpare-1 {
		t.Errorf("%d mailboxes are kept while one is in use, want %d", n, maxSpare-1)
	}
	w.run()
	w.check()
}

// TestReady: somebody is told whenever the run list is no longer empty, on the lane that made it so.
func TestReady(t *testing.T) {
	var told []int
	w := newWorld(t, Options{})
	w.e.SetReady(func(lane int) { told = append(told, lane) })
	w.do(set("a", "x"))
	w.do(set("b", "x"))
	for i, key := range []string{"a", "a", "b"} {
		c := &client{w: w, t: yielding(get(key))}
		c.t.Caller, c.t.Hash = c, w.e.Hash(c.t.Key)
		w.calls = append(w.calls, c)
		w.e.Do(w.now, 10+i, &c.t)
	}
	if len(told) != 1 || told[0] != 10 {
		t.Errorf("lanes %v were told, want 10", told)
	}
	for i := range 2 {
		if !w.e.Run(w.now, 20, 1) {
			t.Errorf("nothing is left after turn %d", i)
		}
	}
	if w.e.Run(w.now, 20, 1) {
		t.Error("something is left after the last turn")
	}
}

// TestQueued: who is queued will be answered soon; who waits for a lock, or has been answered, is not queued.
func TestQueued(t *testing.T) {
	w := newWorld(t, Options{LockWait: DefaultLockWait}).farm()
	queued := func(name string, want bool) func(*world) {
		return func(w *world) {
			w.tb.Helper()
			if got := w.e.Queued(&w.named[name].t); got != want {
				w.tb.Errorf("%s is queued: %v, want %v", name, got, want)
			}
		}
	}
	w.play(
		set(k, "a"), "parked", as("A"), queued("A", true),
		missing, run, queued("A", false),
		acquire(k), "200 a/20 #2",
		acquire(k), "parked", as("W"), queued("W", false),
		yielding(get(k)), "parked", as("B"), queued("B", true),
		cancels("B"), queued("B", false), run,
		leaves, left, queued("W", true), // it has to look for the session again
		run, queued("W", true), // and is still looking
		missing, run, queued("W", false), is("W", "404"),
	)
}
