//go:build unix

package farm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// emulator is an original as docs/peer-protocol.md §8 and the recordings describe it, with its faults: it loses what shares a read with the end of a
// message, judges answers by what it sent last, and forgets the cookies of locks. It has a state port of its own.
type emulator struct {
	t     testing.TB
	setup emulated
	web   string // address of the state port
	peer  string // of the peer port

	running sync.WaitGroup

	// Guarded by mu.

	mu        sync.Mutex
	over      bool
	stopping  bool
	listeners []net.Listener
	conns     map[*emConn]struct{}
	live      []*emConn
	first     string // Host of what is not a query
	sessions  map[string]*emSession
	expected  map[string]*emExpected
	waiting   map[string]*emTransfer // transfers that have not been answered, by id
	links     map[string]*emConn
	seen      map[string]bool
	started   map[string]bool
	sent      map[string]time.Time
	faults    []string // what must never happen: bytes that were lost, answers that nobody asked for
	delivered int
	arrived   int
}

// emulated is the configuration of an emulator.
type emulated struct {
	ip           string
	peers        []string
	authenticate bool
	encrypt      bool
	password     string
	timeout      time.Duration // NetworkQueryTimeout
	lag          time.Duration // before each read, so that what comes meanwhile shares it
	machine      string
}

type emSession struct {
	body      []byte
	minutes   string
	flags     string
	locked    bool
	cookie    int
	lockDate  int64
	exporting bool
	waiters   []func() // requests that wait for the end of the export
}

type emExpected struct {
	timer *time.Timer
	calls []func(late bool)
}

// emTransfer is a transfer that waits for its answer.
type emTransfer struct {
	timer *time.Timer
	conn  *emConn
	done  func(status int) // 0 = none in time
}

// emConn is a connection of an emulator.
type emConn struct {
	e        *emulator
	nc       net.Conn
	web      bool
	out      chan []byte
	done     chan struct{}
	once     sync.Once
	parser   emParser
	kinds    []string // of the last two messages that were sent
	nonce    string   // of the last 401
	key      []byte   // of an authenticated connection
	lastByte time.Time
	auth     *emAuth
}

// emAuth is an authentication that this side has begun.
type emAuth struct {
	cnonce, proof string
	key           []byte
	timer         *time.Timer
	done          func(ok bool)
}

func newEmulator(t testing.TB, setup emulated) *emulator {
	t.Helper()
	if setup.ip == "" {
		setup.ip = "127.0.0.1"
	}
	if setup.machine == "" {
		setup.machine = "vm"
	}
	if setup.timeout == 0 {
		setup.timeout = emulatedWait
	}
	e := &emulator{t: t, setup: setup, web: freeAddr(t), peer: freeAddr(t)}
	_, port, _ := net.SplitHostPort(e.peer)
	e.peer = net.JoinHostPort(setup.ip, port)
	return e
}

// start opens the ports and dials the peers, as a process that has just been started.
func (e *emulator) start() {
	e.t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over, e.stopping, e.live, e.first = false, false, nil, ""
	e.conns, e.sessions, e.expected = map[*emConn]struct{}{}, map[string]*emSession{}, map[string]*emExpected{}
	e.waiting, e.links, e.sent = map[string]*emTransfer{}, map[string]*emConn{}, map[string]time.Time{}
	e.seen, e.started = map[string]bool{}, map[string]bool{}
	e.listeners = nil
	for _, addr := range []string{e.web, e.peer} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			e.t.Fatal(err)
		}
		e.listeners = append(e.listeners, l)
		e.running.Go(func() { e.accept(l, addr == e.web) })
	}
	e.dialPeers()
	e.running.Go(e.poll)
	e.t.Cleanup(func() {
		e.kill()
		for _, f := range e.faults {
			e.t.Errorf("the original at %s: %s", e.peer, f)
		}
	})
}

// kill ends the process.
func (e *emulator) kill() {
	e.mu.Lock()
	e.over = true
	for _, l := range e.listeners {
		_ = l.Close()
	}
	for c := range e.conns {
		c.close()
	}
	for _, w := range e.waiting {
		w.timer.Stop()
	}
	for _, x := range e.expected {
		x.timer.Stop()
	}
	e.mu.Unlock()
	e.running.Wait()
}

func (e *emulator) fault(format string, args ...any) {
	if !e.over {
		e.faults = append(e.faults, fmt.Sprintf(format, args...))
	}
}

