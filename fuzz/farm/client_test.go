//go:build unix

package farm

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The requests of the scenarios, byte by byte.

type header struct{ name, value string }

// cookie, flag and life are headers of PUT.
func cookie(n int) header { return header{"LockCookie", strconv.Itoa(n)} }
func flag1() header       { return header{"ExtraFlags", "1"} }
func life(m any) header   { return header{"Timeout", fmt.Sprint(m)} }

// PUT saves a session.
func PUT(key, body string, extra ...header) string {
	values := map[string]string{"Timeout": "20"}
	for _, h := range extra {
		values[h.name] = h.value
	}
	var b strings.Builder
	b.WriteString("PUT " + key + " HTTP/1.1\r\nHost: localhost\r\n")
	for _, name := range []string{"Timeout", "ExtraFlags", "LockCookie"} {
		if v, ok := values[name]; ok {
			b.WriteString(name + ": " + v + "\r\n")
		}
	}
	b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	return b.String()
}

func request(verb, key string, lines ...string) string {
	return verb + " " + key + " HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(append(lines, "\r\n"), "")
}

// GET reads a session, ACQ locks it, REL unlocks it, HEAD prolongs it, DEL removes it.
func GET(key string) string { return request("GET", key) }
func ACQ(key string) string { return request("GET", key, "Exclusive: acquire\r\n") }
func REL(key string, n int) string {
	return request("GET", key, "Exclusive: release\r\n", fmt.Sprintf("LockCookie: %d\r\n", n))
}
func HEAD(key string) string { return request("HEAD", key) }
func DEL(key string, n ...int) string {
	if len(n) > 0 {
		return request("DELETE", key, fmt.Sprintf("LockCookie: %d\r\n", n[0]))
	}
	return request("DELETE", key)
}

// okPut is what is answered to a save.
const okPut = "200 OK\r\nX-AspNet-Version: 2.0.50727\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"

// okGet is what is answered to a read.
func okGet(body string) string {
	return "200 OK\r\nX-AspNet-Version: 2.0.50727\r\nTimeout: 20\r\nCache-Control: private\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// answer is what a node has answered.
type answer struct {
	status int
	raw    string // all of it
	body   string
	err    error
	took   time.Duration
}

// header is the value of a header; empty if it is not there.
func (a answer) header(name string) string {
	for line := range strings.SplitSeq(a.raw[:len(a.raw)-len(a.body)], "\r\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return v
		}
	}
	return ""
}

// lockAge is the age that a 423 says; -1 if there is none.
func (a answer) lockAge() int {
	n, err := strconv.Atoi(a.header("LockAge"))
	if err != nil {
		return -1
	}
	return n
}

// cut reports whether the request was told to come again: a 423 with age 0 and no lock.
func (a answer) cut() bool { return a.status == 423 && a.lockAge() == 0 }

// String is the answer in short: its number, #cookie, ! if the session is uninitialised, and the body.
func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	s := strconv.Itoa(a.status)
	if c := a.header("LockCookie"); c != "" {
		s += " #" + c
	}
	if a.header("ActionFlags") == "1" {
		s += " !"
	}
	switch {
	case len(a.body) > 64:
		s += fmt.Sprintf(" (%d bytes)", len(a.body))
	case a.body != "":
		s += " " + a.body
	}
	return s
}

// is compares an answer with a short form, or, if that has line ends, with all its bytes.
func (a answer) is(want string) bool {
	if strings.Contains(want, "\r\n") {
		return a.err == nil && a.raw == want
	}
	return a.String() == want
}

// client is one connection to a state port.
type client struct {
	net.Conn
	r *bufio.Reader
}

// dialTo opens a connection to a port.
func dialTo(t testing.TB, addr string) *client {
	t.Helper()
	c, err := tryDial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func tryDial(addr string) (*client, error) {
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	return &client{nc, bufio.NewReader(nc)}, nil
}

// dial opens a connection to the node's state port.
func (n *node) dial() *client {
	n.t.Helper()
	return dialTo(n.t, n.state)
}

// do sends a request and reads the answer.
func (c *client) do(request string) answer {
	began := time.Now()
	_ = c.SetDeadline(began.Add(patience)) // fails if it is closed, and then so does all else
	if _, err := io.WriteString(c, request); err != nil {
		return answer{err: err}
	}
	a := c.read()
	a.took = time.Since(began)
	return a
}

// read reads one answer.
func (c *client) read() (a answer) {
	var head strings.Builder
	length := 0
	for {
		line, err := c.r.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			return answer{err: fmt.Errorf("the answer ends in %q: %w", head.String(), err)}
		}
		if line == "\r\n" {
			break
		}
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimRight(v, "\r\n"))
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return answer{err: fmt.Errorf("the body of an answer ends early: %w", err)}
	}
	a.raw, a.body = head.String()+string(body), string(body)
	number, _, _ := strings.Cut(a.raw, " ")
	a.status, _ = strconv.Atoi(number)
	return a
}

