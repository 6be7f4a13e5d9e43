package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/farmstate/farmstate/bench"
	"github.com/farmstate/farmstate/bench/proc"
)

const (
	million = 1_000_000
	bodyOf  = 1 << 10
	conns   = 50
)

// fill creates sessions of 1 KB and returns what the process has grown by.
func fill(ctx context.Context, n *node, sessions int) (grown int64, err error) {
	before, err := proc.RSS(n.child.PID())
	if err != nil {
		return 0, err
	}
	if _, err := load(ctx, n, bench.LoadConfig{Sessions: sessions, Preload: true, Pages: 1, Mode: bench.ModeGet, Timeout: 600}); err != nil {
		return 0, err
	}
	after, err := proc.RSS(n.child.PID())
	return after - before, err
}

// load drives a node, and fails if a page does.
func load(ctx context.Context, n *node, cfg bench.LoadConfig) (*bench.LoadResult, error) {
	cfg.Targets, cfg.Conns, cfg.BodyMin, cfg.Seed = []string{n.addr}, conns, bodyOf, 1
	r, err := bench.Load(ctx, cfg)
	if err == nil && r.PagesFailed > 0 {
		err = fmt.Errorf("%d pages failed: %v", r.PagesFailed, r.ErrorSamples)
	}
	return r, err
}

// keyLen is the length of the keys that the load generator makes.
const keyLen = len("/LM/W3SVC/1/ROOT(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)/") + 24

// memory measures what a million sessions take beyond their keys and bodies, as the kernel sees it.
func memory(ctx context.Context, n *node) error {
	grown, err := fill(ctx, n, million)
	if err != nil {
		return err
	}
	report("resident memory that a million sessions have added", float64(grown)/1e6, "MB")
	return within("a session of 1 KB beyond its key and body", float64(grown)/million-bodyOf-float64(keyLen), 200, "bytes")
}

// growth compares the cost of a request at five million sessions with that at ten thousand: processor time of the server process.
func growth(ctx context.Context, n *node) error {
	var costs [2]map[bench.Mode]time.Duration
	for i, sessions := range []int{10_000, 5 * million} {
		if _, err := fill(ctx, n, sessions); err != nil {
			return err
		}
		costs[i] = map[bench.Mode]time.Duration{}
		for _, mode := range []bench.Mode{bench.ModeGet, bench.ModePut} {
			cost, err := costOf(ctx, n, bench.LoadConfig{Sessions: sessions, Mode: mode, Duration: 10 * time.Second, Timeout: 600})
			if err != nil {
				return err
			}
			costs[i][mode] = cost
			report(fmt.Sprintf("%s at %d sessions, processor time", mode, sessions), float64(cost)/1e3, "us")
		}
	}
	var errs []error
	for _, mode := range []bench.Mode{bench.ModeGet, bench.ModePut} {
		errs = append(errs, within(fmt.Sprintf("%s, ratio", mode), float64(costs[1][mode])/float64(costs[0][mode]), 2.5, ""))
	}
	return errors.Join(errs...)
}

// costOf is the processor time that the server takes for a page.
func costOf(ctx context.Context, n *node, cfg bench.LoadConfig) (time.Duration, error) {
	before, err := proc.CPUTime(n.child.PID())
	if err != nil {
		return 0, err
	}
	r, err := load(ctx, n, cfg)
	if err != nil {
		return 0, err
	}
	after, err := proc.CPUTime(n.child.PID())
	return (after - before) / time.Duration(pages(r)), err
}

func pages(r *bench.LoadResult) int64 { return r.Pages[len(r.Pages)-1].Count }

// fiveMillion fills a node with five million sessions of 1 KB, finds out how many pages it can serve, and measures latency at half of that.
func fiveMillion(ctx context.Context, n *node) error {
	grown, err := fill(ctx, n, 5*million)
	if err != nil {
		return err
	}
	pid := n.child.PID()
	errs := []error{within("resident memory that five million sessions have added", float64(grown)/1e9, 12, "GB")}
	full, err := load(ctx, n, bench.LoadConfig{Sessions: 5 * million, Duration: 15 * time.Second, Timeout: 600})
	if err != nil {
		return err
	}
	rate := float64(pages(full)) / full.ElapsedS
	report("pages a second, as fast as it goes", rate, "")
	cpu, err := proc.CPUTime(pid)
	if err != nil {
		return err
	}
	gc, err := n.collectorTime(ctx)
	if err != nil {
		return err
	}
	half, err := load(ctx, n, bench.LoadConfig{Sessions: 5 * million, Rate: rate / 2, Duration: time.Minute, WarmUp: 2 * time.Second, Timeout: 600})
	if err != nil {
		return err
	}
	cpu2, err := proc.CPUTime(pid)
	if err != nil {
		return err
	}
	gc2, err := n.collectorTime(ctx)
	if err != nil {
		return err
	}
	all := half.Pages[len(half.Pages)-1]
	report("page at half load, median", all.P50/1e3, "ms")
	report("page at half load, p99", all.P99/1e3, "ms")
	errs = append(errs, within("page at half load, p99.9", all.P999/1e3, 5, "ms"))
	report("the collector's share of the process's processor time", 100*(gc2-gc).Seconds()/(cpu2-cpu).Seconds(), "%")
	rss, err := proc.RSS(pid)
	if err != nil {
		return err
	}
	return errors.Join(append(errs, within("resident memory at the end", float64(rss)/1e9, 12, "GB"))...)
}
