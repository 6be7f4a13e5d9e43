package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A workload is what is done over and over on one session after another.
type workload struct {
	server, name string
	once         bool // is run once for each session, to create it, and not measured
	steps        []step
}

// A step is one request and its reply.
type step struct {
	// request appends the request to dst.
	request func(dst []byte, c *client) []byte
	// reply reads the reply from the front of b and returns its length; 0 if more bytes are needed.
	reply func(b []byte, c *client) (n int, err error)
}

// A client is one connection in a closed loop. It is the same for all servers: only the bytes differ. Owned by one goroutine,
// but for the counter.
type client struct {
	nc     net.Conn
	names  *names
	body   []byte
	stride int // sessions of this client are stride apart: no two clients ever use the same
	next   int // session of the next run

	// Of the current run, for steps.

	session int
	runs    uint64 // begun, this one included
	cookie  int32  // of the lock that the last reply told of

	in       []byte // Invariant: 0 <= have <= len(in)
	have     int
	out      []byte
	requests atomic.Int64 // answered
}

// exchangeLimit is how long sixteen runs may take. Servers here answer in microseconds.
const exchangeLimit = 10 * time.Second

// dial opens the connection of client number first of stride clients.
func dial(ctx context.Context, addr string, opt *options, names *names, first, stride int) (*client, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &client{nc: nc, names: names, stride: stride, next: first, in: make([]byte, 4096+2*opt.Body)}
	c.body = make([]byte, opt.Body)
	for i := range c.body {
		c.body[i] = byte('a' + (i*7+first)%26)
	}
	return c, nil
}

func (c *client) close() error { return c.nc.Close() }

// run runs w once on the next session.
func (c *client) run(w *workload) error {
	c.session = c.next
	if c.next += c.stride; c.next >= len(c.names.keys) {
		c.next %= c.stride
	}
	c.runs++
	// Every save differs from the last one, so that no server can spare itself one.
	binary.LittleEndian.PutUint64(c.body, c.runs|0x4040404040404040)
	if c.runs%16 == 1 { // it costs as much as the rest of this function
		if err := c.nc.SetDeadline(time.Now().Add(exchangeLimit)); err != nil {
			return err
		}
	}
	for i := range w.steps {
		if err := c.exchange(&w.steps[i]); err != nil {
			return err
		}
		c.requests.Add(1)
	}
	return nil
}

func (c *client) exchange(s *step) error {
	c.out = s.request(c.out[:0], c)
	if _, err := c.nc.Write(c.out); err != nil {
		return err
	}
	for c.have = 0; ; {
		got, err := c.nc.Read(c.in[c.have:])
		if err != nil {
			if errors.Is(err, io.EOF) {
				return errors.New("the server closed the connection")
			}
			return err
		}
		c.have += got
		n, err := s.reply(c.in[:c.have], c)
		switch {
		case err != nil:
			return err
		case n == c.have:
			return nil
		case n > 0:
			return fmt.Errorf("%d bytes behind a reply of %d", c.have-n, n)
		case c.have == len(c.in):
			return fmt.Errorf("a reply of more than %d bytes", len(c.in))
		}
	}
}

// A crowd is all clients of one workload, running.
type crowd struct {
	clients []*client
	halt    atomic.Bool
	failed  chan error // the first failure
	all     sync.WaitGroup
}

func startCrowd(ctx context.Context, addr string, opt *options, names *names, w *workload) (*crowd, error) {
	cr := &crowd{failed: make(chan error, 1)}
	for i := range opt.Connections {
		c, err := dial(ctx, addr, opt, names, i, opt.Connections)
		if err != nil {
			return nil, errors.Join(err, cr.stop())
		}
		cr.clients = append(cr.clients, c)
	}
	for _, c := range cr.clients {
		cr.all.Go(func() {
			for !cr.halt.Load() {
				if err := c.run(w); err != nil {
					select {
					case cr.failed <- err:
					default:
					}
					return
				}
			}
		})
	}
	return cr, nil
}

// done returns how many requests have been answered.
func (cr *crowd) done() (n int64) {
	for _, c := range cr.clients {
		n += c.requests.Load()
	}
	return n
}

// wait lets the crowd run for d, unless a client fails.
func (cr *crowd) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case err := <-cr.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop lets every client finish its run, and returns when all have.
func (cr *crowd) stop() error {
	cr.halt.Store(true)
	cr.all.Wait()
	var errs []error
	for _, c := range cr.clients {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}
