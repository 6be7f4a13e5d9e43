package fuzz

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// connPatience is how long a client waits for what must come.
const connPatience = 20 * time.Second

// connLimits are those of the servers under test, small enough to be met by chance.
var connLimits = wire.Limits{MaxHead: 2048, MaxBody: 1 << 20}

// connTransports are tried where they exist.
var connTransports = []string{netpoll.TransportGnet, netpoll.TransportStd}

// connServer is a server with an honest client's session in it.
type connServer struct {
	*netpoll.Server
	engine *engine.Engine
	key    string // of the honest session; nobody can guess it
	empty  int64  // bytes in the account with that session alone
	honest *connClient
}

// starting serialises the starts and stops of servers: gnet keeps a logger for the whole process and guards it by nothing.
var starting sync.Mutex

// startConn serves on a free port until the test ends. It returns nil if the transport does not exist here.
func startConn(tb testing.TB, transport string, eopt engine.Options) *connServer {
	tb.Helper()
	e, err := engine.New(eopt, engine.Time{})
	if err != nil {
		tb.Fatal(err)
	}
	starting.Lock()
	defer starting.Unlock()
	s, err := netpoll.Listen(netpoll.Options{
		Addr: "127.0.0.1:0", Transport: transport, MaxHead: connLimits.MaxHead, MaxBody: connLimits.MaxBody,
		IdleTimeout: 10 * time.Minute, // the honest client waits until a slow machine has done its attacks
	}, e)
	if err != nil {
		if transport == netpoll.TransportGnet {
			return nil
		}
		tb.Fatal(err)
	}
	cs := &connServer{Server: s, engine: e, key: "/honest-" + rand.Text()}
	tb.Cleanup(func() {
		if cs.honest != nil {
			cs.honest.close()
		}
		if err := cs.stop(); err != nil {
			tb.Error(err)
		}
	})
	if cs.honest, err = cs.dial(1); err != nil {
		tb.Fatal(err)
	}
	if err := cs.honest.save(cs.key, []byte("as it was")); err != nil {
		tb.Fatal(err)
	}
	cs.empty = e.Stats().Bytes
	return cs
}

func (s *connServer) stop() error {
	starting.Lock()
	defer starting.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return s.Shutdown(ctx)
}

// dial connects from 127.0.0.n, where the system has more than one such address: a single one would run out of ports.
func (s *connServer) dial(n byte) (*connClient, error) {
	d := net.Dialer{Timeout: connPatience}
	if runtime.GOOS == "linux" {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, n)}
	}
	nc, err := d.Dial("tcp", s.Addr().String())
	if err != nil {
		return nil, err
	}
	return &connClient{nc: nc.(*net.TCPConn)}, nil
}

// alone waits until the honest client's is the only connection.
func (s *connServer) alone(tb testing.TB) {
	tb.Helper()
	poll := time.NewTicker(100 * time.Microsecond)
	defer poll.Stop()
	for deadline := time.Now().Add(connPatience); s.Stats().Connections > 1; <-poll.C {
		if time.Now().After(deadline) {
			tb.Fatalf("%d connections are still there", s.Stats().Connections-1)
		}
	}
}

// forget removes the sessions with these keys, and fails unless the honest one alone remains.
func (s *connServer) forget(tb testing.TB, keys map[string]struct{}) {
	tb.Helper()
	for key := range keys {
		if err := s.honest.remove(key); err != nil {
			tb.Fatal(err)
		}
	}
	st := s.engine.Stats()
	if st.Sessions != 1 || st.Bytes != s.empty || st.Waiting != 0 || st.Queued != 0 {
		tb.Fatalf("%d sessions, %d bytes too much in the account, %d waiters, %d queued are left", st.Sessions-1, st.Bytes-s.empty, st.Waiting, st.Queued)
	}
	if n := s.Stats(); n.OutputBytes != 0 || n.IntakeBytes != 0 || n.Panics != 0 {
		tb.Fatalf("%d bytes of answers and %d of bodies are left, %d panics", n.OutputBytes, n.IntakeBytes, n.Panics)
	}
}

// connClient is a client's end of a connection.
type connClient struct {
	nc  *net.TCPConn
	buf []byte
}

func (c *connClient) close() { _ = c.nc.Close() }

// reset closes without leaving anything of the connection behind in this system.
func (c *connClient) reset() {
	_ = c.nc.SetLinger(0)
	_ = c.nc.Close()
}

