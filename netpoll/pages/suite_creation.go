package pages

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// creationScenarios are about ids that the server does not know, or no more.
var creationScenarios = []scenario{
	{"unknown id", unknownID},
	{"cookieless session", cookieless},
	{"two racing creators", racingCreators},
	{"many racing creators", manyCreators},
	{"abandon under a waiting page", abandonUnderWaiter},
}

// unknownID has a browser whose session has expired: the page creates it, is told
// so once, and saves.
func unknownID(ctx context.Context, st *stage) error {
	site, rec := st.server(SiteOptions{})
	id := NewID()
	return inTurn(
		func() error { return site.ReadWrite(ctx, id, both(fresh, holdsCookie(2), puts("new"))) },
		func() error {
			told := 0
			for _, e := range rec.exchanges {
				if e.ActionFlags {
					told++
				}
			}
			if told != 1 {
				return fmt.Errorf("ActionFlags came %d times, want once", told)
			}
			return rec.expect("GetItemExclusive 404", "CreateUninitializedItem 200", "GetItemExclusive 200", "SetAndReleaseItemExclusive 200")
		},
		func() error { return site.ReadWrite(ctx, id, both(known, holds("new"), holdsCookie(3))) },
		func() error { return site.ReadOnly(ctx, id, both(known, holds("new"))) },
	)
}

// cookieless creates before the redirect; the first page after it is told, also
// if it only reads.
func cookieless(ctx context.Context, st *stage) error {
	site, rec := st.server(SiteOptions{})
	for name, first := range map[string]func(context.Context, string, Page) error{
		"read-only": site.ReadOnly, "read-write": site.ReadWrite,
	} {
		id, err := site.Cookieless(ctx)
		if err != nil {
			return err
		}
		rec.take()
		if err := inTurn(
			func() error { return first(ctx, id, fresh) },
			func() error { return site.ReadWrite(ctx, id, both(known, puts("x"))) },
			func() error { return site.ReadOnly(ctx, id, both(known, holds("x"))) },
		); err != nil {
			return fmt.Errorf("%s page: %w", name, err)
		}
	}
	return nil
}

// racingCreators plays the worst order of two pages that both find nothing: the
// second creates when the first already holds the lock.
func racingCreators(ctx context.Context, st *stage) error {
	site1, _ := st.server(SiteOptions{})
	site2, _ := st.server(SiteOptions{})
	first, second := site1.client, site2.client
	id := NewID()
	return inTurn(
		func() error { return reads(first.GetItemExclusive(ctx, id))(Item{}) },
		func() error { return reads(second.GetItemExclusive(ctx, id))(Item{}) },
		func() error { return first.CreateUninitializedItem(ctx, id, 20) },
		func() error {
			return reads(first.GetItemExclusive(ctx, id))(Item{Found: true, Uninitialised: true, Cookie: 2})
		},
		func() error { return second.CreateUninitializedItem(ctx, id, 20) },
		func() error { return reads(second.GetItemExclusive(ctx, id))(Item{Locked: true, Cookie: 2}) },
		func() error {
			return first.SetAndReleaseItemExclusive(ctx, id, encodeBlob(20, []byte("first")), 20, 2)
		},
		func() error {
			return site2.ReadWrite(ctx, id, both(known, holds("first"), holdsCookie(3), puts("second")))
		},
		func() error { return site1.ReadOnly(ctx, id, both(known, holds("second"))) },
	)
}

// reads returns a check of what a read gave, but for its content and lock age.
func reads(have Item, err error) func(want Item) error {
	return func(want Item) error {
		have.Blob, have.LockAge = nil, 0
		if err == nil && (have.Found != want.Found || have.Locked != want.Locked ||
			have.Cookie != want.Cookie || have.Uninitialised != want.Uninitialised) {
			err = fmt.Errorf("a read gave %+v, want %+v", have, want)
		}
		return err
	}
}

// manyCreators has many pages ask for the same unknown id at once: all run, one
// after the other, and one is told that the session is new.
func manyCreators(ctx context.Context, st *stage) error {
	const browsers = 8
	site, _ := st.server(SiteOptions{})
	other, _ := st.server(SiteOptions{})
	id := NewID()
	var started atomic.Int32
	var parts []func(context.Context) error
	for i := range browsers {
		site := []*Site{site, other}[i%2]
		parts = append(parts, func(ctx context.Context) error {
			return site.ReadWrite(ctx, id, func(s *Session) error {
				if s.Started {
					started.Add(1)
				}
				if !s.stored {
					return errors.New("the session vanished behind its creation")
				}
				s.Set(append(s.Items(), 'x'))
				return nil
			})
		})
	}
	if err := together(ctx, parts...); err != nil {
		return err
	}
	if n := started.Load(); n != 1 {
		return fmt.Errorf("Session_Start ran %d times, want once", n)
	}
	return site.ReadOnly(ctx, id, both(known, holds("xxxxxxxx")))
}

// abandonUnderWaiter removes the session while another page waits for its lock:
// that page gets a new one.
func abandonUnderWaiter(ctx context.Context, st *stage) error {
	site, _ := st.server(SiteOptions{})
	other, rec := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, puts("old"))
	if err != nil {
		return err
	}
	held := make(chan struct{})
	refused := make(chan struct{})
	return together(ctx,
		func(ctx context.Context) error {
			return site.ReadWrite(ctx, id, func(s *Session) error {
				close(held)
				s.Abandon()
				return arrival(ctx, refused)
			})
		},
		func(ctx context.Context) error {
			if err := arrival(ctx, held); err != nil {
				return err
			}
			if err := reads(other.client.GetItemExclusive(ctx, id))(Item{Locked: true, Cookie: 2}); err != nil {
				return err
			}
			close(refused)
			rec.take()
			return other.ReadWrite(ctx, id, both(fresh, holdsCookie(2)))
		})
}
