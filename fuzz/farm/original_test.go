//go:build unix

package farm

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What originals send, byte by byte.

// PING asks whether somebody is there.
const PING = "GET \\PING HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"

// pong is the answer to it.
const pong = "200 OK\r\nX-AspNet-Version: 2.0.50727\r\nServer: State Service Peer\r\nContent-Length: 0\r\n\r\n"

// GT asks for a session, to be delivered to host.
func GT(key, host, id, broadcast string, forwards int) string {
	s := "GET " + key + " HTTP/1.1\r\nHost: " + host + "\r\nX-ID: " + id + "\r\nExclusive: transfer\r\n"
	if broadcast != "" {
		s += "X-Broadcast-ID: " + broadcast + "\r\n"
	}
	return s + fmt.Sprintf("Max-Forwards: %d\r\n\r\n", forwards)
}

// ST delivers a session. Lines of its head can be put in place of others, by name, or taken out.
func ST(key, body, id string, instead ...header) string {
	lines := []header{
		{"Host", "127.0.0.1:5"}, {"X-ID", id}, {"LockDate", ""}, {"LockAge", ""}, {"LockCookie", ""}, {"X-If-None-Exists", "true"}, {"Exclusive", "transfer"},
		{"Timeout", "20"}, {"ExtraFlags", "0"}, {"Last-Modified", "638000000000000000"}, {"Content-Type", ""}, {"Content-Length", strconv.Itoa(len(body))},
	}
	s := "PUT " + key + " HTTP/1.1\r\n"
	for _, l := range lines {
		for _, h := range instead {
			if h.name == l.name {
				l.value = h.value
			}
		}
		if l.value != "" {
			s += l.name + ": " + l.value + "\r\n"
		}
	}
	return s + "\r\n" + body
}

func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// original is the test in the part of an original: it listens, answers PINGs, and notes everything else.
type original struct {
	addr     string
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	answer   func(message string) string // to what is not a PING; guarded by mu
	messages []string                    // guarded by mu
	dials    int                         // connections that were accepted; guarded by mu
	conns    []net.Conn                  // guarded by mu
	over     bool                        // guarded by mu
}

func newOriginal(t testing.TB) *original {
	t.Helper()
	l, err := net.Listen("tcp", freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	o := &original{addr: l.Addr().String(), listener: l}
	o.running.Go(o.accept)
	t.Cleanup(func() {
		_ = l.Close()
		o.mu.Lock()
		o.over = true
		for _, nc := range o.conns {
			_ = nc.Close()
		}
		o.mu.Unlock()
		o.running.Wait()
	})
	return o
}

func (o *original) accept() {
	for {
		nc, err := o.listener.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		o.dials++
		if o.conns = append(o.conns, nc); o.over {
			_ = nc.Close()
		}
		o.mu.Unlock()
		o.running.Go(func() { o.serve(nc) })
	}
}

func (o *original) serve(nc net.Conn) {
	defer func() { _ = nc.Close() }()
	r := bufio.NewReader(nc)
	for {
		m, err := readMessage(r)
		if err != nil {
			return
		}
		reply := pong
		if !strings.HasPrefix(m, "GET \\PING ") && !strings.HasPrefix(m, "200 ") {
			o.mu.Lock()
			o.messages = append(o.messages, m)
			answer := o.answer
			o.mu.Unlock()
			if reply = ""; answer != nil {
				reply = answer(m)
			}
		}
		if strings.HasPrefix(m, "200 ") {
			continue
		}
		if _, err := io.WriteString(nc, reply); err != nil {
			return
		}
	}
}

// readMessage reads one message of an original.
func readMessage(r *bufio.Reader) (string, error) {
	var b strings.Builder
	length := 0
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return b.String(), err
		}
		if line == "\r\n" {
			break
		}
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(v))
		}
	}
	_, err := io.CopyN(&b, r, int64(length))
	return b.String(), err
}

