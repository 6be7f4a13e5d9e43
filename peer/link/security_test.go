package link

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/peer/message"
	"github.com/farmstate/farmstate/peer/pki"
)

// refused waits until both sides have seen a handshake fail, for these reasons, and no link was made.
func refused(t *testing.T, acceptor, dialler *peer, onAccept, onDial CloseReason) {
	t.Helper()
	eventually(t, "both sides have seen why", func() bool {
		return acceptor.Stats().Closes[onAccept] > 0 && dialler.Stats().Closes[onDial] > 0
	})
	for _, p := range []*peer{acceptor, dialler} {
		if p.Stats().Opened != 0 || p.all() != "" {
			t.Errorf("there was a link: %s", p.all())
		}
		for _, reason := range []CloseReason{onAccept, onDial} {
			if p.Stats().Closes[reason] > 0 && !strings.Contains(p.log.String(), "reason="+reason.String()) {
				t.Errorf("the log has no %v:\n%s", reason, p.log)
			}
		}
	}
}

// TestWrongSecret: both sides say so.
func TestWrongSecret(t *testing.T) {
	a := start(t, Options{})
	b := start(t, Options{Security: Security{Secret: []byte("another secret of enough bytes")}, Peers: []string{a.addr()}})
	refused(t, a, b, CloseSecret, CloseSecret)
}

// TestWrongCA: neither side takes a certificate of another CA.
func TestWrongCA(t *testing.T) {
	one, other := farm(t, "a"), farm(t, "b")
	a := start(t, Options{Security: certificates(one, "a")})
	b := start(t, Options{Security: certificates(other, "b"), Peers: []string{a.addr()}})
	refused(t, a, b, CloseCertificate, CloseCertificate)
	// The dialler alone is wrong: it trusts both CAs.
	both := filepath.Join(t.TempDir(), "both.pem")
	var text []byte
	for _, dir := range []string{one, other} {
		pem, err := os.ReadFile(filepath.Join(dir, pki.CAFile))
		check(t, err)
		text = append(text, pem...)
	}
	check(t, os.WriteFile(both, text, 0o600))
	s := certificates(other, "b")
	s.Certificates.CA = both
	a2 := start(t, Options{Security: certificates(one, "a")})
	c := start(t, Options{Security: s, Peers: []string{a2.addr()}})
	refused(t, a2, c, CloseCertificate, CloseCertificate)
}

// TestExpired: a certificate that has expired, or is not for nodes, is refused by the other side, and at start by its own.
func TestExpired(t *testing.T) {
	dir := t.TempDir()
	ca, err := pki.NewCA(dir, time.Now().Add(-time.Hour))
	check(t, err)
	_, err = pki.IssueNode(ca, dir, "old", nil, time.Now().Add(-30*time.Minute), time.Minute)
	check(t, err)
	_, err = pki.IssueNode(ca, dir, "a", nil, time.Now(), time.Hour)
	check(t, err)
	_, err = newGuard(&Security{Certificates: certificates(dir, "old").Certificates}, nil)
	if err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v", err)
	}
	pool := tlsPool(t, dir)
	oldCert, oldKey := pki.NodeFiles(dir, "old")
	pair, err := tls.LoadX509KeyPair(oldCert, oldKey)
	check(t, err)
	a := start(t, Options{Security: certificates(dir, "a")})
	nc := stranger(t, a.addr())
	c := tls.Client(nc, &tls.Config{RootCAs: pool, InsecureSkipVerify: true, NextProtos: []string{alpn}, Certificates: []tls.Certificate{pair}})
	_, err = c.Read(make([]byte, 1))
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
	eventually(t, "a says so", func() bool { return a.Stats().Closes[CloseCertificate] == 1 })
}

