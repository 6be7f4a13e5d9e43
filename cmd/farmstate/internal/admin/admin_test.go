package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// start serves admin pages with a page "numbers", and ends that with the test.
func start(t *testing.T, change func(*Options)) *Server {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "farmstate_seven", Help: "Is 7."}, func() float64 { return 7 }))
	opt := Options{
		Addr:      "127.0.0.1:0",
		HostNames: []string{"Web1.example"},
		Logger:    slog.New(slog.DiscardHandler),
		Token:     token,
		NotReady:  func() []Reason { return nil },
		Metrics:   registry,
		API: map[string]Page{
			"numbers": func(context.Context, Request) any { return []int{1, 2} },
			"broken":  func(context.Context, Request) any { return func() {} },
			"keys": func(_ context.Context, r Request) any {
				if r.Whole() {
					return "whole"
				}
				return "short"
			},
		},
		Events: event.NewHub(10),
	}
	if change != nil {
		change(&opt)
	}
	s, err := Listen(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Shutdown(ctx)
	})
	return s
}

// ask sends a request with the Host header host, or the address if that is
// empty, on a connection of its own.
func ask(t *testing.T, s *Server, method, path, host string) (*http.Response, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestPages asks for every page.
func TestPages(t *testing.T) {
	s := start(t, nil)
	for _, v := range []struct {
		method, path string
		status       int
		kind, body   string // the beginning of the content type, part of the body
	}{
		{"GET", "/", 404, "text/plain", ""},
		{"GET", "/api/v1/", 200, "text/plain", "/api/v1/numbers"},
		{"GET", "/healthz", 200, "text/plain", "ok"},
		{"GET", "/readyz", 200, "text/plain", "ready"},
		{"GET", "/metrics", 200, "text/plain", "farmstate_seven 7"},
		{"GET", "/api/v1/numbers", 200, "application/json", "2"},
		{"HEAD", "/api/v1/numbers", 200, "application/json", ""},
		{"GET", "/api/v1/broken", 500, "text/plain", "cannot be shown"},
		{"GET", "/api/v1/events?level=loud", 400, "text/plain", "debug, info, warn or error"},
		{"GET", "/api/v1/events?recent=1001", 400, "text/plain", "from 0 to 1000"},
		{"GET", "/nothing", 404, "text/plain", ""},
		{"POST", "/healthz", 405, "text/plain", ""},
		{"DELETE", "/api/v1/numbers", 405, "text/plain", ""},
	} {
		resp, body := ask(t, s, v.method, v.path, "")
		if resp.StatusCode != v.status || !strings.HasPrefix(resp.Header.Get("Content-Type"), v.kind) || !strings.Contains(body, v.body) {
			t.Errorf("%s %s: %s, %s, %q", v.method, v.path, resp.Status, resp.Header.Get("Content-Type"), body)
		}
		if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Content-Security-Policy") != policy {
			t.Errorf("%s %s: header %v", v.method, v.path, resp.Header)
		}
	}
	_, body := ask(t, s, "GET", "/api/v1/numbers", "")
	var numbers []int
	if err := json.Unmarshal([]byte(body), &numbers); err != nil || len(numbers) != 2 {
		t.Errorf("%q: %v", body, err)
	}
}

