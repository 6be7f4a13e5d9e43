package farm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/bench/proc"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// RollingOptions say how a farm is restarted node by node.
type RollingOptions struct {
	Sessions int
	Workers  int           // that run pages, each on sessions of its own
	Body     int           // bytes, at least 8
	Pause    time.Duration // of a worker, between two pages
	Calm     time.Duration // before the first restart, between two, and after the last
	Limit    time.Duration // of one node's stop
	Linked   []int         // to how many others each node is linked
	Seed     uint64
}

// RollingResult is what the restarts came to.
type RollingResult struct {
	Pages    int64           // that ended with an acknowledged save
	Retried  int64           // requests that had to be made again, at another node
	Worst    time.Duration   // of a page
	Stops    []time.Duration // of each node
	Handed   []int64         // sessions that each had when it was stopped
	Lost     int             // sessions that are not there at the end, or older than their last acknowledged save
	Examples []string        // of those that are lost
}

// Rolling fills a farm with sessions, stops and starts its nodes one after the other while workers run pages, and looks at all sessions at the end.
func Rolling(ctx context.Context, f *proc.Farm, o RollingOptions) (*RollingResult, error) {
	r := &rolling{o: o, addrs: StatePorts(f), sessions: make([]visited, o.Sessions)}
	for i := range r.sessions {
		r.sessions[i] = visited{target: Target(fmt.Sprintf("rolling%017d", i))}
	}
	if err := r.each(ctx, (*worker).create); err != nil {
		return nil, err
	}
	busy, stop := context.WithCancel(ctx)
	defer stop()
	pages := make(chan error, 1)
	go func() { pages <- r.each(busy, (*worker).work) }()
	err := r.restart(ctx, f)
	r.stopped.Store(true)
	if err != nil {
		stop()
	}
	if err := errors.Join(err, <-pages); err != nil {
		return nil, err
	}
	return &r.result, r.each(ctx, (*worker).look)
}

// rolling is what the workers share.
type rolling struct {
	o        RollingOptions
	addrs    []string
	sessions []visited
	stopped  atomic.Bool // pages come to their end

	mu     sync.Mutex
	result RollingResult // guarded by mu
}

// visited is one session. Owned by its worker.
type visited struct {
	target []byte
	saved  uint64 // number of the last save that was acknowledged
	tried  uint64 // and of the last that was sent
}

// worker is one of the threads of the web servers.
type worker struct {
	r    *rolling
	c    *Client
	rnd  *rand.Rand
	mine []visited
	body []byte
}

