package conformance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// talk is a step on one connection. What it has is done in the order of the
// fields.
type talk struct {
	on     string
	send   *message
	shut   shutting
	expect []answer
	status string // of a response of which only this matters; empty: none
	closed bool
	window *window // of the close, or else of the last response
	quiet  time.Duration
}

// shutting is how the test closes.
type shutting uint8

const (
	shutNothing shutting = iota
	shutFin              // an ordinary close
	shutRst              // a reset
	shutWrite            // the test's direction only
)

func decodeTalk(o *object, s *scope) action {
	t := &talk{on: "a"}
	if on, ok := take[string](o, "on"); ok {
		t.on = on
	}
	connect := takeTrue(o, "connect")
	t.send = takeMessage(o)
	t.shut = takeShut(o)
	t.expect, _ = takeWith(o, "expect", func(raw []byte) ([]answer, error) { return decodeAnswers(raw, s) })
	if n, ok := take[int](o, "expect_status"); ok {
		if n < 100 || n > 999 {
			o.fail("expect_status: %d is no status", n)
		}
		t.status = strconv.Itoa(n)
	}
	t.closed = takeTrue(o, "closed")
	t.window = takeWindow(o, s)
	if ms, ok := take[int](o, "quiet_ms"); ok {
		if ms <= 0 {
			o.fail("quiet_ms: %d is no time", ms)
		}
		t.quiet = time.Duration(ms) * time.Millisecond
	}
	t.check(o, connect)
	return t
}

// check refuses combinations that would leave a part without effect or could be
// meant in two ways.
func (t *talk) check(o *object, connect bool) {
	listens := t.expect != nil || t.status != "" || t.closed
	switch {
	case t.expect != nil && t.status != "":
		o.fail("expect and expect_status exclude one another")
	case t.window != nil && !listens:
		o.fail("elapsed_ms: the step waits for nothing")
	case (listens || t.quiet > 0) && (t.shut == shutFin || t.shut == shutRst):
		o.fail("shut: behind it nothing can be read")
	case t.closed && t.quiet > 0:
		o.fail("closed and quiet_ms exclude one another")
	case len(t.expect) > 0 && t.expect[len(t.expect)-1].then == thenClose && t.quiet > 0:
		o.fail("then: close and quiet_ms exclude one another")
	case !connect && t.send == nil && t.shut == shutNothing && !listens && t.quiet == 0:
		o.fail("the step does nothing")
	}
}

func takeShut(o *object) shutting {
	how, ok := take[string](o, "shut")
	switch {
	case !ok:
		return shutNothing
	case how == "fin":
		return shutFin
	case how == "rst":
		return shutRst
	case how == "write":
		return shutWrite
	}
	o.fail("shut: %q is none of fin, rst, write", how)
	return shutNothing
}

func (t *talk) do(ctx context.Context, p *player) error {
	c, err := p.conn(ctx, t.on)
	if err != nil {
		return err
	}
	if err := t.say(ctx, p, c); err != nil {
		return fmt.Errorf("connection %s: %w", t.on, err)
	}
	if err := t.listen(ctx, p, c); err != nil {
		return fmt.Errorf("connection %s: %w", t.on, err)
	}
	return nil
}

// say sends and shuts.
func (t *talk) say(ctx context.Context, p *player, c *conn) error {
	if t.send != nil {
		if err := t.send.on(ctx, p, c); err != nil {
			return err
		}
	}
	switch t.shut {
	case shutWrite:
		if err := c.nc.CloseWrite(); err != nil {
			return fmt.Errorf("could not half-close: %w", err)
		}
	case shutRst, shutFin:
		if t.shut == shutRst {
			if err := c.nc.SetLinger(0); err != nil {
				return fmt.Errorf("could not prepare a reset: %w", err)
			}
		}
		c.close()
		delete(p.conns, t.on)
	case shutNothing:
	}
	return nil
}

// listen reads what the step expects.
func (t *talk) listen(ctx context.Context, p *player, c *conn) error {
	var at time.Time // of the last event the step waits for
	for i := range t.expect {
		r, err := t.expect[i].read(ctx, p, c, t.window)
		if err != nil {
			return of(i, len(t.expect), err)
		}
		at = r.at
	}
	if t.status != "" {
		r, err := c.reply(ctx, t.window.patience(p, c, p.limits.answer))
		if err != nil {
			return err
		}
		if r.status() != t.status {
			return r.differs(0, "want status "+t.status)
		}
		at = r.at
	}
	if t.closed {
		var err error
		if at, err = t.untilClosed(ctx, p, c); err != nil {
			return err
		}
	}
	if err := t.window.check(p, c, at); err != nil {
		return err
	}
	if t.quiet > 0 {
		return c.silent(ctx, t.quiet)
	}
	return nil
}

// untilClosed waits for the close as long as the window says, or as usual.
func (t *talk) untilClosed(ctx context.Context, p *player, c *conn) (time.Time, error) {
	patience := p.limits.close
	if t.window != nil {
		patience = max(0, time.Until(t.window.start(p, c).Add(t.window.hi)))
	}
	return c.untilClosed(ctx, patience)
}

// read takes one response, compares it and looks at what follows it.
func (a *answer) read(ctx context.Context, p *player, c *conn, w *window) (reply, error) {
	r, err := c.reply(ctx, w.patience(p, c, p.limits.answer))
	if errors.Is(err, errNoReply) {
		return r, fmt.Errorf("want %s: %w", a.status, err)
	}
	if err != nil {
		return r, err
	}
	if err := a.check(&r, p); err != nil {
		return r, err
	}
	switch a.then {
	case thenClose:
		_, err = c.untilClosed(ctx, p.limits.close)
	case thenOpen:
		err = c.silent(ctx, p.limits.open)
	case anything:
	}
	return r, err
}

// of adds which of several responses failed.
func of(i, n int, err error) error {
	if n == 1 {
		return err
	}
	return fmt.Errorf("response %d of %d: %w", i+1, n, err)
}
