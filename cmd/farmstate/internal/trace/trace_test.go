package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestLevel(t *testing.T) {
	for text, want := range map[string]event.Level{
		"debug": event.Debug, "INFO": event.Info, "warn": event.Warn, "error": event.Error,
		"1": event.Error, "2": event.Error, "3": event.Warn, "4": event.Info, "5": event.Debug, "10": event.Debug,
		"0": "", "6": "", "": "", "warning": "",
	} {
		var l Level
		if err := l.UnmarshalText([]byte(text)); (err == nil) != (want != "") || event.Level(l) != want {
			t.Errorf("%q: %q %v, want %q", text, l, err, want)
		}
	}
}

func TestFilter(t *testing.T) {
	e := event.Event{Level: event.Warn, Name: "lock_broken", Attrs: map[string]string{"application": "/LM/W3SVC/1/ROOT(hash)", "session": "abcdef…"}}
	bare := event.Event{Level: event.Info, Name: "node_started"}
	for _, c := range []struct {
		filter      Filter
		match, none bool // of e, of bare
	}{
		{Filter{}, true, true},
		{Filter{Level: event.Warn}, true, false},
		{Filter{Level: event.Error}, false, false},
		{Filter{Application: "w3svc/1"}, true, false},
		{Filter{Application: "w3svc/2"}, false, false},
		{Filter{Session: "abc"}, true, false},
		{Filter{Session: "abcdefghijklmnop"}, true, false},
		{Filter{Session: "abcdeghijklmnop"}, false, false},
		{Filter{Session: "b"}, false, false},
		{Filter{Kinds: []string{"lock_*"}}, true, false},
		{Filter{Kinds: []string{"lock"}}, false, false},
		{Filter{Kinds: []string{"lock_broken", "node_started"}}, true, true},
		{Filter{Kinds: []string{"*"}, Application: "root", Session: "a", Level: event.Debug}, true, false},
	} {
		if c.filter.Match(&e) != c.match || c.filter.Match(&bare) != c.none {
			t.Errorf("%+v: %v %v", c.filter, c.filter.Match(&e), c.filter.Match(&bare))
		}
	}
	moved := event.Event{Attrs: map[string]string{"session": "/LM/W3SVC/1/ROOT(ha/sh=)/abcdef"}}
	for _, c := range []struct {
		filter Filter
		want   bool
	}{
		{Filter{Session: "abc"}, true}, {Filter{Session: "abcdefghijkl"}, true}, {Filter{Session: "abx"}, false}, {Filter{Session: "/LM"}, false},
		{Filter{Application: "ROOT(ha"}, true}, {Filter{Application: "abc"}, false},
	} {
		if got := c.filter.Match(&moved); got != c.want {
			t.Errorf("%+v, with the application in front of the session: %v", c.filter, got)
		}
	}
	whole := event.Event{Attrs: map[string]string{"session": "abc"}}
	if f := (Filter{Session: "abcd"}); f.Match(&whole) {
		t.Error("a session with another, shorter id matches")
	}
}

func line(at time.Time, name string) Line {
	return Line{Node: "n", Name: "web1", Event: event.Event{Time: at, Level: event.Info, Name: name}}
}

func namesOf(lines []Line) string {
	var all []string
	for _, l := range lines {
		all = append(all, l.Event.Name)
	}
	return strings.Join(all, " ")
}

func TestOrder(t *testing.T) {
	var o order
	t0 := time.Unix(1000, 0)
	ms := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Millisecond) }
	o.add(ms(100), line(ms(50), "b"))
	o.add(ms(110), line(ms(40), "a"))
	o.add(ms(300), line(ms(300), "c"))
	if at, ok := o.due(); !ok || !at.Equal(ms(600)) {
		t.Errorf("due at %v %v", at, ok)
	}
	if got := o.take(ms(599), false); len(got) != 0 {
		t.Errorf("too early: %v", got)
	}
	if got := namesOf(o.take(ms(600), false)); got != "a b" {
		t.Errorf("%q", got)
	}
	o.add(ms(700), line(ms(10), "late"))
	if got := namesOf(o.take(ms(800), false)); got != "late c" {
		t.Errorf("%q", got)
	}
	if _, ok := o.due(); ok || len(o.queue) != 0 || len(o.gone) != 0 {
		t.Errorf("something is left: %+v", o)
	}
}