// answers sets how the original answers what is not a PING.
func (o *original) answers(with func(message string) string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = with
}

// heard returns the messages, but for PINGs, that begin so.
func (o *original) heard(beginning string) (found []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.messages {
		if strings.HasPrefix(m, beginning) {
			found = append(found, m)
		}
	}
	return found
}

func (o *original) dialled() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dials
}

// stored answers a transfer with 200, as an original that has taken it.
func stored(message string) string {
	if !strings.HasPrefix(message, "PUT ") {
		return ""
	}
	return assoc("200 OK", idOf(message))
}

// assoc is an answer to a transfer.
func assoc(status, id string) string {
	return status + "\r\nX-AspNet-Version: 2.0.50727\r\nX-Assoc-ID: " + id + "\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"
}

func idOf(message string) string {
	_, id, _ := strings.Cut(message, "X-ID: ")
	id, _, _ = strings.Cut(id, "\r\n")
	return id
}

// withOriginal makes a node of a farm know an original. To be called before the start.
func (f *farm) withOriginal(i int, o *original) {
	f.t.Helper()
	file := filepath.Join(f.dir, fmt.Sprintf("legacy%d.toml", i))
	if err := os.WriteFile(file, []byte("[[legacy_peer]]\naddress = \""+o.addr+"\"\n"), 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.nodes[i].args = append(f.nodes[i].args, "--config", file)
}

// awaitOriginal waits until the node has a live link to its original.
func (n *node) awaitOriginal() {
	n.t.Helper()
	await(n.t, "the original to be linked to "+n.name, patience, func() bool {
		var v view
		return n.page("farm", &v) == nil && len(v.Originals) == 1 && v.Originals[0].Live
	})
}

// originalWait is the query timeout of these farms: what an original does not have costs it.
const originalWait = 500 * time.Millisecond

// TestOriginal plays the peer port as an original finds it.
func TestOriginal(t *testing.T) {
	t.Parallel()
	o := newOriginal(t)
	f := newFarm(t, single(), plain, "--query-timeout", originalWait.String(), "--lock-wait", "0")
	f.withOriginal(0, o)
	f.start()
	n := f.nodes[0]
	n.awaitOriginal()

	const wrongPort = "400 Request is not on Webserver port\r\nX-AspNet-Version: 2.0.50727\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"
	bad := func(id string) string {
		return "400 Bad Request\r\nX-AspNet-Version: 2.0.50727\r\nCache-Control: private\r\nX-Assoc-ID: " + id + "\r\nContent-Length: 0\r\n\r\n"
	}
	ids := make([]string, 10)
	for i := range ids {
		ids[i] = newID()
	}
	k := newKeys(5)
	for _, c := range []struct{ id, send, want string }{
		{"P1", PING, pong},
		{"P2 GET", GET(k[0]), wrongPort},
		{"P2 PUT", PUT(k[0], "v"), wrongPort},
		{"P2 HEAD", HEAD(k[0]), wrongPort},
		{"P2 DEL", DEL(k[0]), wrongPort},
		{"P2 ACQ", ACQ(k[0]), wrongPort},
		{"P3", ST(k[1], "x", ids[0]), assoc("200 OK", ids[0])},
		{"P4", ST(k[1], "y", ids[1]), assoc("412 Precondition Failed", ids[1])},
		{"P5 no id", ST(k[2], "x", ""), bad(strings.Repeat("0", 32))},
		{"P5 no Last-Modified", ST(k[2], "x", ids[2], header{"Last-Modified", ""}), bad(ids[2])},
		{"P5 half a lock", ST(k[2], "x", ids[3], header{"LockDate", "638000000000000000"}, header{"LockAge", "1"}), bad(ids[3])},
		{"P5 cookie", ST(k[2], "x", ids[4], header{"LockDate", "638000000000000000"}, header{"LockAge", "1"}, header{"LockCookie", "2147483647"}), bad(ids[4])},
		{"P5 encrypted", ST(k[2], "x", ids[5], header{"Content-Type", "application/x-encrypted; plaintext-length=1"}), bad(ids[5])},
		{"P6", ST(k[3], "x", ids[6], header{"LockDate", "638000000000000000"}, header{"LockAge", "1"}, header{"LockCookie", "5"}), assoc("200 OK", ids[6])},
	} {
		t.Run(c.id, func(t *testing.T) {
			if a := dialTo(t, n.peer).do(c.send); !a.is(c.want) {
				t.Errorf("%q, want %q", a.raw, c.want)
			}
		})
	}
	t.Run("P3 to P6, on the state port", func(t *testing.T) {
		f.play(t, step{0, GET(k[1]), okGet("x")}, step{0, GET(k[3]), "423 #5"}, step{0, REL(k[3], 5), "200"}, step{0, ACQ(k[3]), "200 #6 x"}, step{0, GET(k[2]), "404"})
	})
	t.Run("P7", func(t *testing.T) {
		want := regexp.MustCompile(`^401 Unauthorized\r\nX-AspNet-Version: 2\.0\.50727\r\n` + //nolint:misspell // as HTTP spells it
			`WWW-Authenticate: Digest realm="state_service@[^",]+", qop="auth", nonce="[A-Za-z0-9+/]+=*", algorithm="SHA-256"\r\nContent-Length: 0\r\n\r\n$`)
		if a := dialTo(t, n.peer).do("GET \\AUTH HTTP/1.1\r\nHost: 127.0.0.1:5\r\n\r\n"); !want.MatchString(a.raw) {
			t.Errorf("%q", a.raw)
		}
	})
}

// TestOriginalQueries plays what becomes of a session that an original asks for.
func TestOriginalQueries(t *testing.T) {
	t.Parallel()
	o := newOriginal(t)
	f := newFarm(t, single(), plain, "--query-timeout", originalWait.String())
	f.withOriginal(0, o)
	f.start()
	n := f.nodes[0]
	n.awaitOriginal()
	ask := func(t *testing.T, m string) *client {
		c := dialTo(t, n.peer)
		if _, err := c.Write([]byte(m)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("P8", func(t *testing.T) {
		k := newKey()
		f.play(t, step{0, PUT(k, "hello"), okPut})
		o.answers(stored)
		ask(t, GT(k, o.addr, newID(), "", 0))
		await(t, "the session", patience, func() bool { return len(o.heard("PUT "+k+" ")) == 1 })
		want := regexp.MustCompile(`^PUT ` + k + ` HTTP/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\nX-ID: [0-9a-f]{32}\r\nX-If-None-Exists: true\r\nExclusive: transfer\r\n` +
			`Timeout: 20\r\nExtraFlags: 0\r\nLast-Modified: \d{18}\r\nContent-Length: 5\r\n\r\nhello$`)
		if m := o.heard("PUT " + k + " ")[0]; !want.MatchString(m) {
			t.Errorf("%q", m)
		}
		o.answers(nil)
		a := n.do(GET(k))
		for try := 1; a.cut() && try < attempts; try++ { // the node was late
			a = n.do(GET(k))
		}
		if a.status != 404 || a.took < originalWait/2 || a.took > 3*originalWait {
			t.Errorf("%v after %v: an original says no by saying nothing for %v", a, a.took, originalWait)
		}
		query := regexp.MustCompile(`^GET ` + k + ` HTTP/1\.1\r\nHost: ` + regexp.QuoteMeta(n.peer) + `\r\nX-ID: [0-9a-f]{32}\r\nExclusive: transfer\r\nMax-Forwards: 5\r\n\r\n$`)
		// The first was before the session was made. Each is repeated with a name of its own, in case that it was lost.
		m := slices.DeleteFunc(o.heard("GET "+k+" "), func(m string) bool { return strings.Contains(m, "\r\nX-Broadcast-ID: ") })
		if len(m) < 2 || !query.MatchString(m[1]) {
			t.Errorf("%q", m)
		}
	})
	for _, c := range []struct {
		id, host string
		within   time.Duration
	}{
		{"P9", freeAddr(t), 200 * time.Millisecond},
		{"P11", "127.0.0.1:99999", 200 * time.Millisecond},
		{"P10", newMute(t), 3 * originalWait},
	} {
		t.Run(c.id, func(t *testing.T) {
			k := newKey()
			f.play(t, step{0, PUT(k, "hello"), okPut})
			ask(t, GT(k, c.host, newID(), "", 0))
			pass(10 * time.Millisecond) // so that it is on its way
			if a := n.do(GET(k)); !a.is(okGet("hello")) || a.took > soon(c.within) {
				t.Errorf("%v after %v, want 200 within %v", a, a.took, c.within)
			}
			f.play(t, step{0, PUT(k, "new"), okPut}, step{0, GET(k), okGet("new")})
		})
	}
	t.Run("P12", func(t *testing.T) {
		if c := ask(t, GT(newKey(), o.addr, newID(), "", 5)); !c.silent(2 * originalWait) {
			t.Error("a query for what is nowhere is answered")
		}
	})
	for _, m := range []string{assoc("200 OK", newID()), "404 Not Found\r\nContent-Length: 0\r\n\r\n"} {
		t.Run("P13", func(t *testing.T) {
			if c := ask(t, m); !c.closed() {
				t.Errorf("the connection is open after %q", m)
			}
		})
	}
	t.Run("D13", func(t *testing.T) {
		k := newKey()
		f.play(t, step{0, PUT(k, "hello"), okPut})
		ask(t, GT(k, "127.0.0.1:99999", newID(), "", 0))
		o.answers(stored)
		n.stop(0, 10*time.Second)
		if got := o.heard("PUT " + k + " "); len(got) != 1 {
			t.Errorf("%q was handed over to the original that is left", got)
		}
	})
}

// newMute returns the address of something that accepts connections and never says anything.
func newMute(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, nc)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		for _, nc := range conns {
			_ = nc.Close()
		}
	})
	return l.Addr().String()
}

