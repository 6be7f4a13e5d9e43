package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// load makes requests at a steady rate for so long; key says for what.
func (w *world) load(d time.Duration, perSecond int, key func() string) {
	c := &silent{}
	for end := w.now.Mono + int64(d); w.now.Mono < end; w.tick(20 * time.Millisecond) {
		for i := range perSecond / 50 {
			t := Ticket{Op: Get, Key: []byte(key()), Caller: c}
			t.Hash = w.e.Hash(t.Key)
			w.e.Do(w.now, i%4, &t)
		}
	}
}

// TestHot: one session of 10,000 with 30 % of the requests stands in front, with its rate, as does its application.
func TestHot(t *testing.T) {
	rnd := random(t, rand.Uint64())
	w := newWorld(t, Options{})
	busy := appKey("shop", 0)
	pick := func() string {
		if rnd.IntN(100) < 30 {
			return busy
		}
		return appKey([]string{"shop", "blog"}[rnd.IntN(2)], 1+rnd.IntN(5000))
	}
	for i := range 5001 {
		w.do(set(appKey("shop", i), "x"))
		w.do(set(appKey("blog", i), "x"))
	}
	const rate = 10000
	near := func(what string, rows []HotRow, at int, key string, want float64) {
		t.Helper()
		if len(rows) <= at || !strings.HasPrefix(rows[at].Key, key) || math.Abs(rows[at].PerSecond-want) > want/5 {
			t.Errorf("%s: %.3v, want %s with about %.0f/s", what, rows[:min(len(rows), 3)], key, want)
		}
	}
	w.load(3*time.Second, rate, pick)
	h := w.e.Hot(w.now)
	near("soon", h.Sessions, 0, busy, .3*rate)
	w.load(27*time.Second, rate, pick)
	h = w.e.Hot(w.now)
	near("later", h.Sessions, 0, busy, .3*rate)
	near("the first application", h.Apps, 0, "/LM/W3SVC/1/ROOT/shop(", .65*rate)
	near("the second application", h.Apps, 1, "/LM/W3SVC/1/ROOT/blog(", .35*rate)
	if len(h.Sessions) != hotRows || len(h.Apps) != 2 || h.Sessions[1].PerSecond > .03*rate {
		t.Errorf("%d sessions, %d applications, the second session %v", len(h.Sessions), len(h.Apps), h.Sessions[1])
	}
	w.after(hotHalfLife)
	near("idle for as long", w.e.Hot(w.now).Sessions, 0, busy, .3*rate/3) // that time counts double
	w.tick(20 * hotHalfLife)
	if h := w.e.Hot(w.now); len(h.Sessions)+len(h.Apps) > 0 {
		t.Errorf("after a long rest there is still %v", h)
	}
}

// TestHotInStep: what comes in turn is sampled alike, whatever the length of the round.
func TestHotInStep(t *testing.T) {
	for _, round := range []int{1, 3, 55, 64, 89} {
		w := newWorld(t, Options{})
		n := 0
		w.load(10*time.Second, 12800, func() string {
			n++
			return fmt.Sprint("s", n%round)
		})
		h := w.e.Hot(w.now)
		want := 12800 / float64(round)
		if len(h.Sessions) < min(round, hotRows) {
			t.Errorf("a round of %d: %d are seen", round, len(h.Sessions))
		}
		for _, r := range h.Sessions {
			if r.PerSecond < want*.6 || r.PerSecond > want*1.5 {
				t.Errorf("a round of %d: %s has %.0f/s, want %.0f", round, r.Key, r.PerSecond, want)
			}
		}
	}
}

// TestHotBeyondRoom: what does not fit between two ticks is made up for; a key that never fits is left out.
func TestHotBeyondRoom(t *testing.T) {
	var h hot
	now := Time{Mono: 1}
	h.init(now)
	for i := range 1000 {
		h.note(0, fmt.Appendf(nil, "%0100d", i%2))
		h.note(1, make([]byte, hotRoom))
	}
	h.fold(now)
	sum := 0.
	for _, r := range h.sessions.rows {
		sum += r.weight
	}
	if math.Abs(sum-1000*hotEvery) > 1 {
		t.Errorf("1000 samples weigh %v", sum)
	}
}

// TestHotBusy: a lane does not wait for who reads its samples.
func TestHotBusy(t *testing.T) {
	var h hot
	h.init(Time{})
	h.stripes[0].busy.Store(true)
	h.note(0, []byte("a"))
	if h.fold(Time{}); h.stripes[0].used != 0 || len(h.sessions.rows) != 0 {
		t.Error("a sample was taken while somebody else had the buffer")
	}
	h.stripes[0].busy.Store(false)
	h.note(0, []byte("a"))
	if h.fold(Time{}); len(h.sessions.rows) != 1 {
		t.Error("no sample was taken")
	}
}

// TestHeavy: the table is bounded, knows its rows, and never gives a key less than it had, nor more than its share of the rest.
func TestHeavy(t *testing.T) {
	rnd := random(t, rand.Uint64())
	var table heavy
	table.init()
	truth, total := map[string]float64{}, 0.
	for i := range 50000 {
		key := fmt.Sprint(int(math.Pow(2000, rnd.Float64())))
		truth[key]++
		total++
		table.add([]byte(key), 1)
		if i%5000 == 0 {
			table.scale(.5)
			for k := range truth {
				truth[k] *= .5
			}
			total *= .5
		}
	}
	if len(table.rows) != hotTable || len(table.at) != hotTable {
		t.Fatalf("%d rows, %d known", len(table.rows), len(table.at))
	}
	for i, r := range table.rows {
		if table.at[r.key] != i {
			t.Errorf("row %d is not where its key is said to be", i)
		}
		if had := truth[r.key]; r.weight < had-1 || r.weight-r.over > had+1 || r.over > total/hotTable+1 {
			t.Errorf("%s weighs %.1f, of it %.1f another's, want %.1f", r.key, r.weight, r.over, had)
		}
	}
	for _, key := range []string{"1", "2", "3", "10"} {
		if _, ok := table.at[key]; !ok {
			t.Errorf("%s has no row", key)
		}
	}
}