// onTime reports whether the machine has let this process run when it was to, lately: otherwise what was sent apart may have been read together.
func onTime() bool { return lateness.lately() < 3*time.Millisecond }

func (e *emulator) accept(l net.Listener, web bool) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		e.mu.Lock()
		e.open(nc, web)
		e.mu.Unlock()
	}
}

// open makes a socket one of the emulator's.
func (e *emulator) open(nc net.Conn, web bool) *emConn {
	c := &emConn{e: e, nc: nc, web: web, out: make(chan []byte, 4096), done: make(chan struct{}), lastByte: time.Now()}
	if e.over {
		_ = nc.Close()
		return c
	}
	e.conns[c] = struct{}{}
	e.running.Go(c.read)
	e.running.Go(c.write)
	return c
}

func (c *emConn) close() {
	c.once.Do(func() {
		close(c.done)
		_ = c.nc.Close()
		delete(c.e.conns, c)
		c.e.live = slices.DeleteFunc(c.e.live, func(l *emConn) bool { return l == c })
	})
}

func (c *emConn) isClosed() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *emConn) write() {
	for {
		select {
		case b := <-c.out:
			if _, err := c.nc.Write(b); err != nil {
				return
			}
		case <-c.done:
			return
		}
	}
}

// send sends a message, and remembers its kind.
func (c *emConn) send(kind, message string) {
	c.kinds = append(c.kinds, kind)
	c.kinds = c.kinds[max(0, len(c.kinds)-2):]
	select {
	case c.out <- []byte(message):
	case <-c.done:
	}
}

func (c *emConn) lastKind() string {
	if len(c.kinds) == 0 {
		return ""
	}
	return c.kinds[len(c.kinds)-1]
}

func (c *emConn) read() {
	buf := make([]byte, 32768)
	for {
		if c.e.setup.lag > 0 {
			pass(c.e.setup.lag)
		}
		n, err := c.nc.Read(buf)
		if err != nil {
			return // it takes the original up to 30 s to notice
		}
		c.e.mu.Lock()
		c.lastByte = time.Now()
		lost, broken := c.parser.take(buf[:n])
		if lost > 0 && !c.web && onTime() {
			c.e.fault("%d bytes share a read with the end of %.60q", lost, c.parser.head())
		}
		switch {
		case broken:
			c.close()
		case c.parser.complete:
			m := c.parser
			c.parser = emParser{}
			c.e.receive(c, &m)
		}
		over := c.isClosed()
		c.e.mu.Unlock()
		if over {
			return
		}
	}
}

// emParser collects one message. It sees a line end only within one read, and drops what is behind the message.
type emParser struct {
	lines    []string
	line     []byte
	body     []byte
	length   int
	inBody   bool
	complete bool
}

func (p *emParser) head() string { return strings.Join(p.lines, "\n") }

func (p *emParser) take(b []byte) (lost int, broken bool) {
	for i, c := range b {
		if p.inBody {
			p.body = append(p.body, c)
			if len(p.body) == p.length {
				p.complete = true
				return len(b) - i - 1, i+1 < len(b)
			}
			continue
		}
		if p.line = append(p.line, c); len(p.line) > 2048 {
			return 0, true
		}
		if c != '\n' || i == 0 || b[i-1] != '\r' {
			continue
		}
		if len(p.lines) == 40 {
			return 0, true
		}
		line := string(p.line[:len(p.line)-2])
		p.line = p.line[:0]
		if line != "" {
			p.lines = append(p.lines, line)
			const name = "content-length:"
			if len(line) > len(name) && strings.EqualFold(line[:len(name)], name) {
				p.length, _ = strconv.Atoi(strings.TrimSpace(line[len(name):]))
			}
			continue
		}
		if p.length > 0 {
			p.inBody = true
			continue
		}
		p.complete = true
		return len(b) - i - 1, false
	}
	return 0, false
}