// TestOriginalGateway has a farm of two of which only one is linked to the original.
func TestOriginalGateway(t *testing.T) {
	t.Parallel()
	o := newOriginal(t)
	o.answers(stored)
	f := newFarm(t, pair(), secret, "--query-timeout", originalWait.String())
	f.withOriginal(0, o)
	f.start()
	f.nodes[0].awaitOriginal()
	there, here, k := newKey(), newKey(), newKey()
	f.play(t, step{1, PUT(k, "hello"), okPut})
	c := dialTo(t, f.nodes[0].peer)

	t.Run("the original asks for a session behind the gateway", func(t *testing.T) {
		if _, err := c.Write([]byte(GT(k, o.addr, newID(), "", 5))); err != nil {
			t.Fatal(err)
		}
		await(t, "the session", patience, func() bool { return len(o.heard("PUT "+k+" ")) == 1 })
		await(t, "the nodes to forget it", patience, func() bool { return f.sessions() == 0 })
	})
	t.Run("a node behind the gateway asks for a session of the original", func(t *testing.T) {
		o.answers(func(m string) string {
			if strings.HasPrefix(m, "GET "+there+" ") {
				c := dialTo(t, f.nodes[0].peer) // it delivers by a connection of its own
				if a := c.do(ST(there, "legacy", newID())); a.status != 200 {
					t.Error(a)
				}
			}
			return ""
		})
		f.play(t, step{1, GET(there), okGet("legacy")})
	})
	t.Run("and for one that is nowhere", func(t *testing.T) {
		if a := f.nodes[1].do(GET(here)); a.status != 404 || a.took > 3*originalWait {
			t.Errorf("%v after %v", a, a.took)
		}
	})
}
