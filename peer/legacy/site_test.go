package legacy

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// site is a node as far as these tests need one: it keeps sessions, gives them to who asks, and remembers what it was told.
type site struct {
	t    *testing.T
	net  *Net
	addr string
	log  *syncBuffer

	mu        sync.Mutex
	sessions  map[string]Transfer
	leaving   map[string]bool
	queries   []Query
	events    []string
	outcomes  []Outcome
	verdict   *Verdict // instead of what is right
	withhold  bool     // queries are not acted on
	reserved  int
	full      bool
	held      []func(Verdict)
	hold      bool // answers are kept in held
	transfers int
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// startSite starts a node that listens at addr. It is closed when the bubble ends.
func startSite(t *testing.T, f *fabric, addr string, opt Options) *site {
	t.Helper()
	s := &site{t: t, addr: addr, sessions: map[string]Transfer{}, leaving: map[string]bool{}, log: &syncBuffer{}}
	ip, _, err := net.SplitHostPort(addr)
	check(t, err)
	if opt.Dial == nil {
		opt.Dial = f.dialer(ip)
	}
	if opt.MachineName == "" {
		opt.MachineName = "vm"
	}
	opt.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	opt.Reserve = func(n int) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.full {
			return false
		}
		s.reserved += n
		return true
	}
	opt.Unreserve = func(n int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reserved -= n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.net, err = New(opt, s)
	check(t, err)
	if f != nil {
		f.listen(addr, func(nc net.Conn) { s.net.Accept(nc, nil) })
	}
	t.Cleanup(func() {
		s.close()
		if s.reserved != 0 {
			t.Errorf("%s: %d bytes are still reserved", addr, s.reserved)
		}
	})
	return s
}

func (s *site) close() { s.net.Close() }

func (s *site) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, what)
}

func (s *site) OriginalUp(int)   { s.note("up") }
func (s *site) OriginalDown(int) { s.note("down") }

func (s *site) OriginalQuery(peer int, q Query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, q)
	t, ok := s.sessions[q.Target]
	if !ok || s.leaving[q.Target] || s.withhold {
		return
	}
	s.leaving[q.Target] = true
	t.ID = ID{}
	s.net.Deliver(peer, q.Host, t, func(o Outcome) {
		go func() { // done may be called at once, and mu is held
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.leaving, q.Target)
			s.outcomes = append(s.outcomes, o)
			if o.Result != Failed {
				delete(s.sessions, q.Target)
			}
		}()
	})
}

func (s *site) OriginalTransfer(_ int, t Transfer, answer func(Verdict)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transfers++
	_, there := s.sessions[t.Target]
	v := Stored
	switch {
	case s.verdict != nil:
		v = *s.verdict
	case there:
		v = Exists
	default:
		s.sessions[t.Target] = t
	}
	if s.hold {
		s.held = append(s.held, answer)
		return
	}
	go answer(v) // mu is held, and Unreserve takes it
}

func (s *site) put(target, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[target] = Transfer{Target: target, Body: []byte(body), Timeout: 20, LastModified: 638000000000000000}
}

func (s *site) has(target string) (body string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.sessions[target]
	return string(t.Body), ok
}

func (s *site) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

func (s *site) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.events...)
}

func (s *site) asked() []Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Query(nil), s.queries...)
}

func (s *site) live() bool { return s.net.Peers()[0].Live }

// bubble runs a test on a fake clock.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// pass lets time go by and waits until all that it brings has happened.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// stranger is the other side of a connection to a Net, in the hands of the test.
type stranger struct {
	t *testing.T
	*fakeConn
	seen int
}

// knock opens a connection to a site from an address.
func knock(t *testing.T, s *site, from string) *stranger {
	t.Helper()
	mine, theirs := pipe(from, s.addr)
	s.net.Accept(theirs, nil)
	return &stranger{t: t, fakeConn: mine}
}

func (x *stranger) say(format string) {
	x.t.Helper()
	if _, err := x.Write([]byte(strings.ReplaceAll(format, "\n", "\r\n"))); err != nil {
		x.t.Fatal(err)
	}
}

// got returns what has been written to the stranger since the last call.
func (x *stranger) got() string {
	x.t.Helper()
	synctest.Wait()
	x.in.mu.Lock()
	defer x.in.mu.Unlock()
	all := strings.Join(x.in.writes, "")
	all, x.seen = all[x.seen:], len(all)
	return all
}

// hungUp reports whether the other side has closed the connection.
func (x *stranger) hungUp() bool {
	synctest.Wait()
	x.in.mu.Lock()
	defer x.in.mu.Unlock()
	return x.in.eof
}

func (x *stranger) want(text string) {
	x.t.Helper()
	if got, text := x.got(), strings.ReplaceAll(text, "\n", "\r\n"); got != text {
		x.t.Errorf("got\n%.1000q, want\n%.1000q", got, text)
	}
}

// read reads one message that has been or will be written to the stranger.
func (x *stranger) message(r *Reader) (m Message, body []byte) {
	x.t.Helper()
	check(x.t, r.Next(&m))
	body = make([]byte, m.Length)
	check(x.t, r.Body(body))
	return m, body
}

var _ io.Reader = (*fakeConn)(nil)

const (
	ping      = "GET \\PING HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 0\n\n"
	pingReply = "200 OK\nX-AspNet-Version: 2.0.50727\nServer: State Service Peer\nContent-Length: 0\n\n"
	authBegin = "GET \\AUTH HTTP/1.1\nHost: 127.0.0.1\n\n"
	badPort   = "400 Request is not on Webserver port\nX-AspNet-Version: 2.0.50727\nCache-Control: private\nContent-Length: 0\n\n"
	hexID     = "00112233445566778899aabbccddeeff"
)

func query(target, host string) string {
	return "GET " + target + " HTTP/1.1\nHost: " + host + "\nX-ID: " + hexID + "\nExclusive: transfer\nMax-Forwards: 0\n\n"
}

// transferText is ST of the scenarios.
func transferText(target, body string) string {
	b := Append(nil, &Message{
		Kind: KindTransfer, Target: target, Host: "127.0.0.1:5", ID: ID{1}, Timeout: 20, LastModified: 638000000000000000, Length: len(body),
	})
	return strings.ReplaceAll(string(b), "\r\n", "\n") + body
}

func answerText(status, id string) string {
	if strings.HasPrefix(status, "400") {
		return status + "\nX-AspNet-Version: 2.0.50727\nCache-Control: private\nX-Assoc-ID: " + id + "\nContent-Length: 0\n\n"
	}
	return status + "\nX-AspNet-Version: 2.0.50727\nX-Assoc-ID: " + id + "\nCache-Control: private\nContent-Length: 0\n\n"
}

const idOne = "01000000000000000000000000000000" // of transferText
