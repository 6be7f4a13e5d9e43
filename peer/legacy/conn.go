package legacy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// Times of a connection. See docs/peer-protocol.md §8.1.
const (
	pingEvery    = 10 * time.Second
	silence      = 30 * time.Second      // without a byte from the other side
	reuse        = 13 * time.Second      // since the last byte: after that a transfer link is not used again
	authTimeout  = 15 * time.Second      // for a live link's authentication, and for its first PING to be answered
	messageTime  = 60 * time.Second      // for one message to arrive
	writeTimeout = 10 * time.Second      // for one message to be taken
	spacing      = 15 * time.Millisecond // between two messages: the original loses what shares a read with something else
)

const (
	maxReplies       = 64 // answers that wait to be written
	maxBeforeRepeats = 16 // messages that wait on a link: no query is repeated then

	maxUnanswered = 32 // transfers that the handler has not answered, or whose answers wait
)

// sent is the kind of a message that we send, as far as it matters afterwards.
type sent uint8

const (
	sentOther    sent = iota
	sentAuth          // the other side sends nothing before it has read it
	sentPing          // will be answered
	sentQuery         // may be dropped
	sentTransfer      // will be answered
	sentAnswer        // to a transfer: losing it leaves two copies
)

// out is a message that waits to be written.
type out struct {
	kind    sent
	b       []byte
	nonce   string    // of a challenge
	queued  time.Time // of a query
	chained bool      // answers a transfer that nobody asked for; see transferCame
	written func()    // called when the message has been written; nil if nobody wants to know
}

// conn is one connection, dialled or accepted. Its reader runs readLoop, its writer writeLoop.
type conn struct {
	n             *Net
	nc            net.Conn
	rd            *Reader // the reader's
	local, remote netip.AddrPort
	dialled       bool
	done          chan struct{}
	wake          chan struct{} // for the writer; room for one
	unanswered    chan struct{} // a token for each transfer whose answer has not been written

	mu          sync.Mutex
	ended       bool
	why         reason // once ended
	candidates  []int  // the peers that may be at the other end; more than one if they have one address and nothing told them apart
	peer        int    // the one of the candidates that it is, as far as is known
	authed      bool   // both sides have proved the password
	key         *key   // of an authenticated connection; nil again after a body that did not decrypt
	challenge   string // the nonce of the 401 that was the last message we sent; empty if it was something else
	challengeBy time.Time
	live        bool
	pingAt      time.Time // when our next PING is due; zero if none is
	limit       time.Time // by when the connection has to have got further; zero if there is no such time
	limitEnd    reason    // why it ends then
	lastByte    time.Time // when something came
	begun       time.Time // when the message that is being read began; zero between messages
	idle        bool      // stands in Net.idle
	replies     []out
	asks        []out
	lastWrite   time.Time // zero if the other side is known to have read it
	lastSent    sent
	sentAny     bool
	chained     bool // the last message we sent was such an answer
	open        int  // transfers whose answers have not been written
	waiting     *waiting
}

// waiting is a transfer that waits for its answer.
type waiting struct {
	id     ID
	answer chan int // the status; room for one
}

func (n *Net) newConn(nc net.Conn, first []byte, candidates []int) *conn {
	n.counts.opened.Add(1)
	c := &conn{
		n: n, nc: nc, local: addrPort(nc.LocalAddr()), remote: addrPort(nc.RemoteAddr()), candidates: candidates,
		done: make(chan struct{}), wake: make(chan struct{}, 1), unanswered: make(chan struct{}, maxUnanswered), lastByte: time.Now(),
	}
	c.peer = candidates[0]
	for _, i := range candidates {
		if !n.peers[i].Authenticate { // who sends nothing else is one of those
			c.peer = i
			break
		}
	}
	var src io.Reader = c
	if len(first) > 0 {
		src = io.MultiReader(bytes.NewReader(bytes.Clone(first)), c)
	}
	c.rd = NewReader(src)
	return c
}