// header is the value of a header, and whether it is there.
func (p *emParser) header(name string) (string, bool) {
	for _, line := range p.lines[1:] {
		n, v, ok := strings.Cut(line, ":")
		if ok && strings.EqualFold(strings.TrimSpace(n), name) {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

func (p *emParser) value(name string) string {
	v, _ := p.header(name)
	return v
}

// poll does what the original does every second.
func (e *emulator) poll() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	pinged, dialled := time.Now(), time.Now()
	for range tick.C {
		e.mu.Lock()
		if e.over {
			e.mu.Unlock()
			return
		}
		now := time.Now()
		if now.Sub(pinged) > 10*time.Second {
			for _, c := range e.live {
				e.ping(c)
			}
			pinged = now
		}
		for c := range maps.Clone(e.conns) {
			if now.Sub(c.lastByte) > 30*time.Second {
				c.close()
			}
		}
		if now.Sub(dialled) > 30*time.Second {
			e.dialPeers()
			dialled = now
		}
		e.mu.Unlock()
	}
}

func (e *emulator) ping(c *emConn) {
	c.send("ping", "GET \\PING HTTP/1.1\r\nHost: "+e.host(c)+"\r\nContent-Length: 0\r\n\r\n")
}

// host is what everything but a query says.
func (e *emulator) host(c *emConn) string {
	if e.first != "" {
		return e.first
	}
	return c.nc.LocalAddr().String()
}

func (e *emulator) addLive(c *emConn) {
	if slices.Contains(e.live, c) {
		return
	}
	e.live = append(e.live, c)
	if e.first == "" {
		e.first = c.nc.LocalAddr().String()
	}
}

// dial connects from the emulator's own address.
func (e *emulator) dial(addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: 2 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(e.setup.ip)}}
	return d.Dial("tcp4", addr)
}

func (e *emulator) dialPeers() {
	for _, addr := range e.setup.peers {
		if slices.ContainsFunc(e.live, func(c *emConn) bool { return c.nc.RemoteAddr().String() == addr }) {
			continue
		}
		e.running.Go(func() {
			nc, err := e.dial(addr)
			if err != nil {
				return
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			c := e.open(nc, false)
			if e.over {
				return
			}
			e.authenticate(c, 15*time.Second, func(ok bool) {
				if !ok {
					c.close()
					return
				}
				e.addLive(c)
				e.ping(c)
			})
		})
	}
}

// authenticate begins an authentication if there has to be one.
func (e *emulator) authenticate(c *emConn, within time.Duration, done func(ok bool)) {
	if !e.setup.authenticate {
		done(true)
		return
	}
	a := &emAuth{done: done}
	a.timer = time.AfterFunc(within, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if c.auth == a && !e.over {
			c.auth = nil
			done(false)
		}
	})
	c.auth = a
	c.send("auth1", "GET \\AUTH HTTP/1.1\r\nHost: "+e.host(c)+"\r\n\r\n")
}

func hexHash(s string) string { return fmt.Sprintf("%X", sha256.Sum256([]byte(s))) }

// proof is response (with verb GET) or rspauth of an authentication.
func (e *emulator) proof(user, realm, nonce, cnonce, qop, uri, verb string) string {
	return hexHash(hexHash(user+":"+realm+":"+e.setup.password) + ":" + nonce + ":1:" + cnonce + ":" + qop + ":" + hexHash(verb+":"+uri))
}

func (e *emulator) sessionKey(user, realm, nonce, cnonce string) []byte {
	n, _ := base64.StdEncoding.DecodeString(nonce)
	c, _ := base64.StdEncoding.DecodeString(cnonce)
	k := sha256.Sum256(slices.Concat([]byte(user+realm+e.setup.password), n, c))
	return k[:]
}

func newNonce() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d:%x", time.Now().UnixNano()/100+621355968000000000, b))
}

// digest reads WWW-Authenticate, Authorization or Authentication-Info.
func digest(s string) map[string]string {
	d := map[string]string{}
	if len(s) > 6 && strings.EqualFold(s[:6], "digest") {
		s = s[6:]
	}
	for part := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(part, "=")
		value = strings.TrimSpace(value)
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		d[strings.ToLower(strings.TrimSpace(name))] = value
	}
	return d
}

const emVersion = "\r\nX-AspNet-Version: 2.0.50727\r\n"