// each lets every worker do something.
func (r *rolling) each(ctx context.Context, do func(*worker, context.Context) error) error {
	errs := make([]error, r.o.Workers)
	var all sync.WaitGroup
	for i := range errs {
		from, to := len(r.sessions)*i/len(errs), len(r.sessions)*(i+1)/len(errs)
		all.Go(func() {
			w := &worker{
				r: r, c: NewClient(r.addrs), rnd: rand.New(rand.NewPCG(r.o.Seed, uint64(i))), mine: r.sessions[from:to], body: make([]byte, r.o.Body),
			}
			defer w.c.Close()
			errs[i] = do(w, ctx)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// restart stops and starts the nodes.
func (r *rolling) restart(ctx context.Context, f *proc.Farm) error {
	for _, n := range f.Nodes {
		if err := pause(ctx, r.o.Calm); err != nil {
			return err
		}
		s, err := n.Status(ctx)
		if err != nil {
			return err
		}
		begun := time.Now()
		if err := n.Stop(r.o.Limit); err != nil {
			return err
		}
		took := time.Since(begun)
		r.mu.Lock()
		r.result.Stops, r.result.Handed = append(r.result.Stops, took), append(r.result.Handed, s.Drain.Sessions)
		r.mu.Unlock()
		if err := n.Start(ctx); err != nil {
			return err
		}
		if err := f.Linked(ctx, r.o.Linked...); err != nil {
			return err
		}
	}
	return pause(ctx, r.o.Calm)
}

// create makes the worker's sessions.
func (w *worker) create(ctx context.Context) error {
	for i := range w.mine {
		if err := w.save(ctx, &w.mine[i], 0); err != nil {
			return err
		}
	}
	return nil
}

// work runs pages until it is told to stop.
func (w *worker) work(ctx context.Context) error {
	for !w.r.stopped.Load() {
		begun := time.Now()
		if err := w.page(ctx, &w.mine[w.rnd.IntN(len(w.mine))]); err != nil {
			return err
		}
		w.r.mu.Lock()
		w.r.result.Pages++
		w.r.result.Worst = max(w.r.result.Worst, time.Since(begun))
		w.r.mu.Unlock()
		if err := pause(ctx, w.r.o.Pause); err != nil {
			return err
		}
	}
	return nil
}

// page takes a session's lock, looks at what it holds, and saves it.
func (w *worker) page(ctx context.Context, v *visited) error {
	a, err := w.insist(ctx, v, Acquire(v.target), nil)
	if err != nil {
		return err
	}
	if !w.judge(v, a) {
		return w.save(ctx, v, 0) // as a page does that finds no session
	}
	return w.save(ctx, v, a.Cookie)
}

func (w *worker) save(ctx context.Context, v *visited, cookie uint32) error {
	v.tried++
	binary.LittleEndian.PutUint64(w.body, v.tried)
	a, err := w.insist(ctx, v, Save(v.target, cookie), w.body)
	if err == nil && a.Status != wire.StatusOK {
		err = failure("a save", a, nil)
	}
	v.saved = v.tried
	return err
}

// look reads all of the worker's sessions.
func (w *worker) look(ctx context.Context) error {
	for i := range w.mine {
		v := &w.mine[i]
		a, err := w.insist(ctx, v, Get(v.target), nil)
		if err != nil {
			return err
		}
		w.judge(v, a)
	}
	return nil
}

// judge reports whether an answer shows a session as its last acknowledged save has left it.
func (w *worker) judge(v *visited, a Reply) bool {
	var wrong string
	switch {
	case a.Status != wire.StatusOK:
		wrong = a.Status.String()
	case len(a.Body) != len(w.body):
		wrong = fmt.Sprintf("%d bytes", len(a.Body))
	default:
		if n := binary.LittleEndian.Uint64(a.Body); n < v.saved || n > v.tried {
			wrong = fmt.Sprintf("save %d", n)
		}
	}
	if wrong == "" {
		return true
	}
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.r.result.Lost++
	if len(w.r.result.Examples) < 10 {
		w.r.result.Examples = append(w.r.result.Examples, fmt.Sprintf("%s: %s; save %d was acknowledged, %d were sent", v.target, wrong, v.saved, v.tried))
	}
	return a.Status == wire.StatusOK
}

// patience is how long a worker tries before it gives up. A user's would end sooner.
const patience = 30 * time.Second

// insist makes a request at one node after the other until it is answered with something else than "come again". Nobody else uses the session, so a lock
// that is met is one whose grant was lost with its connection, and is broken.
func (w *worker) insist(ctx context.Context, v *visited, req *wire.Request, body []byte) (Reply, error) {
	node := w.rnd.IntN(len(w.r.addrs))
	for begun := time.Now(); ; {
		a, err := w.c.Do(ctx, node, req, body)
		if err == nil && a.Status == wire.StatusLocked && a.Cookie != 0 {
			if a, err = w.c.Do(ctx, node, Release(v.target, a.Cookie), nil); err == nil && a.Status == wire.StatusOK {
				continue
			}
		}
		if err == nil && !a.ComeAgain() && a.Status != wire.StatusBadRequest {
			return a, nil
		}
		if ctx.Err() != nil || time.Since(begun) > patience {
			return a, failure(fmt.Sprintf("%s after %v", v.target, time.Since(begun)), a, err)
		}
		w.r.mu.Lock()
		w.r.result.Retried++
		w.r.mu.Unlock()
		node = (node + 1) % len(w.r.addrs)
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return a, err
		}
	}
}
