package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxPending bounds the requests of one connection that have no answer yet; more are not read meanwhile.
const maxPending = 4096

// pieceSize is how much is read at a time, in bytes.
const pieceSize = 32 << 10

// exchange is a request that has no answer yet.
type exchange struct {
	n      int64
	op     string
	key    []byte
	sent   time.Time // when it was sent on, to its last byte if that has been
	target string
	close  bool // the client wants no other answer
}

// client is one connection of a web server. run is its goroutine and reads the requests; each upstream has one that reads answers.
type client struct {
	ctx  context.Context // ends with the connection
	kill context.CancelFunc
	r    *Relay
	id   int64
	nc   *net.TCPConn
	last atomic.Int64 // when bytes came last, either way, in ns of the clock

	wmu sync.Mutex // held while something is written to nc

	mu      sync.Mutex
	changed sync.Cond // anything of the following has changed
	pending []*exchange
	matched int               // how many of these have an answer that has begun
	ups     map[int]*upstream // open, by the number of the target
	current *upstream         // who gets requests, and owes the answers
	sending bool              // a request is on its way to it, and not whole
	ended   bool              // there will be no other request
	dead    bool

	answers sync.WaitGroup // the readers of answers
	why     atomic.Pointer[string]
}

func newClient(ctx context.Context, r *Relay, nc *net.TCPConn) *client {
	c := &client{r: r, nc: nc, ups: map[int]*upstream{}}
	c.ctx, c.kill = context.WithCancel(context.WithoutCancel(ctx)) // the relay's end lets it finish
	c.changed.L = &c.mu
	c.touch()
	return c
}

// run serves the connection to its end.
func (c *client) run() {
	c.r.record(event{kind: kindOpen, at: c.r.opt.Now(), conn: c.id})
	c.r.show(shown{kind: kindOpen, at: c.r.opt.Now(), conn: c.id, text: c.nc.RemoteAddr().String()})
	st := &requestStage{c: c}
	st.content.want = c.r.opt.Display.wants()
	f := &flow{scan: scanner{dir: Requests, lim: c.r.limits}, rules: c.r.rules, bends: c.r.rules.have(Requests), to: st}
	f.holds = f.bends || c.r.several()
	st.flow = f
	switch err := c.pump(c.nc, f); {
	case err == nil:
		c.requestsEnded()
	case errors.Is(err, errRefuse):
		st.abandon("")
		c.refuse()
	case errors.Is(err, errLast):
		c.requestsEnded()
		c.linger()
	default:
		st.abandon(err.Error())
		c.end(err)
	}
	c.answers.Wait()
	c.shut("")
	why := ""
	if p := c.why.Load(); p != nil {
		why = *p
	}
	c.mu.Lock()
	c.r.owed.Add(-int64(len(c.pending)))
	c.r.stats.unanswered(len(c.pending))
	c.pending = nil
	c.mu.Unlock()
	c.r.record(event{kind: kindClose, at: c.r.opt.Now(), conn: c.id})
	c.r.show(shown{kind: kindClose, at: c.r.opt.Now(), conn: c.id, text: why})
}

// pump feeds a flow with what comes from nc, until the end of the stream (nil) or of the connection.
func (c *client) pump(nc *net.TCPConn, f *flow) error {
	buf := make([]byte, pieceSize)
	for {
		c.arm(nc, f)
		n, err := nc.Read(buf)
		if n > 0 {
			c.touch()
			if err := f.feed(buf[:n]); err != nil {
				return err
			}
		}
		if err := f.due(c.r.opt.Now()); err != nil {
			return err
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if time.Since(time.Unix(0, c.last.Load())) >= c.r.opt.IdleTimeout {
				return errIdle
			}
		case errors.Is(err, io.EOF):
			return f.eof()
		default:
			return err
		}
	}
}