// receive acts on a message.
func (e *emulator) receive(c *emConn, m *emParser) {
	if e.over || len(m.lines) == 0 {
		return
	}
	verb, rest, _ := strings.Cut(m.lines[0], " ")
	target := strings.TrimSpace(strings.TrimSuffix(rest, "HTTP/1.1"))
	exclusive := strings.ToLower(m.value("Exclusive"))
	if status, err := strconv.Atoi(verb); err == nil {
		e.response(c, m, status)
		return
	}
	switch {
	case c.web && exclusive == "transfer":
	case c.web:
		e.request(c, verb, target, exclusive, m, time.Now().Add(e.setup.timeout), false)
	case verb == "GET" && exclusive == "transfer":
		e.query(c, target, m)
	case verb == "GET" && strings.EqualFold(target, `\PING`):
		if e.setup.authenticate && c.key == nil {
			return
		}
		e.addLive(c)
		c.send("pong", pong)
	case verb == "GET" && strings.EqualFold(target, `\AUTH`):
		e.challenged(c, m)
	case verb == "PUT" && exclusive == "transfer":
		e.arrive(c, target, m)
	default:
		c.send("400", "400 Request is not on Webserver port"+emVersion+"Cache-Control: private\r\nContent-Length: 0\r\n\r\n")
	}
}

func (e *emulator) realm() string { return "state_service@" + e.setup.machine }

func (e *emulator) challenge(c *emConn, assoc string, valid bool) {
	nonce := newNonce()
	c.send("401", "401 Unauthorized"+emVersion+assoc+`WWW-Authenticate: Digest realm="`+e.realm()+`", qop="auth", nonce="`+nonce+`", algorithm="SHA-256"`+ //nolint:misspell // as HTTP spells it
		"\r\nContent-Length: 0\r\n\r\n")
	if c.nonce = ""; valid {
		c.nonce = nonce
	}
}

// challenged is the acceptor's part of an authentication.
func (e *emulator) challenged(c *emConn, m *emParser) {
	a, second := m.header("Authorization")
	if !second {
		e.challenge(c, "", true)
		return
	}
	d := digest(a)
	if c.lastKind() != "401" || d["algorithm"] == "" {
		e.fault("an answer to no challenge: %q", a)
		return
	}
	if d["realm"] != e.realm() || c.nonce == "" || d["nonce"] != c.nonce || d["nc"] != "1" ||
		d["response"] != e.proof(d["username"], d["realm"], d["nonce"], d["cnonce"], d["qop"], d["uri"], "GET") {
		e.challenge(c, "", false)
		return
	}
	c.key = e.sessionKey(d["username"], d["realm"], d["nonce"], d["cnonce"])
	c.send("200", "200 OK"+emVersion+`Authentication-Info: qop="auth",rspauth="`+e.proof(d["username"], d["realm"], d["nonce"], d["cnonce"], d["qop"], d["uri"], "")+
		`",cnonce="`+d["cnonce"]+`",nc=1`+"\r\nContent-Length: 0\r\n\r\n")
}

func (e *emulator) response(c *emConn, m *emParser, status int) {
	_, isPong := m.header("Server")
	switch last := c.lastKind(); {
	case last == "":
		e.fault("%q, and nothing was sent", m.head())
		c.close()
		return
	case status == 200 && isPong:
		return
	case last == "auth1" || last == "auth2":
		e.authAnswer(c, m, status)
		return
	}
	w := e.waiting[m.value("X-Assoc-ID")]
	if w == nil {
		e.fault("%q answers nothing", m.head())
		return
	}
	delete(e.waiting, m.value("X-Assoc-ID"))
	w.timer.Stop()
	w.done(status)
}

// authAnswer is the dialler's part of an authentication.
func (e *emulator) authAnswer(c *emConn, m *emParser, status int) {
	a := c.auth
	if a == nil {
		return
	}
	switch d := digest(m.value("WWW-Authenticate")); {
	case status == 401 && c.lastKind() == "auth1" && d["realm"] != "" && d["nonce"] != "" && d["qop"] != "" && len(m.body) == 0:
		user := e.setup.machine
		a.cnonce = newNonce()
		a.proof = e.proof(user, d["realm"], d["nonce"], a.cnonce, "auth", `\AUTH`, "")
		a.key = e.sessionKey(user, d["realm"], d["nonce"], a.cnonce)
		c.send("auth2", "GET \\AUTH HTTP/1.1\r\nHost: "+e.host(c)+"\r\nAuthorization: Digest username = \""+user+`", realm="`+d["realm"]+`" , nonce="`+d["nonce"]+
			`", uri ="\AUTH",qop="auth",nc=1,cnonce="`+a.cnonce+`" ,response="`+e.proof(user, d["realm"], d["nonce"], a.cnonce, "auth", `\AUTH`, "GET")+`",algorithm="SHA-256"`+"\r\n\r\n")
		return
	}
	c.auth = nil
	a.timer.Stop()
	i := digest(m.value("Authentication-Info"))
	ok := status == 200 && c.lastKind() == "auth2" && i["cnonce"] == a.cnonce && i["rspauth"] == a.proof && i["qop"] != ""
	if ok {
		c.key = a.key
	}
	a.done(ok)
}

