package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	crowd       = 200 // connections
	quietFor    = 4 * time.Second
	quietPause  = 2 * time.Millisecond // between two requests of the quiet session
	fairRounds  = 3
	fairAtMost  = 3.0
	crowdTarget = 20000 // requests per second of the whole crowd, in both measurements
)

// fairness compares a quiet session's latency while 200 connections hammer one session with its latency under the same load spread over 200
// sessions.
func fairness(ctx context.Context, n *node) error {
	var spread, hot []time.Duration
	for range fairRounds {
		for _, one := range []bool{false, true} {
			took, err := quietAmong(ctx, n, one)
			if err != nil {
				return err
			}
			if one {
				hot = append(hot, took...)
			} else {
				spread = append(spread, took...)
			}
		}
	}
	slices.Sort(spread)
	slices.Sort(hot)
	a, b := spread[len(spread)*99/100], hot[len(hot)*99/100]
	report("quiet session's p99, load spread over 200 sessions", ms(a), "ms")
	report("quiet session's p99, the same load on one session", ms(b), "ms")
	return within("ratio", float64(b)/float64(a), fairAtMost, "")
}

// quietAmong measures the requests of a quiet session while the crowd is busy, on one session or on one each.
func quietAmong(ctx context.Context, n *node, one bool) ([]time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	errs := make(chan error, crowd)
	for i := range crowd {
		id := "crowd"
		if !one {
			id = fmt.Sprintf("crowd%d", i)
		}
		c, err := dial(ctx, n.addr, id)
		if err != nil {
			return nil, err
		}
		wg.Go(func() {
			defer c.close()
			if err := c.put(0); err != nil {
				errs <- err
				return
			}
			beat := time.NewTicker(crowd * time.Second / crowdTarget)
			defer beat.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-beat.C:
				}
				if _, err := c.get(); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	q, err := dial(ctx, n.addr, "quiet")
	if err != nil {
		return nil, err
	}
	defer q.close()
	var took []time.Duration
	for end := time.Now().Add(quietFor); time.Now().Before(end); {
		begun := time.Now()
		if err := q.put(0); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begun))
		if err := pause(ctx, quietPause); err != nil {
			return nil, err
		}
	}
	select {
	case err := <-errs:
		return nil, err
	default:
		return took, nil
	}
}
