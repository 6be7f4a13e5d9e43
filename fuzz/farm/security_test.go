//go:build unix

package farm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hello is how a plain link begins.
const hello = "GET \\HELLO HTTP/1.1\r\nHost: 127.0.0.1:9\r\nX-Node: 0a0102030405060708090a0b0c0d0e0f\r\nX-Protocol: 1\r\nX-Purpose: neighbour\r\n\r\n"

// farmQuery asks for a session in the words of our own nodes.
func farmQuery(key, host string) string {
	return "GET " + key + " HTTP/1.1\r\nHost: " + host + "\r\nX-Node: 0a0102030405060708090a0b0c0d0e0f\r\nX-ID: " + newID() +
		"\r\nExclusive: transfer\r\nMax-Forwards: 5\r\nX-Rank: 1\r\nX-Wait: 2500\r\n\r\n"
}

// TestUnauthenticated: who has not shown who he is gets nothing, learns nothing, and makes no node dial anybody. (X1, X2, X9)
func TestUnauthenticated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id       string
		mode     mode
		original bool // the node knows an original, at another address than that of the stranger
	}{{"X1", secret, false}, {"X1 with certificates", certs, false}, {"X9", plain, false}, {"X9 with an original", plain, true}, {"X1 with an original", secret, true}} {
		t.Run(c.id, func(t *testing.T) {
			o := newOriginal(t) // plays the host that the stranger wants sessions delivered to
			f := newFarm(t, pair(), c.mode)
			if c.original {
				elsewhere := &original{addr: "127.0.0.2:9"} // nobody is there
				f.withOriginal(0, elsewhere)
			}
			f.start()
			key := newKey()
			f.nodes[0].save(t, 1000, key)
			f.nodes[1].save(t, 1000, newKey())
			before := f.sessions()
			first := []string{GT(key, o.addr, newID(), "", 5), PING, ST(newKey(), "planted", newID()), "GET \\AUTH HTTP/1.1\r\nHost: 127.0.0.1:5\r\n\r\n", farmQuery(key, o.addr), GET(key)}
			if c.mode != plain {
				first = append(first, hello+farmQuery(key, o.addr))
			}
			for _, m := range first {
				conn := dialTo(t, f.nodes[0].peer)
				if _, err := io.WriteString(conn, m); err != nil {
					t.Fatal(err)
				}
				if !conn.closed() {
					t.Errorf("there is an answer, or the connection is open, after %.40q", m)
				}
			}
			f.nodes[0].logs("event=peer_refused")
			f.nodes[0].wantAll(t, 1, 1000, key)
			if n := f.sessions(); n != before {
				t.Errorf("%d sessions, before %d", n, before)
			}
			if n := o.dialled(); n != 0 {
				t.Errorf("a node has dialled %d times for somebody who has not shown who he is", n)
			}
		})
	}
}

// stranger is a certificate that nobody has signed.
func stranger(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestTLSWithoutSecret: TLS alone is not enough. (X2)
func TestTLSWithoutSecret(t *testing.T) {
	t.Parallel()
	inModes(t, func(t *testing.T, m mode) {
		f := startFarm(t, pair(), m)
		key := newKey()
		f.nodes[0].save(t, 1000, key)
		for _, cert := range [][]tls.Certificate{nil, {stranger(t)}} {
			nc, err := net.DialTimeout("tcp", f.nodes[0].peer, patience)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			c := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, Certificates: cert, MinVersion: tls.VersionTLS13})
			_ = c.SetDeadline(time.Now().Add(patience)) // fails if it is closed, and then so does all else
			_, _ = io.WriteString(c, "00000000000000000000000000000000"+hello+farmQuery(key, "127.0.0.1:9"))
			got, _ := io.ReadAll(c) // ends when the node closes it
			for _, b := range got {
				if b != 0 { // a no, and zeros
					t.Fatalf("%q", got)
				}
			}
		}
		f.nodes[0].wantAll(t, 1, 1000, key)
	}, secret, certs)
}

