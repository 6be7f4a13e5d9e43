package trace

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
)

const (
	// lookOut is how often new nodes are looked for.
	lookOut = 5 * time.Second
	// firstPause and longestPause are between two tries to follow a node.
	firstPause, longestPause = time.Second, 10 * time.Second
	// MaxPast is how many past events a node can be asked for.
	MaxPast = 1000
	// forget is how long nobody may have heard of a node that cannot be followed, until that is given up.
	forget = 5 * time.Minute
	// arriving is how many lines may wait to be put in order; then their nodes wait.
	arriving = 1024
	// askEvery is how often a node that is followed is asked for a sign of life: a stream without events is as silent as a node that hangs. silentAfter is how long
	// it may give none until that is said.
	askEvery, silentAfter = time.Second, 3 * time.Second
)

// Target is a node that is followed.
type Target struct {
	ID, Name string
	Addr     string // of its admin pages
}

// Source is where the events come from.
type Source struct {
	// Nodes calls tell with the nodes that are known: as soon as there is one, and again with more. All calls are made before it returns.
	Nodes func(ctx context.Context, tell func([]Target))
	// State says when a node was started, from when on its events count from 1, and the id of the latest.
	State func(context.Context, Target) (started time.Time, latest uint64, err error)
	// Alive asks a node for a sign of life.
	Alive func(context.Context, Target) error
	// Follow calls take with the events of a node until ctx ends or something breaks; see fleet.Client.Follow.
	Follow func(ctx context.Context, t Target, after uint64, past int, take func(event.Event), dropped func(int)) error
}

// Trace is a stream of the events of a farm.
type Trace struct {
	Source Source
	Filter Filter
	Past   int               // events of the past that each node begins with
	Out    func(*Line) error // takes the stream, in order; an error ends it
	Say    func(text string) // says what happens to the stream itself: nodes that come and go. Called from one goroutine.

	lines   chan Line
	says    chan string
	mu      sync.Mutex
	targets map[string]sighting // by id; each is followed. Guarded by mu.
	began   time.Time
	running sync.WaitGroup
}

// sighting is where a node was when it was last heard of.
type sighting struct {
	Target
	at time.Time
}

// Run follows the farm until ctx ends, which is no error, or Out fails. All that it has started has ended then.
func (t *Trace) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	t.lines, t.says, t.targets = make(chan Line, arriving), make(chan string, 16), map[string]sighting{}
	t.began = time.Now()
	t.running.Go(func() { t.discover(ctx) })
	err := t.merge(ctx)
	cancel()
	t.running.Wait()
	return err
}

// merge puts lines in order and gives them out.
func (t *Trace) merge(ctx context.Context) error {
	var o order
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		at, ok := o.due()
		if !ok {
			at = time.Now().Add(time.Hour)
		}
		timer.Reset(time.Until(at))
		ended := false
		select {
		case l := <-t.lines:
			o.add(time.Now(), l)
		case text := <-t.says:
			t.Say(text)
		case <-timer.C:
		case <-ctx.Done():
			ended = true
			for more := true; more; {
				select {
				case l := <-t.lines:
					o.add(time.Now(), l)
				default:
					more = false
				}
			}
		}
		for _, l := range o.take(time.Now(), ended) {
			if err := t.Out(&l); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
	}
}

// say has a text said by the goroutine that merges.
func (t *Trace) say(ctx context.Context, format string, args ...any) {
	select {
	case t.says <- fmt.Sprintf(format, args...):
	case <-ctx.Done():
	}
}

// discover looks for nodes now and then, and follows each that is new.
func (t *Trace) discover(ctx context.Context) {
	for first := true; ctx.Err() == nil; first = false {
		t.Source.Nodes(ctx, func(targets []Target) { t.found(ctx, targets, first) })
		pause(ctx, lookOut)
	}
}

// found follows those of the nodes that are not followed yet.
func (t *Trace) found(ctx context.Context, targets []Target, first bool) {
	for _, target := range targets {
		t.mu.Lock()
		_, known := t.targets[target.ID]
		t.targets[target.ID] = sighting{target, time.Now()}
		t.mu.Unlock()
		if known || ctx.Err() != nil {
			continue
		}
		if !first {
			t.say(ctx, "%s has come, and is followed", target.Name)
		}
		t.running.Go(func() {
			f := following{t: t, id: target.ID, past: t.Past, isNew: !first}
			f.run(ctx)
		})
	}
}

