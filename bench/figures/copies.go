package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/farmstate/farmstate/bench"
	"github.com/farmstate/farmstate/bench/proc"
)

// lone is a node that could have links, and has none; three are three nodes with links to each other.
var (
	lone  = &farmShape{links: [][]int{nil}, linked: []int{0}}
	three = &farmShape{links: proc.Mesh(3), linked: []int{2, 2, 2}}
)

// safe are the arguments of nodes whose sessions have copies.
func safe(copies int, ack string) []string {
	return []string{fmt.Sprintf("--copies=%d", copies), "--ack=" + ack}
}

const (
	costRounds   = 3
	costSessions = 10_000
	costFor      = 3 * time.Second
	costWarmUp   = 500 * time.Millisecond
)

// setup is a farm in which pages are run, and at how many of its nodes.
type setup struct {
	name   string
	shape  *farmShape
	args   []string
	driven int // nodes, from the first
	farm   *proc.Farm
	dir    string
}

// pageCost is what pages, each an acquire and a save of 1 KB, have come to: medians of several rounds.
type pageCost struct {
	rate     float64 // pages a second, at all nodes
	p50, p99 float64 // ms
	own, all float64 // us of processor time for a page: of the nodes that are asked, of all
}

// start starts the farm.
func (s *setup) start(ctx context.Context, path string) (err error) {
	if s.farm, s.dir, err = newFarm(path, s.shape, s.args...); err != nil {
		return err
	}
	if err = s.farm.Start(ctx); err == nil {
		err = s.farm.Linked(ctx, s.shape.linked...)
	}
	return err
}

func (s *setup) end() error {
	if s.farm == nil {
		return nil
	}
	return errors.Join(s.farm.Kill(), os.RemoveAll(s.dir))
}

// pages runs pages at the nodes that are driven, each of which has as many connections, as fast as they are answered.
func (s *setup) pages(ctx context.Context, clients int, preload bool) (c pageCost, err error) {
	cfg := bench.LoadConfig{
		Mode: bench.ModeCycle, Conns: clients * s.driven, Sessions: costSessions, BodyMin: 1 << 10, Duration: costFor, Seed: 1, Timeout: 60, Preload: preload,
	}
	if preload {
		cfg.Duration = 100 * time.Millisecond
	}
	for _, n := range s.farm.Nodes[:s.driven] {
		cfg.Targets = append(cfg.Targets, n.State)
	}
	var before, after [2]time.Duration
	if before, err = s.processors(); err != nil {
		return c, err
	}
	r, err := bench.Load(ctx, cfg)
	if err != nil {
		return c, err
	}
	if after, err = s.processors(); err != nil {
		return c, err
	}
	if r.PagesFailed > 0 {
		return c, fmt.Errorf("%s: %d pages failed: %v", s.name, r.PagesFailed, r.ErrorSamples)
	}
	all := r.Pages[len(r.Pages)-1]
	n := float64(all.Count)
	return pageCost{
		rate: n / r.MeasuredS, p50: all.P50 / 1e3, p99: all.P99 / 1e3,
		own: float64(after[0]-before[0]) / n / 1e3, all: float64(after[0]-before[0]+after[1]-before[1]) / n / 1e3,
	}, nil
}

// processors is the processor time that the nodes have used which are driven, and the others.
func (s *setup) processors() (used [2]time.Duration, err error) {
	for i, n := range s.farm.Nodes {
		d, err := proc.CPUTime(n.PID())
		if err != nil {
			return used, err
		}
		if i < s.driven {
			used[0] += d
		} else {
			used[1] += d
		}
	}
	return used, nil
}

