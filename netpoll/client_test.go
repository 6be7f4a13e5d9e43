package netpoll

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// patience is how long a test waits for what must happen. Nothing takes nearly as long unless it is broken.
const patience = time.Minute

// client is a test's end of a connection. It belongs to one goroutine, which may be another than the test's: nothing here ends the test.
type client struct {
	nc  *net.TCPConn
	buf []byte    // received and not yet taken
	tee io.Writer // gets what is received, if not nil
}

// answer is one answer with its body.
type answer struct {
	wire.Answer
	body []byte
}

func (a answer) String() string {
	if len(a.body) > 100 {
		return fmt.Sprintf("%v, cookie %d, %d bytes", a.Status, a.Cookie, len(a.body))
	}
	return fmt.Sprintf("%v, cookie %d, %q", a.Status, a.Cookie, a.body)
}

// dial opens a connection that is closed at the end of the test.
func dial(t testing.TB, s *Server) *client {
	t.Helper()
	c, err := connect(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func connect(s *Server) (*client, error) {
	nc, err := net.DialTimeout("tcp", s.Addr().String(), patience)
	if err != nil {
		return nil, err
	}
	return &client{nc: nc.(*net.TCPConn)}, nil
}

func (c *client) close() { _ = c.nc.Close() }

// reset closes the connection so that the server gets a reset.
func (c *client) reset() {
	_ = c.nc.SetLinger(0)
	_ = c.nc.Close()
}

// send hands b to TCP.
func (c *client) send(b []byte) error {
	_ = c.nc.SetWriteDeadline(time.Now().Add(patience))
	_, err := c.nc.Write(b)
	return err
}

var clientLimits = wire.Limits{MaxHead: 1 << 16, MaxBody: 1 << 30}

// answer reads one answer.
func (c *client) answer() (a answer, err error) {
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	for {
		n, fault := wire.ParseAnswer(c.buf, &clientLimits, &a.Answer)
		switch {
		case fault == wire.OK && len(c.buf) >= n+a.ContentLength:
			a.body = bytes.Clone(c.buf[n : n+a.ContentLength])
			c.buf = c.buf[n+a.ContentLength:]
			return a, nil
		case fault == wire.OK:
			c.buf = append(make([]byte, 0, n+a.ContentLength+4096), c.buf...)
		case fault != wire.Short:
			return a, fmt.Errorf("no answer but %q (%v)", clip(c.buf), fault)
		}
		if err := c.fill(); err != nil {
			return a, fmt.Errorf("no answer after %q: %w", clip(c.buf), err)
		}
	}
}

// fill reads more.
func (c *client) fill() error {
	if cap(c.buf)-len(c.buf) < 4096 {
		c.buf = append(make([]byte, 0, 2*len(c.buf)+8192), c.buf...)
	}
	n, err := c.nc.Read(c.buf[len(c.buf):cap(c.buf)])
	if c.tee != nil {
		_, _ = c.tee.Write(c.buf[len(c.buf) : len(c.buf)+n])
	}
	c.buf = c.buf[:len(c.buf)+n]
	return err
}

// do sends one request and reads its answer.
func (c *client) do(request []byte) (answer, error) {
	if err := c.send(request); err != nil {
		return answer{}, err
	}
	return c.answer()
}

// closed waits for the end of the stream. It is an error if a byte comes before.
func (c *client) closed() error {
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	for len(c.buf) == 0 {
		if err := c.fill(); ended(err) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return fmt.Errorf("%q where the connection must be closed", clip(c.buf))
}

// silent is an error if a byte, or the end of the stream, comes within d.
func (c *client) silent(d time.Duration) error {
	_ = c.nc.SetReadDeadline(time.Now().Add(d))
	if len(c.buf) == 0 {
		if err := c.fill(); errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%w where the server must be silent", err)
		}
	}
	return fmt.Errorf("%q where the server must be silent", clip(c.buf))
}

// ended reports whether err is a close or a reset by the server.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func clip(b []byte) []byte { return b[:min(len(b), 200)] }

// check ends the test on an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask sends one request, and ends the test if its answer is not of that status.
func ask(t testing.TB, c *client, request []byte, want wire.Status) answer {
	t.Helper()
	a, err := c.do(request)
	check(t, err)
	if a.Status != want {
		t.Fatalf("%s: %v, want %v", firstLine(request), a, want)
	}
	return a
}

// expect reads one answer, and ends the test if it is not of that status.
func expect(t testing.TB, c *client, want wire.Status) answer {
	t.Helper()
	a, err := c.answer()
	check(t, err)
	if a.Status != want {
		t.Fatalf("%v, want %v", a, want)
	}
	return a
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(string(clip(b)), "\r\n")
	return line
}

// The requests. A key is a target without anything to encode.

func getReq(key string) []byte {
	return wire.AppendRequest(nil, &wire.Request{Verb: wire.Get, Target: []byte(key), Timeout: 20})
}

func acquireReq(key string) []byte {
	return wire.AppendRequest(nil, &wire.Request{Verb: wire.Get, Exclusive: wire.Acquire, Target: []byte(key), Timeout: 20})
}

func releaseReq(key string, cookie uint32) []byte {
	return wire.AppendRequest(nil, &wire.Request{
		Verb: wire.Get, Exclusive: wire.Release, Target: []byte(key), Timeout: 20, HasCookie: true, Cookie: int32(cookie),
	})
}

func headReq(key string) []byte {
	return wire.AppendRequest(nil, &wire.Request{Verb: wire.Head, Target: []byte(key), Timeout: 20})
}

func deleteReq(key string) []byte {
	return wire.AppendRequest(nil, &wire.Request{Verb: wire.Delete, Target: []byte(key), Timeout: 20})
}

// putHead announces a body of n bytes.
func putHead(key string, n int) []byte {
	return wire.AppendRequest(nil, &wire.Request{Verb: wire.Put, Target: []byte(key), Timeout: 20, ContentLength: n})
}

func putReq(key string, body []byte) []byte { return append(putHead(key, len(body)), body...) }

// saveReq is a put by the holder of a lock.
func saveReq(key string, cookie uint32, body []byte) []byte {
	head := wire.AppendRequest(nil, &wire.Request{
		Verb: wire.Put, Target: []byte(key), Timeout: 20, ContentLength: len(body), HasCookie: true, Cookie: int32(cookie),
	})
	return append(head, body...)
}

// pattern is n bytes that tell where they belong: parts of two patterns with different marks are equal only if they are very short.
func pattern(mark string, n int) []byte {
	b := make([]byte, 0, n+len(mark)+32)
	for i := int64(0); len(b) < n; i++ {
		b = append(append(b, '<'), mark...)
		b = append(strconv.AppendInt(append(b, ':'), i, 36), '>')
	}
	return b[:n]
}
