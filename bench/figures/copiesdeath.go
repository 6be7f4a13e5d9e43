package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/farmstate/farmstate/bench/farm"
	"github.com/farmstate/farmstate/bench/proc"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// mirroredSessions is how many sessions there are when a node goes or comes.
const mirroredSessions = 100_000

// spreadOver makes sessions of 1 KB, as many at each of some nodes, and returns how many each has.
func spreadOver(ctx context.Context, f *proc.Farm, nodes []int, sessions int) error {
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, node := range nodes {
		all.Go(func() {
			errs[i] = bulk(f, node, bulkClients, sessions/len(nodes), func(c *farm.Client, n int) error {
				return want(c.Do(ctx, 0, farm.Save(bulkTarget(n*len(nodes)+i), 0), numbered(0)))
			})
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// kept waits until each session of some nodes has a copy at another, these keep as many as is good, and nothing is repaired, and all that stays so for a while. It
// returns when that began.
func kept(ctx context.Context, f *proc.Farm, nodes []int, good func(copies []int) bool, limit time.Duration) (since time.Time, err error) {
	const calm = 700 * time.Millisecond // a repair begins half a second after what makes it necessary
	var copies []int
	own := 0
	for end := time.Now().Add(limit); time.Now().Before(end); {
		running := false
		copies, own = copies[:0], 0
		now := time.Now()
		for _, i := range nodes {
			s, err := f.Nodes[i].Status(ctx)
			if err != nil {
				return since, err
			}
			running = running || s.Copies.Repair.Running
			own += s.Copies.Copied
			copies = append(copies, s.Copies.Kept)
		}
		switch {
		case running || len(nodes) > 1 && own != total(copies) || !good(copies):
			since = time.Time{}
		case since.IsZero():
			since = now
		case now.Sub(since) > calm:
			return since, nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return since, err
		}
	}
	return since, fmt.Errorf("after %v the nodes keep %v copies, and %d of their sessions have one", limit, copies, own)
}

func total(copies []int) (sum int) {
	for _, n := range copies {
		sum += n
	}
	return sum
}

// visitors run pages at a fixed rate, each at one node, on sessions of its own. Times count from when a page was due.
type visitors struct {
	stop chan struct{}
	all  sync.WaitGroup

	mu    sync.Mutex
	pages []visit // guarded by mu
	errs  []error // guarded by mu
}

type visit struct {
	due  time.Time
	took time.Duration
}

const (
	visitorsEach    = 8                     // at a node
	visitorPause    = 40 * time.Millisecond // between two pages of one, from due to due
	visitorSessions = 50                    // of one
)

func visitorTarget(node, who, i int) []byte {
	return farm.Target(fmt.Sprintf("visitor%05d%06d%06d", node, who, i))
}

// visiting lets visitors begin, and returns when they have their sessions.
func visiting(ctx context.Context, f *proc.Farm, nodes []int) *visitors {
	v := &visitors{stop: make(chan struct{})}
	var ready sync.WaitGroup
	for n, node := range nodes {
		for who := range visitorsEach {
			ready.Add(1)
			v.all.Go(func() {
				c := farm.NewClient([]string{f.Nodes[node].State})
				defer c.Close()
				var errs []error
				for i := range visitorSessions {
					errs = append(errs, want(c.Do(ctx, 0, farm.Save(visitorTarget(node, who, i), 0), numbered(0))))
				}
				ready.Done()
				first := time.Now().Add(visitorPause * time.Duration(who*len(nodes)+n) / time.Duration(visitorsEach*len(nodes))) // one after the other
				pages, err := v.work(ctx, c, node, who, first)
				v.mu.Lock()
				defer v.mu.Unlock()
				v.pages, v.errs = append(v.pages, pages...), append(append(v.errs, errs...), err)
			})
		}
	}
	ready.Wait()
	return v
}

func (v *visitors) work(ctx context.Context, c *farm.Client, node, who int, due time.Time) (pages []visit, err error) {
	for n := uint64(1); ; n++ {
		select {
		case <-v.stop:
			return pages, nil
		case <-time.After(time.Until(due)):
		}
		target := visitorTarget(node, who, int(n%visitorSessions))
		a, err := c.Do(ctx, 0, farm.Acquire(target), nil)
		if err == nil && a.Status == wire.StatusOK {
			err = want(c.Do(ctx, 0, farm.Save(target, a.Cookie), numbered(n)))
		} else {
			err = failure(a, err)
		}
		if err != nil {
			return pages, err
		}
		pages = append(pages, visit{due, time.Since(due)})
		due = due.Add(visitorPause)
	}
}

func failure(a farm.Reply, err error) error {
	if err == nil {
		err = fmt.Errorf("answered %v", a.Status)
	}
	return err
}

// end stops the visitors.
func (v *visitors) end() error {
	close(v.stop)
	v.all.Wait()
	return errors.Join(v.errs...)
}

// between are the times of the pages that were due from one moment to another, sorted.
func (v *visitors) between(from, to time.Time) (took []time.Duration) {
	for _, p := range v.pages {
		if !p.due.Before(from) && p.due.Before(to) {
			took = append(took, p.took)
		}
	}
	slices.Sort(took)
	return took
}

// percentile is the time that p of 100 did not exceed.
func percentile(took []time.Duration, p int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	return took[(len(took)-1)*p/100]
}

// calmFor is how long pages are run before something happens, to compare with.
const calmFor = 6 * time.Second

// disturbed reports what visitors met until it was no longer calm, and from when something had begun until it was over.
func (v *visitors) disturbed(what string, calm, begun, over time.Time) error {
	before, during := v.between(calm.Add(-calmFor), calm), v.between(begun, over)
	report(fmt.Sprintf("pages before, %d, median", len(before)), ms(percentile(before, 50)), "ms")
	report("pages before, p99", ms(percentile(before, 99)), "ms")
	report(fmt.Sprintf("pages %s, %d, median", what, len(during)), ms(percentile(during, 50)), "ms")
	report("pages "+what+", p99", ms(percentile(during, 99)), "ms")
	report("pages "+what+", longest", ms(percentile(during, 100)), "ms")
	return within("p99 "+what+", to that before", float64(percentile(during, 99))/float64(percentile(before, 99)), 3, "")
}

// repairWithin is how long it may take until all copies are there again.
const repairWithin = 15.0 // s

// copiesRepair kills one of three nodes, and measures how long it takes until each session has two copies again, and what pages on other sessions meet meanwhile.
func copiesRepair(ctx context.Context, path string) error {
	return inFarm(ctx, path, three, func(ctx context.Context, f *proc.Farm) (err error) {
		const each = mirroredSessions / 3
		if err := spreadOver(ctx, f, []int{0, 1, 2}, each*3); err != nil {
			return err
		}
		rest := []int{1, 2}
		v := visiting(ctx, f, rest)
		visited := len(rest) * visitorsEach * visitorSessions
		if _, err := kept(ctx, f, []int{0, 1, 2}, func(c []int) bool { return total(c) == 3*each+visited }, time.Minute); err != nil {
			return errors.Join(err, v.end())
		}
		if err := pause(ctx, calmFor); err != nil {
			return errors.Join(err, v.end())
		}
		before, err := processorsOf(f, rest)
		if err != nil {
			return errors.Join(err, v.end())
		}
		begun := time.Now()
		if err := f.Nodes[0].Kill(); err != nil {
			return errors.Join(err, v.end())
		}
		// Until the system has taken the process apart, and broken its connections, changes wait for a mirror that is dead. That is the death, and not the repair.
		dead := time.Now()
		over, err := kept(ctx, f, rest, func(c []int) bool { return total(c) == 3*each+visited }, 2*time.Minute) // those of the dead node have been taken over
		if err := errors.Join(err, v.end()); err != nil {
			return err
		}
		after, err := processorsOf(f, rest)
		if err != nil {
			return err
		}
		report("processor time of both that are left", (after - before).Seconds(), "s")
		dying := v.between(begun, dead)
		report(fmt.Sprintf("pages while the process ended, %d, longest", len(dying)), ms(percentile(dying, 100)), "ms")
		return errors.Join(within("two copies of 100,000 sessions after a kill", over.Sub(begun).Seconds(), repairWithin, "s"), v.disturbed("during the repair", begun, dead, over))
	}, safe(2, "all")...)
}

func processorsOf(f *proc.Farm, nodes []int) (sum time.Duration, err error) {
	for _, i := range nodes {
		d, err := proc.CPUTime(f.Nodes[i].PID())
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// copiesArrival lets a node come to two others, and measures how long it takes until it has its share of the copies.
func copiesArrival(ctx context.Context, path string) error {
	f, dir, err := newFarm(path, three, safe(2, "all")...)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	err = arrival(ctx, f)
	return errors.Join(err, f.Kill())
}

func arrival(ctx context.Context, f *proc.Farm) error {
	old := []int{0, 1}
	pair := &proc.Farm{Nodes: f.Nodes[:2]}
	if err := errors.Join(pair.Start(ctx), pair.Linked(ctx, 1, 1), spreadOver(ctx, f, old, mirroredSessions)); err != nil {
		return err
	}
	v := visiting(ctx, f, old)
	all := mirroredSessions + len(old)*visitorsEach*visitorSessions
	if _, err := kept(ctx, f, old, func(c []int) bool { return total(c) == all }, time.Minute); err != nil {
		return errors.Join(err, v.end())
	}
	if err := pause(ctx, calmFor); err != nil {
		return errors.Join(err, v.end())
	}
	begun := time.Now()
	err := f.Nodes[2].Start(ctx)
	if err != nil {
		return errors.Join(err, v.end())
	}
	// Of the two others each has half of a session's mirrors.
	over, err := kept(ctx, f, []int{0, 1, 2}, func(c []int) bool { return total(c) == all && c[2] > all*2/5 }, 2*time.Minute)
	if err := errors.Join(err, v.end()); err != nil {
		return err
	}
	s, err := f.Nodes[2].Status(ctx)
	if err != nil {
		return err
	}
	report("copies that the new node has", float64(s.Copies.Kept), "")
	report("until it has them, the process's start included", over.Sub(begun).Seconds(), "s")
	return v.disturbed("during the arrival", begun, begun, over)
}

const (
	deaths        = 10
	deathSessions = 200
	deathAtOnce   = 40 // that are asked for when the node is killed
)

// copiesFailover kills a node, several times, and measures when its sessions are answered by another one: those that are asked for at once, and those that are asked for
// when the death has been noticed.
func copiesFailover(ctx context.Context, path string) error {
	var once, later []time.Duration
	for range deaths {
		err := inFarm(ctx, path, three, func(ctx context.Context, f *proc.Farm) error {
			if err := bulkFill(ctx, f, deathSessions); err != nil {
				return err
			}
			begun := time.Now()
			if err := f.Nodes[0].Kill(); err != nil {
				return err
			}
			o, err := rescued(ctx, f, begun, 0, deathAtOnce, deathAtOnce)
			if err != nil {
				return err
			}
			l, err := rescued(ctx, f, time.Time{}, deathAtOnce, deathSessions, 1)
			once, later = append(once, o...), append(later, l...)
			return err
		}, safe(2, "all")...)
		if err != nil {
			return err
		}
	}
	slices.Sort(once)
	slices.Sort(later)
	for _, p := range []int{50, 99, 100} {
		report(fmt.Sprintf("asked for at once: from the kill to the answer, %s", percentName(p)), ms(percentile(once, p)), "ms")
	}
	for _, p := range []int{50, 99, 100} {
		report(fmt.Sprintf("asked for later: from the request to the answer, %s", percentName(p)), ms(percentile(later, p)), "ms")
	}
	return nil
}

func percentName(p int) string {
	switch p {
	case 50:
		return "median"
	case 100:
		return "longest"
	}
	return fmt.Sprintf("p%d", p)
}

// rescued asks the nodes that are left for sessions, until each is answered, and returns how long that took: from a moment, or, if that is zero, from the
// first request for it.
func rescued(ctx context.Context, f *proc.Farm, begun time.Time, first, end, clients int) ([]time.Duration, error) {
	took, errs := make([]time.Duration, end-first), make([]error, clients)
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() {
			c := farm.NewClient([]string{f.Nodes[1].State, f.Nodes[2].State})
			defer c.Close()
			for i := first + n; i < end; i += clients {
				since := begun
				if since.IsZero() {
					since = time.Now()
				}
				if errs[n] = rescue(ctx, c, i); errs[n] != nil {
					return
				}
				took[i-first] = time.Since(since)
			}
		})
	}
	all.Wait()
	return took, errors.Join(errs...)
}

// rescue asks for one session until it is answered.
func rescue(ctx context.Context, c *farm.Client, i int) error {
	for limit := time.Now().Add(30 * time.Second); ; {
		a, err := c.Do(ctx, i%2, farm.Get(bulkTarget(i)), nil)
		switch {
		case err != nil:
			return err
		case a.Status == wire.StatusOK:
			return nil
		case !a.ComeAgain():
			return fmt.Errorf("session %d was answered %v", i, a.Status)
		case time.Now().After(limit):
			return fmt.Errorf("session %d is still not there", i)
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// copiesMemory measures what 200,000 copies of 1 KB take, as the kernel sees it.
func copiesMemory(ctx context.Context, path string) error {
	const sessions = 200_000
	return inFarm(ctx, path, two, func(ctx context.Context, f *proc.Farm) error {
		var before, after [2]int64
		for i, n := range f.Nodes {
			var err error
			if before[i], err = proc.RSS(n.PID()); err != nil {
				return err
			}
		}
		if err := bulkFill(ctx, f, sessions); err != nil {
			return err
		}
		if _, err := kept(ctx, f, []int{1}, func(c []int) bool { return c[0] == sessions }, time.Minute); err != nil {
			return err
		}
		for i, n := range f.Nodes {
			var err error
			if after[i], err = proc.RSS(n.PID()); err != nil {
				return err
			}
		}
		key := len("/LM/W3SVC/1/ROOT(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)/bulk") + 20
		for i, what := range []string{"a session at its owner", "a copy at its mirror"} {
			grown := float64(after[i]-before[i]) / sessions
			report(what+", resident", grown, "bytes")
			report(what+", beyond its key and body", grown-bodyOf-float64(key), "bytes")
		}
		return nil
	}, safe(2, "all")...)
}
