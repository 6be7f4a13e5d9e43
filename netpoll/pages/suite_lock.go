package pages

import (
	"context"
	"fmt"
	"time"
)

// lockScenarios are about locks that pages leave behind.
var lockScenarios = []scenario{
	{"stale lock is broken, late save refused", staleLock},
	{"late save accepted while nobody holds the lock", lateSaveAccepted},
	{"late release does nothing", lateRelease},
}

// hungAge is the execution timeout of the scenario: the least that LockAge,
// which counts whole seconds, can reach.
const hungAge = time.Second

// staleLock has a page that hangs with the lock. Another one breaks it when it is
// old enough and takes it; what the first page saves then must not be stored.
func staleLock(ctx context.Context, st *stage) error {
	site, hung := st.server(SiteOptions{})
	other, rec := st.server(SiteOptions{ExecutionTimeout: hungAge, Poll: 50 * time.Millisecond})
	id, err := site.FirstVisit(ctx, puts("before"))
	if err != nil {
		return err
	}
	hung.take()
	held := make(chan struct{})
	taken := make(chan struct{})
	late := make(chan struct{})
	return inTurn(
		func() error {
			return together(ctx,
				func(ctx context.Context) error {
					defer close(late)
					return site.ReadWrite(ctx, id, both(holdsCookie(2), func(s *Session) error {
						close(held)
						s.Set([]byte("late"))
						return arrival(ctx, taken)
					}))
				},
				func(ctx context.Context) error {
					if err := arrival(ctx, held); err != nil {
						return err
					}
					return other.ReadWrite(ctx, id, both(holds("before"), func(s *Session) error {
						close(taken)
						s.Set([]byte("kept"))
						return arrival(ctx, late)
					}))
				})
		},
		func() error { return hung.expect("GetItemExclusive 200", "SetAndReleaseItemExclusive 423") },
		func() error { return checkBreaking(rec.take()) },
		func() error { return site.ReadWrite(ctx, id, both(known, holds("kept"), holdsCookie(4))) },
	)
}

// checkBreaking fails unless the lock was broken once, with the cookie its holder
// has, and not before its age was reached.
func checkBreaking(exchanges []Exchange) error {
	broken := 0
	var last Exchange
	for _, e := range exchanges {
		if e.Method == ReleaseItemExclusive {
			broken++
			if e.Sent != 2 || e.Status != 200 {
				return fmt.Errorf("the lock was broken with cookie %d and answered %d, want 2 and 200", e.Sent, e.Status)
			}
			if last.Status != 423 || last.LockAge < int64(hungAge/time.Second) {
				return fmt.Errorf("the lock was broken after %+v, which is too early", last)
			}
		}
		last = e
	}
	if broken != 1 {
		return fmt.Errorf("the lock was broken %d times, want once", broken)
	}
	return nil
}

// lateSaveAccepted has the lock of a page broken and not taken again: what the
// page saves then is stored, for cookies are not looked at without a lock.
func lateSaveAccepted(ctx context.Context, st *stage) error {
	site, rec := st.server(SiteOptions{})
	other, _ := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, puts("before"))
	if err != nil {
		return err
	}
	rec.take()
	return inTurn(
		func() error {
			return site.ReadWrite(ctx, id, func(s *Session) error {
				s.Set([]byte("late"))
				return other.client.ReleaseItemExclusive(ctx, id, s.Cookie)
			})
		},
		func() error { return rec.expect("GetItemExclusive 200", "SetAndReleaseItemExclusive 200") },
		func() error { return other.ReadWrite(ctx, id, both(known, holds("late"), holdsCookie(3))) },
	)
}

// lateRelease has the lock of a page that changed nothing broken and taken by
// another: its release must not free that one's lock.
func lateRelease(ctx context.Context, st *stage) error {
	site, rec := st.server(SiteOptions{})
	other, _ := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, puts("x"))
	if err != nil {
		return err
	}
	rec.take()
	second := other.client
	return inTurn(
		func() error {
			return site.ReadWrite(ctx, id, func(s *Session) error {
				if err := second.ReleaseItemExclusive(ctx, id, s.Cookie); err != nil {
					return err
				}
				return reads(second.GetItemExclusive(ctx, id))(Item{Found: true, Cookie: 3})
			})
		},
		func() error { return rec.expect("GetItemExclusive 200", "ReleaseItemExclusive 423") },
		func() error { return reads(second.GetItem(ctx, id))(Item{Locked: true, Cookie: 3}) },
		func() error { return second.ReleaseItemExclusive(ctx, id, 3) },
		func() error { return site.ReadWrite(ctx, id, both(holds("x"), holdsCookie(4))) },
	)
}
