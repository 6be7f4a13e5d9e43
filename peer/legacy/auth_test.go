package legacy

import (
	"net"
	"strings"
	"testing"
	"time"
)

func authPeer(encrypt bool) []Peer {
	return []Peer{{Addr: nineOriginal, Authenticate: true, Encrypt: encrypt, Password: "Cello"}}
}

// proveTo authenticates a stranger to a site as an original would, and returns the key of the connection.
func (x *stranger) proveTo(r *Reader, password string, change func(*Digest)) (m Message, k key) {
	x.t.Helper()
	x.say(authBegin)
	m, _ = x.message(r)
	if m.Status != 401 || !m.HasDigest || m.Digest.Algorithm != algorithm || m.HasAssoc {
		x.t.Fatalf("first step: %+v", m)
	}
	d := Digest{
		Username: "other", Realm: m.Digest.Realm, Nonce: m.Digest.Nonce, CNonce: "Y2xpZW50", QOP: m.Digest.QOP, URI: authTarget, NC: 1, Algorithm: algorithm,
	}
	d.Response = d.proof(password, "GET")
	if change != nil {
		change(&d)
	}
	x.say(strings.ReplaceAll(string(Append(nil, &Message{Kind: KindAuthAnswer, Host: "h", Digest: d})), "\r\n", "\n"))
	m, _ = x.message(r)
	if m.Status == 200 && m.Digest.RspAuth != d.proof(password, "") {
		x.t.Errorf("the acceptor does not prove the password: %+v", m)
	}
	return m, d.key(password)
}

// TestUnproved: X1. Without authentication PING and queries are ignored, a session gets 401, and after 15 s that is the end.
func TestUnproved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		nonce := func() (string, error) { return "bm9uY2U=", nil }
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: authPeer(false), newNonce: nonce})
		x := knock(t, s, "10.0.0.9:5000")
		x.say(ping + query("/a", nineOriginal))
		pass(time.Second)
		x.want("")
		x.say(transferText("/a", "body"))
		x.want("401 " + unauthorised + "\nX-AspNet-Version: 2.0.50727\nX-Assoc-ID: " + idOne +
			"\nWWW-Authenticate: Digest realm=\"state_service@vm\", qop=\"auth\", nonce=\"bm9uY2U=\", algorithm=\"SHA-256\"\nContent-Length: 0\n\n")
		if s.live() || len(s.asked()) != 0 || s.count() != 0 {
			t.Error("something was taken without authentication")
		}
		pass(authTimeout)
		if !x.hungUp() {
			t.Error("the connection stays")
		}
		st := s.net.Stats()
		if st.Dropped["unauthenticated"] != 2 || st.Received["unauthenticated"] != 1 || st.Closed["unauthenticated"] != 1 {
			t.Errorf("%+v", st)
		}
		if strings.Count(s.log.String(), textNotAuth) != 1 {
			t.Errorf("the log says\n%s", s.log)
		}
	})
}

