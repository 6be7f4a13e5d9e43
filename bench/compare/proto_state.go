package main

import (
	"errors"
	"fmt"

	"github.com/farmstate/farmstate/netpoll/wire"
)

var stateLimits = wire.Limits{MaxHead: 4096, MaxBody: 1 << 20}

// The requests of the state server protocol. See docs/protocol.md §4.9.
var (
	stateGet = step{
		request: func(dst []byte, c *client) []byte {
			return wire.AppendRequest(dst, &wire.Request{Verb: wire.Get, Target: c.target(), Timeout: 20})
		},
		reply: stateReply,
	}
	stateAcquire = step{
		request: func(dst []byte, c *client) []byte {
			return wire.AppendRequest(dst, &wire.Request{Verb: wire.Get, Exclusive: wire.Acquire, Target: c.target(), Timeout: 20})
		},
		reply: func(b []byte, c *client) (int, error) {
			n, a, err := readState(b, c)
			if n > 0 && !a.HasCookie {
				return 0, errors.New("acquire: no LockCookie in the answer")
			}
			c.cookie = int32(a.Cookie)
			return n, err
		},
	}
	stateSave = step{
		request: func(dst []byte, c *client) []byte {
			return appendSave(dst, c, &wire.Request{})
		},
		reply: stateReply,
	}
	stateSaveHeld = step{
		request: func(dst []byte, c *client) []byte {
			return appendSave(dst, c, &wire.Request{Cookie: c.cookie, HasCookie: true})
		},
		reply: stateReply,
	}
)

func (c *client) target() []byte { return c.names.targets[c.session] }

func appendSave(dst []byte, c *client, r *wire.Request) []byte {
	r.Verb, r.Target, r.Timeout, r.ContentLength = wire.Put, c.target(), 20, len(c.body)
	return append(wire.AppendRequest(dst, r), c.body...)
}

func stateReply(b []byte, c *client) (int, error) {
	n, _, err := readState(b, c)
	return n, err
}

// readState reads one answer with its body. Every answer but 200 is an error: no two clients use the same session.
func readState(b []byte, c *client) (n int, a wire.Answer, err error) {
	n, f := wire.ParseAnswer(b, &stateLimits, &a)
	switch {
	case f == wire.Short:
		return 0, a, nil
	case f != wire.OK:
		return 0, a, fmt.Errorf("malformed answer: %s", f)
	case a.Status != wire.StatusOK:
		return 0, a, fmt.Errorf("answered %s", a.Status)
	case a.ContentLength != 0 && a.ContentLength != len(c.body):
		return 0, a, fmt.Errorf("answered with %d bytes", a.ContentLength)
	case len(b) < n+a.ContentLength:
		return 0, a, nil
	}
	return n + a.ContentLength, a, nil
}

// stateRequestSizes returns the length of a GET and of a PUT. It is the same for all sessions.
func stateRequestSizes(names *names, body int) (get, put int) {
	c := &client{names: names, body: make([]byte, body)}
	return len(stateGet.request(nil, c)), len(stateSave.request(nil, c))
}
