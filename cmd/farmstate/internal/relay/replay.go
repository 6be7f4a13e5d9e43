package relay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// ReplayOptions say how a recording is played.
type ReplayOptions struct {
	Target  string
	Timeout time.Duration      // for one answer, one connection; above 0
	Strict  bool               // every byte of an answer counts
	Whole   bool               // differences name session ids whole
	Differs func(d Difference) // is told of each exchange that differs. Not nil
	// MaxDifferences ends the replay when there are so many. 0: no bound.
	MaxDifferences int64
	// Progress is told after each event how far it is, Present once if the server has sessions of the recording already. Nil is not told.
	Progress func(ReplayResult)
	Present  func()
}

// Difference is an exchange that went another way than the recorded one.
type Difference struct {
	Exchange   int64   `json:"exchange,omitempty"` // as in the recording; 0 for what belongs to none
	Connection int64   `json:"connection"`
	Operation  string  `json:"operation,omitempty"`
	Session    string  `json:"session,omitempty"` // the key as it may be shown
	Fields     []Field `json:"fields"`
}

// Field is one thing that differs.
type Field struct {
	Name     string `json:"name"`
	Recorded string `json:"recorded"`
	Live     string `json:"live"`
}

// ReplayResult counts exchanges.
type ReplayResult struct {
	Same      int64 `json:"same"`
	Different int64 `json:"different"` // with what else differed, such as the end of a connection
	Skipped   int64 `json:"skipped"`   // whose answer is not in the recording, or not whole
	CutOff    bool  `json:"cut_off"`   // the recording has no end
	Stopped   bool  `json:"stopped"`   // there were too many differences: what follows was not played
}

// settle is how long a request waits for another one of the same session on another connection that was sent and not answered before it:
// the server should see them in this order, and nothing but time tells.
const settle = 20 * time.Millisecond

// Replay plays a recording against a server, and compares the answers.
//
// The events happen in the order of the recording: a request is sent when the answers that were recorded before it are in, and does
// not wait for any other. The error says why the recording could not be played to its end; a difference is none.
func Replay(ctx context.Context, rec *Recording, opt ReplayOptions) (ReplayResult, error) {
	p := &player{ctx: ctx, opt: opt, conns: map[int64]*played{}, asked: map[int64]*question{}, cookies: map[string]*cookies{}, begun: map[string]bool{}}
	defer p.close()
	for ctx.Err() == nil {
		e, err := rec.next()
		switch {
		case errors.Is(err, io.EOF):
			p.result.Skipped += int64(len(p.asked))
			return p.result, nil
		case errors.Is(err, ErrCutOff):
			p.result.CutOff = true
			p.result.Skipped += int64(len(p.asked))
			return p.result, nil
		case err != nil:
			return p.result, err
		}
		if err := p.play(e); err != nil {
			return p.result, err
		}
		if opt.Progress != nil {
			opt.Progress(p.result)
		}
		if opt.MaxDifferences > 0 && p.result.Different >= opt.MaxDifferences {
			p.result.Stopped = true
			return p.result, nil
		}
	}
	return p.result, context.Cause(ctx)
}

// player is a replay under way. It has no goroutine: answers wait in the sockets.
type player struct {
	ctx     context.Context
	opt     ReplayOptions
	result  ReplayResult
	conns   map[int64]*played
	asked   map[int64]*question // requests whose answer has not been compared
	cookies map[string]*cookies // by key
	begun   map[string]bool     // the keys of which an answer was compared
	present bool                // it was told that the server has sessions already
}

// played is a connection.
type played struct {
	id   int64
	nc   *net.TCPConn
	in   *bufio.Reader
	gone error // why it cannot be used any more

	answer *answer // the recorded one that is being read
}

// question is a request.
type question struct {
	conn *played
	op   string
	key  string
}

// answer is an answer with its body.
type answer struct {
	n    int64
	head []byte
	body []byte
}

func (p *player) close() {
	for _, c := range p.conns {
		_ = c.nc.Close() // all was read that was wanted
	}
}