// TestProved: after the handshake everything is taken, and encrypted bodies only, if that is the mode.
func TestProved(t *testing.T) {
	for _, encrypt := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: authPeer(encrypt)})
			x := knock(t, s, "10.0.0.9:5000")
			r := NewReader(x)
			m, k := x.proveTo(r, "Cello", nil)
			if m.Status != 200 {
				t.Fatalf("second step: %+v", m)
			}
			x.got()
			x.say(ping + query("/q", nineOriginal))
			x.want(pingReply)
			if !s.live() || len(s.asked()) != 1 {
				t.Error("PING or query are not taken")
			}
			status := func(m Message, body []byte) int {
				pass(spacing)
				m.Kind, m.Host, m.ID, m.LastModified, m.Length = KindTransfer, "h", ID{7}, 1, len(body)
				x.say(strings.ReplaceAll(string(Append(nil, &m)), "\r\n", "\n"))
				_, err := x.Write(body)
				check(t, err)
				for {
					a, _ := x.message(r)
					if a.HasAssoc {
						return a.Status
					}
				}
			}
			sealed := k.appendSealed(nil, []byte("secret"))
			want := map[bool][3]int{false: {200, 400, 200}, true: {400, 200, 200}}[encrypt]
			got := [3]int{
				status(Message{Target: "/plain"}, []byte("secret")),
				status(Message{Target: "/sealed", Encrypted: true, PlainLength: 6}, sealed),
				status(Message{Target: "/empty"}, nil),
			}
			if got != want {
				t.Errorf("plain, encrypted and empty sessions are answered %v, want %v", got, want)
			}
			if !encrypt {
				return
			}
			if body, _ := s.has("/sealed"); body != "secret" {
				t.Errorf("arrived as %q", body)
			}
			// X7 and P5: any disagreement is one kind of 400, and the key is good for nothing after it.
			if got := status(Message{Target: "/x", Encrypted: true, PlainLength: 7}, sealed); got != 400 {
				t.Errorf("a length that is too large gets %d", got)
			}
			if got := status(Message{Target: "/y", Encrypted: true, PlainLength: 6}, sealed); got != 400 {
				t.Errorf("after a body that did not decrypt, another one gets %d", got)
			}
			if m, k = x.proveTo(r, "Cello", nil); m.Status != 200 {
				t.Fatalf("second handshake: %+v", m)
			}
			if got := status(Message{Target: "/z", Encrypted: true, PlainLength: 6}, k.appendSealed(nil, []byte("secret"))); got != 200 {
				t.Errorf("after a second handshake: %d", got)
			}
		})
	}
}

// TestWrongLengths: X7, one connection each.
func TestWrongLengths(t *testing.T) {
	for _, n := range []int{0, 5, 7, 15, 16, 22} {
		bubble(t, func(t *testing.T) {
			s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: authPeer(true)})
			x := knock(t, s, "10.0.0.9:5000")
			r := NewReader(x)
			_, k := x.proveTo(r, "Cello", nil)
			m := Message{Kind: KindTransfer, Target: "/a", Host: "h", ID: ID{7}, LastModified: 1, Encrypted: true, PlainLength: n, Length: 16}
			_, err := x.Write(k.appendSealed(Append(nil, &m), []byte("secret")))
			check(t, err)
			if a, _ := x.message(r); a.Status != 400 || a.Assoc != m.ID || s.count() != 0 {
				t.Errorf("plaintext-length %d: %+v", n, a)
			}
		})
	}
}

// TestBadAnswers: every way in which a second step can be wrong. See docs/peer-protocol.md §8.2.
func TestBadAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Digest)
		status int
	}{
		"response in small letters": {func(d *Digest) { d.Response = strings.ToLower(d.Response) }, 401},
		"another realm": {func(d *Digest) {
			d.Realm = "state_service@other"
			d.Response = d.proof("Cello", "GET")
		}, 401},
		"another nonce": {func(d *Digest) {
			d.Nonce = "bm9uY2U="
			d.Response = d.proof("Cello", "GET")
		}, 401},
		"the acceptor's proof":   {func(d *Digest) { d.Response = d.proof("Cello", "") }, 401},
		"no algorithm":           {func(d *Digest) { d.Algorithm = "" }, 400},
		"MD5":                    {func(d *Digest) { d.Algorithm = "MD5" }, 400},
		"no username":            {func(d *Digest) { d.Username = "" }, 400},
		"no realm":               {func(d *Digest) { d.Realm = "" }, 400},
		"no qop":                 {func(d *Digest) { d.QOP = "" }, 400},
		"no nonce":               {func(d *Digest) { d.Nonce = "" }, 400},
		"no cnonce":              {func(d *Digest) { d.CNonce = "" }, 400},
		"no response":            {func(d *Digest) { d.Response = "" }, 400},
		"no uri":                 {func(d *Digest) { d.URI = "" }, 400},
		"a cnonce that is none":  {func(d *Digest) { d.CNonce = "!" }, 400},
		"algorithm in any case":  {func(d *Digest) { d.Algorithm = "sha-256" }, 200},
		"another uri, hashed":    {func(d *Digest) { d.URI = "/x"; d.Response = d.proof("Cello", "GET") }, 200},
		"nc in hexadecimal":      {func(d *Digest) { d.NC = 255; d.Response = d.proof("Cello", "GET") }, 200},
		"a password with blanks": {func(d *Digest) { d.Response = d.proof("Cello ", "GET") }, 401},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: authPeer(false)})
				x := knock(t, s, "10.0.0.9:5000")
				r := NewReader(x)
				// The proof of the acceptor is checked by others: here the request may be odd.
				x.say(authBegin)
				m, _ := x.message(r)
				d := Digest{
					Username: "other", Realm: m.Digest.Realm, Nonce: m.Digest.Nonce, CNonce: "Y2xpZW50", QOP: m.Digest.QOP, URI: authTarget, NC: 1,
					Algorithm: algorithm,
				}
				d.Response = d.proof("Cello", "GET")
				c.change(&d)
				x.say(strings.ReplaceAll(string(Append(nil, &Message{Kind: KindAuthAnswer, Host: "h", Digest: d})), "\r\n", "\n"))
				m, _ = x.message(r)
				if m.Status != c.status || m.HasAssoc {
					t.Errorf("answered %d, want %d", m.Status, c.status)
				}
				x.got()
				x.say(ping)
				if got := x.got(); (got != "") != (c.status == 200) {
					t.Errorf("and PING is answered with %q", got)
				}
			})
		})
	}
}

