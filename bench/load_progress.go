package bench

import (
	"context"
	"sync"
	"time"
)

// Phase is what a run is doing.
type Phase string

// The phases, in order.
const (
	PhasePreload Phase = "preload"
	PhaseWarmUp  Phase = "warm-up"
	PhaseRun     Phase = "run"
)

// Progress is what LoadConfig.Progress is told. Counts are from the beginning of the preload, or of the pages.
type Progress struct {
	Phase    Phase
	Elapsed  time.Duration // since the beginning of the preload, or of the pages
	Done     int64         // sessions created, or pages ended
	Total    int64         // of Done; 0 if only the time ends the run
	PerS     float64       // Done since the last call, a second
	Requests int64         // answered; 0 in the preload
	Failed   int64         // pages
	Behind   int64         // pages due and not begun; 0 in a closed loop
}

const progressEvery = time.Second

// watch calls LoadConfig.Progress with what look returns, about every second, until stop is called. stop waits for a call that
// is under way.
func (r *run) watch(look func() Progress) (stop func()) {
	if r.cfg.Progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		begin := time.Now()
		last, before := begin, int64(0)
		for sleep(ctx, progressEvery) {
			p := look()
			now := time.Now()
			p.Elapsed = now.Sub(begin)
			p.PerS = perSecond(p.Done-before, now.Sub(last))
			last, before = now, p.Done
			r.cfg.Progress(p)
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}

func (r *run) progress() Progress {
	now := time.Now()
	p := Progress{Phase: PhaseRun, Total: r.cfg.Pages, Behind: r.pace.unstarted(now)}
	if now.Before(r.measureFrom) {
		p.Phase = PhaseWarmUp
	}
	for _, rec := range r.recorders {
		rec.mu.Lock()
		p.Done += rec.pages
		p.Requests += rec.requests
		p.Failed += rec.failed
		rec.mu.Unlock()
	}
	return p
}
