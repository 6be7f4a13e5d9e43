package sim

import (
	"fmt"

	"github.com/farmstate/farmstate/engine"
)

// client is a user who visits pages, one after the other, through any node.
type client struct {
	sim   *Sim
	keys  []string
	tries int
}

// request sends a request to a node that takes some.
func (s *Sim) request(op engine.Op, key string, cookie uint32, then func(a answer)) {
	n := s.anyNode()
	if n == nil {
		s.after(100e6, func() { s.request(op, key, cookie, then) })
		return
	}
	s.requestAt(n, op, key, cookie, then)
}

func (s *Sim) requestAt(n *node, op engine.Op, key string, cookie uint32, then func(a answer)) {
	s.asked++
	r := &request{n: s.asked, op: op, key: key, cookie: cookie, hasCookie: cookie != 0, node: n, asked: s.now, then: then}
	if op == engine.Set {
		r.write = uint64(s.asked)
	}
	s.pending++
	if s.traces() {
		s.tracef("%s is asked #%d %s %s cookie=%d", n.name(), r.n, op, key, cookie)
	}
	n.requests = append(n.requests, r)
	if len(n.requests) > 64 {
		n.forgetAnswered()
	}
	s.after(s.answerTime(), func() {
		if !r.answered {
			s.fail("request #%d (%s %s at %s) has had no answer for %v", r.n, op, key, n.name(), s.answerTime())
		}
	})
	n.store.ask(r)
	n.act()
}

// forgetAnswered drops requests that are over.
func (n *node) forgetAnswered() {
	open := n.requests[:0]
	for _, r := range n.requests {
		if !r.answered {
			open = append(open, r)
		}
	}
	clear(n.requests[len(open):])
	n.requests = open
}

// answerTime is how long a request may take: what it may wait for the farm and for the lock, and what the measuring of that may add.
func (s *Sim) answerTime() int64 {
	d := int64(s.opt.QueryTimeout) + 3*tick + 20*s.opt.Slow
	if s.opt.LockWait > 0 { // the farm, the lock, and the farm again if the session moves on meanwhile
		d += int64(s.opt.QueryTimeout) + int64(s.opt.LockWait)
	}
	return d
}

func (s *Sim) startClients() {
	for i := range s.opt.Keys {
		s.keys = append(s.keys, fmt.Sprintf("/app/k%d", i))
	}
	for range s.opt.Clients {
		c := &client{sim: s, keys: s.keys}
		s.after(s.rand.Int64N(s.opt.Think+1), c.visit)
	}
}

func (c *client) think(then func()) { c.sim.after(c.sim.rand.Int64N(2*c.sim.opt.Think+1), then) }

// visit begins a page.
func (c *client) visit() {
	s := c.sim
	if s.now >= s.opt.BusyUntil {
		return
	}
	key := c.keys[s.rand.IntN(len(c.keys))]
	c.tries = 0
	switch x := s.rand.IntN(100); {
	case x < 20:
		s.request(engine.Get, key, 0, func(answer) { c.think(c.visit) })
	case x < 25:
		s.request(engine.Set, key, 0, func(answer) { c.think(c.visit) })
	default:
		c.page(key)
	}
}

// page acquires the session, and then writes it, or gives it back, or whatever pages do.
func (c *client) page(key string) {
	s := c.sim
	s.request(engine.Acquire, key, 0, func(a answer) {
		switch {
		case a.failed || a.status == engine.Cut || a.status == engine.Locked:
			c.tries++
			if c.tries < 6 {
				s.after(s.rand.Int64N(500e6)+1, func() { c.page(key) })
				return
			}
			if a.status == engine.Locked && a.cookie != 0 { // the page that has the lock is taken to be dead
				s.request(engine.Release, key, a.cookie, func(answer) { c.think(c.visit) })
				return
			}
			c.think(c.visit)
		case a.status == engine.NotFound:
			s.request(engine.Set, key, 0, func(answer) { c.think(c.visit) })
		default:
			c.think(func() { c.end(key, a.cookie) })
		}
	})
}

// end ends a page that has the lock.
func (c *client) end(key string, cookie uint32) {
	op := engine.Set
	switch x := c.sim.rand.IntN(100); {
	case x < 70:
	case x < 88:
		op = engine.Release
	case x < 96:
		op = engine.Remove
	default: // it dies
		c.think(c.visit)
		return
	}
	c.again(op, key, cookie, 3)
}

// again sends a request, and sends it again if nothing has come of it.
func (c *client) again(op engine.Op, key string, cookie uint32, times int) {
	c.sim.request(op, key, cookie, func(a answer) {
		if (a.failed || a.status == engine.Cut) && times > 0 {
			c.again(op, key, cookie, times-1)
			return
		}
		c.think(c.visit)
	})
}

// anyNode is a node that takes requests; nil if there is none.
func (s *Sim) anyNode() *node {
	at := s.rand.IntN(len(s.places))
	for i := range s.places {
		if n := s.places[(at+i)%len(s.places)]; n != nil && n.alive && !n.closing {
			return n
		}
	}
	return nil
}