// TestNonceOnce: a nonce is good once, for 15 s, on its connection, and only while its 401 was the last thing sent there.
func TestNonceOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: []Peer{{Addr: nineOriginal, Password: "Cello"}}})
		begin := func(x *stranger) string {
			pass(spacing)
			x.got()
			x.say(authBegin)
			pass(spacing)
			m, _ := parseOne(t, []byte(x.got()))
			d := Digest{Username: "o", Realm: m.Digest.Realm, Nonce: m.Digest.Nonce, CNonce: "Y2xpZW50", QOP: "auth", URI: authTarget, NC: 1, Algorithm: algorithm}
			d.Response = d.proof("Cello", "GET")
			return strings.ReplaceAll(string(Append(nil, &Message{Kind: KindAuthAnswer, Host: "h", Digest: d})), "\r\n", "\n")
		}
		want := func(x *stranger, status string) {
			t.Helper()
			pass(spacing)
			if got := x.got(); !strings.HasPrefix(got, status) {
				t.Errorf("answered %q, want %s", got, status)
			}
		}
		x := knock(t, s, "10.0.0.9:5000")
		step := begin(x)
		x.say(step + step) // in one read
		pass(2 * spacing)
		if got := x.got(); !strings.HasPrefix(got, "200") || strings.Count(got, "200 OK") != 1 || !strings.Contains(got, "400 Bad") {
			t.Errorf("the same step twice is answered %q", got)
		}
		x.say(step)
		want(x, "400")
		step = begin(x)
		y := knock(t, s, "10.0.0.9:5001")
		begin(y)
		y.say(step)
		want(y, "401")
		step = begin(y)
		y.say(ping)
		want(y, "200")
		y.say(step)
		want(y, "400")
		step = begin(x)
		pass(authTimeout)
		x.say(step)
		want(x, "401")
		z := knock(t, s, "10.0.0.9:5002")
		z.say(step)
		want(z, "400")
	})
}

// TestNoPassword: a peer without a password is challenged all the same (P7), and no proof is good enough, that of the empty password included.
func TestNoPassword(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: plainPeer()})
		x := knock(t, s, "10.0.0.9:5000")
		if m, _ := x.proveTo(NewReader(x), "", nil); m.Status != 401 {
			t.Errorf("%+v", m)
		}
	})
}

