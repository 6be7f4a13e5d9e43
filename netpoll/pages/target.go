package pages

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Target returns the target under which an application asks for a session: the
// application id, its hash and the session id, escaped as a whole. The hash is
// that of .NET 4.5.2 and later. See docs/protocol.md §3.8.
func Target(app, id string) string {
	hash := sha256.Sum256([]byte(app))
	raw := app + "(" + base64.StdEncoding.EncodeToString(hash[:]) + ")/" + id
	if !strings.HasPrefix(raw, "/") {
		raw = "/" + raw
	}
	return escape(raw)
}

// escape is HttpUtility.UrlEncode: a blank becomes a plus sign, hex digits are
// lower-case. net/url spells the same bytes differently.
func escape(s string) string {
	const safe = "-_.!*()"
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(safe, c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.Write([]byte{'%', digits[c>>4], digits[c&0xf]})
		}
	}
	return b.String()
}

// NewID returns a session id as ASP.NET makes them: 24 characters of a-z0-5,
// thus 120 random bits.
func NewID() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz012345"
	var b [24]byte
	rand.Read(b[:]) // never fails
	for i := range b {
		b[i] = alphabet[b[i]%byte(len(alphabet))]
	}
	return string(b[:])
}
