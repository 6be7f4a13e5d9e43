package fuzz

import (
	"bytes"
	"testing"

	"github.com/farmstate/farmstate/peer/legacy"
)

// legacyMessages are messages of originals, good ones and others. See docs/peer-protocol.md §8.
func legacyMessages() []string {
	const id = "X-ID: 00112233445566778899aabbccddeeff\r\n"
	const version = "X-AspNet-Version: 2.0.50727\r\n"
	return []string{
		"GET \\PING HTTP/1.1\r\nHost: 127.0.0.1:42101\r\nContent-Length: 0\r\n\r\n",
		"200 OK\r\n" + version + "Server: State Service Peer\r\nContent-Length: 0\r\n\r\n",
		"GET \\AUTH HTTP/1.1\r\nHost: h\r\n\r\n",
		"401 Unauthorized\r\n" + version + "WWW-Authenticate: Digest realm=\"state_service@vm\", qop=\"auth\", nonce=\"bm9uY2U=\", algorithm=\"SHA-256\"\r\nContent-Length: 0\r\n\r\n", //nolint:misspell // the reason phrase of HTTP
		"GET \\AUTH HTTP/1.1\r\nHost: h\r\nAuthorization: Digest username = \"vm\", realm=\"state_service@vm\" , nonce=\"bm9uY2U=\", uri =\"\\AUTH\",qop=\"auth\",nc=1,cnonce=\"bm9uY2U=\" ,response=\"AB12\",algorithm=\"SHA-256\"\r\n\r\n",
		"200 OK\r\n" + version + "Authentication-Info: qop=\"auth\",rspauth=\"AB12\",cnonce=\"bm9uY2U=\",nc=1\r\nContent-Length: 0\r\n\r\n",
		"GET /k/a HTTP/1.1\r\nHost: 10.0.0.9:42425\r\n" + id + "Exclusive: transfer\r\nMax-Forwards: 5\r\n\r\n",
		"GET /k/a HTTP/1.1\r\nHost: 10.0.0.9:99999\r\n" + id + "Exclusive: transfer\r\nX-Broadcast-ID: {00112233-4455-6677-8899-aabbccddeeff}\r\nMax-Forwards: -1\r\n\r\n",
		"PUT /k/a HTTP/1.1\r\nHost: h\r\n" + id + "LockDate: 639308106643961610\r\nLockAge: 0\r\nLockCookie: 1\r\nX-If-None-Exists: true\r\nExclusive: transfer\r\nTimeout: 20\r\nExtraFlags: 1\r\nLast-Modified: 639308106618316520\r\nContent-Type: application/x-encrypted; plaintext-length=3\r\nContent-Length: 16\r\n\r\n0123456789abcdef",
		"PUT /k/a HTTP/1.1\r\nHost: h\r\n" + id + "Exclusive: transfer\r\nLast-Modified: 1\r\nContent-Length: 4\r\n\r\nbody",
		"412 Precondition Failed\r\n" + version + "X-Assoc-ID: deedb3e5134e4d958247dc3c552090b9\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n",
		"400 Bad Request\r\n" + version + "Cache-Control: private\r\nX-Assoc-ID: 00000000000000000000000000000000\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 503 Service Unavailable\r\n\r\n", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "get /a b\r\nhost:\r\nnonsense\r\n: x\r\n\r\n",
		"PUT /a HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "PUT /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "999 X\r\n\r\n", "\r\n", "hello\r\n\r\n",
	}
}

// legacyCuts is a reader that returns as many bytes at a time as cuts says, over and over.
type legacyCuts struct {
	in   []byte
	cuts []byte
	i    int
}

func (r *legacyCuts) Read(p []byte) (int, error) {
	if len(r.in) == 0 {
		return 0, errLegacyEnd
	}
	n := len(r.in)
	if len(r.cuts) > 0 {
		n = min(n, 1+int(r.cuts[r.i%len(r.cuts)]))
		r.i++
	}
	n = copy(p, r.in[:n])
	r.in = r.in[n:]
	return n, nil
}

type legacyEnd struct{}

func (legacyEnd) Error() string { return "the end" }

var errLegacyEnd error = legacyEnd{}