// TestAttempts: the number of failures from one address is bounded, whatever their connections.
func TestAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: authPeer(false)})
		for range maxAttempts {
			x := knock(t, s, "10.0.0.9:5000")
			if m, _ := x.proveTo(NewReader(x), "wrong", nil); m.Status != 401 {
				t.Fatalf("%+v", m)
			}
			check(t, x.Close())
		}
		try := func() bool {
			x := knock(t, s, "10.0.0.9:5000")
			x.say(authBegin)
			r := NewReader(x)
			m, _ := x.message(r)
			d := Digest{Username: "o", Realm: m.Digest.Realm, Nonce: m.Digest.Nonce, CNonce: "Y2xpZW50", QOP: "auth", URI: authTarget, NC: 1, Algorithm: algorithm}
			d.Response = d.proof("Cello", "GET")
			x.say(strings.ReplaceAll(string(Append(nil, &Message{Kind: KindAuthAnswer, Host: "h", Digest: d})), "\r\n", "\n"))
			return !x.hungUp()
		}
		if try() {
			t.Error("an eleventh attempt is looked at")
		}
		pass(attemptsTime)
		if !try() {
			t.Error("a minute later none is")
		}
		st := s.net.Stats()
		if st.AuthFailed["wrong_password"] != maxAttempts || st.AuthFailed["attempts"] != 1 || st.Closed["attempts"] != 1 {
			t.Errorf("%+v", st)
		}
		if !strings.Contains(s.log.String(), textWrongPassword) || !strings.Contains(s.log.String(), textAttempts) {
			t.Errorf("the log says\n%s", s.log)
		}
	})
}

// TestReflection: X3 and X4. The attacker has the address of an original and knows no password: it hands each challenge of the node back to it,
// over two connections, as in testdata/recorded/reflection-attack.txt.
func TestReflection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFabric()
		a := listen(t, f, nineOriginal)
		s := startSite(t, f, "10.0.0.1:42425", Options{Peers: authPeer(true)})
		pass(0)
		conn1 := a.last() // the node dialled the attacker
		conn2 := knock(t, s, "10.0.0.9:5000")
		if !strings.HasPrefix(conn1.got(), `GET \AUTH`) {
			t.Fatal("no authentication is asked for")
		}
		conn2.say(authBegin)
		conn1.say(strings.ReplaceAll(conn2.got(), "\r\n", "\n"))
		if got := conn1.got(); got != "" || !conn1.hungUp() {
			t.Errorf("the node answers its own challenge: %q", got)
		}
		if st := s.net.Stats(); st.AuthFailed["reflected"] != 1 || st.Closed["reflected"] != 1 || s.live() {
			t.Errorf("%+v", st)
		}
		if !strings.Contains(s.log.String(), textReflected) {
			t.Errorf("the log says\n%s", s.log)
		}
	})
}

// dialledAuth lets a site dial a scripted original that answers the second step as reply says.
func dialledAuth(t *testing.T, challenge string, reply func(d Digest) string) (s *site, x *stranger) {
	t.Helper()
	f := newFabric()
	a := listen(t, f, nineOriginal)
	s = startSite(t, f, "10.0.0.1:42425", Options{Peers: authPeer(false)})
	pass(0)
	x = a.last()
	x.want("GET \\AUTH HTTP/1.1\nHost: " + x.remote.String() + "\n\n")
	x.say(challenge)
	got := x.got()
	if got == "" {
		return s, x
	}
	m, _ := parseOne(t, []byte(got))
	if m.Kind != KindAuthAnswer || m.Digest.Response != m.Digest.proof("Cello", "GET") || m.Digest.Username != "vm" {
		t.Fatalf("second step: %+v", m)
	}
	x.say(reply(m.Digest))
	return s, x
}

const challenge = "401 " + unauthorised + "\nX-AspNet-Version: 2.0.50727\nWWW-Authenticate: Digest realm=\"state_service@other\", qop=\"auth\", nonce=\"bm9uY2U=\", algorithm=\"SHA-256\"\nContent-Length: 0\n\n"

func okReply(d Digest) string {
	return "200 OK\nX-AspNet-Version: 2.0.50727\nAuthentication-Info: qop=\"auth\",rspauth=\"" + d.proof("Cello", "") + "\",cnonce=\"" + d.CNonce +
		"\",nc=1\nContent-Length: 0\n\n"
}