// end closes the connection, once.
func (c *conn) end(why reason) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.ended, c.why = true, why
	for _, o := range c.replies {
		if o.kind == sentAnswer {
			c.n.counts.drops[dropAnswer].Add(1)
		}
	}
	c.replies, c.asks = nil, nil
	c.mu.Unlock()
	c.n.counts.ends[why].Add(1)
	close(c.done)
	if tcp, ok := c.nc.(*net.TCPConn); ok && (why == endSpent || why == endFailed) {
		_ = tcp.SetLinger(0) // the original takes up to 30 s to notice an orderly close; nothing is under way any more
	}
	_ = c.nc.Close() // what it was for is over
	c.n.forget(c)
}

// Read reads from the socket for the Reader. It returns when something has come, or when the connection's time is up.
func (c *conn) Read(p []byte) (int, error) {
	for {
		c.mu.Lock()
		c.refreshDeadline()
		c.mu.Unlock()
		n, err := c.nc.Read(p)
		now := time.Now()
		c.mu.Lock()
		if n > 0 {
			c.lastByte = now
			if c.begun.IsZero() {
				c.begun = now
			}
		}
		by, _ := c.deadline()
		c.mu.Unlock()
		if n > 0 || err == nil {
			return n, nil
		}
		if !isTimeout(err) || !now.Before(by) {
			return 0, err
		}
	}
}

// deadline returns until when the reader may wait, and why the connection ends then. Requires that c.mu is held.
func (c *conn) deadline() (by time.Time, why reason) {
	by, why = c.lastByte.Add(silence), endSilent
	sooner := func(t time.Time, r reason) {
		if t.Before(by) {
			by, why = t, r
		}
	}
	if c.idle {
		sooner(c.lastByte.Add(reuse), endSpent)
	}
	if !c.begun.IsZero() {
		sooner(c.begun.Add(messageTime), endSlow)
	}
	if !c.limit.IsZero() {
		sooner(c.limit, c.limitEnd)
	}
	return by, why
}

// refreshDeadline tells the socket until when to wait, also if the reader is waiting already. Requires that c.mu is held.
func (c *conn) refreshDeadline() {
	by, _ := c.deadline()
	_ = c.nc.SetReadDeadline(by) // fails on a closed socket only, and then reading fails too
}

// readLoop reads messages until the connection ends.
func (c *conn) readLoop() {
	for {
		var m Message
		if err := c.next(&m); err != nil {
			c.end(c.readEnd(err))
			return
		}
		if why, ok := c.receive(&m); !ok {
			c.end(why)
			return
		}
	}
}

// next reads the head of the next message.
func (c *conn) next(m *Message) error {
	c.mu.Lock()
	c.begun = time.Time{}
	c.mu.Unlock()
	return c.rd.Next(m)
}

// readEnd says why the connection ends after a failed read, and logs it if somebody has to do something about it.
func (c *conn) readEnd(err error) reason {
	if !isTimeout(err) {
		return endOf(err)
	}
	c.mu.Lock()
	_, why := c.deadline()
	peer := c.peer
	c.mu.Unlock()
	if why == endNoPing {
		c.n.warn(peer, textNoPing, "event", "original_refused")
	}
	return why
}

// isTimeout reports whether a read or write ended because of its deadline.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// poke wakes the writer.
func (c *conn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// backlog is how much waits to be written.
func (c *conn) backlog() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.replies) + len(c.asks)
}

// doubtful reports whether a live link may be that of one peer or another.
func (c *conn) doubtful() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.candidates) > 1
}

func (c *conn) sure() bool { return !c.doubtful() }

// reply queues an answer. It reports false if the connection has to end because there are too many; those to transfers have a bound of their own.
func (c *conn) reply(o out) bool {
	c.mu.Lock()
	full := len(c.replies) >= maxReplies && o.kind != sentAnswer
	if c.ended {
		full = false
		if o.kind == sentAnswer {
			c.n.counts.drops[dropAnswer].Add(1)
		}
	} else if !full {
		c.replies = append(c.replies, o)
	}
	c.mu.Unlock()
	c.poke()
	return !full
}

