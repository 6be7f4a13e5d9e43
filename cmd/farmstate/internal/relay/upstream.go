package relay

import (
	"errors"
	"net"
	"time"
)

// upstream is a client's connection to one state server, and the answers that come from there.
type upstream struct {
	c      *client
	number int // of the target
	addr   string
	nc     *net.TCPConn
}

// connect makes sure that c.current is the state server for a session. Nil means that any will do, which is so with one target only.
func (c *client) connect(key []byte) error {
	for range 2*len(c.r.targets) + fall { // each target that does not answer is down after fall attempts
		number := 0
		if c.r.several() {
			if number = pick(sessionID(key), c.r.names, c.r.isUp); number < 0 {
				c.why.CompareAndSwap(nil, new("refused with 400: no target is up"))
				return errRefuse
			}
		}
		c.mu.Lock()
		same := c.current != nil && c.current.number == number && c.ups[number] == c.current
		c.mu.Unlock()
		if same || !c.r.several() && c.current != nil {
			return nil
		}
		if err := c.await(c.answered); err != nil { // one server at a time owes answers
			return err
		}
		c.mu.Lock()
		u := c.ups[number]
		c.current = u
		c.mu.Unlock()
		if u != nil {
			return nil
		}
		err := c.dial(number)
		if err == nil || errors.Is(err, errGone) {
			return err
		}
		if !c.r.several() {
			c.why.CompareAndSwap(nil, new("refused with 400: "+plainError(err)))
			c.r.opt.Log("target " + c.r.targets[0].addr + " cannot be reached: " + plainError(err))
			return errRefuse
		}
		c.r.report(c.r.targets[number], false)
	}
	c.why.CompareAndSwap(nil, new("refused with 400: no target could be reached"))
	return errRefuse
}

// dial connects to a target and makes it the current one.
func (c *client) dial(number int) error {
	d := net.Dialer{Timeout: probeTimeout}
	addr := c.r.targets[number].addr
	conn, err := d.DialContext(c.ctx, "tcp", addr)
	if err != nil {
		return err
	}
	nc := conn.(*net.TCPConn) // the network is tcp
	u := &upstream{c: c, number: number, addr: addr, nc: nc}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		_ = nc.Close() // nobody has used it
		return errGone
	}
	c.ups[number], c.current = u, u
	c.answers.Go(u.run)
	return nil
}

// run reads the answers to their end.
func (u *upstream) run() {
	c := u.c
	st := &answerStage{c: c, u: u}
	st.content.want = c.r.opt.Display.wants()
	f := &flow{scan: scanner{dir: Answers, lim: c.r.limits}, rules: c.r.rules, bends: c.r.rules.have(Answers), to: st}
	f.holds = f.bends
	st.flow = f
	err := c.pump(u.nc, f)
	c.mu.Lock()
	owes := c.current == u && (len(c.pending) > 0 || c.sending)
	dead := c.dead
	if c.r.several() && c.ups[u.number] == u {
		delete(c.ups, u.number)
	}
	c.mu.Unlock()
	switch {
	case dead:
		st.abandon(errGone.Error())
	case c.r.several() && !owes && !errors.Is(err, errCut) && !errors.Is(err, errIdle):
		_ = u.nc.Close() // the server let an idle connection go; the next request makes another
	case c.r.several() && err == nil:
		c.r.record(event{kind: kindShut, at: c.r.opt.Now(), conn: c.id, dir: Answers})
		c.shut("the target closed without an answer")
	case err == nil:
		c.r.record(event{kind: kindShut, at: c.r.opt.Now(), conn: c.id, dir: Answers})
		_ = c.nc.CloseWrite() // it may have ended
	default:
		st.abandon(err.Error())
		c.end(err)
	}
}

// outlet is what both stages have: the bytes that are to be written, and what is shown of a message.
type outlet struct {
	flow    *flow
	out     []byte
	content content
	shownOf *message // being sent on, and not finished
	rawSeen bool
}

func (o *outlet) put(b []byte) { o.out = append(o.out, b...) }

