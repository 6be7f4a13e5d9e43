package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// TestMemoryTake checks where the account's bounds are: sessions that live may fill it, newcomers leave them their share.
func TestMemoryTake(t *testing.T) {
	const limit = 3200
	for _, c := range []struct {
		name     string
		take     func(*memory, int64) bool
		limit    int64
		max      int64
		used, n  int64
		want     bool
		leftover int64
	}{
		{name: "to the last byte", take: (*memory).take, max: limit, used: limit - 10, n: 10, want: true, leftover: limit},
		{name: "one byte too many", take: (*memory).take, max: limit, used: limit - 10, n: 11, leftover: limit - 10},
		{name: "new, to the last byte", take: (*memory).takeNew, max: limit, used: 0, n: 3100, want: true, leftover: 3100},
		{name: "new, one byte too many", take: (*memory).takeNew, max: limit, used: 0, n: 3101, leftover: 0},
		{name: "give back", take: (*memory).take, max: limit, used: 10, n: -10, want: true, leftover: 0},
		{name: "give back while there is too much", take: (*memory).take, max: limit, used: 2 * limit, n: -1, want: true, leftover: 2*limit - 1},
		{name: "nothing while there is too much", take: (*memory).take, max: limit, used: 2 * limit, n: 0, want: true, leftover: 2 * limit},
		{name: "no cap", take: (*memory).take, used: 1 << 60, n: 1 << 60, want: true, leftover: 1 << 61},
		{name: "no cap, new", take: (*memory).takeNew, used: 1 << 60, n: 1 << 60, want: true, leftover: 1 << 61},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := memory{max: c.max}
			m.used.Store(c.used)
			if got := c.take(&m, c.n); got != c.want || m.used.Load() != c.leftover {
				t.Errorf("%v with %d used, want %v with %d", got, m.used.Load(), c.want, c.leftover)
			}
		})
	}
}

// TestMemoryRefusesOnlyWhatIsTooMuch: somebody who asks for far too much must not make others fail who ask for what is free.
func TestMemoryRefusesOnlyWhatIsTooMuch(t *testing.T) {
	m := memory{max: 1000}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200000 {
				if m.take(2000) {
					t.Error("more was taken than there is")
					return
				}
				if !m.take(100) {
					t.Error("what is free was refused")
					return
				}
				m.take(-100)
			}
		})
	}
	wg.Wait()
	if n := m.used.Load(); n != 0 {
		t.Errorf("%d bytes remain", n)
	}
}

// TestMemoryCap: what does not fit is refused, and nothing else changes. See docs/protocol.md §6.5.
func TestMemoryCap(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	w := newWorld(t, Options{MaxMemory: 100 << 10})
	w.play(
		set(k, "a"), "200",
		acquire(k), "200 a/20 #2",
		living(5, set(k, "", 2), big), "refused", // neither content, nor Timeout, nor lock
		get(k), "423 #2 0s",
		release(k, 2), "200",
		get(k), "200 a/20",
		set("new", big), "refused",
		get("new"), "404",
		insert("new", big), "refused",
		set(k, "b"), "200",
	)
	r := w.refusals
	if len(r) != 3 || r[0].Key != k || r[0].Bytes != len(big) || r[0].Max != 100<<10 || r[0].Used != w.e.memory.used.Load() || r[2].Key != "new" {
		t.Errorf("refusals %+v", r)
	}
	w.empty()
}

// TestMemoryCapSparesGrowth: newcomers cannot take the last of the memory, sessions that live can.
func TestMemoryCapSparesGrowth(t *testing.T) {
	w := newWorld(t, Options{MaxMemory: 64 << 10})
	n := 0
	for ; w.do(set(fmt.Sprint("session", n), "a")).got.Status == OK; n++ {
	}
	free := w.e.opt.MaxMemory - w.e.memory.used.Load()
	if share := w.e.opt.MaxMemory / growthShare; free < share || free > share+1000 {
		t.Errorf("newcomers are refused with %d bytes free, want little more than %d", free, share)
	}
	w.do(set("session0", strings.Repeat("x", 1000))).want("200")
	w.check()
	w.do(set("another", "a")).want("refused")
	w.do(remove("session0")).want("200")
	w.do(set("another", "a")).want("200")
	w.empty()
}