// TestReload: changed files count from the next link on, bad ones do not.
func TestReload(t *testing.T) {
	old, renewed := farm(t, "a", "b"), farm(t, "a", "b")
	a := start(t, Options{Security: certificates(old, "a")})
	b := start(t, Options{Security: certificates(renewed, "b"), Peers: []string{a.addr()}})
	refused(t, a, b, CloseCertificate, CloseCertificate)
	// Half of the change: the key is not that of the certificate. The old one stays.
	_, keyFile := pki.NodeFiles(old, "a")
	key, err := os.ReadFile(keyFile)
	check(t, err)
	replace := func(name string) {
		text, err := os.ReadFile(filepath.Join(renewed, name))
		check(t, err)
		check(t, os.WriteFile(filepath.Join(old, name), text, 0o600))
		later := time.Now().Add(time.Minute) // not all file systems tell times apart as well as a test needs
		check(t, os.Chtimes(filepath.Join(old, name), later, later))
	}
	replace("a.key")
	c := start(t, Options{Security: certificates(withCA(t, old, key), "b"), Peers: []string{a.addr()}})
	eventually(t, "a is as before", func() bool { return c.Stats().Links == 1 })
	if n := strings.Count(a.log.String(), "event=certificate_bad"); n != 1 {
		t.Errorf("said %d times that the files are bad\n%s", n, a.log)
	}
	replace("a.pem")
	replace(pki.CAFile)
	eventually(t, "a is of the new farm", func() bool { return b.Stats().Links == 1 })
	if !strings.Contains(a.log.String(), "event=certificate_changed") {
		t.Error(a.log)
	}
	if a.Stats().Links != 2 {
		t.Error("the old link has not survived")
	}
}

// withCA is a copy of a farm's folder, with an own a.key.
func withCA(t *testing.T, dir string, key []byte) string {
	t.Helper()
	to := t.TempDir()
	check(t, os.CopyFS(to, os.DirFS(dir)))
	check(t, os.WriteFile(filepath.Join(to, "a.key"), key, 0o600))
	return to
}

// TestRelay: one that passes on bytes can do no harm, and one that ends TLS itself gets nowhere.
func TestRelay(t *testing.T) {
	a := start(t, Options{})
	passer := relay(t, func(from net.Conn) {
		to, err := net.Dial("tcp", a.addr())
		if err != nil {
			return
		}
		pump(from, to)
	})
	b := start(t, Options{Peers: []string{passer}})
	eventually(t, "they are linked", func() bool { return b.Stats().Links == 1 })

	a2 := start(t, Options{})
	eve, err := newSecretGuard([]byte("eve has another secret, of course"))
	check(t, err)
	middle := relay(t, func(from net.Conn) {
		server := tls.Server(from, &tls.Config{Certificates: []tls.Certificate{eve.cert}, NextProtos: []string{alpn}, ClientAuth: tls.RequestClientCert})
		nc, err := net.Dial("tcp", a2.addr())
		if err != nil {
			return
		}
		client := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{alpn}, Certificates: []tls.Certificate{eve.cert}})
		if server.Handshake() == nil && client.Handshake() == nil {
			pump(server, client) // proof, answer and all
			return
		}
		_, _ = nc.Close(), from.Close()
	})
	c := start(t, Options{Peers: []string{middle}})
	refused(t, a2, c, CloseSecret, CloseSecret)
}

// TestReflection: a node's own proof, sent back to it on the same connection or on another, proves nothing.
func TestReflection(t *testing.T) {
	eve, err := newSecretGuard([]byte("eve has another secret, of course"))
	check(t, err)
	proofs := make(chan []byte, 16)
	mirror := relay(t, func(from net.Conn) {
		defer from.Close()
		c := tls.Server(from, &tls.Config{Certificates: []tls.Certificate{eve.cert}, NextProtos: []string{alpn}})
		var proof [32]byte
		if _, err := io.ReadFull(c, proof[:]); err != nil {
			return
		}
		select {
		case proofs <- proof[:]:
		default:
		}
		_, _ = c.Write(append([]byte{1}, proof[:]...))
		_, _ = io.Copy(io.Discard, c) // until the victim has had enough
	})
	victim := start(t, Options{Peers: []string{mirror}})
	eventually(t, "the victim has noticed", func() bool { return victim.Stats().Closes[CloseSecret] > 0 })
	before := victim.Stats().Closes[CloseSecret]
	c := tls.Client(stranger(t, victim.addr()), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{alpn}, Certificates: []tls.Certificate{eve.cert}})
	_, err = c.Write(<-proofs)
	check(t, err)
	if got := isClosed(t, c); len(got) != answerSize || strings.Trim(string(got), "\x00") != "" {
		t.Errorf("the answer to a wrong proof is %x", got)
	}
	eventually(t, "the victim has noticed that, too", func() bool { return victim.Stats().Closes[CloseSecret] > before })
	if s := victim.Stats(); s.Opened != 0 {
		t.Errorf("%+v", s)
	}
}