// TestReflection: a node that dials an attacker meets itself, or somebody between it and another node, and makes no link. (X3)
func TestReflection(t *testing.T) {
	t.Parallel()
	t.Run("X3 to itself", func(t *testing.T) {
		f := newFarm(t, single(), secret)
		r := newRelay(t, f.nodes[0].peer)
		f.nodes[0].args = append(f.nodes[0].args, "--peer", r.addr)
		f.startAll()
		f.nodes[0].logs("event=peer_self")
		if n := f.nodes[0].neighbours(); n != 0 {
			t.Errorf("%d neighbours", n)
		}
	})
	t.Run("X3 in the middle", func(t *testing.T) {
		f := newFarm(t, pair(), secret)
		middle := newMiddle(t, f.nodes[0].peer)
		f.nodes[0].door = middle.Addr().String()
		f.startAll()
		f.nodes[0].logs("event=peer_refused", "reason=wrong_secret")
		f.nodes[1].logs("event=peer_refused", "reason=wrong_secret")
		for _, n := range f.nodes {
			if got := n.neighbours(); got != 0 {
				t.Errorf("%s has %d neighbours", n.name, got)
			}
		}
	})
}

// newMiddle ends TLS on both sides and passes on what is inside.
func newMiddle(t *testing.T, target string) net.Listener {
	t.Helper()
	cert := stranger(t)
	l, err := tls.Listen("tcp", freeAddr(t), &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			front, err := l.Accept()
			if err != nil {
				return
			}
			d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}}
			back, err := d.Dial("tcp", target)
			if err != nil {
				_ = front.Close()
				continue
			}
			for _, c := range [][2]net.Conn{{front, back}, {back, front}} {
				_ = c[0].SetDeadline(time.Now().Add(patience)) // fails if it is closed, and then so does all else
				running.Go(func() {
					_, _ = io.Copy(c[1], c[0]) // ends when either side ends it
					_, _ = front.Close(), back.Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	return l
}

// TestBentLink: what is changed on its way ends the link, and nothing that was changed is ever served. (X5, X6)
func TestBentLink(t *testing.T) {
	t.Parallel()
	f := newFarm(t, pair(), secret)
	r := f.relay(0)
	f.start()
	all := newKeys(4)
	f.nodes[0].save(t, 100_000, all...)
	for i, w := range []way{in, out, in, out} {
		var bent atomic.Bool
		r.set(rules{bend: func(at way, b []byte) {
			if at == w && len(b) > 40 && !bent.Swap(true) {
				b[len(b)/2] ^= 1
			}
		}})
		f.nodes[1].wantAll(t, 1, 100_000, all[i]) // on a new link
		if !bent.Load() {
			t.Error("nothing was bent")
		}
		r.set(rules{})
		f.awaitLinks(patience)
	}
	f.nodes[0].wantAll(t, 1, 100_000, all...)
	if n := f.sessions(); n != int64(len(all)) {
		t.Errorf("%d sessions", n)
	}
}

// TestCiphertext: a session that goes over a link again and again never looks the same, and nothing of it can be read. (X8)
func TestCiphertext(t *testing.T) {
	t.Parallel()
	f := newFarm(t, pair(), secret)
	r := f.relay(0)
	r.set(rules{record: true})
	f.start()
	key := newKey()
	f.nodes[0].save(t, 10_000, key)
	for i := range 6 {
		f.nodes[(i+1)%2].wantAll(t, 1, 10_000, key)
	}
	const window = 16
	seen := map[string]bool{}
	for _, w := range []way{in, out} {
		b := r.recorded(w)
		if len(b) < 30_000 {
			t.Fatalf("%d bytes were recorded", len(b))
		}
		b = b[4000:] // behind the handshake, where names repeat
		for i := 0; i+window <= len(b); i++ {
			if s := string(b[i : i+window]); seen[s] {
				t.Fatalf("%x appears twice", s)
			} else {
				seen[s] = true
			}
		}
	}
}

// TestSecretFiles: a short secret, and a port that others reach without any, are refused at the start.
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	short := t.TempDir() + "/short"
	if err := os.WriteFile(short, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--peer-secret-file", short}, {"--peer-listen", "0.0.0.0:0"}, {"--peer", "192.0.2.1:42425"}} {
		if status, _, stderr := run(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "off"}, args...)...); status != 2 || stderr == "" {
			t.Errorf("%q: exit status %d, %s", args, status, stderr)
		}
	}
}
