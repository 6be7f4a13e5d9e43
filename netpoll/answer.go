package netpoll

import (
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// Park implements engine.Caller: it copies what belongs to the read buffer. A ticket may be parked again, by any goroutine, before it is
// answered; there is nothing more to do then.
func (c *conn) Park(t *engine.Ticket) {
	if c.parked {
		return
	}
	c.parked = true
	if len(t.Body) > 0 && !t.Owned {
		c.body = append(c.body[:0], t.Body...)
		t.Body = c.body
	}
}

// Answer implements engine.Caller: it puts the answer behind the others of this event if the connection is the current one of this lane, and into its
// mailbox otherwise.
func (c *conn) Answer(t *engine.Ticket, lane int) bool {
	if l := c.lane; lane == l.id && l.current == c {
		l.out, l.tail = c.srv.appendAnswer(l.out, t)
		c.parked = false
		return true
	}
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return false
	}
	c.mail, c.mailTail = c.srv.appendAnswer(c.mail[:0], t)
	c.mailed, c.granted = true, t.Op == engine.Acquire && t.Out.Status == engine.OK
	c.mu.Unlock()
	if lane == c.lane.id {
		c.lane.resumed = append(c.lane.resumed, c)
	} else {
		c.link.wake()
	}
	return true
}

// collect delivers an answer from the mailbox. It returns false if the connection has ended. A lock that cannot be handed over is given back (§8.9).
func (c *conn) collect(now engine.Time) bool {
	if !c.parked {
		return true
	}
	c.mu.Lock()
	mail, tail, mailed, granted := c.mail, c.mailTail, c.mailed, c.granted
	c.mu.Unlock()
	if !mailed {
		return true
	}
	if granted && c.link.gone() {
		c.link.close() // closed gives the lock back
		return false
	}
	c.mu.Lock()
	c.mailTail, c.mailed = nil, false
	c.mu.Unlock()
	c.parked = false
	err := c.link.write(mail, tail)
	if cap(c.mail) > keepScratch {
		c.mail = nil
	}
	if cap(c.body) > keepScratch {
		c.body = nil
	}
	if err != nil {
		if granted {
			c.srv.engine.Revoke(now, c.lane.id, c.ticket.Key, c.ticket.Out.Cookie)
		}
		return false
	}
	c.lane.took.add(c.ticket.Op, waited, c.srv.clock.now().Mono-c.began, 1)
	c.sent(now)
	c.done(now)
	return c.flush(now)
}

// appendAnswer appends the answer to a ticket. Small bodies are copied behind it; a shared one is returned apart, to be written without a copy. See
// docs/protocol.md §5.5.
func (s *Server) appendAnswer(dst []byte, t *engine.Ticket) (head, tail []byte) {
	out := &t.Out
	a := wire.Answer{ActionFlags: out.Uninitialized}
	switch out.Status {
	case engine.OK:
		a.Status = wire.StatusOK
		if t.Op == engine.Get || t.Op == engine.Acquire {
			a.Timeout, a.HasTimeout, a.ContentLength = out.Minutes, true, len(out.Body)
			a.Cookie, a.HasCookie = out.Cookie, t.Op == engine.Acquire
		}
	case engine.Cut:
		if t.Op == engine.Set {
			a.Status = wire.StatusBadRequest
			break
		}
		fallthrough
	case engine.Locked:
		a.Status = wire.StatusLocked
		a.LockDate, a.LockAge, a.Cookie = out.LockDate, out.LockAge, out.Cookie
	case engine.NotFound:
		a.Status = wire.StatusNotFound
	case engine.NoCookie, engine.Refused:
		a.Status = wire.StatusBadRequest
	}
	dst = s.format.AppendHead(dst, &a)
	if out.Shared {
		return dst, out.Body
	}
	return append(dst, out.Body...), nil
}