// TestStranger: whoever is no node gets nothing, costs nothing, and is gone soon.
func TestStranger(t *testing.T) {
	hello := "GET \\HELLO HTTP/1.1\r\nHost: \r\nX-Node: 000102030405060708090a0b0c0d0e0f\r\nX-Protocol: 1\r\nX-Purpose: neighbour\r\n\r\n"
	for name, v := range map[string]struct {
		send   string
		secret CloseReason // of a node whose links are encrypted
		plain  CloseReason // and of one whose are not
	}{
		"nothing":       {"", CloseTimeout, CloseTimeout},
		"garbage":       {"\x00\x01\x02\xff\xfe", CloseStranger, CloseStranger},
		"a browser":     {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", CloseStranger, CloseStranger},
		"an original":   {"GET \\PING HTTP/1.1\r\nHost: x\r\n\r\n", CloseStranger, CloseStranger},
		"half a start":  {"GET \\HEL", CloseTimeout, CloseTimeout},
		"half a hello":  {hello[:60], ClosePlain, CloseTimeout},
		"no hello":      {"GET \\HELLO HTTP/1.1\r\n\r\n", ClosePlain, CloseMalformed},
		"a long hello":  {"GET \\HELLO HTTP/1.1\r\nX: " + strings.Repeat("x", 20000), ClosePlain, CloseMalformed},
		"other version": {strings.Replace(hello, "X-Protocol: 1", "X-Protocol: 0", 1), ClosePlain, CloseMalformed},
		"TLS garbage":   {"\x16\x03\x01\x00\x05hello", CloseTLS, CloseEncrypted},
		"half of TLS":   {"\x16\x03\x01\x02\x00\x01\x00", CloseTimeout, CloseEncrypted},
	} {
		for mode, s := range map[string]Security{"secret": {Secret: testSecret}, "plain": {Plain: true}} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				p := start(t, Options{Security: s, HandshakeTimeout: 200 * time.Millisecond})
				want := v.secret
				if s.Plain {
					want = v.plain
				}
				nc := stranger(t, p.addr())
				if _, err := nc.Write([]byte(v.send)); err != nil {
					t.Log(err) // it may be closed before all is sent
				}
				if got := isClosed(t, nc); len(got) > 0 && got[0] != 21 { // an alert of TLS
					t.Errorf("it was told %q", got)
				}
				eventually(t, want.String(), func() bool { return p.Stats().Closes[want] == 1 })
				if s := p.Stats(); s.Opened != 0 || p.all() != "" || s.Dialled != 0 || s.Handshakes != 0 {
					t.Errorf("%+v, %s", s, p.all())
				}
				if strings.Contains(p.log.String(), "HELLO") || strings.Contains(p.log.String(), "xxxxx") {
					t.Errorf("what a stranger sent is in the log:\n%s", p.log)
				}
			})
		}
	}
}

// TestProbe: who only looks whether somebody listens is not worth a line.
func TestProbe(t *testing.T) {
	p := start(t, Options{})
	check(t, stranger(t, p.addr()).Close())
	eventually(t, "it is counted", func() bool { return p.Stats().Closes[CloseProbe] == 1 })
	if p.log.String() != "" {
		t.Error(p.log)
	}
}

// TestManyHandshakes: strangers that say nothing are bounded in number, and nodes come in again when they have been closed.
func TestManyHandshakes(t *testing.T) {
	a := start(t, Options{MaxHandshakes: 4, HandshakeTimeout: 300 * time.Millisecond})
	var mute []*net.TCPConn
	for range 4 {
		mute = append(mute, stranger(t, a.addr()))
	}
	eventually(t, "all are being listened to", func() bool { return a.Stats().Handshakes == 4 })
	isClosed(t, stranger(t, a.addr()))
	if s := a.Stats(); s.Closes[CloseHandshakes] != 1 || s.Handshakes != 4 {
		t.Errorf("%+v", s)
	}
	b := start(t, Options{Peers: []string{a.addr()}})
	eventually(t, "a node comes in", func() bool { return b.Stats().Links == 1 })
	for _, nc := range mute {
		isClosed(t, nc)
	}
}