// take returns all that was put, and b.
func (o *outlet) take(b []byte) []byte {
	if len(o.out) == 0 {
		return b
	}
	o.out = append(o.out, b...)
	b = o.out
	o.out = o.out[:0]
	if cap(o.out) > 4*pieceSize {
		o.out = nil
	}
	return b
}

// answerStage sends answers to the client.
type answerStage struct {
	outlet
	c    *client
	u    *upstream
	done int // answers that were finished and not yet written
}

func (s *answerStage) received(m *message) {
	c := s.c
	c.mu.Lock()
	if c.matched < len(c.pending) {
		m.exch = c.pending[c.matched]
		c.matched++
	}
	c.mu.Unlock()
	if m.exch != nil {
		m.op, m.key = m.exch.op, m.exch.key
	}
	c.r.record(event{kind: kindHead, at: c.r.opt.Now(), conn: c.id, dir: Answers, n: m.number(), data: m.head})
}

func (s *answerStage) receivedBody(m *message, b []byte) {
	if c := s.c; c.r.opt.Recorder != nil {
		c.r.record(event{kind: kindBody, at: c.r.opt.Now(), conn: c.id, dir: Answers, n: m.number(), data: append([]byte(nil), b...)})
	}
}

func (s *answerStage) receivedEnd(m *message) {
	s.c.r.record(event{kind: kindEnd, at: s.c.r.opt.Now(), conn: s.c.id, dir: Answers, n: m.number()})
}

func (s *answerStage) dropped(m *message, why error) {
	s.tell(m, why.Error())
}

func (m *message) number() int64 {
	if m.exch == nil {
		return 0
	}
	return m.exch.n
}

func (s *answerStage) begin(m *message) error {
	s.shownOf = m
	return nil
}

func (s *answerStage) body(b []byte) { s.content.add(b) }

func (s *answerStage) finish(m *message) {
	s.tell(m, "")
	if m.exch != nil {
		s.done++
	}
}

// tell shows a message that went on, and counts it.
func (s *answerStage) tell(m *message, why string) {
	c := s.c
	now := c.r.opt.Now()
	e := shown{kind: kindEnd, at: now, conn: c.id, dir: Answers, m: m, n: m.number(), target: s.u.addr, text: why}
	if m.exch != nil {
		c.mu.Lock()
		e.latency = now.Sub(m.exch.sent)
		c.mu.Unlock()
		c.r.stats.answered(m.op, e.latency)
	}
	s.content.take(&e)
	c.r.show(e)
	s.shownOf = nil
}

// abandon shows a message that was under way when its connection ended.
func (s *answerStage) abandon(why string) {
	if m := s.shownOf; m != nil {
		s.tell(m, why)
	}
}

func (s *answerStage) raw(b []byte) error {
	c := s.c
	c.r.record(event{kind: kindRaw, at: c.r.opt.Now(), conn: c.id, dir: Answers, data: append([]byte(nil), b...)})
	s.content.add(b)
	e := shown{kind: kindRaw, at: c.r.opt.Now(), conn: c.id, dir: Answers, target: s.u.addr}
	s.content.take(&e)
	if !s.rawSeen {
		e.text = s.flow.scan.fault.String()
	}
	s.rawSeen = true
	c.r.show(e)
	return nil
}

func (s *answerStage) open() error { return nil }

func (s *answerStage) write(b []byte) error { return s.c.write(s.take(b)) }

// settle is called when the answers that were finished have been written: from now on another server may owe answers.
func (s *answerStage) settle() {
	if s.done == 0 {
		return
	}
	c := s.c
	c.mu.Lock()
	n := min(s.done, len(c.pending))
	c.pending = append(c.pending[:0], c.pending[n:]...)
	c.matched -= n
	c.closeIdleLocked()
	c.changed.Broadcast()
	c.mu.Unlock()
	c.r.owed.Add(-int64(n))
	s.done = 0
}

func (s *answerStage) pause(d time.Duration) error { return s.c.sleep(d) }

func (s *answerStage) hold(d time.Duration) *holding {
	return s.c.r.held[Answers].add(s.u.nc, s.c.r.opt.Now().Add(d))
}

func (s *answerStage) passed() { s.c.r.held[Answers].passed() }
