package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/farmstate/farmstate/bench/proc"
)

// target is a server that is running, and the workloads that are measured on it.
type target struct {
	child     *proc.Child
	addr      string
	workloads []workload
}

// compare starts the servers, measures all of them in turn, and stops them.
func compare(ctx context.Context, opt *options, progress func(string)) (res *result, err error) {
	if _, err := proc.CPUTime(os.Getpid()); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "farmstate-compare-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	res = newResult(opt)
	names := newNames(opt.Sessions)
	env := &environment{opt: opt, dir: dir, names: names}
	var targets []*target
	defer func() {
		for _, t := range targets {
			err = errors.Join(err, t.child.Stop())
		}
	}()
	for _, s := range servers {
		if len(opt.Only) > 0 && !slices.Contains(opt.Only, s.name) {
			res.skip(s.name, "not asked for")
			continue
		}
		progress("starting " + s.name)
		t, err := s.start(ctx, env)
		if errors.Is(err, errMissing) {
			res.skip(s.name, err.Error())
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		targets = append(targets, t)
		if err := t.fill(ctx, opt, names); err != nil {
			return nil, fmt.Errorf("%s: creating sessions: %w", s.name, err)
		}
	}

	turns := listTurns(targets)
	for round := range opt.Rounds {
		for _, turn := range rotate(turns, round, opt.Rounds) {
			s, err := turn.measure(ctx, opt, names)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", turn.workload.server, turn.workload.name, err)
			}
			res.add(turn.workload, s)
			progress(fmt.Sprintf("round %d of %d: %-9s %-5s %6.2f us %9.0f/s",
				round+1, opt.Rounds, turn.workload.server, turn.workload.name, s.CPUPerRequest, s.RequestsPerS))
		}
	}
	res.finish()
	return res, nil
}

// turn is one workload on its server.
type turn struct {
	target   *target
	workload *workload
}

// listTurns returns what is measured in a round. Workloads that do the same stand side by side, so that the machine is in the
// same mood for all that are compared with each other.
func listTurns(targets []*target) []turn {
	var turns []turn
	for _, t := range targets {
		for i := range t.workloads {
			if w := &t.workloads[i]; !w.once {
				turns = append(turns, turn{t, w})
			}
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int {
		return cmp.Compare(slices.Index(workloadOrder, a.workload.name), slices.Index(workloadOrder, b.workload.name))
	})
	return turns
}

// workloadOrder is that of a round, and of the lines of one server in the table.
var workloadOrder = []string{"get", "put", "set", "cycle"}

// rotate returns the turns of a round. Each round begins at another place, and every second one goes the other way, so that no
// workload always runs behind the same other one, or always when the machine is warmest.
func rotate(turns []turn, round, rounds int) []turn {
	if len(turns) == 0 {
		return nil
	}
	shift := round * max(1, len(turns)/rounds) % len(turns)
	order := slices.Concat(turns[shift:], turns[:shift])
	if round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}

// fill runs the workloads that create what the others need, once for each session.
func (t *target) fill(ctx context.Context, opt *options, names *names) error {
	for i := range t.workloads {
		if w := &t.workloads[i]; w.once {
			c, err := dial(ctx, t.addr, opt, names, 0, 1)
			if err != nil {
				return err
			}
			for range opt.Sessions {
				if err = c.run(w); err != nil {
					break
				}
			}
			if err = errors.Join(err, c.close()); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure runs the workload on all connections, and takes the difference of counters over the window.
func (t *turn) measure(ctx context.Context, opt *options, names *names) (sample, error) {
	crowd, err := startCrowd(ctx, t.target.addr, opt, names, t.workload)
	if err != nil {
		return sample{}, err
	}
	s, err := t.sample(ctx, opt, crowd)
	return s, errors.Join(err, crowd.stop())
}

func (t *turn) sample(ctx context.Context, opt *options, crowd *crowd) (sample, error) {
	if err := crowd.wait(ctx, opt.Settle); err != nil {
		return sample{}, err
	}
	pid := t.target.child.PID()
	cpu0, err := proc.CPUTime(pid)
	if err != nil {
		return sample{}, err
	}
	n0, begin := crowd.done(), time.Now()
	if err := crowd.wait(ctx, opt.Window); err != nil {
		return sample{}, err
	}
	cpu1, err := proc.CPUTime(pid)
	if err != nil {
		return sample{}, err
	}
	return newSample(cpu1-cpu0, time.Since(begin), crowd.done()-n0, len(t.workload.steps)), nil
}
