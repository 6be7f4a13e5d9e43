package bench

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// A pacer hands out the pages of a run: their numbers, and the moment from which the latency of each counts.
//
// At a fixed rate page k is due k/rate after the start whatever the server does. It is handed out when it is due, or later if
// nobody came to fetch it, but still as due at that moment: were it moved, or left out, a stall of the server would excuse the
// pages behind it from being slow (coordinated omission). So pages queue up here, and how many run at a time is bounded by how
// many callers there are.
//
// In a closed loop a page is due when it is asked for.
type pacer struct {
	// Static after construction.

	start time.Time
	end   time.Time // no page is due from here on; zero: no such time
	limit int64     // pages; math.MaxInt64: no such limit
	rate  float64   // pages a second; 0 is the closed loop
	fine  sleeper

	// turn holds one token; whoever has it waits for the next page to become due, and the others wait behind. One sleeper with
	// a precise clock is enough then. It is a channel so that a caller that has to give up can.
	turn chan struct{}

	issued atomic.Int64 // pages handed out; at a fixed rate changed only by the holder of the token
}

// graceAfterEnd bounds how long pages that were due before the end may begin after it. An overloaded server would make a run
// endless otherwise.
const graceAfterEnd = 10 * time.Second

// coarse is how much of a wait is left to the precise sleeper. It is more than the runtime's timers are ever late on a machine
// that is not overloaded.
const coarse = 2 * time.Millisecond

// newPacer starts the clock.
func newPacer(rate float64, d time.Duration, pages int64, fine sleeper) *pacer {
	p := &pacer{
		start: time.Now(),
		limit: math.MaxInt64,
		rate:  rate,
		fine:  fine,
		turn:  make(chan struct{}, 1),
	}
	if d > 0 {
		p.end = p.start.Add(d)
	}
	if pages > 0 {
		p.limit = pages
	}
	p.turn <- struct{}{}
	return p
}

// next returns the next page and when it was due. Blocks until it is due. It is not ok when there are no more pages, or ctx has
// ended.
func (p *pacer) next(ctx context.Context) (page int64, due time.Time, ok bool) {
	if ctx.Err() != nil {
		return 0, time.Time{}, false
	}
	if p.rate > 0 {
		return p.nextDue(ctx)
	}
	now := time.Now()
	if p.over(now) {
		return 0, time.Time{}, false
	}
	page = p.issued.Add(1) - 1
	if page >= p.limit {
		p.issued.Add(-1)
		return 0, time.Time{}, false
	}
	return page, now, true
}

func (p *pacer) nextDue(ctx context.Context) (page int64, due time.Time, ok bool) {
	select {
	case <-p.turn:
	case <-ctx.Done():
		return 0, time.Time{}, false
	}
	defer func() { p.turn <- struct{}{} }()
	page = p.issued.Load()
	due = p.due(page)
	if page >= p.limit || p.over(due) || p.over(time.Now().Add(-graceAfterEnd)) || !p.wait(ctx, due) {
		return 0, time.Time{}, false
	}
	p.issued.Add(1)
	return page, due, true
}

// wait blocks until t, or returns false when ctx has ended.
func (p *pacer) wait(ctx context.Context, t time.Time) bool {
	if d := time.Until(t) - coarse; d > 0 && !sleep(ctx, d) {
		return false
	}
	if d := time.Until(t); d > 0 {
		p.fine.sleep(d)
	}
	return true
}

func (p *pacer) over(t time.Time) bool { return !p.end.IsZero() && !t.Before(p.end) }

// due returns when page k is due at a fixed rate.
func (p *pacer) due(k int64) time.Time {
	return p.start.Add(time.Duration(math.Round(float64(k) / p.rate * 1e9)))
}

// unstarted returns how many pages were due before now and have not been handed out: the backlog that the run ends with.
func (p *pacer) unstarted(now time.Time) int64 {
	if p.rate == 0 {
		return 0
	}
	if p.over(now) {
		now = p.end
	}
	n := int64(math.Ceil(now.Sub(p.start).Seconds() * p.rate))
	for n > 0 && !p.due(n-1).Before(now) { // what rounding added
		n--
	}
	return max(0, min(n, p.limit)-p.issued.Load())
}

// A sleeper waits for short times. Not safe for concurrent use.
type sleeper interface {
	sleep(d time.Duration)
	close() error
}

// plainSleeper is the runtime's timer, which on an idle processor may be a millisecond late.
type plainSleeper struct{}

func (plainSleeper) sleep(d time.Duration) { time.Sleep(d) }
func (plainSleeper) close() error          { return nil }

// sleep waits for d, or returns false as soon as ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