// query is somebody's search, or our own come round.
func (e *emulator) query(c *emConn, key string, m *emParser) {
	id, host := m.value("X-ID"), m.value("Host")
	broadcast, again := m.header("X-Broadcast-ID")
	forwards, err := strconv.Atoi(m.value("Max-Forwards"))
	if e.setup.authenticate && c.key == nil || id == "" || host == "" || err != nil || key == "" {
		return
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		e.fault("a query with Host %q", host)
	}
	pair := id + broadcast
	own := e.started[id]
	if own && !again || e.seen[pair] {
		return
	}
	e.seen[pair] = true
	s := e.sessions[key]
	switch {
	case own && s != nil:
		e.resume(key, false)
	case own:
		e.forward(c, key, host, id, broadcast, forwards)
	case s != nil && s.exporting:
		s.waiters = append(s.waiters, func() { e.rebroadcast(key, host, id) })
	case s != nil:
		e.export(key, s, host)
	case time.Now().Before(e.sent[key]):
		delete(e.sent, key)
		e.rebroadcast(key, host, id)
	default:
		e.forward(c, key, host, id, broadcast, forwards)
	}
}

const emForwards = 5

func (e *emulator) forward(from *emConn, key, host, id, broadcast string, forwards int) {
	if forwards = min(forwards, emForwards); forwards <= 0 {
		return
	}
	for _, c := range e.live {
		if c != from {
			c.send("query", GT(key, host, id, broadcast, forwards-1))
		}
	}
}

func (e *emulator) rebroadcast(key, host, id string) {
	b := newID()
	e.seen[id+b] = true
	for _, c := range e.live {
		c.send("query", GT(key, host, id, b, emForwards))
	}
}

// export delivers a session that somebody asked for.
func (e *emulator) export(key string, s *emSession, host string) {
	s.exporting = true
	end := func(status int) {
		s.exporting = false
		waiters := s.waiters
		s.waiters = nil
		if status == 200 || status == 412 {
			e.delivered++
			delete(e.sessions, key)
			e.sent[key] = time.Now().Add(2 * time.Second)
		}
		if len(waiters) <= 20 {
			for _, w := range waiters {
				w()
			}
		}
	}
	fresh := func() {
		e.dialTransfer(host, func(c *emConn) {
			if c == nil {
				end(0)
				return
			}
			e.links[host] = c
			e.transfer(c, key, s, end)
		})
	}
	c := e.links[host]
	if c == nil || c.isClosed() || time.Since(c.lastByte) > 13*time.Second {
		fresh()
		return
	}
	e.transfer(c, key, s, func(status int) {
		if status == 200 || status == 412 || status == 0 {
			end(status)
			return
		}
		fresh()
	})
}

// dialTransfer opens a transfer link; c is nil if that failed.
func (e *emulator) dialTransfer(host string, done func(c *emConn)) {
	e.running.Go(func() {
		nc, err := e.dial(host)
		e.mu.Lock()
		defer e.mu.Unlock()
		if err != nil {
			done(nil)
			return
		}
		c := e.open(nc, false)
		if e.over {
			return
		}
		e.authenticate(c, e.setup.timeout, func(ok bool) {
			if !ok {
				c.close()
				c = nil
			}
			done(c)
		})
	})
}