// TestForeignOrigin: a page of another origin gets nothing below /api/v1/, although it could not read it; what monitors and load balancers ask is open.
func TestForeignOrigin(t *testing.T) {
	s := start(t, nil)
	for _, path := range []string{"/api/v1/", "/api/v1/numbers", "/api/v1/events", "/api/v1/nothing", "/metrics", "/healthz", "/readyz"} {
		for _, header := range [][2]string{{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr().String()+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(header[0], header[1])
			resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close() // only the status matters
			if want := map[bool]int{true: 403, false: 200}[strings.HasPrefix(path, "/api/")]; resp.StatusCode != want {
				t.Errorf("%s with %v: %s, want %d", path, header, resp.Status, want)
			}
		}
	}
}

// TestNotReady: a node that stops says so, and lives on.
func TestNotReady(t *testing.T) {
	s := start(t, func(opt *Options) {
		opt.NotReady = func() []Reason { return []Reason{{"joining", "it is looking"}, {"copies", "some are missing"}} }
	})
	for _, c := range []struct {
		query  string
		status int
		body   string
	}{
		{"", 503, "joining: it is looking\ncopies: some are missing\n"}, {"?except=copies", 503, "joining: it is looking\n"},
		{"?except=copies,joining", 200, "ready\n"}, {"?except=nothing", 503, "joining: it is looking\ncopies: some are missing\n"},
	} {
		if resp, body := ask(t, s, "GET", "/readyz"+c.query, ""); resp.StatusCode != c.status || body != c.body {
			t.Errorf("%s: %s %q", c.query, resp.Status, body)
		}
	}
	if resp, _ := ask(t, s, "GET", "/healthz", ""); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
}

// TestHost: a browser that was led here under a foreign name sees nothing.
func TestHost(t *testing.T) {
	s := start(t, nil)
	for host, status := range map[string]int{
		"localhost": 200, "LOCALHOST:42480": 200, "127.0.0.1": 200, "10.0.0.1:1": 200, "[::1]": 200, "[::1]:42480": 200, "web1.example:42480": 200, "WEB1.EXAMPLE": 200,
		"evil.example": 421, "evil.example:42480": 421, "localhost.evil.example": 421, "web1.example.evil.example": 421, "127.0.0.1.nip.io": 421,
	} {
		if resp, _ := ask(t, s, "GET", "/healthz", host); resp.StatusCode != status {
			t.Errorf("%s: %s, want %d", host, resp.Status, status)
		}
	}
}

// fakeListener hands out connections that come from an address.
type fakeListener struct {
	net.Listener
	conns chan net.Conn
}

func (l *fakeListener) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

type fakeConn struct {
	net.Conn
	from   netip.Addr
	closed chan struct{}
}

func (c *fakeConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.from, 1))
}

func (c *fakeConn) Close() error {
	close(c.closed)
	return nil
}

// TestGuard: connections from elsewhere and one too many are closed, and a
// closed one makes room.
func TestGuard(t *testing.T) {
	conns := make(chan net.Conn, 10)
	l := &guardedListener{
		Listener: &fakeListener{conns: conns},
		allow:    []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		logger:   slog.New(slog.DiscardHandler),
		most:     2,
	}
	from := func(addr string) *fakeConn {
		c := &fakeConn{from: netip.MustParseAddr(addr), closed: make(chan struct{})}
		conns <- c
		return c
	}
	accept := func(want *fakeConn) net.Conn {
		t.Helper()
		c, err := l.Accept()
		if err != nil || c.(*slotConn).Conn != net.Conn(want) {
			t.Fatalf("accepted %v, %v", c, err)
		}
		c.(*slotConn).begin() // a request
		c.(*slotConn).hold()  // for events
		return c
	}
	stranger, first, second := from("192.0.2.1"), from("10.1.1.1"), from("127.0.0.1")
	open := accept(first)
	<-stranger.closed
	accept(second)
	third, last := from("127.0.0.1"), from("192.0.2.1")
	close(conns)
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepted one too many: %v", err)
	}
	<-third.closed
	<-last.closed
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
	if l.open != 1 || len(l.of) != 1 {
		t.Errorf("%d slots taken by %v, want 1", l.open, l.of)
	}
}

// TestOneClient: a client that opens all connections that it can shuts nobody else out.
func TestOneClient(t *testing.T) {
	conns := make(chan net.Conn, maxConnections)
	l := &guardedListener{
		Listener: &fakeListener{conns: conns}, allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		logger: slog.New(slog.DiscardHandler), most: maxConnections,
	}
	refused := 0
	for range 2 * maxOfOne {
		c := &fakeConn{from: netip.MustParseAddr("10.1.1.1"), closed: make(chan struct{})}
		if admitted, reason := l.admit(c); reason != "" {
			refused++
		} else {
			admitted.begin()
			admitted.hold() // follows events
		}
	}
	if refused != maxOfOne {
		t.Errorf("%d of %d refused, want %d", refused, 2*maxOfOne, maxOfOne)
	}
	if _, reason := l.admit(&fakeConn{from: netip.MustParseAddr("10.1.1.2")}); reason != "" {
		t.Errorf("another client: %s", reason)
	}
}