// ask queues a query or a transfer.
func (c *conn) ask(o out) (why reason, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return dropNoLink, false
	}
	if len(c.asks) >= max(1, int(c.n.opt.QueryTimeout/spacing)) { // more would be sent too late
		return dropFull, false
	}
	o.queued = time.Now()
	c.asks = append(c.asks, o)
	c.poke()
	return 0, true
}

// writeLoop writes what is queued, one message at a time and never two in the same instant.
func (c *conn) writeLoop() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		o, wait := c.take(time.Now())
		if o.b == nil {
			timer.Reset(wait)
			select {
			case <-c.done:
				return
			case <-c.wake:
			case <-timer.C:
			}
			continue
		}
		if err := c.write(o.b, time.Now().Add(c.patience(o.kind))); err != nil {
			why := endReset
			if isTimeout(err) {
				why = endUnread
			}
			c.end(why)
			return
		}
		if o.written != nil {
			o.written()
		}
	}
}

// patience is how long the other side may take to take a message.
func (c *conn) patience(kind sent) time.Duration {
	if kind == sentTransfer {
		return c.n.opt.QueryTimeout
	}
	return writeTimeout
}

// write writes one message with one call.
func (c *conn) write(b []byte, by time.Time) error {
	if err := c.nc.SetWriteDeadline(by); err != nil {
		return err
	}
	_, err := c.nc.Write(b)
	c.mu.Lock()
	if !c.lastWrite.IsZero() { // the answer may have been read meanwhile
		c.lastWrite = time.Now()
	}
	c.mu.Unlock()
	return err
}

// take returns the next message that may be written now, or how long to wait for one. See docs/peer-protocol.md §8.1.
func (c *conn) take(now time.Time) (o out, wait time.Duration) {
	host := c.n.ownHost(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	if rest := c.lastWrite.Add(spacing).Sub(now); !c.lastWrite.IsZero() && rest > 0 {
		return out{}, rest
	}
	switch {
	case c.ended:
		return out{}, time.Hour
	case len(c.replies) > 0:
		o, c.replies = c.replies[0], c.replies[1:]
	case !c.pingAt.IsZero() && !now.Before(c.pingAt):
		c.pingAt = now.Add(pingEvery)
		o = out{kind: sentPing, b: Append(nil, &Message{Kind: KindPing, Host: host})}
		c.n.counts.pingsOut.Add(1)
	default:
		if o = c.takeAsk(now); o.b == nil {
			if c.pingAt.IsZero() {
				return out{}, time.Hour
			}
			return out{}, c.pingAt.Sub(now)
		}
	}
	c.lastSent, c.lastWrite, c.sentAny, c.chained = o.kind, now, true, o.chained
	if o.kind == sentAnswer {
		c.open--
	}
	c.challenge, c.challengeBy = o.nonce, now.Add(authTimeout)
	return o, 0
}

// takeAsk takes the next query or transfer. Requires that c.mu is held.
func (c *conn) takeAsk(now time.Time) (o out) {
	for len(c.asks) > 0 {
		o, c.asks = c.asks[0], c.asks[1:]
		if o.kind != sentQuery {
			return o
		}
		if now.Sub(o.queued) <= c.n.opt.QueryTimeout {
			c.n.counts.queriesOut.Add(1)
			return o
		}
		c.n.counts.drops[dropStale].Add(1)
	}
	return out{}
}

// transferCame counts a transfer that will be answered. An original that stops sends one after the other on a connection, each when it has read the answer to
// the one before; so one that nobody asked for says that such an answer has been read, unless others wait for theirs. What was asked for says nothing: it may
// come at any moment.
func (c *conn) transferCame(asked bool) {
	c.mu.Lock()
	if !asked && c.chained && c.open == 0 {
		c.lastWrite = time.Time{}
	}
	c.open++
	c.mu.Unlock()
	c.poke()
}

// heard notes that the other side has answered the kind of message that we sent last: it has read it, so nothing can share a read with it.
func (c *conn) heard(kind sent) {
	c.mu.Lock()
	if c.lastSent == kind {
		c.lastWrite = time.Time{}
	}
	c.mu.Unlock()
	c.poke()
}