// transfer sends a session and waits for the answer; anything but success ends the link.
func (e *emulator) transfer(c *emConn, key string, s *emSession, done func(status int)) {
	id := newID()
	lines := []header{{"Host", e.host(c)}, {"X-ID", id}, {"Timeout", s.minutes}, {"ExtraFlags", s.flags}, {"Last-Modified", ticks()}}
	if s.locked {
		lines = append(lines, header{"LockDate", fmt.Sprint(s.lockDate)}, header{"LockAge", "0"}, header{"LockCookie", fmt.Sprint(s.cookie)})
	}
	body := s.body
	if e.setup.encrypt && c.key != nil && len(body) > 0 {
		lines = append(lines, header{"Content-Type", "application/x-encrypted; plaintext-length=" + strconv.Itoa(len(body))})
		pad := 16 - len(body)%16
		sealed := append(bytes.Clone(body), bytes.Repeat([]byte{byte(pad)}, pad)...)
		block, _ := aes.NewCipher(c.key[:16]) // 16 bytes are a key
		cipher.NewCBCEncrypter(block, c.key[16:]).CryptBlocks(sealed, sealed)
		body = sealed
	}
	w := &emTransfer{conn: c, done: func(status int) {
		if status != 200 && status != 412 {
			c.close()
		}
		done(status)
	}}
	w.timer = time.AfterFunc(e.setup.timeout, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.waiting[id] == w && !e.over {
			delete(e.waiting, id)
			if onTime() {
				e.fault("the transfer of %s was not answered", key)
			}
			w.done(0)
		}
	})
	e.waiting[id] = w
	c.send("transfer", ST(key, string(body), id, lines...))
}

func ticks() string { return fmt.Sprint(time.Now().UnixNano()/100 + 621355968000000000) }

// arrive takes in a transfer.
func (e *emulator) arrive(c *emConn, key string, m *emParser) {
	id := m.value("X-ID")
	answer := func(status string) { c.send(status, assoc(status, id)) }
	if e.setup.authenticate && c.key == nil {
		e.challenge(c, "X-Assoc-ID: "+id+"\r\n", false)
		return
	}
	body := m.body
	kind, encrypted := m.header("Content-Type")
	if on := e.setup.encrypt && c.key != nil; encrypted != (on && len(body) > 0) {
		answer("400 Bad Request")
		return
	}
	if encrypted {
		_, n, _ := strings.Cut(kind, "plaintext-length=")
		length, _ := strconv.Atoi(n)
		block, _ := aes.NewCipher(c.key[:16]) // 16 bytes are a key
		cipher.NewCBCDecrypter(block, c.key[16:]).CryptBlocks(body, body)
		if pad := int(body[len(body)-1]); len(body)-pad != length {
			answer("400 Bad Request")
			return
		}
		body = body[:length]
	}
	date, locked := m.header("LockDate")
	if id == "" || m.value("Last-Modified") == "" || m.value("Host") == "" {
		answer("400 Bad Request")
		e.fault("a malformed transfer: %q", m.head())
		return
	}
	switch {
	case e.stopping:
		answer("503 Service Unavailable")
		return
	case e.sessions[key] != nil:
		answer("412 Precondition Failed")
		return
	}
	s := &emSession{body: bytes.Clone(body), minutes: m.value("Timeout"), flags: m.value("ExtraFlags"), cookie: 1}
	if locked {
		s.locked = true
		s.lockDate, _ = strconv.ParseInt(date, 10, 64)
	}
	e.sessions[key] = s
	e.arrived++
	e.resume(key, false)
	answer("200 OK")
}

// resume runs the requests that wait for a session.
func (e *emulator) resume(key string, late bool) {
	x := e.expected[key]
	if x == nil {
		return
	}
	delete(e.expected, key)
	x.timer.Stop()
	if len(x.calls) > 20 {
		return
	}
	for _, call := range x.calls {
		call(late)
	}
}