// TestForeign: an original's connection is handed over with what it has sent, if it comes from where originals are.
func TestForeign(t *testing.T) {
	taken := make(chan net.Conn, 1)
	var first string
	a := start(t, Options{
		Match: func(ip netip.Addr) bool { return ip.IsLoopback() },
		Foreign: func(nc net.Conn, b []byte) bool {
			if strings.HasPrefix(string(b), "PUT") {
				return false
			}
			first = string(b)
			taken <- nc
			return true
		},
	})
	nc := stranger(t, a.addr())
	_, err := nc.Write([]byte("GET \\PING HTTP/1.1\r\n\r\n"))
	check(t, err)
	theirs := <-taken
	if first == "" || !strings.HasPrefix("GET \\PING HTTP/1.1\r\n\r\n", first) {
		t.Errorf("handed over with %q", first)
	}
	_, err = theirs.Write([]byte("200 OK"))
	check(t, err)
	check(t, theirs.Close())
	if got := isClosed(t, nc); string(got) != "200 OK" {
		t.Errorf("got %q", got)
	}
	eventually(t, "it is counted", func() bool { return a.Stats().Closes[CloseForeign] == 1 })
	nc = stranger(t, a.addr())
	_, err = nc.Write([]byte("PUT /x HTTP/1.1\r\n\r\n"))
	check(t, err)
	isClosed(t, nc)
	eventually(t, "it is a stranger", func() bool { return a.Stats().Closes[CloseStranger] == 1 })
	b := start(t, Options{Peers: []string{a.addr()}})
	eventually(t, "a node comes in as always", func() bool { return b.Stats().Links == 1 })
}

// TestOptions: each mistake has a sentence that says what to do.
func TestOptions(t *testing.T) {
	secret := Security{Secret: testSecret}
	dir, other := farm(t, "a"), farm(t, "a")
	for _, v := range []struct {
		opt  Options
		want string
	}{
		{Options{}, "must be one of"},
		{Options{Security: Security{Plain: true, Secret: testSecret}}, "must be one of"},
		{Options{Security: Security{Secret: []byte("fifteen bytes..")}}, "it needs at least 16"},
		{Options{Security: Security{Plain: true}, Listen: "0.0.0.0:0"}, "can be reached by other machines"},
		{Options{Security: Security{Plain: true}, Listen: ":0"}, "can be reached by other machines"},
		{Options{Security: Security{Plain: true}, Peers: []string{"192.0.2.1:42425"}}, "is on another machine"},
		{Options{Security: Security{Plain: true}, Peers: []string{"web2:42425"}}, "is on another machine"},
		{Options{Security: secret, Peers: []string{"web2"}}, "not host:port"},
		{Options{Security: secret, Advertise: ":42425"}, "not host:port"},
		{Options{Security: secret, MaxBody: -1}, "MaxBody is -1"},
		{Options{Security: Security{Certificates: &Certificates{CA: "nowhere", Cert: "x", Key: "y"}}}, "nowhere"},
		{Options{Security: Security{Certificates: &Certificates{CA: filepath.Join(dir, "a.key"), Cert: "x", Key: "y"}}}, "none in PEM form"},
		{Options{Security: Security{Certificates: &Certificates{CA: filepath.Join(dir, "ca.pem"), Cert: "x", Key: "y"}}}, "the node's certificate: open x"},
		{
			Options{Security: Security{Certificates: &Certificates{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(other, "a.pem"), Key: filepath.Join(other, "a.key")}}},
			"would be refused by other nodes",
		},
	} {
		v.opt.Node = newNode()
		n, err := Listen(v.opt, &recorder{})
		if err == nil {
			_ = n.Close(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("got %v, want %q", err, v.want)
		}
	}
	start(t, Options{Security: Security{Plain: true}, Insecure: true, Listen: "0.0.0.0:0"})
	start(t, Options{Listen: "none", Peers: []string{"localhost:1"}, Security: Security{Plain: true}})
}

// TestPlainDelivery: nothing is delivered in clear beyond loopback, wherever a message says that it should go.
func TestPlainDelivery(t *testing.T) {
	far := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 42425}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	a := start(t, Options{Security: Security{Plain: true}, dial: func(context.Context, string) (net.Conn, error) { return farConn{ours, far}, nil }})
	to := newNode()
	if drop := a.Send(to, "192.0.2.1:42425", notHere(1)); drop != Queued {
		t.Fatal(drop)
	}
	eventually(t, "it is given up", func() bool { return a.count("unreachable "+shortNode(to)) == 1 })
	if s := a.Stats(); s.Closes[ClosePlain] != 1 {
		t.Errorf("%+v", s)
	}
	if n, err := theirs.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("got %d bytes, %v", n, err)
	}
}