// readLegacy reads all messages of a stream, with their bodies.
func readLegacy(t *testing.T, in, cuts []byte) (heads []legacy.Message, bodies [][]byte, err error) {
	t.Helper()
	r := legacy.NewReader(&legacyCuts{in: in, cuts: cuts})
	for {
		var m legacy.Message
		if err := r.Next(&m); err != nil {
			return heads, bodies, err
		}
		if m.Length < 0 || m.Length > 20_971_520 {
			t.Fatalf("a body of %d bytes", m.Length)
		}
		body := make([]byte, min(m.Length, len(in)+1))
		if len(body) < m.Length { // there is not so much
			return heads, bodies, errLegacyEnd
		}
		if err := r.Body(body); err != nil {
			return heads, bodies, err
		}
		heads, bodies = append(heads, m), append(bodies, body)
	}
}

// FuzzLegacyMessage checks that how a stream of an original is cut into reads never matters, and that every good message that we could have written
// is written and read again as the same one.
func FuzzLegacyMessage(f *testing.F) {
	for _, m := range legacyMessages() {
		f.Add([]byte(m), []byte{0})
		f.Add([]byte(m+legacyMessages()[0]), []byte{7, 200})
	}
	f.Fuzz(func(t *testing.T, in, cuts []byte) {
		heads, bodies, err := readLegacy(t, in, nil)
		again, bodies2, err2 := readLegacy(t, in, cuts)
		if err == nil || err2 == nil || err.Error() != err2.Error() || len(heads) != len(again) {
			t.Fatalf("in one piece %d messages and %v, in many %d and %v", len(heads), err, len(again), err2)
		}
		for i, m := range heads {
			if m != again[i] || !bytes.Equal(bodies[i], bodies2[i]) {
				t.Fatalf("in one piece\n%+v, in many\n%+v", m, again[i])
			}
			writeLegacy(t, m, bodies[i])
		}
	})
}

// writeLegacy writes a message, and reads it again if it is one that we write.
func writeLegacy(t *testing.T, m legacy.Message, body []byte) {
	t.Helper()
	b := legacy.Append(nil, &m)
	if m.Bad || m.Kind == legacy.KindSession {
		return
	}
	if m.Kind != legacy.KindTransfer {
		m.Length, body = 0, nil // nothing else that we write has a body
	}
	if m.HasDigest && bytes.ContainsRune([]byte(m.Digest.Realm+m.Digest.QOP+m.Digest.Nonce+m.Digest.CNonce+m.Digest.Username+m.Digest.URI+m.Digest.Response+m.Digest.RspAuth+m.Digest.Algorithm), '"') {
		return // we write no quotes within quotes
	}
	heads, bodies, err := readLegacy(t, append(b, body...), nil)
	if len(heads) == 0 && len(b) > 2048 {
		return // a line that has become too long
	}
	if len(heads) != 1 {
		t.Fatalf("%+v is written as\n%q, which is read as %d messages and %v", m, b, len(heads), err)
	}
	got := heads[0]
	switch m.Kind { // what is always written in one way
	case legacy.KindPingReply:
		m.Phrase, m.HasAssoc, m.Assoc, m.HasDigest, m.Digest = got.Phrase, false, legacy.ID{}, false, legacy.Digest{}
	case legacy.KindPing, legacy.KindAuthBegin, legacy.KindAuthAnswer:
		m.Target = got.Target
		fallthrough
	case legacy.KindResponse:
		if m.Status == 400 || m.Status != 401 && !m.HasDigest {
			m.HasDigest, m.Digest = got.HasDigest, got.Digest
		}
		if m.Kind != legacy.KindPing && m.Kind != legacy.KindAuthBegin {
			m.HasDigest, m.Digest = got.HasDigest, onlyWritten(m.Digest, got.Digest)
		}
	}
	if got != m || !bytes.Equal(bodies[0], body) {
		t.Fatalf("\n%+v is written as\n%q, and read as\n%+v", m, b, got)
	}
}

// onlyWritten is d with those fields of got that no header has which carries the others.
func onlyWritten(d, got legacy.Digest) legacy.Digest {
	for _, f := range []struct{ to, from *string }{
		{&d.Username, &got.Username}, {&d.Realm, &got.Realm}, {&d.Nonce, &got.Nonce}, {&d.CNonce, &got.CNonce}, {&d.QOP, &got.QOP},
		{&d.URI, &got.URI}, {&d.Response, &got.Response}, {&d.RspAuth, &got.RspAuth}, {&d.Algorithm, &got.Algorithm},
	} {
		if *f.from == "" {
			*f.to = ""
		}
	}
	if got.NC == 0 {
		d.NC = 0
	}
	return d
}
