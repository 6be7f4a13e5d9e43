package relay

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll"
)

var seed = flag.Uint64("relay.seed", 0, "seed of random tests; 0 takes a new one")

// patience is how long anything may take, in these tests.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	flag.Parse()
	status := m.Run()
	if status == 0 {
		if err := goleak.Find(leftByLibraries...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// leftByLibraries are goroutines that the server's libraries keep for the life of the process.
var leftByLibraries = []goleak.Option{
	goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
	goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"),
}

func random(t *testing.T) *rand.Rand {
	t.Helper()
	n := *seed
	if n == 0 {
		n = rand.Uint64()
	}
	t.Logf("-relay.seed=%d", n)
	return rand.New(rand.NewPCG(n, 0))
}

// eventually waits until cond is true.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !cond() {
		select {
		case <-poll.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// stateServer is a farmstate without a farm.
type stateServer struct {
	addr string
	stop func()
}

// serve starts a state server that stops at the end of the test, or before.
func serve(t *testing.T, addr string) *stateServer {
	t.Helper()
	e, err := engine.New(engine.Options{LockWait: 400 * time.Millisecond}, engine.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var s *netpoll.Server
	eventually(t, "the port is free", func() bool {
		s, err = netpoll.Listen(netpoll.Options{Addr: addr, Transport: netpoll.TransportStd, IdleTimeout: 10 * patience}, e)
		return err == nil
	})
	server := &stateServer{addr: s.Addr().String()}
	server.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = s.Shutdown(ctx) // connections that are still open are cut
	})
	t.Cleanup(server.stop)
	return server
}

// running is a relay under test.
type running struct {
	*Relay
	addr  string
	end   func() error // stops it, once
	lines func() string
}

// start relays to the targets, until the end of the test or of end.
func start(t *testing.T, opt Options, targets ...string) *running {
	t.Helper()
	opt.Targets = targets
	var mu sync.Mutex
	var log strings.Builder
	opt.Log = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		log.WriteString(text + "\n")
	}
	r, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- r.Serve(ctx, l, func() { close(ready) }) }()
	run := &running{Relay: r, addr: l.Addr().String(), lines: func() string {
		mu.Lock()
		defer mu.Unlock()
		return log.String()
	}}
	run.end = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			t.Error("the relay does not end")
			return nil
		}
	})
	t.Cleanup(func() {
		if err := run.end(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case <-time.After(patience):
		t.Fatal("the relay is not ready")
	}
	return run
}

// awaitEmpty waits until no client is connected.
func (r *running) awaitEmpty(t *testing.T) {
	t.Helper()
	eventually(t, "all connections have ended", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.clients) == 0
	})
}

func mustRule(t *testing.T, text string) *Rule {
	t.Helper()
	r, err := ParseRule(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// client connects to addr.
type testClient struct {
	t *testing.T
	*net.TCPConn
	in *bufio.Reader
}

func dial(t *testing.T, addr string) *testClient {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &testClient{t, c.(*net.TCPConn), bufio.NewReader(c)}
}

func (c *testClient) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// reply is the head and the body of the next answer; an empty head when the connection has ended.
func (c *testClient) reply() (head, body string) {
	c.t.Helper()
	length := 0
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return "", ""
		}
		head += line
		if line == "\r\n" {
			break
		}
		if text, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(text))
		}
	}
	b := make([]byte, length)
	n, _ := io.ReadFull(c.in, b)
	return head, string(b[:n])
}

// ask sends a request and returns status line and body.
func (c *testClient) ask(request string) (status, body string) {
	c.t.Helper()
	c.send(request)
	head, body := c.reply()
	status, _, _ = strings.Cut(head, "\r\n")
	return status, body
}

func targetOf(id string) string { return "%2fLM%2fW3SVC%2f1%2fROOT(aGFzaA%3d%3d)%2f" + id }

const plainID = "z445nnecaiiqye55asxwtm55"

func put(id, body string, headers ...string) string {
	return "PUT " + targetOf(id) + " HTTP/1.1\r\nHost: stateserver\r\nTimeout: 20\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n" + strings.Join(headers, "") + "\r\n" + body
}

func get(id string, headers ...string) string {
	return "GET " + targetOf(id) + " HTTP/1.1\r\nHost: stateserver\r\n" + strings.Join(headers, "") + "\r\n"
}

func acquire(id string) string { return get(id, "Exclusive: acquire\r\n") }

func release(id string, cookie int) string {
	return get(id, fmt.Sprintf("Exclusive: release\r\nLockCookie: %d\r\n", cookie))
}

// recording is the name of a new recording, and its recorder.
func recording(t *testing.T) (string, *Recorder) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "recording")
	rec, err := Create(name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return name, rec
}

// replay plays a recording and returns what differed.
func replay(t *testing.T, name, addr string, opt ReplayOptions) (ReplayResult, []Difference) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rec, err := NewRecording(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []Difference
	opt.Target, opt.Differs = addr, func(d Difference) { all = append(all, d) }
	if opt.Timeout == 0 {
		opt.Timeout = patience
	}
	result, err := Replay(t.Context(), rec, opt)
	if err != nil {
		t.Fatal(err)
	}
	if int(result.Different) != len(all) {
		t.Errorf("%d differences were counted, %d told", result.Different, len(all))
	}
	return result, all
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// sumOf is the end of a line with that beginning, for the first line of a recording.
func sumOf(text []byte) []byte {
	return fmt.Appendf(nil, `%s%016x%s`, sumMark, sum(text, 0), sumEnd)
}
