package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/farmstate/farmstate/bench/farm"
	"github.com/farmstate/farmstate/bench/proc"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// two are two nodes with a link; ring is three in a ring.
var (
	two  = &farmShape{links: [][]int{{1}, {0}}, linked: []int{1, 1}}
	ring = &farmShape{links: proc.Ring(3), linked: []int{2, 2, 2}}
)

type farmShape struct {
	links  [][]int
	linked []int
}

// newFarm makes a farm, and starts none of its nodes.
func newFarm(path string, shape *farmShape, args ...string) (f *proc.Farm, dir string, err error) {
	if dir, err = os.MkdirTemp("", "farmstate-figures-"); err != nil {
		return nil, "", err
	}
	if f, err = proc.NewFarm(proc.FarmOptions{Program: path, Dir: dir, Links: shape.links, Args: args}); err != nil {
		return nil, "", errors.Join(err, os.RemoveAll(dir))
	}
	return f, dir, nil
}

// inFarm measures something in a farm of its own, whose nodes are linked.
func inFarm(ctx context.Context, path string, shape *farmShape, measure func(context.Context, *proc.Farm) error, args ...string) error {
	f, dir, err := newFarm(path, shape, args...)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	if err := f.Start(ctx); err != nil {
		return err
	}
	err = f.Linked(ctx, shape.linked...)
	if err == nil {
		err = measure(ctx, f)
	}
	return errors.Join(err, f.Kill())
}

// timed makes one request at a node, which must be answered so, and adds how long that took.
func timed(ctx context.Context, c *farm.Client, node int, req *wire.Request, body []byte, want wire.Status, took *[]time.Duration) error {
	begun := time.Now()
	a, err := c.Do(ctx, node, req, body)
	switch {
	case err != nil:
		return err
	case a.Status != want:
		return fmt.Errorf("%s %s at node %d was answered %v", req.Verb, req.Target, node, a.Status)
	}
	*took = append(*took, time.Since(begun))
	return nil
}

// spread prints the median and the 99th percentile of some times.
func spread(what string, took []time.Duration) {
	slices.Sort(took)
	report(what+", median", ms(took[len(took)/2]), "ms")
	report(what+", p99", ms(took[(len(took)-1)*99/100]), "ms")
}

const farmRounds = 2000

// farmQuery measures what a new session costs in a farm: a miss, which asks everybody, and a first save, which does the same or, behind a miss, does not.
func farmQuery(ctx context.Context, f *proc.Farm) error {
	c := farm.NewClient(farm.StatePorts(f))
	defer c.Close()
	var misses, behind, first []time.Duration
	body := make([]byte, 1<<10)
	for i := range farmRounds {
		a, b := farm.Target(fmt.Sprintf("miss%d", i)), farm.Target(fmt.Sprintf("first%d", i))
		err := errors.Join(
			timed(ctx, c, i%2, farm.Get(a), nil, wire.StatusNotFound, &misses),
			timed(ctx, c, i%2, farm.Save(a, 0), body, wire.StatusOK, &behind),
			timed(ctx, c, i%2, farm.Save(b, 0), body, wire.StatusOK, &first),
		)
		if err != nil {
			return err
		}
	}
	spread("miss in the whole farm", misses)
	spread("new session, saved at once", first)
	spread("new session, saved after a miss", behind)
	return nil
}

// farmMove measures a read that fetches a session of 1 KB from the other node, over links that are there.
func farmMove(ctx context.Context, f *proc.Farm) error {
	c := farm.NewClient(farm.StatePorts(f))
	defer c.Close()
	var moves []time.Duration
	target := farm.Target("moved")
	if err := timed(ctx, c, 0, farm.Save(target, 0), make([]byte, 1<<10), wire.StatusOK, &[]time.Duration{}); err != nil {
		return err
	}
	for i := range farmRounds {
		if err := timed(ctx, c, (i+1)%2, farm.Get(target), nil, wire.StatusOK, &moves); err != nil {
			return err
		}
	}
	spread("move of 1 KB", moves)
	return nil
}