// TestWaitingMakeRoom: where there are too many connections the one goes that has waited longest without a whole request, of the newcomer's address or of all; one that
// is being answered stays.
func TestWaitingMakeRoom(t *testing.T) {
	log := new(strings.Builder)
	l := &guardedListener{
		allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, most: maxOfOne + 3,
		logger: slog.New(slog.NewTextHandler(log, nil)),
	}
	admit := func(addr string) (*slotConn, *fakeConn) {
		t.Helper()
		c := &fakeConn{from: netip.MustParseAddr(addr), closed: make(chan struct{})}
		admitted, reason := l.admit(c)
		if reason != "" {
			t.Fatalf("%s: %s", addr, reason)
		}
		return admitted, c
	}
	closed := func(c *fakeConn) bool {
		select {
		case <-c.closed:
			return true
		default:
			return false
		}
	}
	_, other := admit("10.1.1.2")
	busy, busyConn := admit("10.1.1.1")
	busy.begin()
	first, firstConn := admit("10.1.1.1")
	_, second := admit("10.1.1.1")
	for range maxOfOne - 3 {
		admit("10.1.1.1")
	}
	if first.begin() {
		t.Error("it was closed before it was one too many")
	}
	first.end() // waits since now
	_, late := admit("10.1.1.1")
	if closed(other) || closed(busyConn) || closed(firstConn) || !closed(second) || closed(late) {
		t.Errorf("of one address: the other's %v, busy %v, answered %v, oldest %v, new %v", closed(other), closed(busyConn), closed(firstConn), closed(second), closed(late))
	}
	admit("10.1.1.2")
	admit("10.1.1.3") // all that there may be
	if closed(other) || l.open != l.most {
		t.Errorf("%d open, want %d", l.open, l.most)
	}
	admit("10.1.1.4")
	if !closed(other) || l.open != l.most {
		t.Errorf("of all: the oldest is still there, %d open", l.open)
	}
	if l.waiting[0].begin() {
		t.Error("it is open")
	}
	if text := log.String(); strings.Count(text, "admin_crowded") != 1 || !strings.Contains(text, "limit=64") {
		t.Errorf("the log has\n%s", text)
	}
	if hidden, due := l.crowded.pass(time.Now().Add(crowdedSpan)); !due || hidden != 1 {
		t.Errorf("later: %d, %v", hidden, due)
	}
}

// TestSlowClients: clients that send half a request, or a request without its body, or do not read answers, shut nobody out of their address, however many there are.
func TestSlowClients(t *testing.T) {
	longer := make([]byte, 32<<20)
	for name, half := range map[string]string{
		"half a head": "GET /healthz HT", "nothing": "", "half a body": "POST /api/v1/numbers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
		"no reading":       "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a body of a page": "GET /api/v1/long HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", "idle": "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(opt *Options) {
				opt.API["long"] = func(context.Context, Request) any { return strings.Repeat("x", 1<<16) }
				opt.Dashboard = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(longer) }) // until it is closed
			})
			for range maxOfOne + 10 {
				c, err := net.Dial("tcp", s.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = c.Close() }()
				_ = c.(*net.TCPConn).SetReadBuffer(1 << 10) // it reads nothing
				_, _ = io.WriteString(c, half)              // it may have been closed already
			}
			for range 3 {
				if resp, _ := ask(t, s, "GET", "/healthz", ""); resp.StatusCode != http.StatusOK {
					t.Error(resp.Status)
				}
			}
		})
	}
}

// TestShutdownCutsSilentClients: a client that has sent half a request does not
// hold up the end for long.
func TestShutdownCutsSilentClients(t *testing.T) {
	s := start(t, nil)
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "GET / HT"); err != nil {
		t.Fatal(err)
	}
	// Must have been accepted before the listener closes: ask on another connection, which comes later.
	ask(t, s, "GET", "/healthz", "")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.Shutdown(ctx)
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(c).ReadString('\n'); err == nil {
		t.Errorf("got an answer: %q", line)
	} else if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		t.Error("the connection is still open")
	}
}

// TestTakenPort: the error says so.
func TestTakenPort(t *testing.T) {
	s := start(t, nil)
	if _, err := Listen(Options{Addr: s.Addr().String()}); err == nil {
		t.Error("two listen on one port")
	}
}
