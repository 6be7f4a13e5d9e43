package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// limits are how long things may take that a case sets no time for.
type limits struct {
	answer time.Duration // nothing comes though a response is due; nothing can be sent
	close  time.Duration // until a due close
	open   time.Duration // what "then: open" watches
	settle time.Duration // what the end of a case waits for a byte too many
	pool   time.Duration // a wait so long closes the connections, as a client's pool does
}

// usualLimits are those of the format, and for the rest those of a real client,
// which gives a server 10 s. See docs/protocol.md §9.1.
var usualLimits = limits{
	answer: 10 * time.Second,
	close:  5 * time.Second,
	open:   150 * time.Millisecond,
	settle: 20 * time.Millisecond,
	pool:   10 * time.Second,
}

// player plays one case once.
type player struct {
	addr   string
	limits limits
	names  *names

	conns map[string]*conn     // by name; what the case has closed is not in it
	crowd []*conn              // those of fans, which have no names
	marks map[string]time.Time // moments
	ticks map[string]string    // remembered lock times
}

// runCase plays c against the server at addr and returns nil if every step went
// as it must. It opens its own connections and closes them.
func runCase(ctx context.Context, addr string, c *Case) error {
	return runWith(ctx, addr, c, usualLimits)
}

func runWith(ctx context.Context, addr string, c *Case, lim limits) error {
	p := &player{
		addr:   addr,
		limits: lim,
		names:  newNames(),
		conns:  make(map[string]*conn),
		marks:  make(map[string]time.Time),
		ticks:  make(map[string]string),
	}
	defer p.hangUp()
	for i, a := range c.given {
		if err := a.do(ctx, p); err != nil {
			return fmt.Errorf("could not be prepared, given[%d]: %w", i, indent(err))
		}
	}
	for i, a := range c.steps {
		if err := a.do(ctx, p); err != nil {
			return fmt.Errorf("steps[%d]: %w", i, indent(err))
		}
	}
	return p.finish(ctx)
}

// conn returns the connection of that name and opens it if need be. One that
// the server has closed is not opened again.
func (p *player) conn(ctx context.Context, name string) (*conn, error) {
	if c := p.conns[name]; c != nil {
		return c, nil
	}
	c, err := openConn(ctx, p.addr, &p.limits)
	if err != nil {
		return nil, err
	}
	p.conns[name] = c
	return c, nil
}

// all returns every open connection with a name for messages.
func (p *player) all() []namedConn {
	var all []namedConn
	for _, name := range slices.Sorted(maps.Keys(p.conns)) {
		all = append(all, namedConn{name, p.conns[name]})
	}
	for i, c := range p.crowd {
		all = append(all, namedConn{fmt.Sprintf("%d of a fan", i+1), c})
	}
	return all
}

type namedConn struct {
	name string
	*conn
}

// finish waits a moment and checks that no connection holds anything unread.
func (p *player) finish(ctx context.Context) error {
	if err := pause(ctx, p.limits.settle); err != nil {
		return err
	}
	return p.checkRead("at the end of the case")
}

// checkRead returns an error for everything the case has overlooked.
func (p *player) checkRead(when string) error {
	var errs []error
	for _, c := range p.all() {
		if err := c.leftover(when); err != nil {
			errs = append(errs, fmt.Errorf("connection %s: %w", c.name, err))
		}
		if c.sendErr != nil {
			errs = append(errs, fmt.Errorf("connection %s: sending failed: %w", c.name, c.sendErr))
		}
	}
	return errors.Join(errs...)
}

// hangUp closes all connections; they are opened anew at their next use.
func (p *player) hangUp() {
	for _, c := range p.all() {
		c.close()
	}
	clear(p.conns)
	p.crowd = nil
}

// window is when something must happen, from a moment that a step names.
type window struct {
	lo, hi time.Duration
	since  string // a mark; empty: the last byte sent on the connection
}

// takeWindow decodes elapsed_ms and since.
func takeWindow(o *object, s *scope) *window {
	since, marked := take[string](o, "since")
	ms, ok := take[[]int](o, "elapsed_ms")
	switch {
	case !ok && marked:
		o.fail("since: without elapsed_ms it says nothing")
		return nil
	case !ok:
		return nil
	case len(ms) != 2 || ms[0] < 0 || ms[0] > ms[1]:
		o.fail("elapsed_ms: %v is no range", ms)
		return nil
	case marked && !s.marks[since]:
		o.fail("since: no earlier step marks %q", since)
	}
	return &window{
		lo:    time.Duration(ms[0]) * time.Millisecond,
		hi:    time.Duration(ms[1]) * time.Millisecond,
		since: since,
	}
}

// start returns the moment w counts from.
func (w *window) start(p *player, c *conn) time.Time {
	if w.since != "" {
		return p.marks[w.since]
	}
	return c.sent
}

// patience returns how long to wait for an event that usually takes at most
// usual: beyond a window, so that a failure can say how late it was. A nil
// window asks for nothing.
func (w *window) patience(p *player, c *conn, usual time.Duration) time.Duration {
	if w == nil {
		return usual
	}
	return max(usual, time.Until(w.start(p, c).Add(w.hi))+usual)
}

// check fails if at is outside w. A nil window holds everything.
func (w *window) check(p *player, c *conn, at time.Time) error {
	if w == nil {
		return nil
	}
	if took := at.Sub(w.start(p, c)); took < w.lo || took > w.hi {
		return fmt.Errorf("after %.1f ms, want %d..%d ms",
			float64(took)/float64(time.Millisecond), w.lo.Milliseconds(), w.hi.Milliseconds())
	}
	return nil
}
