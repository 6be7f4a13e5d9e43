package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// PreloadResult says how the sessions came to be.
type PreloadResult struct {
	Sessions int64   `json:"sessions"`
	Refused  int64   `json:"refused"` // existed and were locked, from an earlier run: they stay as they are
	ElapsedS float64 `json:"elapsed_s"`
}

// Bounds of what is sent before answers are read. The answers to it must find room in the buffers between here and the server,
// or both sides would wait for each other to read.
const (
	preloadBatch = 64       // requests
	preloadBytes = 64 << 10 // of bodies, unless one alone is larger
	preloadConns = 8        // enough to keep a server busy when requests come in batches
)

// preload creates all sessions. Pipelining makes it several times as fast as pages could be.
func (r *run) preload(ctx context.Context) (*PreloadResult, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var created, refused, next atomic.Int64
	stop := r.watch(func() Progress {
		return Progress{Phase: PhasePreload, Done: created.Load(), Total: int64(r.cfg.Sessions)}
	})
	defer stop()

	var all sync.WaitGroup
	for range min(preloadConns, r.cfg.Conns) {
		p := &preloader{
			run:     r,
			links:   make([]*link, len(r.cfg.Targets)),
			waiting: make([][]uint64, len(r.cfg.Targets)),
			body:    filler(r.cfg.BodyMax, r.cfg.Seed),
			created: &created,
			refused: &refused,
		}
		all.Go(func() {
			if err := p.loop(ctx, &next); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return &PreloadResult{
		Sessions: created.Load(),
		Refused:  refused.Load(),
		ElapsedS: seconds(time.Since(r.began)),
	}, nil
}

// A preloader creates sessions over one connection to each target. Owned by one goroutine.
type preloader struct {
	run     *run
	links   []*link
	waiting [][]uint64 // by target: sessions sent and not answered
	bytes   int        // of their bodies
	key     []byte
	body    []byte

	created, refused *atomic.Int64
}

// loop takes batches of sessions until none is left.
func (p *preloader) loop(ctx context.Context, next *atomic.Int64) error {
	defer func() {
		for _, l := range p.links {
			if l != nil {
				l.close()
			}
		}
	}()
	total := int64(p.run.cfg.Sessions)
	for {
		first := next.Add(preloadBatch) - preloadBatch
		if first >= total {
			return nil
		}
		for n := first; n < min(first+preloadBatch, total); n++ {
			if err := p.send(ctx, uint64(n)); err != nil {
				return err
			}
			if p.bytes >= preloadBytes {
				if err := p.collect(); err != nil {
					return err
				}
			}
		}
		if err := p.collect(); err != nil {
			return err
		}
	}
}

// send puts the request that creates session n on its way.
func (p *preloader) send(ctx context.Context, n uint64) error {
	r := p.run
	target := r.pop.home(n)
	l := p.links[target]
	if l == nil {
		var err error
		if l, err = openLink(ctx, &r.cfg, r.cfg.Targets[target]); err != nil {
			return err
		}
		p.links[target] = l
	}
	if err := l.limit(time.Now()); err != nil {
		return err
	}
	body := p.body[:r.pop.size(n)]
	p.key = r.pop.appendTarget(p.key[:0], n)
	if r.cfg.Verify {
		stamp(body, p.key[len(p.key)-sessionIDLen:], 1)
	} else {
		scribble(body, n)
	}
	p.waiting[target] = append(p.waiting[target], n)
	p.bytes += len(body)
	l.enqueue(&wire.Request{
		Verb:          wire.Put,
		Target:        p.key,
		Timeout:       int32(r.cfg.Timeout),
		ContentLength: len(body),
		HasCookie:     true,
	}, body)
	return nil
}

// collect sends what is queued and reads all answers.
func (p *preloader) collect() error {
	for target, l := range p.links {
		if l == nil {
			continue
		}
		if err := l.flush(); err != nil {
			return err
		}
		for _, n := range p.waiting[target] {
			var a wire.Answer
			if _, err := l.receive(&a); err != nil {
				return err
			}
			if err := p.answered(n, a.Status); err != nil {
				return err
			}
		}
		p.waiting[target] = p.waiting[target][:0]
	}
	p.bytes = 0
	return nil
}

func (p *preloader) answered(n uint64, s wire.Status) error {
	switch s {
	case wire.StatusOK:
		p.created.Add(1)
		if p.run.cfg.Verify {
			return p.run.trackers[n].saved(mark{certain: true}, 1)
		}
		return nil
	case wire.StatusLocked:
		p.refused.Add(1)
		return nil
	case wire.StatusBadRequest:
		return errors.New("the server refused a save (400): it is out of memory, or the body is over its limit; use fewer or smaller sessions")
	default:
		return fmt.Errorf("a save was answered with %s", s)
	}
}
