// Package bench answers questions of speed and capacity.
//
// Load drives one or several state servers over TCP as the web servers of a farm would: it is what the command farmstate load
// runs. It tells how many pages a second a server bears, and how long they take. Package compare next to it measures what a
// request costs farmstate, and other servers, in processor time.
package bench

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// run is one call of Load.
type run struct {
	// Static after construction.

	cfg         LoadConfig
	pop         *population
	trackers    []tracker // by session; empty without Verify
	began       time.Time // before the first request
	pace        *pacer
	measureFrom time.Time // pages due before are the warm-up
	recorders   []*recorder
}

// Load drives the servers as cfg says, and returns when that is done or ctx has ended; in the second case what has been measured
// until then is returned together with the error of ctx. Errors of single pages are part of the result. It is an error of Load
// if cfg is not valid, or a preload fails.
//
// Every goroutine it starts has ended when it returns.
func Load(ctx context.Context, cfg LoadConfig) (*LoadResult, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("bench: load: %w", err)
	}
	if cfg.fine == nil {
		cfg.fine = newSleeper()
		defer func() { _ = cfg.fine.close() }() // nothing is lost with it
	}
	r := &run{
		cfg:   cfg,
		pop:   newPopulation(&cfg),
		began: time.Now(),
		// As many as can be busy at once; workers beyond that share without waiting for each other.
		recorders: make([]*recorder, min(cfg.Conns, 2*runtime.GOMAXPROCS(0))),
	}
	for i := range r.recorders {
		r.recorders[i] = new(recorder)
	}
	if cfg.Verify {
		r.trackers = make([]tracker, cfg.Sessions)
	}
	var pre *PreloadResult
	if cfg.Preload {
		var err error
		if pre, err = r.preload(ctx); err != nil {
			return nil, fmt.Errorf("bench: preload: %w", err)
		}
	}
	r.drive(ctx)
	res := r.result(time.Now())
	res.Preload = pre
	return res, context.Cause(ctx)
}

// drive runs all pages.
func (r *run) drive(ctx context.Context) {
	var d time.Duration
	if r.cfg.Duration > 0 {
		d = r.cfg.WarmUp + r.cfg.Duration
	}
	r.pace = newPacer(r.cfg.Rate, d, r.cfg.Pages, r.cfg.fine)
	r.measureFrom = r.pace.start.Add(r.cfg.WarmUp)

	stop := r.watch(r.progress)
	defer stop()
	var all sync.WaitGroup
	for n := range r.cfg.Conns {
		w := newWorker(r, n)
		all.Go(func() { w.loop(ctx) })
	}
	all.Wait()
}
