package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	lockRounds  = 100
	lockWaiters = 5
	lockHold    = 50 * time.Millisecond // of each page, as a page that works for so long
)

// lockWait lets pages queue for one session, each of which holds the lock for 50 ms, and measures from the holder's save to the next waiter's
// answer.
func lockWait(ctx context.Context, n *node) error {
	holder, err := dial(ctx, n.addr, "lockwait")
	if err != nil {
		return err
	}
	defer holder.close()
	waiters := make([]*client, lockWaiters)
	for i := range waiters {
		if waiters[i], err = dial(ctx, n.addr, "lockwait"); err != nil {
			return err
		}
		defer waiters[i].close()
	}
	if err := holder.put(0); err != nil {
		return err
	}
	var late []time.Duration
	for range lockRounds {
		took, err := lockRound(ctx, holder, waiters)
		if err != nil {
			return err
		}
		late = append(late, took...)
	}
	slices.Sort(late)
	report("next waiter's answer after the holder's save, median", ms(late[len(late)/2]), "ms")
	return within("next waiter's answer after the holder's save, p99", ms(late[len(late)*99/100]), 5, "ms")
}

// lockRound lets every waiter queue up behind the holder and returns how long each had to wait for the one before. It fails if one overtakes.
func lockRound(ctx context.Context, holder *client, waiters []*client) ([]time.Duration, error) {
	a, err := holder.acquire()
	if err != nil {
		return nil, err
	}
	type grant struct {
		who    int
		cookie uint32
		at     time.Time
		err    error
	}
	grants := make(chan grant, len(waiters))
	for i, w := range waiters {
		if err := w.send(w.acquireRequest()); err != nil { // in this order; each has arrived before the next is sent
			return nil, err
		}
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return nil, err
		}
		go func() {
			a, err := w.receive()
			grants <- grant{i, a.Cookie, time.Now(), err}
		}()
	}
	var late []time.Duration
	owner, cookie := holder, a.Cookie
	for i := range waiters {
		if err := pause(ctx, lockHold); err != nil {
			return nil, err
		}
		released := time.Now()
		if err := owner.put(cookie); err != nil {
			return nil, err
		}
		g := <-grants
		switch {
		case g.err != nil:
			return nil, g.err
		case g.cookie == 0:
			return nil, errors.New("a waiter was refused")
		case g.who != i:
			return nil, fmt.Errorf("waiter %d got the lock before waiter %d, who came first", g.who, i)
		}
		late = append(late, g.at.Sub(released))
		owner, cookie = waiters[i], g.cookie
	}
	err = owner.put(cookie)
	return late, err
}

// noWait measures that without lock wait a locked session is refused at once.
func noWait(ctx context.Context, n *node) error {
	holder, err := dial(ctx, n.addr, "nowait")
	if err != nil {
		return err
	}
	defer holder.close()
	other, err := dial(ctx, n.addr, "nowait")
	if err != nil {
		return err
	}
	defer other.close()
	if err := holder.put(0); err != nil {
		return err
	}
	if _, err := holder.acquire(); err != nil {
		return err
	}
	var took []time.Duration
	for range 1000 {
		begun := time.Now()
		a, err := other.acquire()
		if err != nil {
			return err
		}
		if a.LockDate == 0 {
			return fmt.Errorf("a locked session was not refused: %+v", a)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return within("refusal with lock_wait 0, p99", ms(took[len(took)*99/100]), 5, "ms")
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
