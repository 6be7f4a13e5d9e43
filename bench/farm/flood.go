package farm

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/farmstate/farmstate/bench/proc"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// FloodOptions say how one session is flooded.
type FloodOptions struct {
	Conns    int // that hammer one session, in turn at the nodes; 0: nobody does, for comparison
	Duration time.Duration
	Pause    time.Duration // of the quiet user, between two pages
	Seed     uint64
}

// FloodResult is what the quiet user met meanwhile.
type FloodResult struct {
	Pages        []time.Duration // acquire and save, sorted
	Again        int             // times that the quiet user was told to come again; part of the pages' times
	Flood        int64           // requests of the flood that were answered
	FloodAgain   int64           // of them with "come again"
	FloodRefused int64           // of them with 400
	Moves        int64           // of sessions between nodes
	CPU          time.Duration   // of all nodes
	Elapsed      time.Duration
}

// Percentile is the time that p of 100 pages did not exceed.
func (r *FloodResult) Percentile(p int) time.Duration { return r.Pages[(len(r.Pages)-1)*p/100] }

// Flood lets connections hammer one session while a quiet user works on another at each node in turn. An error is one that the quiet user would have seen.
func Flood(ctx context.Context, f *proc.Farm, o FloodOptions) (*FloodResult, error) {
	crowd, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	addrs := StatePorts(f)
	tallies := make([]floodTally, o.Conns)
	for i := range o.Conns {
		all.Go(func() { tallies[i].hammer(crowd, addrs[i%len(addrs)], rand.New(rand.NewPCG(o.Seed, uint64(i)))) })
	}
	before, err := measure(ctx, f)
	if err != nil {
		return nil, err
	}
	r := &FloodResult{}
	if err := r.visit(ctx, addrs, o); err != nil {
		return nil, err
	}
	after, err := measure(ctx, f)
	if err != nil {
		return nil, err
	}
	stop()
	all.Wait()
	slices.Sort(r.Pages)
	r.Moves, r.CPU, r.Elapsed = after.moves-before.moves, after.cpu-before.cpu, after.at.Sub(before.at)
	for i := range tallies {
		r.Flood += tallies[i].answers
		r.FloodAgain += tallies[i].again
		r.FloodRefused += tallies[i].refused
	}
	return r, nil
}

// StatePorts are the addresses of the nodes' state ports.
func StatePorts(f *proc.Farm) []string {
	var addrs []string
	for _, n := range f.Nodes {
		addrs = append(addrs, n.State)
	}
	return addrs
}

type reading struct {
	moves int64
	cpu   time.Duration
	at    time.Time
}

func measure(ctx context.Context, f *proc.Farm) (r reading, err error) {
	for _, n := range f.Nodes {
		moves, err := n.Metric(ctx, `farmstate_farm_moves_total{direction="in"}`)
		if err != nil {
			return r, err
		}
		r.moves += int64(moves)
	}
	r.at = time.Now()
	r.cpu, err = f.CPUTime()
	return r, err
}

// floodTally is what one connection of the flood was answered.
type floodTally struct {
	answers, again, refused int64
}

// hammer makes requests about one session, one after the other, as fast as they are answered.
func (t *floodTally) hammer(ctx context.Context, addr string, rnd *rand.Rand) {
	c := NewClient([]string{addr})
	defer c.Close()
	target, body, cookie := Target("flooded"), make([]byte, 1<<10), uint32(0)
	for ctx.Err() == nil {
		var req *wire.Request
		var b []byte
		switch n := rnd.IntN(3); {
		case cookie != 0 || n == 0: // whoever has the lock saves; others try, and may be refused
			binary.LittleEndian.PutUint64(body, rnd.Uint64())
			req, b = Save(target, cookie), body
			cookie = 0
		case n == 1:
			req = Acquire(target)
		default:
			req = Get(target)
		}
		r, err := c.Do(ctx, 0, req, b)
		if err != nil {
			_ = pause(ctx, 10*time.Millisecond) // it ends with ctx, too
			continue
		}
		t.answers++
		switch {
		case r.ComeAgain():
			t.again++
		case r.Status == wire.StatusBadRequest:
			t.refused++
		case r.Status == wire.StatusOK && req.Exclusive == wire.Acquire:
			cookie = r.Cookie
		}
	}
}

// visit is the quiet user.
func (r *FloodResult) visit(ctx context.Context, addrs []string, o FloodOptions) error {
	c := NewClient(addrs)
	defer c.Close()
	target, body := Target("quiet"), make([]byte, 1<<10)
	if a, err := c.Do(ctx, 0, Save(target, 0), body); err != nil || a.Status != wire.StatusOK {
		return failure("making the quiet user's session", a, err)
	}
	for page, end := 0, time.Now().Add(o.Duration); time.Now().Before(end); page++ {
		begun := time.Now()
		node := page % len(addrs)
		a, err := c.Do(ctx, node, Acquire(target), nil)
		for ; err == nil && a.ComeAgain() && time.Since(begun) < exchangeLimit; r.Again++ {
			if err = pause(ctx, time.Millisecond); err == nil {
				a, err = c.Do(ctx, node, Acquire(target), nil)
			}
		}
		if err != nil || a.Status != wire.StatusOK {
			return failure(fmt.Sprintf("page %d, acquire", page), a, err)
		}
		binary.LittleEndian.PutUint64(body, uint64(page))
		if a, err = c.Do(ctx, node, Save(target, a.Cookie), body); err != nil || a.Status != wire.StatusOK {
			return failure(fmt.Sprintf("page %d, save", page), a, err)
		}
		r.Pages = append(r.Pages, time.Since(begun))
		if err := pause(ctx, o.Pause); err != nil {
			return err
		}
	}
	return nil
}