// TestOrderRandom: nothing is lost, nothing stays longer than the window, and what comes within the window comes in order.
func TestOrderRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	type come struct{ at, happened time.Time }
	var all []come
	for i := range 5000 {
		happened := time.Unix(1000, 0).Add(time.Duration(i) * time.Millisecond)
		all = append(all, come{happened.Add(time.Duration(r.Int64N(int64(Window)))), happened})
	}
	slices.SortFunc(all, func(a, b come) int { return a.at.Compare(b.at) })
	var o order
	var got []Line
	for _, c := range all {
		for at, ok := o.due(); ok && !at.After(c.at); at, ok = o.due() {
			got = append(got, o.take(at, false)...)
		}
		o.add(c.at, line(c.happened, "x"))
	}
	got = append(got, o.take(time.Time{}, true)...)
	if len(got) != len(all) {
		t.Fatalf("%d of %d", len(got), len(all))
	}
	if !slices.IsSortedFunc(got, func(a, b Line) int { return a.Time.Compare(b.Time) }) {
		t.Error("not in order")
	}
}

// fakeFarm plays nodes for a Trace, in a bubble of synctest.
type fakeFarm struct {
	mu    sync.Mutex
	nodes map[string]*fakeNode
}

type fakeNode struct {
	listed  bool // the others tell of it
	up      bool
	hangs   bool // it takes all and says nothing
	slow    bool // the others tell of it later than of those that are not
	started time.Time
	events  []event.Event
	changed chan struct{} // closed and replaced at each change
}

func (f *fakeFarm) change(id string, do func(*fakeNode)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[id]
	if n == nil {
		n = &fakeNode{listed: true, up: true, started: time.Now(), changed: make(chan struct{})}
		f.nodes[id] = n
	}
	do(n)
	close(n.changed)
	n.changed = make(chan struct{})
}

func (f *fakeFarm) happen(id, name string) {
	f.change(id, func(n *fakeNode) {
		n.events = append(n.events, event.Event{ID: uint64(len(n.events) + 1), Time: time.Now(), Level: event.Info, Name: name})
	})
}

func (f *fakeFarm) source() Source {
	return Source{
		Nodes: func(ctx context.Context, tell func([]Target)) {
			f.mu.Lock()
			var all, soon []Target
			for id, n := range f.nodes {
				if n.listed {
					all = append(all, Target{ID: id, Name: id})
				}
				if n.listed && !n.slow {
					soon = append(soon, Target{ID: id, Name: id})
				}
			}
			f.mu.Unlock()
			if len(soon) < len(all) {
				tell(soon)
				pause(ctx, 3*time.Second)
			}
			tell(all)
		},
		Alive: func(ctx context.Context, t Target) error {
			f.mu.Lock()
			n := f.nodes[t.ID]
			f.mu.Unlock()
			for {
				f.mu.Lock()
				hangs, up, changed := n.hangs, n.up, n.changed
				f.mu.Unlock()
				switch {
				case !up:
					return errors.New("it is away")
				case !hangs:
					return nil
				}
				select {
				case <-changed:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		},
		State: func(ctx context.Context, t Target) (time.Time, uint64, error) {
			f.mu.Lock()
			n := f.nodes[t.ID]
			hangs, up, started, latest := n.hangs, n.up, n.started, uint64(len(n.events))
			f.mu.Unlock()
			if hangs {
				<-ctx.Done()
				return time.Time{}, 0, ctx.Err()
			}
			if !up {
				return time.Time{}, 0, errors.New("it is away")
			}
			return started, latest, nil
		},
		Follow: func(ctx context.Context, t Target, after uint64, past int, take func(event.Event), dropped func(int)) error {
			f.mu.Lock()
			n := f.nodes[t.ID]
			next := int(after)
			if after == 0 {
				next = max(0, len(n.events)-past)
			}
			f.mu.Unlock()
			for {
				f.mu.Lock()
				hangs, up, events, changed := n.hangs, n.up, n.events, n.changed
				f.mu.Unlock()
				if !up {
					return errors.New("broken off")
				}
				for ; !hangs && next < len(events); next++ {
					take(events[next])
				}
				select {
				case <-changed:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		},
	}
}

// run traces the farm while play plays, and returns what came out and what was said.
func (f *fakeFarm) run(t *testing.T, past int, play func()) (lines []Line, said []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	tr := Trace{Source: f.source(), Past: past, Out: func(l *Line) error { lines = append(lines, *l); return nil }, Say: func(text string) { said = append(said, text) }}
	done := make(chan error)
	go func() { done <- tr.Run(ctx) }()
	synctest.Wait()
	play()
	synctest.Wait()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return lines, said
}

func wait(d time.Duration) { <-time.After(d) }

func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFarm{nodes: map[string]*fakeNode{}}
		f.happen("web1", "old1")
		wait(time.Second)
		f.happen("web2", "old2")
		f.change("hung", func(n *fakeNode) { n.hangs = true })
		wait(time.Hour)
		lines, said := f.run(t, 0, func() {
			f.happen("web2", "a")
			wait(10 * time.Millisecond)
			f.happen("web1", "b")
			wait(Window + time.Second)
			f.change("web1", func(n *fakeNode) { n.up = false })
			f.happen("web2", "c")
			f.happen("web1", "while-away")
			wait(time.Minute)
			f.change("web1", func(n *fakeNode) { n.up = true })
			wait(time.Minute)
			f.happen("web3", "new")
			wait(time.Minute)
			f.change("web2", func(n *fakeNode) { n.up = false })
			wait(time.Second)
			f.change("web2", func(n *fakeNode) { n.up, n.events, n.started = true, nil, time.Now() })
			f.happen("web2", "again")
			wait(time.Minute)
		})
		if got := namesOf(lines); got != "a b c while-away new again" {
			t.Errorf("events: %s", got)
		}
		want := []string{
			"web1: broken off; it is tried again, the other nodes go on", "web1 answers again, and is followed from event 3 on", "web3 has come, and is followed",
			"web2: broken off; it is tried again, the other nodes go on", "web2 was started again, and is followed from its start",
		}
		if !slices.Equal(said, want) {
			t.Errorf("said:\n%s", strings.Join(said, "\n"))
		}
	})
}

// TestTraceGap: what happens while a node is away is shown, and no more than that, even if none of its events has been shown before.
func TestTraceGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFarm{nodes: map[string]*fakeNode{}}
		f.happen("web1", "old")
		f.change("web2", func(*fakeNode) {})
		lines, _ := f.run(t, 0, func() {
			for _, id := range []string{"web1", "web2"} {
				f.change(id, func(n *fakeNode) { n.up = false })
				wait(time.Second)
				f.happen(id, "while-away-"+id)
				f.change(id, func(n *fakeNode) { n.up = true })
			}
			wait(time.Minute)
		})
		if got := namesOf(lines); got != "while-away-web1 while-away-web2" && got != "while-away-web2 while-away-web1" { // both come back in one moment
			t.Errorf("events: %s", got)
		}
	})
}

