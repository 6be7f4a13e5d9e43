package pages

import (
	"context"
	"errors"
	"time"
)

// SiteOptions are the settings of a web application. Zero values mean those of
// ASP.NET.
type SiteOptions struct {
	// Timeout is the life of new sessions in minutes; 0 means 20.
	Timeout int32
	// ExecutionTimeout is the age at which a lock counts as left behind and is
	// broken; 0 means 110 s.
	ExecutionTimeout time.Duration
	// Poll is how often a page asks for a locked session; 0 means 500 ms.
	Poll time.Duration
	// SessionStart is the Session_Start handler; nil means that there is none.
	SessionStart func(*Session)
}

// Site runs pages. Its methods are the kinds of pages; each call is one page
// request, and many may run at once. See docs/protocol.md §9.6.
type Site struct {
	client *Client
	opt    SiteOptions
}

// NewSite returns a site whose sessions lie behind c.
func NewSite(c *Client, opt SiteOptions) *Site {
	if opt.Timeout == 0 {
		opt.Timeout = 20
	}
	if opt.ExecutionTimeout == 0 {
		opt.ExecutionTimeout = 110 * time.Second
	}
	if opt.Poll == 0 {
		opt.Poll = 500 * time.Millisecond
	}
	return &Site{client: c, opt: opt}
}

// Page is the code of a page. Its error is returned by the page request, after
// the session has been dealt with as usual.
type Page func(*Session) error

// FirstVisit runs a page for a browser that sent no id, and returns the new one.
// Nothing is saved if there is nothing to save and no Session_Start handler.
func (s *Site) FirstVisit(ctx context.Context, page Page) (id string, err error) {
	id = NewID()
	ses := &Session{ID: id, timeout: s.opt.Timeout}
	s.begin(ses)
	err = page(ses)
	if ses.abandoned || !ses.changed && s.opt.SessionStart == nil {
		return id, err
	}
	return id, errors.Join(err, s.save(ctx, ses))
}

// Cookieless makes a session for a site that keeps its ids in the URL, and
// returns the id it would redirect to.
func (s *Site) Cookieless(ctx context.Context) (id string, err error) {
	id = NewID()
	return id, s.client.CreateUninitializedItem(ctx, id, s.opt.Timeout)
}

// Sessionless is a page with session state switched off, for a browser that sent
// an id.
func (s *Site) Sessionless(ctx context.Context, id string) error {
	return s.client.ResetItemTimeout(ctx, id)
}

// ReadOnly runs a page that only reads its session. It waits while the session
// is locked.
func (s *Site) ReadOnly(ctx context.Context, id string, page Page) error {
	item, err := s.load(ctx, id, s.client.GetItem)
	if err != nil {
		return err
	}
	ses, err := s.open(id, item)
	if err != nil {
		return err
	}
	ses.Cookie = 0
	return page(ses)
}

// ReadWrite runs a page that holds the lock of its session. It waits until it
// gets it, and creates the session if there is none.
func (s *Site) ReadWrite(ctx context.Context, id string, page Page) error {
	item, err := s.load(ctx, id, s.acquire)
	if err != nil {
		return err
	}
	ses, err := s.open(id, item)
	if err != nil {
		return errors.Join(err, s.client.ReleaseItemExclusive(ctx, id, item.Cookie))
	}
	err = page(ses)
	return errors.Join(err, s.end(ctx, ses))
}

// acquire takes the lock of a session, which it creates if it must. It may come
// too late for what it has created itself.
func (s *Site) acquire(ctx context.Context, id string) (Item, error) {
	item, err := s.client.GetItemExclusive(ctx, id)
	if err != nil || item.Found || item.Locked {
		return item, err
	}
	if err := s.client.CreateUninitializedItem(ctx, id, s.opt.Timeout); err != nil {
		return Item{}, err
	}
	return s.client.GetItemExclusive(ctx, id)
}

// load repeats get until the session is not locked, and breaks locks that are too
// old.
func (s *Site) load(ctx context.Context, id string, get func(context.Context, string) (Item, error)) (Item, error) {
	clock := s.client.cfg.Clock
	var first time.Time
	for {
		item, err := get(ctx, id)
		if err != nil || !item.Locked {
			return item, err
		}
		if item.LockAge >= s.opt.ExecutionTimeout {
			if err := s.client.ReleaseItemExclusive(ctx, id, item.Cookie); err != nil {
				return item, err
			}
		}
		answered := clock.Now()
		if first.IsZero() {
			first = answered
		}
		select {
		case <-clock.After(nextPoll(first, answered, s.opt.Poll).Sub(answered)):
		case <-ctx.Done():
			return item, context.Cause(ctx)
		}
	}
}

// open makes the page's session of what was read.
func (s *Site) open(id string, item Item) (*Session, error) {
	ses := &Session{ID: id, Cookie: item.Cookie, stored: item.Found, timeout: s.opt.Timeout}
	if item.Found {
		var err error
		if ses.timeout, ses.items, err = decodeBlob(item.Blob); err != nil {
			return nil, err
		}
	}
	if !item.Found || item.Uninitialised {
		s.begin(ses)
	}
	return ses, nil
}

// begin runs Session_Start.
func (s *Site) begin(ses *Session) {
	ses.Started = true
	if s.opt.SessionStart != nil {
		s.opt.SessionStart(ses)
	}
}

// end does what follows a read-write page.
func (s *Site) end(ctx context.Context, ses *Session) error {
	switch {
	case ses.abandoned:
		return s.client.RemoveItem(ctx, ses.ID, ses.Cookie)
	case ses.changed || !ses.stored:
		return s.save(ctx, ses)
	}
	return s.client.ReleaseItemExclusive(ctx, ses.ID, ses.Cookie)
}

// ErrSerialisation is what a page gets whose session cannot be saved.
var ErrSerialisation = errors.New("pages: the session holds something that cannot be serialised")

// save writes the session back, or gives up its lock if it cannot be written.
func (s *Site) save(ctx context.Context, ses *Session) error {
	if !ses.unserialisable {
		return s.client.SetAndReleaseItemExclusive(ctx, ses.ID, encodeBlob(ses.timeout, ses.items), ses.timeout, ses.Cookie)
	}
	if !ses.stored {
		return ErrSerialisation
	}
	return errors.Join(ErrSerialisation, s.client.ReleaseItemExclusive(ctx, ses.ID, ses.Cookie))
}