// TestOwnedBodies: a reservation is given back exactly once, however the request ends.
func TestOwnedBodies(t *testing.T) {
	const wrong = 7
	own := func(t Ticket) func(*world) { return func(w *world) { w.do(w.owned(t, 1000)) } }
	for _, c := range []struct {
		name  string
		steps []any
	}{
		{"stored in a new session", []any{own(set(k, "a")), "200", get(k), "200 a/20"}},
		{"stored", []any{set(k, "b"), "200", own(set(k, "a")), "200", get(k), "200 a/20"}},
		{"stored over another", []any{own(set(k, "b")), "200", own(set(k, "a")), "200", get(k), "200 a/20"}},
		{"copied over", []any{own(set(k, "b")), "200", set(k, "a"), "200", get(k), "200 a/20"}},
		{"identical", []any{own(set(k, "a")), "200", own(set(k, "a")), "200", get(k), "200 a/20"}},
		{"insert-only", []any{set(k, "b"), "200", own(insert(k, "a")), "200", get(k), "200 b/20"}},
		{"locked", []any{set(k, "b"), "200", acquire(k), "200 b/20 #2", own(set(k, "a", wrong)), "423 #2 0s"}},
		{"no room for a new session", []any{
			func(w *world) { w.reserve(1<<20 - 1100) },
			own(set(k, "a")), "refused",
		}},
		{"queued", []any{set(k, "b"), "200", func(w *world) { w.do(yielding(w.owned(set(k, "a"), 1000))) }, "parked", run, get(k), "200 a/20"}},
		{"cancelled", []any{
			set(k, "b"), "200", func(w *world) { w.do(yielding(w.owned(set(k, "a"), 1000))) }, as("A"), cancels("A"), run, get(k), "200 b/20",
		}},
		{"cut", []any{set(k, "b"), "200", yielding(get(k)), "parked", own(set(k, "a")), "cut", run}},
		{"queued for a session that is removed", []any{
			set(k, "b"), "200", yielding(remove(k)), "parked", own(set(k, "a")), "cut", run, own(set(k, "a")), "200",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{SessionQueue: 1, MaxMemory: 1 << 20})
			w.play(c.steps...)
			w.empty()
		})
	}
}

// TestRefuse: a save whose body could not be taken in is refused, and the session keeps what it has.
func TestRefuse(t *testing.T) {
	w := newWorld(t, Options{MaxMemory: 1 << 20})
	w.play(set(k, "a"), "200", acquire(k), "200 a/20 #2")
	c := &client{w: w, key: k, t: set(k, "", 2)}
	c.t.Caller, c.t.Hash = c, w.e.Hash(c.t.Key)
	w.e.Refuse(0, &c.t)
	c.want("refused")
	w.play(get(k), "423 #2 0s", release(k, 2), "200", get(k), "200 a/20")
	if len(w.refusals) != 1 || w.refusals[0].Key != k {
		t.Errorf("refusals %+v", w.refusals)
	}
}

// TestContent saves bodies of all kinds of sizes over one another, owned and copied. What is read is what was saved; memory that an answer may still
// show is never written to; and no body keeps much more memory than it needs.
func TestContent(t *testing.T) {
	seed, _ := firstSeed(1)
	rnd := random(t, seed)
	w := newWorld(t, Options{})
	type read struct{ shared, copied []byte }
	var reads []read
	for i := range 2000 {
		body := make([]byte, size(rnd))
		for j := range body {
			body[j] = byte(i + j)
		}
		save := living(20, set(k, ""), string(body))
		if rnd.IntN(3) == 0 {
			save = w.owned(save, rnd.IntN(100))
		}
		w.do(save).want("200")
		c := w.do(get(k))
		if !bytes.Equal(c.got.Body, body) {
			t.Fatalf("after %d saves %d bytes are read, want the %d that were saved", i, len(c.got.Body), len(body))
		}
		if c.got.Shared {
			reads = append(reads, read{c.got.Body, bytes.Clone(c.got.Body)})
		}
		if n := w.session(k).body.cap(); n > 4*len(body)+200 {
			t.Fatalf("%d bytes are kept for %d", n, len(body))
		}
	}
	for i, r := range reads {
		if !bytes.Equal(r.shared, r.copied) {
			t.Fatalf("shared body %d was written to", i)
		}
	}
	w.check()
	w.empty()
}

// TestSharedContent: what was read without a copy stays as it is, however like it the next save is.
func TestSharedContent(t *testing.T) {
	w := newWorld(t, Options{})
	for _, n := range []int{bodyShared + 1, bodyShared * 2} {
		w.do(set(k, strings.Repeat("a", n))).want("200")
		read := w.do(get(k)).got
		if !read.Shared {
			t.Errorf("a body of %d bytes is copied", n)
		}
		for _, next := range []int{n, n - 1, n/2 + 1} {
			w.do(set(k, strings.Repeat("b", next))).want("200")
			if bytes.Count(read.Body, []byte("a")) != n {
				t.Errorf("a save of %d bytes changes a body of %d that was read before", next, n)
			}
		}
	}
	w.do(set(k, strings.Repeat("a", bodyShared))).want("200")
	if w.do(get(k)).got.Shared {
		t.Errorf("a body of %d bytes is shared", bodyShared)
	}
}

// size picks a body's size: most of them small, some above bodyShared.
func size(rnd *rand.Rand) int {
	if rnd.IntN(20) == 0 {
		return 1 + rnd.IntN(3*bodyShared)
	}
	return 1 + rnd.IntN(1<<rnd.IntN(13))
}