// silent reports whether nothing comes for some time and the connection stays open.
func (c *client) silent(d time.Duration) bool {
	_ = c.SetReadDeadline(time.Now().Add(d))
	_, err := c.r.Peek(1)
	ne, ok := err.(net.Error) //nolint:errorlint // of a socket, not wrapped
	return ok && ne.Timeout()
}

// closed reports whether the other side closes the connection without another byte.
func (c *client) closed() bool {
	_ = c.SetReadDeadline(time.Now().Add(patience))
	_, err := c.r.Peek(1)
	ne, ok := err.(net.Error) //nolint:errorlint // of a socket, not wrapped
	return err != nil && (!ok || !ne.Timeout())
}

// do sends a request to the node on a connection of its own.
func (n *node) do(request string) answer {
	c, err := tryDial(n.state)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = c.Close() }()
	return c.do(request)
}

// step is a request to a node, and what has to be answered; see answer.is.
type step struct {
	at         int
	send, want string
}

// play plays steps one after the other.
func (f *farm) play(t testing.TB, steps ...step) {
	t.Helper()
	for i, s := range steps {
		if a := f.nodes[s.at].do(s.send); !a.is(s.want) {
			first, _, _ := strings.Cut(s.send, "\r\n")
			t.Fatalf("step %d, %s at %s: %v, want %q; all of it: %.300q", i+1, first, f.nodes[s.at].name, a, s.want, a.raw)
		}
	}
}

// save saves sessions, whose keys are their bodies' beginnings, at a node.
func (n *node) save(t testing.TB, size int, keys ...string) {
	t.Helper()
	c := n.dial()
	for _, key := range keys {
		if a := c.do(PUT(key, body(key, size))); a.status != 200 {
			t.Fatalf("PUT %s at %s: %v", key, n.name, a)
		}
	}
	_ = c.Close()
}

// body is the body of a session that was saved by save.
func body(key string, size int) string {
	return key + strings.Repeat("x", max(0, size-len(key)))
}

// has looks at what was read of sessions, and returns how many are as save has saved them.
func (n *node) has(t testing.TB, size int, keys []string, answers []answer) (found int) {
	t.Helper()
	for i, a := range answers {
		if a.status == 200 && a.body == body(keys[i], size) {
			found++
		} else {
			t.Logf("GET %s at %s: %v after %v", keys[i], n.name, a, a.took)
		}
	}
	return found
}

// read reads sessions at a node, so many at a time, each reader on a connection of its own.
func (n *node) read(atOnce int, keys ...string) []answer {
	n.t.Helper()
	answers := make([]answer, len(keys))
	readers := min(atOnce, len(keys))
	conns := make([]*client, readers)
	for i := range conns {
		conns[i] = n.dial()
	}
	together(readers, func(r int) {
		for i := r; i < len(keys); i += readers {
			answers[i] = conns[r].do(GET(keys[i]))
		}
	})
	for _, c := range conns {
		_ = c.Close()
	}
	return answers
}

// wantAll fails unless all sessions can be read at a node.
func (n *node) wantAll(t testing.TB, atOnce, size int, keys ...string) {
	t.Helper()
	if got := n.has(t, size, keys, n.read(atOnce, keys...)); got != len(keys) {
		t.Errorf("%d of %d sessions at %s", got, len(keys), n.name)
	}
}

// wantAllInTheEnd is wantAll for where links are bad: who is told to come again does, as ASP.NET would.
func (n *node) wantAllInTheEnd(t testing.TB, atOnce, size int, keys ...string) {
	t.Helper()
	answers := n.read(atOnce, keys...)
	for i := range answers {
		for end := time.Now().Add(patience); answers[i].cut() && time.Now().Before(end); {
			answers[i] = n.do(GET(keys[i]))
		}
	}
	if got := n.has(t, size, keys, answers); got != len(keys) {
		t.Errorf("%d of %d sessions at %s", got, len(keys), n.name)
	}
}