func (p *player) play(e *recorded) error {
	if e.kind == kindOpen {
		return p.open(e.conn)
	}
	c := p.conns[e.conn]
	if c == nil {
		return fmt.Errorf("the recording uses connection %d, which has not been opened", e.conn)
	}
	if e.kind == kindClose {
		_ = c.nc.Close() // all was read that was wanted
		delete(p.conns, e.conn)
		for n, q := range p.asked {
			if q.conn == c {
				delete(p.asked, n)
				p.result.Skipped++
			}
		}
		return nil
	}
	if e.dir == Requests {
		p.request(c, e)
	} else {
		p.answer(c, e)
	}
	return nil
}

func (p *player) open(id int64) error {
	if p.conns[id] != nil {
		return fmt.Errorf("the recording opens connection %d twice", id)
	}
	d := net.Dialer{Timeout: p.opt.Timeout}
	conn, err := d.DialContext(p.ctx, "tcp", p.opt.Target)
	if err != nil {
		return fmt.Errorf("%s cannot be reached: %s", p.opt.Target, plainError(err))
	}
	nc := conn.(*net.TCPConn) // the network is tcp
	p.conns[id] = &played{id: id, nc: nc, in: bufio.NewReaderSize(nc, maxMaxHead)}
	return nil
}

// request sends on a piece of what the client sent.
func (p *player) request(c *played, e *recorded) {
	switch e.kind {
	case kindHead:
		p.write(c, p.ask(c, e))
	case kindBody, kindRaw:
		p.write(c, e.data)
	case kindShut:
		_ = c.nc.CloseWrite() // the next answer tells
	}
}

// ask notes a request, and returns its head with the cookie that the server knows.
func (p *player) ask(c *played, e *recorded) []byte {
	q := &question{conn: c}
	p.asked[e.n] = q
	var r wire.Request
	if _, f := wire.ParseHead(e.data, 0, &wire.Limits{MaxHead: maxMaxHead, MaxBody: maxBody}, &r); f != wire.OK {
		return e.data // a rule bent it so
	}
	q.op, q.key = operation(&r), string(wire.AppendKey(make([]byte, 0, len(r.Target)), r.Target))
	for _, other := range p.asked {
		if other != q && other.key == q.key && other.conn != c {
			p.settle(other.conn)
		}
	}
	if live, ok := p.cookiesOf(q.key).live[uint32(r.Cookie)]; ok && r.HasCookie && live != uint32(r.Cookie) {
		return setHeader(e.data, "LockCookie", strconv.FormatUint(uint64(live), 10))
	}
	return e.data
}

// settle waits until an answer begins on a connection, but not for long.
func (p *player) settle(c *played) {
	if c.gone != nil {
		return
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(settle)) // the next answer tells
	_, _ = c.in.Peek(1)                              // likewise
}

func (p *player) write(c *played, b []byte) {
	if c.gone != nil || len(b) == 0 {
		return
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(p.opt.Timeout)) // the write tells
	_, _ = c.nc.Write(b)                                     // the answer tells: a refusal may be there although the server reads no more
}

// answer takes a piece of a recorded answer; when that is whole, it reads the live one and compares.
func (p *player) answer(c *played, e *recorded) {
	switch e.kind {
	case kindHead:
		c.answer = &answer{n: e.n, head: e.data}
	case kindBody:
		if c.answer != nil {
			c.answer.body = append(c.answer.body, e.data...)
		}
	case kindEnd:
		if want := c.answer; want != nil {
			c.answer = nil
			p.compare(c, want)
		}
	case kindRaw:
		p.compareRaw(c, e.data)
	case kindShut:
		p.compareEnd(c)
	}
}

func (p *player) compare(c *played, want *answer) {
	q := p.asked[want.n]
	if q == nil {
		q = &question{conn: c}
	}
	delete(p.asked, want.n)
	got, err := p.read(c)
	if err != nil {
		p.differs(c, want.n, q, []Field{{"answer", firstText(want.head), err.Error()}})
		return
	}
	p.lookPresent(q.key, want, got)
	fields := p.fields(q.key, want, got)
	if len(fields) > 0 {
		p.differs(c, want.n, q, fields)
		return
	}
	p.result.Same++
}

