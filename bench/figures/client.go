package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// client is one connection that is about one session of 1 KB.
type client struct {
	conn   net.Conn
	target []byte
	body   []byte
	out    []byte
	in     []byte
}

func dial(ctx context.Context, addr, id string) (*client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	key := "/LM/W3SVC/1/ROOT(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)/" + id
	return &client{conn: conn, target: wire.AppendTarget(nil, []byte(key)), body: make([]byte, 1<<10), in: make([]byte, 4<<10)}, nil
}

func (c *client) close() { _ = c.conn.Close() } // nothing is on its way

func (c *client) acquireRequest() []byte {
	return wire.AppendRequest(c.out[:0], &wire.Request{Verb: wire.Get, Target: c.target, Exclusive: wire.Acquire, Timeout: 20})
}

func (c *client) acquire() (wire.Answer, error) { return c.exchange(c.acquireRequest()) }

func (c *client) get() (wire.Answer, error) {
	return c.exchange(wire.AppendRequest(c.out[:0], &wire.Request{Verb: wire.Get, Target: c.target, Timeout: 20}))
}

// put saves, and fails unless it is answered 200.
func (c *client) put(cookie uint32) error {
	c.body[0]++
	c.out = wire.AppendRequest(c.out[:0], &wire.Request{
		Verb: wire.Put, Target: c.target, ContentLength: len(c.body), Timeout: 20, HasCookie: true, Cookie: int32(cookie),
	})
	c.out = append(c.out, c.body...)
	a, err := c.exchange(c.out)
	if err == nil && a.Status != wire.StatusOK {
		err = fmt.Errorf("a save was answered %v", a.Status)
	}
	return err
}

func (c *client) exchange(req []byte) (wire.Answer, error) {
	if err := c.send(req); err != nil {
		return wire.Answer{}, err
	}
	return c.receive()
}

func (c *client) send(req []byte) error {
	if err := c.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	_, err := c.conn.Write(req)
	return err
}

// receive reads one whole answer.
func (c *client) receive() (a wire.Answer, err error) {
	lim := wire.Limits{MaxHead: 1 << 10, MaxBody: 1 << 20}
	for got := 0; ; {
		n, err := c.conn.Read(c.in[got:])
		if err != nil {
			return a, err
		}
		got += n
		head, fault := wire.ParseAnswer(c.in[:got], &lim, &a)
		switch {
		case fault == wire.Short:
		case fault != wire.OK:
			return a, fmt.Errorf("answer: %v", fault)
		case got >= head+a.ContentLength:
			return a, nil
		}
	}
}