// TestTraceSoon: nodes that are known are followed before the rest of the farm is.
func TestTraceSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFarm{nodes: map[string]*fakeNode{}}
		f.happen("web1", "past")
		f.change("web2", func(n *fakeNode) { n.slow, n.hangs = true, true })
		lines, said := f.run(t, 5, func() { wait(Window) })
		if got := namesOf(lines); got != "past" || len(said) > 0 {
			t.Errorf("events: %s\nsaid: %q", got, said)
		}
	})
}

// TestTraceSilence: of a node that hangs while it is followed is said that it says nothing, after silentAfter and once, and that it answers again; its events come then.
func TestTraceSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFarm{nodes: map[string]*fakeNode{}}
		f.happen("web1", "old")
		f.happen("web2", "old")
		lines, said := f.run(t, 0, func() {
			wait(time.Minute)
			f.change("web2", func(n *fakeNode) { n.hangs = true })
			wait(silentAfter - time.Second - time.Millisecond)
			f.happen("web1", "a")
			wait(1 * time.Second)
			f.change("web2", func(n *fakeNode) { n.hangs = false }) // in time
			f.change("web2", func(n *fakeNode) { n.hangs = true })
			f.happen("web2", "b")
			wait(time.Minute)
			f.change("web2", func(n *fakeNode) { n.hangs = false })
			wait(time.Minute)
		})
		want := []string{"web2 has said nothing for 3s; its events are waited for, the other nodes go on", "web2 answers again"}
		if got := namesOf(lines); got != "a b" || !slices.Equal(said, want) {
			t.Errorf("events: %s\nsaid: %q", got, said)
		}
	})
}

func TestTracePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFarm{nodes: map[string]*fakeNode{}}
		for i := range 6 {
			f.happen(fmt.Sprintf("web%d", i%2), fmt.Sprint(i))
			wait(time.Second)
		}
		lines, _ := f.run(t, 2, func() {})
		if got := namesOf(lines); got != "2 3 4 5" {
			t.Errorf("events: %s", got)
		}
	})
}

