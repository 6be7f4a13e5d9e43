package farm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// Client is one user of a farm, who may go to any node. It keeps a connection to each. Owned by one goroutine.
type Client struct {
	addrs []string // of the state ports
	conns []net.Conn
	in    []byte
	out   []byte
}

// NewClient returns a client of the nodes at some addresses. It has no connection yet.
func NewClient(addrs []string) *Client {
	return &Client{addrs: addrs, conns: make([]net.Conn, len(addrs)), in: make([]byte, 16<<10)}
}

// Close closes the client's connections.
func (c *Client) Close() {
	for i := range c.conns {
		c.drop(i)
	}
}

func (c *Client) drop(node int) {
	if c.conns[node] != nil {
		_ = c.conns[node].Close() // nothing more is wanted of it
		c.conns[node] = nil
	}
}

// Reply is an answer and its body.
type Reply struct {
	wire.Answer
	Body []byte // valid until the next exchange
}

// ComeAgain reports whether the node could not say anything about the session: nothing was done, and the client is to ask again.
func (r *Reply) ComeAgain() bool { return r.Status == wire.StatusLocked && r.Cookie == 0 }

// ErrUnsent says that a request has certainly not been executed, because there was no connection to send it on.
var ErrUnsent = errors.New("no connection")

// exchangeLimit is how long an exchange may take, as in ASP.NET (stateNetworkTimeout).
const exchangeLimit = 10 * time.Second

// Do sends a request to a node and returns its answer. An error that is not ErrUnsent leaves open whether the request was executed.
func (c *Client) Do(ctx context.Context, node int, req *wire.Request, body []byte) (Reply, error) {
	if c.conns[node] == nil {
		d := net.Dialer{Timeout: exchangeLimit}
		nc, err := d.DialContext(ctx, "tcp", c.addrs[node])
		if err != nil {
			return Reply{}, fmt.Errorf("%w: %w", ErrUnsent, err)
		}
		c.conns[node] = nc
	}
	nc := c.conns[node]
	unhook := context.AfterFunc(ctx, func() { _ = nc.Close() }) // wakes the exchange
	r, err := c.exchange(nc, req, body)
	unhook()
	if err != nil || r.Status == wire.StatusBadRequest {
		c.drop(node)
	}
	return r, err
}

func (c *Client) exchange(nc net.Conn, req *wire.Request, body []byte) (r Reply, err error) {
	if err := nc.SetDeadline(time.Now().Add(exchangeLimit)); err != nil {
		return r, err
	}
	req.ContentLength = len(body)
	c.out = append(wire.AppendRequest(c.out[:0], req), body...)
	if _, err := nc.Write(c.out); err != nil {
		return r, err
	}
	lim := wire.Limits{MaxHead: 1 << 10, MaxBody: 1 << 20}
	for got, head := 0, 0; ; {
		if got == len(c.in) {
			c.in = append(c.in, make([]byte, len(c.in))...)
		}
		n, err := nc.Read(c.in[got:])
		if err != nil {
			return r, err
		}
		got += n
		if head == 0 {
			var fault wire.Fault
			if head, fault = wire.ParseAnswer(c.in[:got], &lim, &r.Answer); fault != wire.OK && fault != wire.Short {
				return r, fmt.Errorf("answer: %v", fault)
			}
		}
		if head > 0 && got >= head+r.ContentLength {
			r.Body = c.in[head : head+r.ContentLength]
			return r, nil
		}
	}
}

// Target is the request target of a session.
func Target(id string) []byte {
	return wire.AppendTarget(nil, []byte("/LM/W3SVC/1/ROOT(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)/"+id))
}

// minutes is the life of all sessions here.
const minutes = 20

// Requests, as ASP.NET makes them.

// Get reads a session.
func Get(target []byte) *wire.Request {
	return &wire.Request{Verb: wire.Get, Target: target, Timeout: minutes}
}

// Acquire reads a session and takes its lock.
func Acquire(target []byte) *wire.Request {
	return &wire.Request{Verb: wire.Get, Target: target, Exclusive: wire.Acquire, Timeout: minutes}
}

// Release gives a lock back.
func Release(target []byte, cookie uint32) *wire.Request {
	return &wire.Request{Verb: wire.Get, Target: target, Exclusive: wire.Release, Timeout: minutes, HasCookie: true, Cookie: int32(cookie)}
}

// Save saves a session and gives its lock back.
func Save(target []byte, cookie uint32) *wire.Request {
	return &wire.Request{Verb: wire.Put, Target: target, Timeout: minutes, HasCookie: true, Cookie: int32(cookie)}
}

// Create makes a session unless there is one.
func Create(target []byte) *wire.Request {
	return &wire.Request{Verb: wire.Put, Target: target, Timeout: minutes, HasCookie: true, ExtraFlags: 1}
}

// Remove ends a session.
func Remove(target []byte, cookie uint32) *wire.Request {
	return &wire.Request{Verb: wire.Delete, Target: target, Timeout: minutes, HasCookie: true, Cookie: int32(cookie)}
}

// failure is the error of an exchange that did not end as it should.
func failure(what string, r Reply, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: answered %v, cookie %d", what, r.Status, r.Cookie)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
