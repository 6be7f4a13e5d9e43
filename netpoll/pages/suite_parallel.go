package pages

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// parallelScenarios have many pages of one session at once, on two web servers.
var parallelScenarios = []scenario{
	{"counter pages", counterPages},
	{"read-only pages beside a writer", readersAndWriter},
	{"page that waits for a writer", waitingReader},
	{"sessionless page during a lock", sessionlessDuringLock},
}

// sighting is what one counter page has seen.
type sighting struct {
	value  int
	cookie uint32
}

// counter is a page that adds one to the number in its session, and notes what it
// saw while it held the lock. The notes are thus in the order of the locks; if
// two pages ever hold it at once, they are not.
type counter struct {
	mu   sync.Mutex // guards seen
	seen []sighting
}

func (c *counter) page(s *Session) error {
	n, err := strconv.Atoi(string(s.Items()))
	if err != nil {
		return fmt.Errorf("no number in the session: %w", err)
	}
	c.mu.Lock()
	c.seen = append(c.seen, sighting{n, s.Cookie})
	c.mu.Unlock()
	s.Set([]byte(strconv.Itoa(n + 1)))
	return nil
}

// check fails unless every page saw the value of the one before, and a greater
// cookie.
func (c *counter) check(pages int) error {
	if len(c.seen) != pages {
		return fmt.Errorf("%d pages ran, want %d", len(c.seen), pages)
	}
	last := sighting{value: -1}
	for i, s := range c.seen {
		if s.value != last.value+1 {
			return fmt.Errorf("page %d saw %d, the one before %d: an update is lost", i+1, s.value, last.value)
		}
		if s.cookie <= last.cookie {
			return fmt.Errorf("page %d held cookie %d, the one before %d", i+1, s.cookie, last.cookie)
		}
		last = s
	}
	return nil
}

// counterPages counts up one session from two web servers.
func counterPages(ctx context.Context, st *stage) error {
	const browsers, pagesEach = 8, 25
	site, _ := st.server(SiteOptions{})
	other, _ := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, puts("0"))
	if err != nil {
		return err
	}
	var c counter
	var parts []func(context.Context) error
	for i := range browsers {
		site := []*Site{site, other}[i%2]
		parts = append(parts, func(ctx context.Context) error {
			for range pagesEach {
				if err := site.ReadWrite(ctx, id, c.page); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return inTurn(
		func() error { return together(ctx, parts...) },
		func() error { return c.check(browsers * pagesEach) },
		func() error { return site.ReadOnly(ctx, id, holds(strconv.Itoa(browsers*pagesEach))) },
	)
}

// version returns a body that shows whether it is whole: a number, many times.
func version(n int) string {
	return strings.Repeat(fmt.Sprintf("%06d ", n), 600)
}

// readersAndWriter has pages that read while one writes: they see whole versions,
// never an older one than before, and in the end the last.
func readersAndWriter(ctx context.Context, st *stage) error {
	const readers, versions = 4, 60
	site, _ := st.server(SiteOptions{})
	other, _ := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, puts(version(0)))
	if err != nil {
		return err
	}
	written := make(chan struct{})
	parts := []func(context.Context) error{func(ctx context.Context) error {
		defer close(written)
		for n := range versions {
			if err := site.ReadWrite(ctx, id, both(holds(version(n)), puts(version(n+1)))); err != nil {
				return err
			}
		}
		return nil
	}}
	for range readers {
		parts = append(parts, func(ctx context.Context) error { return follow(ctx, other, id, written, versions) })
	}
	return together(ctx, parts...)
}

// follow reads until everything is written, and then once more.
func follow(ctx context.Context, site *Site, id string, written chan struct{}, last int) error {
	seen := 0
	read := func(s *Session) error {
		n, err := strconv.Atoi(strings.TrimSpace(string(s.Items()[:min(7, len(s.Items()))])))
		if err != nil {
			return fmt.Errorf("no number in the session: %w", err)
		}
		if n < seen {
			return fmt.Errorf("version %d was read behind version %d", n, seen)
		}
		seen = n
		return both(known, holds(version(n)))(s)
	}
	for over := false; !over; {
		select {
		case <-written:
			over = true
		default:
		}
		if err := site.ReadOnly(ctx, id, read); err != nil {
			return err
		}
	}
	if seen != last {
		return fmt.Errorf("the last version read is %d, want %d", seen, last)
	}
	return nil
}

// waitingReader has a read-only page that comes while another page holds the
// lock: it waits and sees what that page has saved.
func waitingReader(ctx context.Context, st *stage) error {
	site, _ := st.server(SiteOptions{})
	other, rec := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, puts("before"))
	if err != nil {
		return err
	}
	held := make(chan struct{})
	refused := make(chan struct{})
	return together(ctx,
		func(ctx context.Context) error {
			return site.ReadWrite(ctx, id, func(s *Session) error {
				close(held)
				s.Set([]byte("after"))
				return arrival(ctx, refused)
			})
		},
		func(ctx context.Context) error {
			if err := arrival(ctx, held); err != nil {
				return err
			}
			if item, err := other.client.GetItem(ctx, id); err != nil || !item.Locked {
				return errors.Join(err, fmt.Errorf("a read during the lock gave %+v, want it locked", item))
			}
			close(refused)
			rec.take()
			return other.ReadOnly(ctx, id, both(known, holds("after")))
		})
}

// sessionlessDuringLock is never held up and disturbs nothing.
func sessionlessDuringLock(ctx context.Context, st *stage) error {
	site, rec := st.server(SiteOptions{})
	other, _ := st.server(SiteOptions{})
	id, err := site.FirstVisit(ctx, puts("x"))
	if err != nil {
		return err
	}
	rec.take()
	return inTurn(
		func() error {
			return site.ReadWrite(ctx, id, func(s *Session) error {
				s.Set([]byte("y"))
				return other.Sessionless(ctx, id)
			})
		},
		func() error { return rec.expect("GetItemExclusive 200", "SetAndReleaseItemExclusive 200") },
		func() error { return other.ReadWrite(ctx, id, both(holds("y"), holdsCookie(3))) },
		func() error { return other.Sessionless(ctx, NewID()) },
	)
}

// arrival blocks until the channel is closed.
func arrival(ctx context.Context, c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
