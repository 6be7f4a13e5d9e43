package pages

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A scenario is a story of pages. It makes sessions of its own and returns an
// error if a page saw or did what it must not.
type scenario struct {
	name string
	run  func(context.Context, *stage) error
}

// scenarios are all of them, in the order of the files.
var scenarios = slices.Concat(basicScenarios, parallelScenarios, creationScenarios, lockScenarios)

// scenarioLimit ends a scenario that hangs. The longest takes some 3 s.
const scenarioLimit = time.Minute

// Suite holds the server at addr to the sequences of real pages, each in a
// subtest. It needs no options of the server, takes a few seconds and may run
// beside other clients.
func Suite(t *testing.T, addr string) {
	t.Helper()
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			if err := sc.play(t.Context(), addr); err != nil {
				t.Error(err)
			}
		})
	}
}

// play runs the scenario with clients of its own.
func (sc *scenario) play(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, scenarioLimit)
	defer cancel()
	st := &stage{addr: addr}
	defer st.close()
	return sc.run(ctx, st)
}

// stage makes the clients of a scenario.
type stage struct {
	addr    string
	clients []*Client
}

func (st *stage) close() {
	for _, c := range st.clients {
		c.Close()
	}
}

// pollSoon is what scenarios use instead of 500 ms.
const pollSoon = 5 * time.Millisecond

// server makes a web server: a site, its client and the record of what it sends.
func (st *stage) server(opt SiteOptions) (*Site, *record) {
	return st.serverAs(Config{}, opt)
}

func (st *stage) serverAs(cfg Config, opt SiteOptions) (*Site, *record) {
	rec := &record{}
	cfg.Addr, cfg.Trace = st.addr, rec.add
	c := NewClient(cfg)
	st.clients = append(st.clients, c)
	if opt.Poll == 0 {
		opt.Poll = pollSoon
	}
	return NewSite(c, opt), rec
}

// record keeps what a client has exchanged.
type record struct {
	mu        sync.Mutex // guards exchanges
	exchanges []Exchange
}

func (r *record) add(e Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges = append(r.exchanges, e)
}

// take returns what was recorded and begins anew.
func (r *record) take() []Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.exchanges
	r.exchanges = nil
	return taken
}

// expect takes what was recorded and fails unless it was just this: each a
// method and a status, such as "GetItem 200".
func (r *record) expect(want ...string) error {
	var have []string
	for _, e := range r.take() {
		have = append(have, fmt.Sprint(e.Method, " ", e.Status))
	}
	if !slices.Equal(have, want) {
		return fmt.Errorf("on the wire were\n  %s\nwant\n  %s", strings.Join(have, "\n  "), strings.Join(want, "\n  "))
	}
	return nil
}

// holds is a page that fails unless the session holds just that.
func holds(items string) Page {
	return func(s *Session) error {
		if string(s.Items()) != items {
			return fmt.Errorf("session %s holds %.60q, want %.60q", s.ID, s.Items(), items)
		}
		return nil
	}
}

// puts is a page that stores items.
func puts(items string) Page {
	return func(s *Session) error {
		s.Set([]byte(items))
		return nil
	}
}

// looks is a page that changes nothing.
func looks(*Session) error { return nil }

// fresh is a page that fails unless the session is new to it and empty.
func fresh(s *Session) error {
	if !s.Started {
		return errors.New("Session_Start did not run")
	}
	return holds("")(s)
}

// known is a page that fails if Session_Start ran.
func known(s *Session) error {
	if s.Started {
		return errors.New("Session_Start ran again")
	}
	return nil
}

// both runs pages one behind the other as one page.
func both(pages ...Page) Page {
	return func(s *Session) error {
		for _, page := range pages {
			if err := page(s); err != nil {
				return err
			}
		}
		return nil
	}
}

// inTurn runs the parts of a scenario until one fails.
func inTurn(parts ...func() error) error {
	for i, part := range parts {
		if err := part(); err != nil {
			return fmt.Errorf("part %d: %w", i+1, err)
		}
	}
	return nil
}

// together runs the parts at once, cancels all when one fails, and waits for all.
func together(ctx context.Context, parts ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, part := range parts {
		wg.Go(func() {
			if err := part(ctx); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
