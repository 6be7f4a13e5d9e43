package legacy

import (
	"sync"
	"time"
)

// receive acts on one message, whose body has not been read. It reports false, and why, if the connection has to end.
func (c *conn) receive(m *Message) (why reason, ok bool) {
	c.heard(sentAuth) // who was sent a step of an authentication has read it before sending anything
	switch m.Kind {
	case KindPing:
		return c.receivePing(m)
	case KindQuery:
		c.receiveQuery(m)
	case KindTransfer:
		return c.receiveTransfer(m)
	case KindAuthBegin:
		return c.receiveAuthBegin(m)
	case KindAuthAnswer:
		return c.receiveAuthAnswer(m)
	case KindPingReply, KindResponse:
		return c.receiveResponse(m)
	case KindSession:
		c.n.counts.wrongPort.Add(1)
		return c.respond(&Message{Status: 400, Phrase: wrongPort}, sentOther)
	}
	return 0, true
}

// respond queues a response.
func (c *conn) respond(m *Message, kind sent) (why reason, ok bool) {
	m.Kind = KindResponse
	if m.Phrase == "" {
		m.Phrase = phrases[m.Status]
	}
	return endFlood, c.reply(out{kind: kind, b: Append(nil, m)})
}

// proved reports whether the other side has authenticated itself, if it has to.
func (c *conn) proved() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.authed || !c.n.peers[c.peer].Authenticate
}

func (c *conn) peerNow() (int, *original) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer, c.n.peers[c.peer]
}

// drop counts a message that is ignored.
func (c *conn) drop(why reason) { c.n.counts.drops[why].Add(1) }

// dropUnproved ignores a message of somebody who has to authenticate first. See docs/peer-protocol.md §8.2.
func (c *conn) dropUnproved() {
	c.drop(dropUnproved)
	peer, _ := c.peerNow()
	c.n.warn(peer, textNotAuth, "event", "original_refused")
}

func (c *conn) receivePing(m *Message) (why reason, ok bool) {
	if m.Bad {
		c.drop(dropMalformed)
		return 0, true
	}
	if !c.proved() {
		c.dropUnproved()
		return 0, true
	}
	c.n.counts.pingsIn.Add(1)
	c.n.goLive(c, m.Host)
	return endFlood, c.reply(out{b: Append(nil, &Message{Kind: KindPingReply})})
}

// receiveQuery shows a query to the handler. There is no answer to one. See docs/peer-protocol.md §8.4.
func (c *conn) receiveQuery(m *Message) {
	if !c.proved() {
		c.dropUnproved()
		return
	}
	if m.Bad {
		c.drop(dropMalformed)
		return
	}
	peer, _ := c.peerNow()
	if _, err := parseHost(m.Host, c.n.opt.PeerPort); err != nil {
		c.drop(dropHost)
		c.n.warn(peer, textBadHost, "event", "original_bad_host")
		return
	}
	if c.doubtful() {
		peer = Unknown
	}
	c.n.counts.queriesIn.Add(1)
	c.n.h.OriginalQuery(peer, Query{Target: m.Target, ID: m.ID, Broadcast: m.Broadcast, Host: m.Host, MaxForwards: m.Forwards})
}

// receiveTransfer shows a session to the handler, or refuses it. See docs/peer-protocol.md §8.4.
func (c *conn) receiveTransfer(m *Message) (why reason, ok bool) {
	n := c.n
	peer, p := c.peerNow()
	answer := func(status int) (reason, bool) {
		return c.respond(&Message{Status: status, HasAssoc: true, Assoc: m.ID}, sentOther)
	}
	if !c.proved() {
		n.counts.unproved.Add(1)
		n.warn(peer, textNotAuth, "event", "original_refused")
		return c.sendChallenge(&Message{HasAssoc: true, Assoc: m.ID})
	}
	c.mu.Lock()
	sealed := p.encrypts() && c.authed
	k := c.key
	c.mu.Unlock()
	switch {
	case m.Encrypted && !sealed:
		n.warn(peer, textTheyEncrypt, "event", "original_refused")
	case !m.Encrypted && sealed && m.Length > 0:
		n.warn(peer, textWeEncrypt, "event", "original_refused")
	}
	if m.Bad || m.Encrypted && !sealed || !m.Encrypted && sealed && m.Length > 0 || m.Encrypted && k == nil {
		n.counts.badIn.Add(1)
		return answer(400)
	}
	if m.Length > n.opt.MaxBody || m.Length > 0 && !n.opt.Reserve(m.Length) {
		n.counts.noMemory.Add(1)
		return answer(503)
	}
	body := make([]byte, m.Length)
	unreserve := func() {
		if m.Length > 0 {
			n.opt.Unreserve(m.Length)
		}
	}
	if err := c.rd.Body(body); err != nil {
		unreserve()
		return c.readEnd(err), false
	}
	if m.Encrypted {
		var err error
		if body, err = k.open(body, m.PlainLength); err != nil {
			unreserve()
			c.mu.Lock()
			c.key = nil // so that nobody can try what decrypts. See docs/peer-protocol.md §8.6
			c.mu.Unlock()
			n.counts.badIn.Add(1)
			n.warn(peer, textDecrypt, "event", "original_refused")
			return answer(400)
		}
	}
	select {
	case c.unanswered <- struct{}{}:
	case <-c.done:
		unreserve()
		return endEOF, false
	}
	asked := n.asked.has(m.Target, time.Now())
	c.transferCame(asked)
	var once sync.Once
	n.h.OriginalTransfer(peer, m.transfer(body), func(v Verdict) {
		once.Do(func() {
			unreserve()
			n.counts.verdicts[v].Add(1)
			b := Append(nil, &Message{Kind: KindResponse, Status: v.status(), Phrase: phrases[v.status()], HasAssoc: true, Assoc: m.ID})
			c.reply(out{kind: sentAnswer, b: b, chained: !asked, written: func() { <-c.unanswered }})
		})
	})
	return 0, true
}

func (m *Message) transfer(body []byte) Transfer {
	return Transfer{
		Target: m.Target, ID: m.ID, Body: body, Timeout: m.Timeout, Uninitialized: m.Uninitialized,
		Locked: m.Locked, LockCookie: m.LockCookie, LockAge: m.LockAge, LockDate: m.LockDate, LastModified: m.LastModified,
	}
}

// receiveResponse matches an answer with what we sent. See docs/peer-protocol.md §8.4.
func (c *conn) receiveResponse(m *Message) (why reason, ok bool) {
	if m.Bad {
		return endMalformed, false
	}
	c.mu.Lock()
	sentAny, w := c.sentAny, c.waiting
	found := m.HasAssoc && w != nil && w.id == m.Assoc
	if found {
		c.waiting = nil
	}
	c.mu.Unlock()
	switch {
	case !sentAny:
		return endUnasked, false
	case m.Kind == KindPingReply:
		c.heard(sentPing)
		c.pingAnswered()
	case found:
		c.heard(sentTransfer)
		w.answer <- m.Status
	default:
		c.drop(dropLate)
	}
	return 0, true
}

// pingAnswered makes a link that we have dialled live: the first PING has been answered, so the other side is content with us.
func (c *conn) pingAnswered() {
	c.mu.Lock()
	mine := c.limitEnd == endNoPing && !c.limit.IsZero()
	c.mu.Unlock()
	if mine {
		c.n.goLive(c, "")
	}
}
