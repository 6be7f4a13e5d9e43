package pages

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeServer answers each request with the next line of a script and keeps what
// it was sent.
type fakeServer struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	script   []string
	requests []string
	conns    []net.Conn // in the order of their opening
	served   []int      // which connection each request came on
}

// hangUp in a script closes the connection instead of answering.
const hangUp = "hang up"

func startFake(t *testing.T, script ...string) *fakeServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{listener: listener, script: script}
	f.wg.Go(f.accept)
	t.Cleanup(func() {
		listener.Close()
		f.hangUp()
		f.wg.Wait()
	})
	return f
}

// addr returns where the server listens.
func (f *fakeServer) addr() string { return f.listener.Addr().String() }

func (f *fakeServer) accept() {
	for {
		nc, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		n := len(f.conns)
		f.conns = append(f.conns, nc)
		f.mu.Unlock()
		f.wg.Go(func() {
			defer nc.Close()
			for in := bufio.NewReader(nc); f.serve(in, nc, n); {
			}
		})
	}
}

// serve answers one request.
func (f *fakeServer) serve(in *bufio.Reader, nc net.Conn, n int) bool {
	request := ""
	length := 0
	for !strings.HasSuffix(request, "\r\n\r\n") {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
		request += line
	}
	body := make([]byte, length)
	for i := range body {
		body[i], _ = in.ReadByte()
	}
	f.mu.Lock()
	f.requests = append(f.requests, request+string(body))
	f.served = append(f.served, n)
	say := hangUp
	if len(f.script) > 0 {
		say, f.script = f.script[0], f.script[1:]
	}
	f.mu.Unlock()
	if say == hangUp {
		return false
	}
	_, err := nc.Write([]byte(say))
	return err == nil
}

// hangUp closes all connections.
func (f *fakeServer) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, nc := range f.conns {
		nc.Close()
	}
}

// sent returns the requests so far.
func (f *fakeServer) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

// respond makes a response with headers like "LockCookie: 2".
func respond(status, body string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\r\nX-AspNet-Version: 4.0.30319\r\n", status)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	fmt.Fprintf(&b, "Cache-Control: private\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

// fakeClock is a time that moves when somebody waits for it.
type fakeClock struct {
	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = append(c.waits, d)
	c.now = c.now.Add(d)
	fired := make(chan time.Time, 1)
	fired <- c.now
	return fired
}

func (c *fakeClock) clock() Clock { return Clock{Now: c.Now, After: c.After} }