// farConn is a connection that seems to come from elsewhere.
type farConn struct {
	net.Conn
	remote net.Addr
}

func (c farConn) RemoteAddr() net.Addr { return c.remote }

// TestNodeTaken: while a node is linked nobody else can be it.
func TestNodeTaken(t *testing.T) {
	a := start(t, Options{})
	b := start(t, Options{Peers: []string{a.addr()}})
	eventually(t, "they are linked", func() bool { return a.Stats().Links == 1 })
	liar := start(t, Options{Node: b.node, Peers: []string{a.addr()}})
	eventually(t, "the liar is turned away", func() bool { return a.Stats().Closes[CloseNodeTaken] > 0 && liar.Stats().Closes[CloseRefused] > 0 })
	if a.Stats().Links != 1 || a.count("down "+b.id()+" neighbour") != 0 {
		t.Error(a.all())
	}
}

// TestMaxLinks: there are no more than that.
func TestMaxLinks(t *testing.T) {
	a, _ := pair(t, Options{MaxLinks: 1}, Options{})
	c := start(t, Options{Peers: []string{a.addr()}})
	eventually(t, "it is turned away", func() bool { return a.Stats().Closes[CloseTooManyLinks] > 0 && c.Stats().Closes[CloseRefused] > 0 })
	if drop := a.Send(c.node, c.addr(), &message.Message{Kind: message.Found}); drop != DropTooManyLinks {
		t.Errorf("got %v", drop)
	}
}

// relay accepts connections for f, and returns where.
func relay(t *testing.T, f func(nc net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go f(nc)
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return ln.Addr().String()
}

// pump passes bytes on in both directions until both have ended.
func pump(a, b net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(a, b)
		_, _ = a.Close(), b.Close()
	}()
	_, _ = io.Copy(b, a)
	_, _ = a.Close(), b.Close()
	<-done
}

// TestCutOff: a connection that is reset in the handshake, as by the death of a process, is nobody's mistake in the settings. One that is reset time and again may be.
func TestCutOff(t *testing.T) {
	for _, c := range []struct {
		name   string
		resets int
		said   bool
	}{{"once", 1, false}, {"again and again", 1 << 30, true}} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			check(t, err)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range c.resets {
					nc, err := l.Accept()
					if err != nil {
						return
					}
					_ = nc.(*net.TCPConn).SetLinger(0) // a reset
					_, _ = nc.Read(make([]byte, 1))
					_ = nc.Close()
				}
				_ = l.Close()
			}()
			p := start(t, Options{Peers: []string{l.Addr().String()}})
			eventually(t, "the peer to be gone, or to go on", func() bool {
				closes := p.Stats().Closes
				return closes[CloseRefused] > 2 || closes[CloseUnreachable] > 0
			})
			if p.Stats().Closes[CloseRefused] == 0 {
				t.Error("the reset is not counted")
			}
			if got := strings.Contains(p.log.String(), "peer_refused"); got != c.said {
				t.Errorf("said: %v\n%s", got, p.log.String())
			}
			_ = l.Close()
			<-done
		})
	}
}