// farmFreshMove measures moves that need a link of their own: in a line of three, between the ends, which have none. Each has a farm of its own.
func farmFreshMove(ctx context.Context, path string) error {
	line := &farmShape{links: proc.Line(3), linked: []int{1, 2, 1}}
	var fresh, warm []time.Duration
	for range 10 {
		err := inFarm(ctx, path, line, func(ctx context.Context, f *proc.Farm) error {
			c := farm.NewClient(farm.StatePorts(f))
			defer c.Close()
			target := farm.Target("moved")
			var other []time.Duration
			return errors.Join(
				timed(ctx, c, 2, farm.Get(farm.Target("nowhere")), nil, wire.StatusNotFound, &other), // opens the client's connection
				timed(ctx, c, 0, farm.Save(target, 0), make([]byte, 1<<10), wire.StatusOK, &other),
				timed(ctx, c, 2, farm.Get(target), nil, wire.StatusOK, &fresh),
				timed(ctx, c, 0, farm.Get(target), nil, wire.StatusOK, &warm),
			)
		})
		if err != nil {
			return err
		}
	}
	slices.Sort(fresh)
	slices.Sort(warm)
	report("move of 1 KB between nodes that have no link, median", ms(fresh[len(fresh)/2]), "ms")
	report("move of 1 KB between nodes that have no link, worst", ms(fresh[len(fresh)-1]), "ms")
	report("and back over the link that it has made, median", ms(warm[len(warm)/2]), "ms")
	return nil
}

// farmStart measures how long a ring of three takes to be complete after a simultaneous start, the start of the processes included.
func farmStart(ctx context.Context, path string) error {
	var took []time.Duration
	for range 5 {
		f, dir, err := newFarm(path, ring)
		if err != nil {
			return err
		}
		begun := time.Now()
		if err = f.Start(ctx); err == nil {
			err = f.Linked(ctx, ring.linked...)
		}
		took = append(took, time.Since(begun))
		if err := errors.Join(err, f.Kill(), os.RemoveAll(dir)); err != nil {
			return err
		}
	}
	slices.Sort(took)
	report("ring of three complete after a start at once, median", ms(took[len(took)/2]), "ms")
	return within("ring of three complete after a start at once, worst", ms(took[len(took)-1]), 1000, "ms")
}

// farmFlood measures what 12 connections that hammer one session through three nodes do to somebody quiet.
func farmFlood(ctx context.Context, f *proc.Farm) error {
	var errs []error
	for _, conns := range []int{0, 12} {
		r, err := farm.Flood(ctx, f, farm.FloodOptions{Conns: conns, Duration: 15 * time.Second, Pause: 5 * time.Millisecond, Seed: 1})
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%d connections: ", conns)
		s := r.Elapsed.Seconds()
		report(name+"the flood's answers a second", float64(r.Flood)/s, "")
		report(name+"come again, of them", 100*float64(r.FloodAgain)/float64(max(1, r.Flood)), "%")
		report(name+"moves a second, all", float64(r.Moves)/s, "")
		report(name+"moves a second, the quiet user's own", float64(len(r.Pages))/s, "")
		report(name+"processors that the three nodes take", r.CPU.Seconds()/s, "")
		report(name+"quiet user's acquire and save, median", ms(r.Percentile(50)), "ms")
		errs = append(errs, within(name+"quiet user's acquire and save, p99", ms(r.Percentile(99)), 20, "ms"))
	}
	return errors.Join(errs...)
}

// farmRolling measures a restart of each of three nodes while pages are run.
func farmRolling(ctx context.Context, f *proc.Farm) error {
	r, err := farm.Rolling(ctx, f, farm.RollingOptions{
		Sessions: 30_000, Workers: 16, Body: 1 << 10, Pause: 2 * time.Millisecond, Calm: time.Second, Limit: time.Minute, Linked: ring.linked, Seed: 1,
	})
	if err != nil {
		return err
	}
	for i, took := range r.Stops {
		report(fmt.Sprintf("stop of node %d, which had %d sessions", i, r.Handed[i]), ms(took), "ms")
	}
	report("pages", float64(r.Pages), "")
	report("requests that had to be repeated at another node", float64(r.Retried), "")
	report("longest page", ms(r.Worst), "ms")
	return within("sessions lost or old", float64(r.Lost), 0, "")
}