// lookPresent tells if the first answer about a session shows that the server had it before: it is there and was not, or locked and was not.
func (p *player) lookPresent(key string, want, got *answer) {
	if p.opt.Present == nil || p.present || key == "" || p.begun[key] {
		return
	}
	p.begun[key] = true
	var w, g wire.Answer
	lim := &wire.Limits{MaxHead: maxMaxHead, MaxBody: maxBody}
	_, wf := wire.ParseAnswer(want.head, lim, &w)
	_, gf := wire.ParseAnswer(got.head, lim, &g)
	if wf != wire.OK || gf != wire.OK || w.Status == g.Status {
		return
	}
	if g.Status == wire.StatusLocked || w.Status == wire.StatusNotFound && g.Status == wire.StatusOK {
		p.present = true
		p.opt.Present()
	}
}

func (p *player) differs(c *played, n int64, q *question, fields []Field) {
	p.result.Different++
	d := Difference{Exchange: n, Connection: c.id, Operation: q.op, Fields: fields}
	if q.key != "" {
		d.Session = keyText([]byte(q.key), p.opt.Whole)
	}
	p.opt.Differs(d)
}

// read reads one answer from the server.
func (p *player) read(c *played) (*answer, error) {
	if c.gone != nil {
		return nil, c.gone
	}
	a, err := p.readAnswer(c)
	if err != nil {
		c.gone = fmt.Errorf("none: %w", readError(err, p.opt.Timeout))
		return nil, c.gone
	}
	return a, nil
}

func readError(err error, timeout time.Duration) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("nothing came within %s", timeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the server closed the connection")
	}
	return errors.New(plainError(err))
}

func (p *player) readAnswer(c *played) (*answer, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(p.opt.Timeout)); err != nil {
		return nil, err
	}
	var parsed wire.Answer
	for n := 1; ; n = max(n, c.in.Buffered()) + 1 {
		if n > maxMaxHead {
			return nil, errors.New("what comes is no answer of a state server")
		}
		if _, err := c.in.Peek(n); err != nil {
			return nil, err
		}
		b, _ := c.in.Peek(c.in.Buffered()) // all of it is there
		size, f := wire.ParseAnswer(b, &wire.Limits{MaxHead: maxMaxHead, MaxBody: maxBody}, &parsed)
		switch f {
		case wire.Short:
			continue
		case wire.OK:
		default:
			return nil, errors.New("what comes is no answer of a state server")
		}
		a := &answer{head: append([]byte(nil), b[:size]...)}
		_, _ = c.in.Discard(size) // it is there
		body, err := io.ReadAll(io.LimitReader(c.in, int64(parsed.ContentLength)))
		if err == nil && len(body) < parsed.ContentLength {
			err = io.ErrUnexpectedEOF
		}
		a.body = body
		return a, err
	}
}

func (p *player) compareRaw(c *played, want []byte) {
	q := &question{conn: c}
	if c.gone != nil {
		p.differs(c, 0, q, []Field{{"bytes", strconv.Itoa(len(want)), c.gone.Error()}})
		return
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(p.opt.Timeout)) // the read tells
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.in, got)
	if err != nil {
		c.gone = fmt.Errorf("%d bytes, then %w", n, readError(err, p.opt.Timeout))
		p.differs(c, 0, q, []Field{{"bytes", strconv.Itoa(len(want)), c.gone.Error()}})
		return
	}
	if f, differ := contents("bytes", want, got); differ {
		p.differs(c, 0, q, []Field{f})
	}
}

// compareEnd expects that the server ends the connection.
func (p *player) compareEnd(c *played) {
	if c.gone != nil {
		return // which was told
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(p.opt.Timeout)) // the read tells
	live := ""
	switch _, err := c.in.ReadByte(); {
	case err == nil:
		live = "sent more"
	case errors.Is(err, os.ErrDeadlineExceeded):
		live = fmt.Sprintf("still open after %s", p.opt.Timeout)
	default:
		return
	}
	c.gone = errors.New("none: the recorded server had closed the connection here")
	p.differs(c, 0, &question{conn: c}, []Field{{"connection", "closed by the server", live}})
}
