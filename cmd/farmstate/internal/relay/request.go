package relay

import "time"

// requestStage sends requests to the state server that they are for.
type requestStage struct {
	outlet
	c *client
}

func (s *requestStage) received(*message)             {}
func (s *requestStage) receivedBody(*message, []byte) {}
func (s *requestStage) receivedEnd(*message)          {}

func (s *requestStage) dropped(m *message, why error) {
	s.c.r.show(shown{kind: kindEnd, at: s.c.r.opt.Now(), conn: s.c.id, m: m, text: why.Error()})
}

// begin finds the server for a request, and notes that an answer is owed.
func (s *requestStage) begin(m *message) error {
	c := s.c
	c.mu.Lock()
	ended := c.ended
	c.mu.Unlock()
	if ended {
		return errLast
	}
	if s.flow.holds {
		if err := s.openFor(m.key); err != nil {
			return err
		}
	}
	if err := s.owe(m); err != nil {
		return err
	}
	s.shownOf = m
	if s.flow.bend.after < 0 {
		c.r.record(event{kind: kindHead, at: c.r.opt.Now(), conn: c.id, n: m.exch.n, data: m.head})
	}
	return nil
}

// owe makes an exchange of a request.
func (s *requestStage) owe(m *message) error {
	c := s.c
	if err := c.await(func() bool { return len(c.pending) < maxPending }); err != nil {
		return err
	}
	m.exch = &exchange{n: c.r.exchanges.Add(1), op: m.op, key: m.key, sent: c.r.opt.Now(), close: m.req.Close}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil {
		m.exch.target = c.current.addr
	}
	c.pending = append(c.pending, m.exch)
	c.r.owed.Add(1)
	c.sending = true
	return nil
}

// openFor connects to the server for a session. What was put for another one is written first.
func (s *requestStage) openFor(key []byte) error {
	if len(s.out) > 0 && s.c.r.several() {
		if err := s.write(nil); err != nil {
			return err
		}
	}
	return s.c.connect(key)
}

func (s *requestStage) body(b []byte) {
	c := s.c
	s.content.add(b)
	if c.r.opt.Recorder != nil && s.flow.bend.after < 0 {
		m := s.shownOf
		c.r.record(event{kind: kindBody, at: c.r.opt.Now(), conn: c.id, n: m.exch.n, data: append([]byte(nil), b...)})
	}
}

func (s *requestStage) finish(m *message) {
	c := s.c
	now := c.r.opt.Now()
	c.mu.Lock()
	m.exch.sent = now
	c.sending = false
	if m.exch.close && c.r.several() {
		c.ended = true // the server would close here, but it is not the client's only one
	}
	c.mu.Unlock()
	if s.flow.bend.after < 0 {
		c.r.record(event{kind: kindEnd, at: now, conn: c.id, n: m.exch.n})
	}
	s.tell(m, "")
}

func (s *requestStage) tell(m *message, why string) {
	e := shown{kind: kindEnd, at: s.c.r.opt.Now(), conn: s.c.id, m: m, n: m.exch.n, target: m.exch.target, text: why}
	s.content.take(&e)
	s.c.r.show(e)
	s.shownOf = nil
}

// abandon shows a message that was under way when its connection ended.
func (s *requestStage) abandon(why string) {
	if m := s.shownOf; m != nil {
		s.tell(m, why)
	}
}

func (s *requestStage) raw(b []byte) error {
	c := s.c
	first := !s.rawSeen
	s.rawSeen = true
	s.content.add(b)
	e := shown{kind: kindRaw, at: c.r.opt.Now(), conn: c.id}
	if first {
		e.text = s.flow.scan.fault.String()
	}
	s.content.take(&e)
	c.r.show(e)
	if c.r.several() {
		return errRefuse // nobody knows whose it is
	}
	if s.flow.holds {
		if err := s.openFor(nil); err != nil {
			return err
		}
	}
	if first {
		m := &message{op: "other"}
		if err := s.owe(m); err != nil {
			return err
		}
	}
	c.r.record(event{kind: kindRaw, at: c.r.opt.Now(), conn: c.id, data: append([]byte(nil), b...)})
	return nil
}

func (s *requestStage) open() error {
	if s.c.r.several() {
		if s.c.current == nil {
			return errGone
		}
		return nil
	}
	return s.c.connect(nil)
}

func (s *requestStage) write(b []byte) error {
	if b = s.take(b); len(b) == 0 {
		return nil
	}
	u := s.c.current // only this goroutine changes it
	if u == nil {
		return errGone
	}
	return s.c.writeTo(u.nc, b)
}

func (s *requestStage) settle() {}

func (s *requestStage) pause(d time.Duration) error { return s.c.sleep(d) }

func (s *requestStage) hold(d time.Duration) *holding {
	return s.c.r.held[Requests].add(s.c.nc, s.c.r.opt.Now().Add(d))
}

func (s *requestStage) passed() { s.c.r.held[Requests].passed() }