// name is what a node is called now: it may get a longer name when others are known.
func (t *Trace) name(target Target) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, ok := t.targets[target.ID]; ok {
		return s.Name
	}
	return target.Name
}

// where returns a node as it was last heard of. If that is too long ago it is forgotten, and ok is false.
func (t *Trace) where(id string) (target Target, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.targets[id]
	if time.Since(s.at) > forget {
		delete(t.targets, id)
		return s.Target, false
	}
	return s.Target, true
}

// following is the following of one node. Owned by its goroutine.
type following struct {
	t     *Trace
	id    string
	past  int
	isNew bool // it came when the others were followed already

	started time.Time // of the process whose events were taken last; zero before there was one
	last    uint64    // the id of the latest of them
	lost    bool      // it was said that it cannot be followed
	wait    time.Duration

	heard atomic.Int64 // when there was the last sign of life, in nanoseconds from the beginning of the trace on. Shared with the watching.
}

// hear takes a sign of life down.
func (f *following) hear() { f.heard.Store(int64(time.Since(f.t.began))) }

// quiet is how long there has been no sign of life.
func (f *following) quiet() time.Duration {
	return time.Since(f.t.began) - time.Duration(f.heard.Load())
}

// watch says when the node, which is followed, has given no sign of life for a while, and when it gives one again.
func (f *following) watch(ctx context.Context, target Target) {
	for silent := false; ; {
		pause(ctx, askEvery)
		left := silentAfter - f.quiet()
		if silent || left <= 0 {
			left = silentAfter
		}
		ask, cancel := context.WithTimeout(ctx, left)
		err := f.t.Source.Alive(ask, target)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			f.hear()
		}
		was := silent
		silent = f.quiet() >= silentAfter
		switch {
		case silent && !was:
			f.t.say(ctx, "%s has said nothing for %s; its events are waited for, the other nodes go on", f.t.name(target), silentAfter)
		case was && !silent:
			f.t.say(ctx, "%s answers again", f.t.name(target))
		}
	}
}

// run follows the node again and again.
func (f *following) run(ctx context.Context) {
	for f.wait = firstPause; ctx.Err() == nil; f.wait = min(2*f.wait, longestPause) {
		target, ok := f.t.where(f.id)
		if !ok {
			f.t.say(ctx, "%s is given up: nobody has heard of it for %s", target.Name, forget)
			return
		}
		err := f.once(ctx, target)
		if ctx.Err() != nil {
			return
		}
		if !f.lost {
			f.t.say(ctx, "%s: %v; it is tried again, the other nodes go on", target.Name, err)
		}
		f.lost = true
		pause(ctx, f.wait)
	}
}

// once follows the node until that breaks off, and returns why.
func (f *following) once(ctx context.Context, target Target) error {
	started, latest, err := f.t.Source.State(ctx, target)
	if err != nil {
		return err
	}
	switch {
	case f.started.IsZero() && f.isNew && started.After(f.t.began):
		f.past = MaxPast // all of its events are new
	case f.started.IsZero() && f.past == 0:
		f.last = latest
	case f.started.IsZero():
	case !started.Equal(f.started):
		f.last, f.past = 0, MaxPast // it counts from 1 again
		f.t.say(ctx, "%s was started again, and is followed from its start", target.Name)
	default:
		if f.last == 0 {
			f.past = MaxPast // there was none when it was lost
		}
		f.t.say(ctx, "%s answers again, and is followed from event %d on", target.Name, f.last+1)
	}
	if f.started.IsZero() && f.lost {
		f.t.say(ctx, "%s answers now", target.Name)
	}
	f.started, f.lost = started, false
	f.hear()
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { f.watch(watching, target) })
	defer watch.Wait()
	defer stop()
	err = f.t.Source.Follow(ctx, target, f.last, f.past, func(e event.Event) {
		f.hear()
		f.wait, f.last = firstPause, e.ID
		if !f.t.Filter.Match(&e) {
			return
		}
		select {
		case f.t.lines <- Line{f.id, f.t.name(target), e}:
		case <-ctx.Done():
		}
	}, func(n int) {
		f.t.say(ctx, "%s has left out %d events: they came faster than they could be taken", target.Name, n)
	})
	if err == nil {
		err = errEnded
	}
	return err
}

var errEnded = errors.New("the stream of its events has ended")

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
