package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// redialPause keeps a page that finds no server from asking for one as fast as it can.
const redialPause = 100 * time.Millisecond

// errStopped ends a page because the run is over. It is no failure of the page.
var errStopped = errors.New("stopped")

// A worker runs one page after another, as one thread of a web server does. Owned by one goroutine.
type worker struct {
	run   *run
	rec   *recorder
	links []*link // by target; nil where there is none

	measured bool // the page is not part of the warm-up

	// The session of the page.

	session uint64
	target  int
	key     []byte // the target of its requests; ends with the id
	track   *tracker
	size    int
	saves   uint64 // makes bodies differ
	body    []byte // room for the largest

	// The exchange.

	req      wire.Request
	ans      wire.Answer
	ansBody  []byte // valid until the next exchange
	replaced bool   // a connection was, so that the request may have been executed twice
}

func newWorker(r *run, n int) *worker {
	return &worker{
		run:   r,
		rec:   r.recorders[n%len(r.recorders)],
		links: make([]*link, len(r.cfg.Targets)),
		body:  filler(r.cfg.BodyMax, r.cfg.Seed+uint64(n)),
	}
}

// loop runs pages until there are no more.
func (w *worker) loop(ctx context.Context) {
	defer func() {
		for _, l := range w.links {
			if l != nil {
				l.close()
			}
		}
	}()
	cfg := &w.run.cfg
	for {
		n, due, ok := w.run.pace.next(ctx)
		if !ok {
			return
		}
		w.page(ctx, n, due)
		if cfg.Think > 0 && !sleep(ctx, cfg.Think) {
			return
		}
	}
}

// page runs page n, which was due at the given moment, and records it.
func (w *worker) page(ctx context.Context, n int64, due time.Time) {
	late := time.Since(due)
	w.measured = !due.Before(w.run.measureFrom)
	kind := w.choose(n)
	err := w.do(ctx, kind)
	if ctx.Err() != nil {
		return // its connection was closed in the middle
	}
	now := time.Now()

	w.rec.mu.Lock()
	w.rec.pages++
	w.rec.last = now
	if err != nil {
		w.rec.failed++
	}
	if w.measured {
		t := &w.rec.measured
		t.pages[kind].record(now.Sub(due), !w.run.pace.over(now))
		if late >= lateAfter {
			t.late++
			t.maxLate = max(t.maxLate, late)
		}
		if err != nil {
			t.failed++
			t.errors.count(plain(err), 1)
		}
	}
	w.rec.mu.Unlock()

	if _, ok := errors.AsType[*dialError](err); ok {
		sleep(ctx, redialPause)
	}
}

// choose makes the session of page n the current one, and returns what the page does with it.
func (w *worker) choose(n int64) pageKind {
	cfg := &w.run.cfg
	c := newChoice(cfg.Seed, uint64(n))
	kind, raw := rawPages[cfg.Mode]
	if !raw {
		kind = cfg.Mix.pick(c.below(100))
	}
	switch {
	case kind == pageNew:
		w.use(uint64(cfg.Sessions)+uint64(n), &c) // behind all that others choose from
	case cfg.HotShare > 0 && c.below(100) < cfg.HotShare:
		w.use(uint64(c.below(cfg.HotSessions)), &c)
	default:
		w.use(uint64(c.below(cfg.Sessions)), &c)
	}
	return kind
}

// use makes session n the current one.
func (w *worker) use(n uint64, c *choice) {
	r := w.run
	w.session = n
	w.key = r.pop.appendTarget(w.key[:0], n)
	w.size = r.pop.size(n)
	w.track = nil
	if n < uint64(len(r.trackers)) {
		w.track = &r.trackers[n]
	}
	switch {
	case len(r.cfg.Targets) == 1:
		w.target = 0
	case r.cfg.Placement == PlaceRandom:
		w.target = c.below(len(r.cfg.Targets))
	default:
		w.target = r.pop.home(n)
	}
}

// id returns the id of the session.
func (w *worker) id() []byte { return w.key[len(w.key)-sessionIDLen:] }

// A dialError is a connection that could not be opened.
type dialError struct{ err error }

func (e *dialError) Error() string { return plain(e.err) }
func (e *dialError) Unwrap() error { return e.err }

// exchange sends w.req about the current session and waits for the answer, which is then in w.ans and w.ansBody.
//
// It is an error if there is no answer, or if the answer is 400: these are what the real client shows to a user. Every other
// status is left to the caller. See docs/protocol.md §9.5.
func (w *worker) exchange(ctx context.Context, op opKind, body []byte) error {
	w.req.Target = w.key
	w.req.ContentLength = len(body)
	begin := time.Now()
	if err := w.tryTwice(ctx, begin, body); err != nil {
		if ctx.Err() != nil {
			return errStopped
		}
		return fmt.Errorf("%s: %w", op, err)
	}
	w.record(op, begin, len(body))
	if w.ans.Status == wire.StatusBadRequest {
		return fmt.Errorf("%s: answered 400", op)
	}
	return nil
}

func (w *worker) record(op opKind, begin time.Time, sent int) {
	now := time.Now()
	w.rec.mu.Lock()
	defer w.rec.mu.Unlock()
	w.rec.requests++
	if !w.measured {
		return
	}
	t := &w.rec.measured
	t.ops[op].record(now.Sub(begin), !w.run.pace.over(now))
	t.answers[op][w.ans.Status]++
	t.sent += int64(sent)
	t.received += int64(w.ans.ContentLength)
}

// tryTwice carries out the exchange, on a new connection if the one at hand turns out to be dead: the real client's does the
// same, and any failure after that is shown to the user. See docs/protocol.md §9.3.
func (w *worker) tryTwice(ctx context.Context, now time.Time, body []byte) error {
	w.replaced = false
	l := w.links[w.target]
	if l != nil && now.Sub(l.lastUse) >= idleLimit {
		w.drop()
		l = nil
	}
	used := l != nil
	for {
		if l == nil {
			var err error
			if l, err = w.dial(ctx); err != nil {
				return err
			}
		}
		err := w.try(l, now, body)
		if err == nil {
			return nil
		}
		dead := used && !l.pending() && !isTimeout(err) && ctx.Err() == nil
		w.drop()
		if !dead {
			return err
		}
		w.count(func(t *tally) { t.replaced++ })
		w.replaced = true
		used, l, now = false, nil, time.Now()
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && timeout.Timeout()
}

func (w *worker) try(l *link, now time.Time, body []byte) error {
	if err := l.limit(now); err != nil {
		return err
	}
	if err := l.send(&w.req, body); err != nil {
		return err
	}
	var err error
	if w.ansBody, err = l.receive(&w.ans); err != nil {
		return err
	}
	if l.pending() {
		return errors.New("answer is followed by bytes that no request asked for")
	}
	l.lastUse = now
	return nil
}

func (w *worker) dial(ctx context.Context) (*link, error) {
	l, err := openLink(ctx, &w.run.cfg, w.run.cfg.Targets[w.target])
	if err != nil {
		return nil, &dialError{err}
	}
	w.links[w.target] = l
	w.count(func(t *tally) { t.dialled++ })
	return l, nil
}

func (w *worker) drop() {
	w.links[w.target].close()
	w.links[w.target] = nil
}

// count changes the tally, unless the page belongs to the warm-up.
func (w *worker) count(f func(*tally)) {
	if !w.measured {
		return
	}
	w.rec.mu.Lock()
	defer w.rec.mu.Unlock()
	f(&w.rec.measured)
}
