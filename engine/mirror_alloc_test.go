//go:build !race

package engine

import (
	"strings"
	"testing"
)

// later is a Mirror that keeps what is to be confirmed.
type later struct{ changes []*Change }

// Changed implements Mirror.
func (m *later) Changed(c *Change) bool {
	if c.Awaited {
		m.changes = append(m.changes, c)
	}
	return true
}

// Expired implements Mirror.
func (*later) Expired(string) {}

// TestMirrorAllocations bounds what a page costs with mirrors: for each of its two changes the Change and the key, which the mirror may keep, and for the save the content,
// unless it is shared.
func TestMirrorAllocations(t *testing.T) {
	for _, c := range []struct {
		mode  Mirroring
		size  int
		same  bool
		limit float64
	}{
		{MirrorNone, 4000, false, 0},
		{MirrorRemovals, 4000, false, 0},
		{MirrorTell, 4000, false, 5},
		{MirrorAwait, 4000, false, 5},
		{MirrorAwait, 4000, true, 4},
		{MirrorAwait, 100000, false, 5}, // the content that is stored, which is shared
	} {
		now := Time{Mono: 1, Date: 1}
		e, err := New(Options{}, now)
		if err != nil {
			t.Fatal(err)
		}
		m, caller := &later{}, &silent{}
		e.SetMirror(m)
		e.SetMirroring(c.mode)
		bodies := [2][]byte{[]byte(strings.Repeat("a", c.size)), []byte(strings.Repeat("b", c.size))}
		var tk Ticket
		do := func() {
			caller.status = numStatuses
			tk.Caller, tk.Hash = caller, e.Hash(tk.Key)
			e.Do(now, 0, &tk)
			for _, c := range m.changes {
				e.Confirm(now, 0, c)
			}
			m.changes = m.changes[:0]
			if caller.status != OK {
				t.Fatalf("%s: %s", tk.Op, caller.status)
			}
		}
		key, n := []byte(k), 0
		tk = Ticket{Op: Set, Key: key, Body: bodies[0], Minutes: 20}
		do()
		if got := testing.AllocsPerRun(100, func() {
			if !c.same {
				n++
			}
			tk = Ticket{Op: Acquire, Key: key}
			do()
			tk = Ticket{Op: Set, Key: key, HasCookie: true, Cookie: tk.Out.Cookie, Body: bodies[n%2], Minutes: 20}
			do()
		}); got > c.limit {
			t.Errorf("mirroring %d, %d bytes, always the same %v: %v allocations, want at most %v", c.mode, c.size, c.same, got, c.limit)
		}
		for name, tk := range map[string]Ticket{
			"Get": {Op: Get, Key: key}, "Touch": {Op: Touch, Key: key}, "Release": {Op: Release, Key: key, HasCookie: true}, "a miss": {Op: Get, Key: []byte("x")},
		} {
			tk.Caller, tk.Hash = caller, e.Hash(tk.Key)
			if got := testing.AllocsPerRun(100, func() { e.Do(now, 0, &tk) }); got != 0 {
				t.Errorf("mirroring %d, %s: %v allocations", c.mode, name, got)
			}
		}
	}
}
