package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"
)

// maxFan bounds the connections of one step.
const maxFan = 4096

// fan sends one message on many connections at once and counts what comes.
type fan struct {
	n       int
	message *message
	counts  map[string]int // of status numbers, and of noReply; nil: not looked at
	having  map[string]int // of responses with a header; nil: not looked at
	same    []header       // hold wherever the header is
	closed  bool           // each connection must be closed afterwards
	window  *window        // of the last response
}

// noReply counts the connections that were closed without a response.
const noReply = "closed"

var countShape = regexp.MustCompile(`^([1-9]\d\d|` + noReply + `)$`)

func decodeFan(o *object, s *scope) action {
	f := &fan{n: require[int](o, "fan"), message: takeMessage(o)}
	if f.n < 1 || f.n > maxFan {
		o.fail("fan: %d is outside 1..%d", f.n, maxFan)
	}
	if f.message == nil {
		o.fail("send: missing")
	}
	f.counts, _ = take[map[string]int](o, "expect_count")
	for status := range f.counts {
		if !countShape.MatchString(status) {
			o.fail("expect_count: %q is neither a status nor %s", status, noReply)
		}
	}
	f.having, _ = take[map[string]int](o, "expect_header_count")
	if o.has("same_headers") {
		f.same = takeHeaders(o, "same_headers", s)
	}
	f.closed = takeTrue(o, "closed")
	f.window = takeWindow(o, s)
	return f
}

// fanned is what one connection of a fan has met.
type fanned struct {
	*conn
	reply  reply
	status string // its number, or noReply
	err    error
}

func (f *fan) do(ctx context.Context, p *player) error {
	crowd := make([]fanned, f.n)
	for i := range crowd {
		c, err := openConn(ctx, p.addr, &p.limits)
		if err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, f.n, err)
		}
		p.crowd = append(p.crowd, c)
		crowd[i].conn = c
	}
	f.talk(ctx, p, crowd)

	var errs []error
	for i := range crowd {
		if err := crowd[i].err; err != nil {
			errs = append(errs, fmt.Errorf("connection %d of %d: %w", i+1, f.n, err))
		}
	}
	if errs == nil {
		errs = []error{f.countStatus(crowd), f.countHeaders(crowd), f.checkSame(p, crowd), f.checkTime(p, crowd)}
	}
	return errors.Join(errs...)
}

// talk sends on all connections at once and returns when each has its response.
func (f *fan) talk(ctx context.Context, p *player, crowd []fanned) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() {
			<-start
			crowd[i].err = f.one(ctx, p, &crowd[i])
		})
	}
	close(start)
	wg.Wait()
}

func (f *fan) one(ctx context.Context, p *player, c *fanned) error {
	if err := f.message.on(ctx, p, c.conn); err != nil {
		return err
	}
	r, err := c.conn.reply(ctx, f.window.patience(p, c.conn, p.limits.answer))
	switch {
	case errors.Is(err, errNoReply):
		c.status = noReply
		c.sendErr = nil
		return nil
	case err != nil:
		return err
	}
	c.reply, c.status = r, r.status()
	if f.closed {
		_, err = c.untilClosed(ctx, p.limits.close)
	}
	return err
}

func (f *fan) countStatus(crowd []fanned) error {
	have := make(map[string]int)
	for _, c := range crowd {
		have[c.status]++
	}
	return compareCounts("responses by status", f.counts, have)
}

func (f *fan) countHeaders(crowd []fanned) error {
	have := make(map[string]int)
	for name := range f.having {
		for i := range crowd {
			if _, ok := crowd[i].header(name); ok {
				have[name]++
			}
		}
	}
	return compareCounts("responses by header", f.having, have)
}

// compareCounts fails if any count differs; nil wants nothing.
func compareCounts(what string, want, have map[string]int) error {
	if want == nil {
		return nil
	}
	want = maps.Clone(want)
	maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
	if !maps.Equal(want, have) {
		return fmt.Errorf("%s: have %v, want %v", what, have, want)
	}
	return nil
}

func (f *fan) checkSame(p *player, crowd []fanned) error {
	for i := range crowd {
		for _, h := range f.same {
			value, ok := crowd[i].header(h.name)
			if !ok {
				continue
			}
			if err := h.value.match(value, &crowd[i].reply, p.ticks); err != nil {
				return fmt.Errorf("connection %d: %s: have %q: %w", i+1, h.name, value, err)
			}
		}
	}
	return nil
}

// checkTime holds the response that came last against the window.
func (f *fan) checkTime(p *player, crowd []fanned) error {
	last := slices.MaxFunc(crowd, func(a, b fanned) int { return a.last().Compare(b.last()) })
	return f.window.check(p, last.conn, last.last())
}

// header is that of the response, if there is one.
func (c *fanned) header(name string) (string, bool) {
	if c.status == noReply {
		return "", false
	}
	return c.reply.header(name)
}

// last returns when the response came, or else the close.
func (c *fanned) last() time.Time {
	if c.status != noReply {
		return c.reply.at
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endAt
}