// answer reads one answer.
func (c *connClient) answer() (a wire.Answer, body []byte, err error) {
	_ = c.nc.SetReadDeadline(time.Now().Add(connPatience))
	limits := wire.Limits{MaxHead: 1 << 16, MaxBody: connLimits.MaxBody}
	for {
		n, fault := wire.ParseAnswer(c.buf, &limits, &a)
		switch {
		case fault == wire.OK && len(c.buf) >= n+a.ContentLength:
			body = bytes.Clone(c.buf[n : n+a.ContentLength])
			c.buf = c.buf[n+a.ContentLength:]
			return a, body, nil
		case fault != wire.OK && fault != wire.Short:
			return a, nil, fmt.Errorf("not an answer (%v): %q", fault, clip(c.buf))
		}
		if err := c.fill(); err != nil {
			return a, nil, fmt.Errorf("%w after %q", err, clip(c.buf))
		}
	}
}

func (c *connClient) fill() error {
	if cap(c.buf)-len(c.buf) < 1024 {
		c.buf = append(make([]byte, 0, 2*len(c.buf)+4096), c.buf...)
	}
	n, err := c.nc.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	return err
}

// ended is an error unless the server ends the stream, without a further byte.
func (c *connClient) ended() error {
	_ = c.nc.SetReadDeadline(time.Now().Add(connPatience))
	for len(c.buf) == 0 {
		if err := c.fill(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%w where the stream must end", err)
		}
	}
	return fmt.Errorf("%q where the stream must end", clip(c.buf))
}

// do sends a request with a body and reads the answer.
func (c *connClient) do(r wire.Request, key string, body []byte) (wire.Answer, []byte, error) {
	r.Target, r.Timeout, r.ContentLength = wire.AppendTarget(nil, []byte(key)), 20, len(body)
	_ = c.nc.SetWriteDeadline(time.Now().Add(connPatience))
	if _, err := c.nc.Write(append(wire.AppendRequest(nil, &r), body...)); err != nil {
		return wire.Answer{}, nil, err
	}
	return c.answer()
}

// save stores a session that is not locked.
func (c *connClient) save(key string, body []byte) error {
	a, _, err := c.do(wire.Request{Verb: wire.Put}, key, body)
	return demand(wire.StatusOK, a, err)
}

// page changes a session as a page does, from what it must be to something else.
func (c *connClient) page(key string, was, becomes []byte) error {
	a, body, err := c.do(wire.Request{Verb: wire.Get, Exclusive: wire.Acquire}, key, nil)
	if err := demand(wire.StatusOK, a, err); err != nil {
		return err
	}
	if !bytes.Equal(body, was) {
		return fmt.Errorf("the session holds %q, want %q", clip(body), clip(was))
	}
	a, _, err = c.do(wire.Request{Verb: wire.Put, HasCookie: true, Cookie: int32(a.Cookie)}, key, becomes)
	return demand(wire.StatusOK, a, err)
}

// remove removes a session, whoever has locked it.
func (c *connClient) remove(key string) error {
	a, _, err := c.do(wire.Request{Verb: wire.Get}, key, nil)
	if err != nil || a.Status == wire.StatusNotFound {
		return err
	}
	a, _, err = c.do(wire.Request{Verb: wire.Delete, HasCookie: true, Cookie: int32(a.Cookie)}, key, nil)
	return demand(wire.StatusOK, a, err)
}

func demand(want wire.Status, a wire.Answer, err error) error {
	if err == nil && a.Status != want {
		err = fmt.Errorf("%v, want %v", a.Status, want)
	}
	return err
}

func clip(b []byte) []byte { return b[:min(len(b), 300)] }

// reading is what a stream of bytes means to a server, by §2 of docs/protocol.md: how many answers it asks for, whether the last of them ends the
// connection, and the keys that it may have stored sessions under.
type reading struct {
	answers int
	ends    bool
	open    bool // an incomplete request stands at the end
	keys    map[string]struct{}
}

// readStream reads a stream in one piece. It is the other implementation that the server's, which gets pieces, is compared with.
func readStream(in []byte) reading {
	r := reading{keys: map[string]struct{}{}}
	for len(in) > 0 {
		var q wire.Request
		n, fault := wire.ParseHead(in, 0, &connLimits, &q)
		if fault == wire.Short || fault == wire.OK && len(in) < n+q.ContentLength {
			r.open = true
			return r
		}
		r.answers++
		if fault != wire.OK {
			r.ends = true
			return r
		}
		if q.Verb == wire.Put {
			r.keys[string(wire.AppendKey(nil, q.Target))] = struct{}{}
		}
		if q.Close {
			r.ends = true
			return r
		}
		in = in[n+q.ContentLength:]
	}
	return r
}
