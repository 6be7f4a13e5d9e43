package pages

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// basicScenarios have one browser that asks for one page after the other.
var basicScenarios = []scenario{
	{"first visit", firstVisit},
	{"first visit that stores nothing", firstVisitEmpty},
	{"existing session", existingSession},
	{"large session", largeSession},
	{"printed zeros", printedZeros},
	{"changed timeout keeps the cookies", changedTimeout},
	{"serialisation failed", serialisationFailed},
	{"abandon", abandon},
}

// firstVisit saves without a lock, under an id nobody has.
func firstVisit(ctx context.Context, st *stage) error {
	site, rec := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, puts("hello"))
	if err != nil {
		return err
	}
	return inTurn(
		func() error { return rec.expect("SetAndReleaseItemExclusive 200") },
		func() error { return site.ReadOnly(ctx, id, both(known, holds("hello"))) },
		func() error { return site.ReadWrite(ctx, id, both(known, holds("hello"), holdsCookie(2))) },
		func() error { return rec.expect("GetItem 200", "GetItemExclusive 200", "ReleaseItemExclusive 200") },
	)
}

// firstVisitEmpty leaves no trace on the server unless there is a handler.
func firstVisitEmpty(ctx context.Context, st *stage) error {
	site, rec := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, looks)
	if err != nil {
		return err
	}
	handling, handled := st.server(SiteOptions{SessionStart: func(*Session) {}})
	id2, err := handling.FirstVisit(ctx, looks)
	if err != nil {
		return err
	}
	return inTurn(
		func() error { return rec.expect() },
		func() error { return site.ReadOnly(ctx, id, fresh) },
		func() error { return rec.expect("GetItem 404") },
		func() error { return handled.expect("SetAndReleaseItemExclusive 200") },
		func() error { return site.ReadOnly(ctx, id2, both(known, holds(""))) },
	)
}

// existingSession changes a session on one page and only reads it on others.
func existingSession(ctx context.Context, st *stage) error {
	site, rec := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, puts("one"))
	if err != nil {
		return err
	}
	rec.take()
	return inTurn(
		func() error { return site.ReadWrite(ctx, id, both(holdsCookie(2), holds("one"), puts("two"))) },
		func() error { return rec.expect("GetItemExclusive 200", "SetAndReleaseItemExclusive 200") },
		func() error { return site.ReadWrite(ctx, id, both(holdsCookie(3), holds("two"))) },
		func() error { return rec.expect("GetItemExclusive 200", "ReleaseItemExclusive 200") },
		func() error { return site.ReadWrite(ctx, id, both(holdsCookie(4), holds("two"), puts(""))) },
		func() error { return site.ReadOnly(ctx, id, both(known, holds(""))) },
		func() error { return site.Sessionless(ctx, id) },
		func() error {
			return rec.expect("GetItemExclusive 200", "SetAndReleaseItemExclusive 200", "GetItem 200", "ResetItemTimeout 200")
		},
	)
}

// largeSession carries 3 MiB there and back, and small pages after it.
func largeSession(ctx context.Context, st *stage) error {
	site, _ := st.server(SiteOptions{})
	large := strings.Repeat("0123456789abcde\n", 3<<16)
	id, err := site.FirstVisit(ctx, puts(large))
	if err != nil {
		return err
	}
	return inTurn(
		func() error { return site.ReadWrite(ctx, id, both(holds(large), puts(large[1:]))) },
		func() error { return site.ReadOnly(ctx, id, holds(large[1:])) },
		func() error { return site.ReadWrite(ctx, id, puts("small")) },
		func() error { return site.ReadOnly(ctx, id, holds("small")) },
	)
}