// compare runs pages in some farms, in turn, several times, and returns the medians of each.
func compare(ctx context.Context, path string, clients []int, all []*setup) (costs map[string][]pageCost, err error) {
	for _, s := range all {
		defer func() { err = errors.Join(err, s.end()) }()
		if err := s.start(ctx, path); err != nil {
			return nil, err
		}
		if _, err := s.pages(ctx, 1, true); err != nil {
			return nil, err
		}
	}
	costs = map[string][]pageCost{}
	for _, n := range clients {
		rounds := make([][]pageCost, len(all))
		for range costRounds {
			for i, s := range all {
				c, err := s.pages(ctx, n, false)
				if err != nil {
					return nil, err
				}
				rounds[i] = append(rounds[i], c)
			}
		}
		for i, s := range all {
			c := medians(rounds[i])
			costs[s.name] = append(costs[s.name], c)
			c.print(fmt.Sprintf("%s, %d connections", s.name, n))
		}
		fmt.Printf("  load average %s\n", proc.LoadAverage())
	}
	return costs, nil
}

func (c *pageCost) print(what string) {
	fmt.Printf("  %-34s %7.0f pages/s  p50 %7.3f  p99 %7.3f ms  processor %6.1f us here, %6.1f in all\n", what, c.rate, c.p50, c.p99, c.own, c.all)
}

// medians are the medians of each figure.
func medians(rounds []pageCost) pageCost {
	middle := func(of func(*pageCost) float64) float64 {
		all := make([]float64, len(rounds))
		for i := range rounds {
			all[i] = of(&rounds[i])
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	return pageCost{
		rate: middle(func(c *pageCost) float64 { return c.rate }),
		p50:  middle(func(c *pageCost) float64 { return c.p50 }), p99: middle(func(c *pageCost) float64 { return c.p99 }),
		own: middle(func(c *pageCost) float64 { return c.own }), all: middle(func(c *pageCost) float64 { return c.all }),
	}
}

// copiesCost compares pages on a node alone with pages in a pair in which each change has a copy before it is answered: with one of the two driven, which tells what
// the owner and what the mirror take, and with both, which is what a farm does.
func copiesCost(ctx context.Context, path string) error {
	clients := []int{1, 8, 32, 200}
	costs, err := compare(ctx, path, clients, []*setup{
		{name: "alone", shape: lone, driven: 1},
		{name: "pair, one driven", shape: two, args: safe(2, "all"), driven: 1},
		{name: "pair, both driven", shape: two, args: safe(2, "all"), driven: 2},
	})
	if err != nil {
		return err
	}
	var errs []error
	for i, n := range clients {
		alone, one, both := costs["alone"][i], costs["pair, one driven"][i], costs["pair, both driven"][i]
		name := fmt.Sprintf("%d connections: ", n)
		report(name+"throughput of a node, to that alone, by the clock", both.rate/2/alone.rate, "")
		errs = append(errs, atLeast(name+"throughput of a node, to that alone, by processor time", alone.all/both.all, 0.5, ""))
		if n == 1 || n == 8 { // with more, connections wait for each other
			errs = append(errs, within(name+"what a copy adds to a page at the median", one.p50-alone.p50, 1, "ms"))
		}
	}
	return errors.Join(errs...)
}

// copiesAck compares the ways of answering, and two mirrors with one.
func copiesAck(ctx context.Context, path string) error {
	var all []*setup
	for copies, shape := range map[int]*farmShape{2: two, 3: three} {
		for _, ack := range []string{"all", "one", "none"} {
			all = append(all, &setup{name: fmt.Sprintf("%d copies, ack %s", copies, ack), shape: shape, args: safe(copies, ack), driven: 1})
		}
	}
	slices.SortFunc(all, func(a, b *setup) int { return len(a.shape.links) - len(b.shape.links) })
	_, err := compare(ctx, path, []int{8, 32}, append([]*setup{{name: "alone", shape: lone, driven: 1}}, all...))
	return err
}

// atLeast prints a value with its bound, and returns an error if it is below.
func atLeast(what string, value, bound float64, unit string) error {
	fmt.Printf("  %-58s %10.2f %-8s at least %g\n", what, value, unit, bound)
	if value < bound {
		return fmt.Errorf("%s is %.2f %s: at least %g wanted", what, value, unit, bound)
	}
	return nil
}
