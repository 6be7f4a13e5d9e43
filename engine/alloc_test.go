//go:build !race

package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestAllocations holds the straight way to zero, finding the session included.
func TestAllocations(t *testing.T) {
	const runs = 100
	for _, size := range []int{7, 4000, 100000} {
		now := Time{Mono: 1, Date: 1}
		e, err := New(Options{LockWait: time.Second, StaleLock: time.Minute, MaxMemory: 1 << 30}, now)
		if err != nil {
			t.Fatal(err)
		}
		caller := &silent{}
		bodies := [2][]byte{[]byte(strings.Repeat("a", size)), []byte(strings.Repeat("b", size))}
		do := func(tk *Ticket, want Status) {
			tk.Caller = caller
			tk.Hash = e.Hash(tk.Key)
			e.Do(now, 0, tk)
			if caller.status != want {
				t.Fatalf("%s of %s: %s, want %s", tk.Op, tk.Key, caller.status, want)
			}
		}
		var tk Ticket
		key, held, absent := []byte(k), []byte(k+"held"), []byte(k+"absent")
		do(&Ticket{Op: Set, Key: key, Body: bodies[0], Minutes: 20}, OK)
		do(&Ticket{Op: Set, Key: held, Body: bodies[0], Minutes: 20}, OK)
		do(&Ticket{Op: Acquire, Key: held}, OK)
		doomed := make([][]byte, runs+2)
		for i := range doomed {
			doomed[i] = fmt.Appendf(nil, "%s%d", k, i)
			do(&Ticket{Op: Set, Key: doomed[i], Body: bodies[0], Minutes: 20}, OK)
		}
		n := 0
		cases := map[string]func(){
			"Hash": func() { e.Hash(key) },
			"Get": func() {
				tk = Ticket{Op: Get, Key: key}
				do(&tk, OK)
			},
			"Get of a locked session": func() {
				tk = Ticket{Op: Get, Key: held}
				do(&tk, Locked)
			},
			"Acquire and Release": func() {
				tk = Ticket{Op: Acquire, Key: key}
				do(&tk, OK)
				tk = Ticket{Op: Release, Key: key, HasCookie: true, Cookie: tk.Out.Cookie}
				do(&tk, OK)
			},
			"Set of the same": func() {
				tk = Ticket{Op: Set, Key: key, Body: bodies[0], Minutes: 20}
				do(&tk, OK)
			},
			"Set insert-only": func() {
				tk = Ticket{Op: Set, Key: key, Body: bodies[1], Minutes: 20, InsertOnly: true}
				do(&tk, OK)
			},
			"Set with another Timeout": func() {
				n++
				tk = Ticket{Op: Set, Key: key, Body: bodies[0], Minutes: 20 + uint32(n)%2}
				do(&tk, OK)
			},
			"Touch": func() {
				tk = Ticket{Op: Touch, Key: key}
				do(&tk, OK)
			},
			"a miss": func() {
				tk = Ticket{Op: Get, Key: absent}
				do(&tk, NotFound)
			},
			"Tick": func() { e.Tick(now) },
			"Run":  func() { e.Run(now, 0, 10) },
		}
		if size <= bodyShared { // above it a body may be shared with an answer, and a new one takes its place
			cases["Acquire and Set"] = func() {
				n++
				tk = Ticket{Op: Acquire, Key: key}
				do(&tk, OK)
				tk = Ticket{Op: Set, Key: key, HasCookie: true, Cookie: tk.Out.Cookie, Body: bodies[n%2], Minutes: 20}
				do(&tk, OK)
			}
		}
		for name, f := range cases {
			if got := testing.AllocsPerRun(runs, f); got != 0 {
				t.Errorf("%s, bodies of %d bytes: %v allocations", name, size, got)
			}
		}
		next := 0
		if got := testing.AllocsPerRun(runs, func() {
			tk = Ticket{Op: Remove, Key: doomed[next]}
			do(&tk, OK)
			next++
		}); got != 0 {
			t.Errorf("Remove: %v allocations", got)
		}
	}
}

// TestWaitingAllocations: a request that is parked allocates nothing either, but for the session's mailbox, which is used again.
func TestWaitingAllocations(t *testing.T) {
	now := Time{Mono: 1}
	e, err := New(Options{LockWait: time.Second}, now)
	if err != nil {
		t.Fatal(err)
	}
	caller := &silent{}
	var first, second Ticket
	do := func(tk *Ticket, op Op, cookie uint32) {
		*tk = Ticket{Op: op, Key: tk.Key, Hash: tk.Hash, HasCookie: true, Cookie: cookie, Minutes: 20, Body: tk.Body, Caller: caller}
		e.Do(now, 0, tk)
	}
	for _, tk := range []*Ticket{&first, &second} {
		tk.Key, tk.Hash, tk.Body = []byte(k), e.Hash([]byte(k)), []byte("a")
	}
	do(&first, Set, 0)
	if n := testing.AllocsPerRun(100, func() {
		do(&first, Acquire, 0)
		do(&second, Acquire, 0)
		do(&first, Release, first.Out.Cookie)
		do(&first, Release, second.Out.Cookie)
	}); n != 0 {
		t.Errorf("to wait for a lock and get it: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		do(&first, Acquire, 0)
		do(&second, Acquire, 0)
		e.Cancel(&second)
		do(&first, Release, first.Out.Cookie)
	}); n != 0 {
		t.Errorf("to wait for a lock and be cancelled: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		second.Op, second.Yield = Get, true
		e.Do(now, 0, &second)
		e.Run(now, 0, 1)
	}); n != 0 {
		t.Errorf("to be queued: %v allocations", n)
	}
}