// arm sets when a read gives up: to see whether the connection is idle, or to let a held message go.
func (c *client) arm(nc *net.TCPConn, f *flow) {
	at := time.Unix(0, c.last.Load()).Add(c.r.opt.IdleTimeout)
	if f.mayRelease() && f.held.until.Before(at) {
		at = f.held.until
	}
	_ = nc.SetReadDeadline(at) // the read will tell what is wrong with nc
	if f.mayRelease() && f.held.gone.Load() {
		_ = nc.SetReadDeadline(time.Unix(1, 0)) // it went between two looks
	}
}

func (c *client) touch() { c.last.Store(time.Now().UnixNano()) }

// write sends bytes to the client.
func (c *client) write(b []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.writeTo(c.nc, b)
}

func (c *client) writeTo(nc *net.TCPConn, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := nc.SetWriteDeadline(time.Now().Add(c.r.opt.IdleTimeout)); err != nil {
		return err
	}
	_, err := nc.Write(b)
	c.touch()
	return err
}

// await waits until ok, which is called with c.mu held, or the connection has ended.
func (c *client) await(ok func() bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !ok() && !c.dead { // whoever reads answers ends the connection when it is idle
		c.changed.Wait()
	}
	if c.dead {
		return errGone
	}
	return nil
}

func (c *client) answered() bool { return len(c.pending) == 0 }

// requestsEnded passes the end of the requests on.
func (c *client) requestsEnded() {
	c.r.record(event{kind: kindShut, at: c.r.opt.Now(), conn: c.id, dir: Requests})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for _, u := range c.ups {
		_ = u.nc.CloseWrite() // it may have ended
	}
	c.closeIdleLocked()
}

// closeIdleLocked closes the servers' connections when nothing will be asked or answered any more. A single one ends by itself.
func (c *client) closeIdleLocked() {
	if !c.ended || !c.r.several() || len(c.pending) > 0 {
		return
	}
	_ = c.nc.CloseWrite() // it may have ended
	for _, u := range c.ups {
		_ = u.nc.Close() // nothing is expected of it
	}
}

// sleep does nothing for so long, or until the connection ends.
func (c *client) sleep(d time.Duration) error {
	if pause(c.ctx, d) != nil {
		return errGone
	}
	return nil
}

// end ends the connection because of err: softly if we want it, with a reset if the other side was reset.
func (c *client) end(err error) {
	if errors.Is(err, errCut) || errors.Is(err, errIdle) || errors.Is(err, errGone) {
		c.shut(err.Error())
		return
	}
	_ = c.nc.SetLinger(0) // it may have ended
	c.mu.Lock()
	for _, u := range c.ups {
		_ = u.nc.SetLinger(0) // it may have ended
	}
	c.mu.Unlock()
	c.shut(plainError(err))
}

// plainError is an error of the network without addresses.
func plainError(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err.Error()
	}
	return err.Error()
}

// shut closes the connection and all that belong to it. why is kept if it is the first.
func (c *client) shut(why string) {
	if why != "" {
		c.why.CompareAndSwap(nil, &why)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return
	}
	c.dead = true
	c.kill()
	_ = c.nc.Close() // what was written stays written
	for _, u := range c.ups {
		_ = u.nc.Close() // nothing more is wanted of it
	}
	c.changed.Broadcast()
}

// Bounds of a linger: a close with bytes unread would make TCP send a reset, which can wipe out the answer.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 1 << 20
)

// refuse answers for the servers: 400 is what makes an exception of it in the page, and says to nobody that a save was stored.
func (c *client) refuse() {
	if c.await(c.answered) != nil {
		return
	}
	if c.write(c.r.refusal) != nil {
		c.shut("")
		return
	}
	c.why.CompareAndSwap(nil, new("refused with 400"))
	c.r.stats.refused()
	c.linger()
	c.shut("")
}

// linger tells the client that nothing more comes, and waits for it to go.
func (c *client) linger() {
	if err := c.await(c.answered); err != nil {
		return
	}
	_ = c.nc.CloseWrite()                                // the read tells
	_ = c.nc.SetReadDeadline(time.Now().Add(lingerTime)) // likewise
	_, _ = io.Copy(io.Discard, io.LimitReader(c.nc, lingerBytes))
}