// TestTraceForgets: a node of which nobody hears any more is given up, and followed again when it comes back.
func TestTraceForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFarm{nodes: map[string]*fakeNode{}}
		f.happen("web1", "old")
		lines, said := f.run(t, 0, func() {
			f.change("web1", func(n *fakeNode) { n.up, n.listed = false, false })
			wait(2 * forget)
			f.change("web1", func(n *fakeNode) { n.up, n.listed = true, true })
			wait(time.Minute)
			f.happen("web1", "back")
		})
		if got := namesOf(lines); got != "back" || len(said) != 3 || !strings.Contains(said[1], "given up") || !strings.Contains(said[2], "has come") {
			t.Errorf("events: %s\nsaid: %q", got, said)
		}
	})
}

// TestTraceEnds: when the reader of the stream goes away, all ends, even with nodes that say nothing and others that say much.
func TestTraceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFarm{nodes: map[string]*fakeNode{}}
		f.change("hung", func(n *fakeNode) { n.hangs = true })
		for range 3 * arriving {
			f.happen("web1", "much")
		}
		gone := errors.New("the pipe is closed")
		tr := Trace{Source: f.source(), Past: 3 * arriving, Out: func(*Line) error { return gone }, Say: func(string) {}}
		if err := tr.Run(t.Context()); !errors.Is(err, gone) {
			t.Error(err)
		}
	})
}

func TestPrinter(t *testing.T) {
	var out bytes.Buffer
	p := Printer{Screen: term.Screen{Writer: &out}}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.Local)
	for _, l := range []Line{
		{"id", "web1", event.Event{Time: at, Level: event.Warn, Name: "lock_broken", Text: "a lock\nwas broken", Attrs: map[string]string{"session": "abc…", "why": "a \"b\"", "evil": "\x1b[2J"}}},
		{"id", "web-of-a-longer-name", event.Event{Time: at, Level: event.Info, Name: "x"}},
	} {
		if err := p.Print(&l); err != nil {
			t.Fatal(err)
		}
	}
	want := "03:04:05.678 WARN  web1   lock_broken      a lock was broken evil=?[2J session=abc… why=\"a \\\"b\\\"\"\n" +
		"03:04:05.678 INFO  web-of-a-longer-name x\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestJSON(t *testing.T) {
	l := Line{"id", "web1", event.Event{ID: 7, Time: time.Unix(1, 0).UTC(), Level: event.Info, Name: "x", Text: "a->b"}}
	want := `{"node":"id","node_name":"web1","id":7,"time":"1970-01-01T00:00:01Z","level":"info","event":"x","text":"a->b"}` + "\n"
	if got := string(l.JSON()); got != want || !json.Valid([]byte(got)) {
		t.Errorf("%s", got)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "events.json")
	if err := os.WriteFile(name, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said []string
	f := File{Name: name, Size: 30, Keep: 2, Say: func(text string) { said = append(said, text) }}
	if err := f.Open(); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		f.Write(time.Now(), fmt.Appendf(nil, "line %02d...\n", i))
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	want := map[string]string{"events.json": "line 18...\nline 19...\n", "events.json.1": "line 16...\nline 17...\n", "events.json.2": "line 14...\nline 15...\n"}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != len(want) || len(said) != 0 {
		t.Errorf("%v %v %v", files, err, said)
	}
	for file, text := range want {
		got, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || string(got) != text {
			t.Errorf("%s: %q %v, want %q", file, got, err, text)
		}
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file, info, err)
		}
	}
	none := File{Name: filepath.Join(dir, "keep-none"), Size: 10, Say: f.Say}
	none.Write(time.Now(), []byte("one.....\n"))
	none.Write(time.Now(), []byte("two.....\n"))
	if got, err := os.ReadFile(none.Name); err != nil || string(got) != "two.....\n" {
		t.Errorf("%q %v", got, err)
	}
	if err := none.Close(); err != nil {
		t.Error(err)
	}
}

// TestFileFull: when nothing can be written it is said once a minute, and it goes on when it can.
func TestFileFull(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	var said []string
	f := File{Name: filepath.Join(dir, "events.json"), Size: 1000, Keep: 1, Say: func(text string) { said = append(said, text) }}
	if err := f.Open(); err == nil {
		t.Fatal("there is no such folder")
	}
	now := time.Unix(1000, 0)
	for i := range 10 {
		f.Write(now.Add(time.Duration(i)*10*time.Second), []byte("x\n"))
	}
	if len(said) != 2 || !strings.Contains(said[1], "7 left out so far") {
		t.Errorf("%q", said)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f.Write(now.Add(2*time.Minute), []byte("y\n"))
	if len(said) != 3 || said[2] != "events are written again; 10 were left out" {
		t.Errorf("%q", said)
	}
	if got, err := os.ReadFile(f.Name); err != nil || string(got) != "y\n" {
		t.Errorf("%q %v", got, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