// printedZeros has a client that prints numbers where they mean nothing. See
// docs/protocol.md §4.6.
func printedZeros(ctx context.Context, st *stage) error {
	site, rec := st.serverAs(Config{Zeros: true}, SiteOptions{})
	id := NewID()
	return inTurn(
		func() error { return site.ReadOnly(ctx, id, fresh) },
		func() error { return site.ReadWrite(ctx, id, both(fresh, puts("zeros"))) },
		func() error { return site.Sessionless(ctx, id) },
		func() error { return site.ReadWrite(ctx, id, both(known, holds("zeros"), holdsCookie(3))) },
		func() error { return site.ReadWrite(ctx, id, abandons) },
		func() error {
			return rec.expect("GetItem 404",
				"GetItemExclusive 404", "CreateUninitializedItem 200", "GetItemExclusive 200", "SetAndReleaseItemExclusive 200",
				"ResetItemTimeout 200",
				"GetItemExclusive 200", "ReleaseItemExclusive 200",
				"GetItemExclusive 200", "RemoveItem 200")
		},
	)
}

// changedTimeout sets Session.Timeout again and again: the cookies go on, and the
// session lives as long as the last page said.
func changedTimeout(ctx context.Context, st *stage) error {
	site, rec := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, puts("x"))
	if err != nil {
		return err
	}
	rec.take()
	before := int32(20)
	for i, minutes := range []int32{45, 60, 1, 60, 20} {
		err := site.ReadWrite(ctx, id, both(holds("x"), holdsCookie(uint32(i+2)), func(s *Session) error {
			if s.Timeout() != before {
				return fmt.Errorf("the session lives %d minutes, want %d", s.Timeout(), before)
			}
			s.SetTimeout(minutes)
			return nil
		}))
		if err != nil {
			return fmt.Errorf("page %d: %w", i+1, err)
		}
		if told := rec.take()[0].Timeout; told != int64(before) {
			return fmt.Errorf("page %d: the server says Timeout %d, want %d", i+1, told, before)
		}
		before = minutes
	}
	return nil
}

// serialisationFailed gives up the lock and keeps what was saved before.
func serialisationFailed(ctx context.Context, st *stage) error {
	site, rec := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, puts("old"))
	if err != nil {
		return err
	}
	rec.take()
	return inTurn(
		func() error {
			err := site.ReadWrite(ctx, id, func(s *Session) error {
				s.Set([]byte("new"))
				s.SetUnserialisable()
				return nil
			})
			switch {
			case err == nil:
				return errors.New("the page did not notice")
			case !errors.Is(err, ErrSerialisation):
				return fmt.Errorf("the page ended otherwise: %w", err)
			}
			return nil
		},
		func() error { return site.ReadWrite(ctx, id, both(holds("old"), holdsCookie(3))) },
		func() error {
			return rec.expect("GetItemExclusive 200", "ReleaseItemExclusive 200", "GetItemExclusive 200", "ReleaseItemExclusive 200")
		},
	)
}

// abandon removes the session; the next page gets a new one.
func abandon(ctx context.Context, st *stage) error {
	site, rec := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, puts("gone"))
	if err != nil {
		return err
	}
	rec.take()
	return inTurn(
		func() error { return site.ReadWrite(ctx, id, both(holds("gone"), abandons)) },
		func() error { return rec.expect("GetItemExclusive 200", "RemoveItem 200") },
		func() error { return site.ReadOnly(ctx, id, fresh) },
		func() error { return site.Sessionless(ctx, id) },
		func() error { return rec.expect("GetItem 404", "ResetItemTimeout 404") },
		func() error { return site.ReadWrite(ctx, id, both(fresh, holdsCookie(2), puts("again"))) },
		func() error { return site.ReadWrite(ctx, id, both(known, holds("again"), holdsCookie(3))) },
	)
}

// abandons is a page that removes its session.
func abandons(s *Session) error {
	s.Abandon()
	return nil
}

// holdsCookie is a page that fails unless it holds the lock with that cookie.
func holdsCookie(cookie uint32) Page {
	return func(s *Session) error {
		if s.Cookie != cookie {
			return fmt.Errorf("the page holds cookie %d, want %d", s.Cookie, cookie)
		}
		return nil
	}
}