// TestDiallerChecks: what the dialler accepts, and what it does not. Nothing is sent on the connection but the steps, until it is authenticated.
func TestDiallerChecks(t *testing.T) {
	for name, c := range map[string]struct {
		challenge string
		reply     func(d Digest) string
		end       string
	}{
		"good":                {challenge, okReply, ""},
		"requests between":    {ping + query("/a", nineOriginal) + challenge, func(d Digest) string { return ping + okReply(d) }, ""},
		"no rspauth":          {challenge, func(Digest) string { return "200 OK\nContent-Length: 0\n\n" }, "auth_refused"},
		"wrong rspauth":       {challenge, func(d Digest) string { return strings.Replace(okReply(d), d.proof("Cello", ""), d.Response, 1) }, "auth_refused"},
		"wrong cnonce":        {challenge, func(d Digest) string { return strings.Replace(okReply(d), d.CNonce, "Y2xpZW50", 1) }, "auth_refused"},
		"no qop":              {challenge, func(d Digest) string { return strings.Replace(okReply(d), `qop="auth",`, "", 1) }, "auth_refused"},
		"401 again":           {challenge, func(Digest) string { return challenge }, "auth_refused"},
		"503":                 {challenge, func(Digest) string { return "503 Service Unavailable\nContent-Length: 0\n\n" }, "auth_refused"},
		"200 at once":         {"200 OK\nContent-Length: 0\n\n", nil, "auth_refused"},
		"challenge, no realm": {strings.Replace(challenge, `realm="state_service@other", `, "", 1), nil, "auth_refused"},
		"challenge, no nonce": {strings.Replace(challenge, `nonce="bm9uY2U=", `, "", 1), nil, "auth_refused"},
		"nonce is no Base64":  {strings.Replace(challenge, "bm9uY2U=", "!", 1), nil, "auth_refused"},
		"not a message":       {"hello\n\n", nil, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, x := dialledAuth(t, c.challenge, c.reply)
				got := x.got()
				if c.end == "" {
					if !strings.HasPrefix(got, `GET \PING`) {
						t.Errorf("after the handshake: %q", got)
					}
					x.say(pingReply)
					pass(0)
					if !s.live() {
						t.Error("not live")
					}
					return
				}
				if got != "" || !x.hungUp() || s.net.Stats().Closed[c.end] != 1 {
					t.Errorf("sent %q, %+v", got, s.net.Stats().Closed)
				}
			})
		})
	}
}

// TestSilentAcceptor: the handshake has 15 s.
func TestSilentAcceptor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFabric()
		a := listen(t, f, nineOriginal)
		s := startSite(t, f, "10.0.0.1:42425", Options{Peers: authPeer(false)})
		pass(authTimeout - time.Millisecond)
		x := a.conns()[0]
		if x.hungUp() {
			t.Error("given up early")
		}
		pass(time.Millisecond)
		if !x.hungUp() || s.net.Stats().AuthFailed["silent"] != 1 {
			t.Errorf("%+v", s.net.Stats())
		}
	})
}

// TestCloseInHandshake: Close does not wait for a handshake that nobody goes on with.
func TestCloseInHandshake(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFabric()
		f.listen(nineOriginal, func(net.Conn) {})
		s := startSite(t, f, "10.0.0.1:42425", Options{Peers: authPeer(false)})
		pass(time.Second)
		begun := time.Now()
		s.close()
		if d := time.Since(begun); d != 0 {
			t.Errorf("it took %v", d)
		}
	})
}

// TestOwnNonces: nonces differ, and are known again however they are spelt.
func TestOwnNonces(t *testing.T) {
	n, err := newNonces(nil)
	check(t, err)
	other, err := newNonces(nil)
	check(t, err)
	seen := map[string]bool{}
	for range 1000 {
		s, err := n.make()
		check(t, err)
		if seen[s] || !n.isOwn(s) || other.isOwn(s) || strings.ContainsAny(s, `",`) {
			t.Fatalf("%q", s)
		}
		seen[s] = true
		if !n.isOwn(s[:20] + "\r\n" + s[20:]) {
			t.Fatal("not known with a line end in it")
		}
	}
	for _, s := range []string{"", "bm9uY2U=", "!"} {
		if n.isOwn(s) {
			t.Errorf("%q is taken for our own", s)
		}
	}
}