// request is a request of a web server; late says that the session is nowhere.
func (e *emulator) request(c *emConn, verb, key, exclusive string, m *emParser, deadline time.Time, late bool) {
	ok := func(extra, body string) {
		c.send("web", "200 OK"+emVersion+extra+"Cache-Control: private\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
	}
	s := e.sessions[key]
	again := func(late bool) { e.request(c, verb, key, exclusive, m, deadline, late) }
	if s != nil && s.exporting {
		s.waiters = append(s.waiters, func() { again(false) })
		return
	}
	if s == nil && !late && len(e.live) > 0 && time.Now().Before(deadline) {
		e.expect(key, deadline, again)
		return
	}
	cookie, hasCookie := m.header("LockCookie")
	if s != nil && s.locked && (verb == "GET" && exclusive != "release" || (verb != "HEAD") && (!hasCookie || cookie != fmt.Sprint(s.cookie))) {
		c.send("web", fmt.Sprintf("423 Locked%sLockDate: %d\r\nLockAge: 0\r\nLockCookie: %d\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n", emVersion, s.lockDate, s.cookie))
		return
	}
	switch {
	case verb == "PUT":
		flags := m.value("ExtraFlags")
		if s == nil {
			s = &emSession{cookie: 1}
			e.sessions[key] = s
		} else if flags == "1" {
			ok("", "")
			return
		}
		if s.flags = "0"; flags == "1" {
			s.flags = "1"
		}
		s.body, s.minutes, s.locked = bytes.Clone(m.body), m.value("Timeout"), false
		ok("", "")
	case s == nil:
		c.send("web", "404 Not Found"+emVersion+"Cache-Control: private\r\nContent-Length: 0\r\n\r\n")
	case verb == "DELETE":
		delete(e.sessions, key)
		ok("", "")
	case verb == "HEAD":
		ok("", "")
	case exclusive == "release":
		s.locked = false
		ok("", "")
	default:
		extra := ""
		if exclusive == "acquire" {
			s.locked, s.lockDate = true, time.Now().UnixNano()/100+621355968000000000
			s.cookie++
			extra = fmt.Sprintf("LockCookie: %d\r\n", s.cookie)
		}
		if s.flags == "1" {
			extra += "ActionFlags: 1\r\n"
		}
		ok(extra+"Timeout: "+s.minutes+"\r\n", string(s.body))
	}
}

// expect waits for a session, and asks for it unless that was done already.
func (e *emulator) expect(key string, deadline time.Time, call func(late bool)) {
	if x := e.expected[key]; x != nil {
		x.calls = append(x.calls, call)
		return
	}
	x := &emExpected{calls: []func(bool){call}}
	x.timer = time.AfterFunc(time.Until(deadline), func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.expected[key] == x && !e.over {
			e.resume(key, true)
		}
	})
	e.expected[key] = x
	id := newID()
	e.started[id] = true
	host, _, _ := net.SplitHostPort(e.first)
	_, port, _ := net.SplitHostPort(e.peer)
	for _, c := range e.live {
		c.send("query", GT(key, net.JoinHostPort(host, port), id, "", emForwards))
	}
}

// stop is the orderly shutdown. It returns how many sessions were lost.
func (e *emulator) stop() (lost int) {
	e.mu.Lock()
	e.stopping = true
	_ = e.listeners[0].Close()
	e.mu.Unlock()
	for range 2 {
		e.drain()
	}
	e.mu.Lock()
	lost = len(e.sessions)
	e.mu.Unlock()
	e.kill()
	return lost
}

// drain hands all sessions to the peers of the configuration, one after the other to each.
func (e *emulator) drain() {
	e.mu.Lock()
	keys := slices.Collect(maps.Keys(e.sessions))
	var all sync.WaitGroup
	next := func() (key string, s *emSession) {
		for len(keys) > 0 {
			key, keys = keys[0], keys[1:]
			if s = e.sessions[key]; s != nil && !s.exporting {
				return key, s
			}
		}
		return "", nil
	}
	for _, addr := range e.setup.peers {
		all.Add(1)
		var step func(c *emConn)
		step = func(c *emConn) {
			key, s := next()
			if c == nil || s == nil {
				if c != nil {
					c.close()
				}
				all.Done()
				return
			}
			s.exporting = true
			e.transfer(c, key, s, func(status int) {
				s.exporting = false
				if status != 200 && status != 412 {
					all.Done()
					return
				}
				delete(e.sessions, key)
				e.sent[key] = time.Now().Add(2 * time.Second)
				for _, w := range s.waiters {
					w()
				}
				step(c)
			})
		}
		e.dialTransfer(addr, func(c *emConn) {
			if c != nil {
				e.links[addr] = c
			}
			step(c)
		})
	}
	e.mu.Unlock()
	all.Wait()
}

// do sends a request to the state port.
func (e *emulator) do(request string) answer {
	c, err := tryDial(e.web)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = c.Close() }()
	return c.do(request)
}

// has is how many of these sessions are here.
func (e *emulator) has(keys ...string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, k := range keys {
		if e.sessions[k] != nil {
			n++
		}
	}
	return n
}

// put makes sessions as a web server would.
func (e *emulator) put(keys ...string) {
	e.t.Helper()
	together(len(keys), func(i int) {
		if a := e.do(PUT(keys[i], body(keys[i], 200))); a.status != 200 {
			e.t.Errorf("PUT %s at the original: %v", keys[i], a)
		}
	})
}

// linked is how many live links there are.
func (e *emulator) linked() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.live)
}
