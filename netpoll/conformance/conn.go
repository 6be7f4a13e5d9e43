package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// conn is one connection of a case. A goroutine of its own reads it until it
// ends; close waits for that goroutine.
type conn struct {
	nc      *net.TCPConn
	limits  *limits
	sent    time.Time // just before the last byte was handed over; until then, when it was opened
	sendErr error     // sending failed; a fault unless the case expects the close

	news chan struct{} // holds one token when something below has changed
	done chan struct{} // closed when the reader has ended

	mu      sync.Mutex // guards the fields below
	buf     []byte     // what came and was not taken
	taken   int        // bytes taken so far: the stream position of buf[0]
	arrived []arrival  // covers buf, in order
	end     error      // why the stream ended; nil while it is open
	endAt   time.Time
}

// arrival says when the bytes in front of a stream position had come.
type arrival struct {
	upTo int
	at   time.Time
}

// openConn connects and starts the reader.
func openConn(ctx context.Context, addr string, lim *limits) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, lim.answer)
	defer cancel()
	var dialer net.Dialer
	nc, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &conn{
		nc:     nc.(*net.TCPConn),
		limits: lim,
		sent:   time.Now(),
		news:   make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
	go c.readAll()
	return c, nil
}

// readAll is the reader: it stores what comes until the stream ends.
func (c *conn) readAll() {
	defer close(c.done)
	chunk := make([]byte, 64<<10)
	for {
		n, err := c.nc.Read(chunk)
		now := time.Now()
		c.mu.Lock()
		c.buf = append(c.buf, chunk[:n]...)
		c.arrived = append(c.arrived, arrival{c.taken + len(c.buf), now})
		if err != nil {
			c.end, c.endAt = err, now
		}
		c.mu.Unlock()
		select {
		case c.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// sendPiece is the most handed to TCP at once: sent is taken before the last
// piece, so that a large body's way through the socket is not counted as the
// server's time.
const sendPiece = 64 << 10

// send hands b to TCP. A connection that the server closes meanwhile is noted in
// sendErr and no error yet: the case may expect just that.
func (c *conn) send(b []byte) error {
	if c.sendErr != nil {
		return nil
	}
	for len(b) > 0 {
		piece := b[:min(len(b), sendPiece)]
		b = b[len(piece):]
		now := time.Now()
		if err := c.nc.SetWriteDeadline(now.Add(c.limits.answer)); err != nil {
			return err
		}
		c.sent = now
		if _, err := c.nc.Write(piece); errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("the server has read nothing for %v", c.limits.answer)
		} else if err != nil {
			c.sendErr = err
			return nil
		}
	}
	return nil
}

// closedByServer reports whether the stream from the server has ended.
func (c *conn) closedByServer() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end != nil
}

// await blocks until ok, which is called with c.mu held, is true; or until
// nothing has come for that long, which it reports as false.
func (c *conn) await(ctx context.Context, patience time.Duration, ok func() bool) (bool, error) {
	for {
		c.mu.Lock()
		yes := ok()
		c.mu.Unlock()
		if yes {
			return true, nil
		}
		timer := time.NewTimer(patience)
		select {
		case <-c.news:
			timer.Stop()
		case <-timer.C:
			return false, nil
		case <-ctx.Done():
			timer.Stop()
			return false, context.Cause(ctx)
		}
	}
}

// reply takes one response. It returns errNoReply if the server closed in front
// of its first byte.
func (c *conn) reply(ctx context.Context, patience time.Duration) (reply, error) {
	var r reply
	var need int
	var bad error
	came, err := c.await(ctx, patience, func() bool {
		r, need, bad = parseReply(c.buf)
		return bad != nil || need > 0 && len(c.buf) >= need || c.end != nil
	})
	if err != nil {
		return r, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case bad != nil:
		return r, bad
	case !came:
		return r, fmt.Errorf("no complete response, and nothing further for %v; so far %s", patience, excerpt(c.buf, 0))
	case need == 0 && len(c.buf) == 0:
		return r, c.because(errNoReply)
	case need == 0 || len(c.buf) < need:
		return r, fmt.Errorf("the server closed within a response (%w), after %s", c.end, excerpt(c.buf, 0))
	}
	r.at = c.takeLocked(need)
	return r, nil
}

// because adds how the stream ended, and how sending failed, to err.
// Requires c.mu held.
func (c *conn) because(err error) error {
	if c.end != nil && !errors.Is(c.end, io.EOF) {
		err = fmt.Errorf("%w (%w)", err, c.end)
	}
	if c.sendErr != nil {
		err = fmt.Errorf("%w; sending had failed: %w", err, c.sendErr)
	}
	return err
}

// takeLocked removes n > 0 bytes and returns when the last of them came.
// Requires c.mu held.
func (c *conn) takeLocked(n int) time.Time {
	c.buf = c.buf[n:]
	c.taken += n
	for len(c.arrived) > 1 && c.arrived[0].upTo < c.taken {
		c.arrived = c.arrived[1:]
	}
	return c.arrived[0].at
}

// untilClosed waits for the end of the stream, without a further byte, and
// returns when it came. End of stream and reset both count.
func (c *conn) untilClosed(ctx context.Context, patience time.Duration) (time.Time, error) {
	closed, err := c.await(ctx, patience, func() bool { return c.end != nil || len(c.buf) > 0 })
	if err != nil {
		return time.Time{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case len(c.buf) > 0:
		return c.endAt, unread(c.buf, "where the server must close")
	case !closed:
		return c.endAt, fmt.Errorf("the server has not closed the connection within %v", patience.Round(time.Millisecond))
	}
	c.sendErr = nil // what the server has closed cannot be written to
	return c.endAt, nil
}

// silent waits that long and fails if the server sends or closes.
func (c *conn) silent(ctx context.Context, long time.Duration) error {
	spoke, err := c.await(ctx, long, func() bool { return c.end != nil || len(c.buf) > 0 })
	if err != nil || !spoke {
		return err
	}
	if err := c.leftover("while it must be silent"); err != nil {
		return err
	}
	return fmt.Errorf("the server closed the connection within the %v in which it must stay open", long)
}

// leftover returns an error if there are bytes that nobody has taken.
func (c *conn) leftover(when string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.buf) > 0 {
		return unread(c.buf, when)
	}
	return nil
}

// close closes the connection and waits for its reader.
func (c *conn) close() {
	c.nc.Close() //nolint:errcheck // nothing is left to be done with it
	<-c.done
}
