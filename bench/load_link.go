package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// wireLimits bound what a server may send.
var wireLimits = wire.Limits{MaxHead: 16384, MaxBody: 1 << 30}

const (
	// idleLimit is when an unused connection is given up for a new one. ASP.NET does so after 5 to 10 s (docs/protocol.md §9.3),
	// so that it never meets the idle limit of a server.
	idleLimit = 10 * time.Second

	readBuffer = 16 << 10

	// joinLimit is up to which size a body is copied behind its head, to send both with one call.
	joinLimit = 64 << 10
)

// A link is one connection to a state server. Owned by one goroutine.
type link struct {
	nc       net.Conn
	stop     func() bool   // ends the watch for the end of the run
	timeout  time.Duration // of an exchange
	deadline time.Time     // that nc has been given
	lastUse  time.Time     // zero before the first exchange

	in   []byte // Invariant: 0 <= r <= w <= len(in); in[r:w] has been received and not been returned yet
	r, w int
	out  []byte
}

// openLink connects to addr. The connection is closed when ctx ends, which makes an exchange that is waiting fail.
func openLink(ctx context.Context, c *LoadConfig, addr string) (*link, error) {
	dialCtx, cancel := context.WithTimeout(ctx, c.NetTimeout)
	defer cancel()
	nc, err := c.Dial(dialCtx, addr)
	if err != nil {
		return nil, err
	}
	return &link{
		nc:      nc,
		stop:    context.AfterFunc(ctx, func() { _ = nc.Close() }),
		timeout: c.NetTimeout,
		in:      make([]byte, readBuffer),
	}, nil
}

func (l *link) close() {
	l.stop()
	_ = l.nc.Close()
}

// limit gives the connection a deadline of about one timeout from now. It is moved on only now and then, because that costs
// as much as the rest of an exchange here.
func (l *link) limit(now time.Time) error {
	slack := l.timeout / 8
	if l.deadline.Sub(now) > l.timeout-slack {
		return nil
	}
	l.deadline = now.Add(l.timeout)
	return l.nc.SetDeadline(l.deadline)
}

// send writes one request.
func (l *link) send(r *wire.Request, body []byte) error {
	l.out = wire.AppendRequest(l.out[:0], r)
	if len(body) <= joinLimit {
		l.out = append(l.out, body...)
		_, err := l.nc.Write(l.out)
		return err
	}
	parts := net.Buffers{l.out, body}
	_, err := parts.WriteTo(l.nc)
	return err
}

// enqueue adds one request to those that flush will send.
func (l *link) enqueue(r *wire.Request, body []byte) {
	l.out = wire.AppendRequest(l.out, r)
	l.out = append(l.out, body...)
}

// flush sends what has been enqueued.
func (l *link) flush() error {
	_, err := l.nc.Write(l.out)
	l.out = l.out[:0]
	return err
}

// receive reads one answer into a and returns its body, which is valid until the next call.
func (l *link) receive(a *wire.Answer) ([]byte, error) {
	for {
		n, f := wire.ParseAnswer(l.in[l.r:l.w], &wireLimits, a)
		switch f {
		case wire.OK:
			return l.receiveBody(l.r+n, a.ContentLength)
		case wire.Short:
			if err := l.fill(1); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("answer is malformed: %s", f)
		}
	}
}

// receiveBody returns the n bytes that begin at in[from] once they have arrived.
func (l *link) receiveBody(from, n int) ([]byte, error) {
	if missing := from + n - l.w; missing > 0 {
		at := from - l.r
		if err := l.fill(missing); err != nil {
			return nil, err
		}
		from = l.r + at
	}
	l.r = from + n
	return l.in[from:l.r:l.r], nil
}

// fill receives at least n more bytes. It may move in[r:w].
func (l *link) fill(n int) error {
	if l.r == l.w {
		l.r, l.w = 0, 0
	}
	if len(l.in)-l.w < n {
		l.w = copy(l.in, l.in[l.r:l.w])
		l.r = 0
		l.in = slices.Grow(l.in[:l.w], n)
		l.in = l.in[:cap(l.in)]
	}
	got, err := io.ReadAtLeast(l.nc, l.in[l.w:], n)
	l.w += got
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return err
}

// pending reports whether bytes have come that no request asked for.
func (l *link) pending() bool { return l.r < l.w }

// plain returns the text of err without addresses and ports, so that equal faults read equal.
func plain(err error) string {
	text := err.Error()
	if op, ok := errors.AsType[*net.OpError](err); ok {
		what := op.Err.Error()
		if op.Timeout() {
			what = "timeout"
		}
		return strings.Replace(text, op.Error(), op.Op+": "+what, 1)
	}
	if errors.Is(err, io.EOF) {
		return strings.Replace(text, io.EOF.Error(), "read: connection closed by the server", 1)
	}
	return text
}
