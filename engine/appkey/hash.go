package appkey

import "fmt"

// HashKind says what a hash was made from, as far as its length tells. See docs/protocol.md §3.8.
type HashKind uint8

// The kinds of hashes.
const (
	HashUnknown HashKind = iota // not from a client that we know, or the "*" of a canonical key
	HashPlain                   // SHA-256 of the application id, from .NET 4.5.2 on: says nothing about machine keys
	HashKeyed                   // 160 bits keyed with the machine's validation key, from an earlier .NET
)

// String is a stable name, good for logs.
func (k HashKind) String() string {
	switch k {
	case HashUnknown:
		return "unknown"
	case HashPlain:
		return "plain"
	case HashKeyed:
		return "keyed"
	}
	return fmt.Sprintf("HashKind(%d)", uint8(k))
}

// Lengths of 256 and 160 bits in base64. Both end in exactly one padding character.
const (
	plainLen = 44
	keyedLen = 28
)

// KindOf looks at the hash of a key.
func KindOf(hash []byte) HashKind {
	switch {
	case len(hash) == plainLen && isBase64(hash):
		return HashPlain
	case len(hash) == keyedLen && isBase64(hash):
		return HashKeyed
	}
	return HashUnknown
}

// isBase64 reports whether b, which is not empty, is base64 with one padding character.
func isBase64(b []byte) bool {
	last := len(b) - 1
	for _, c := range b[:last] {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/') {
			return false
		}
	}
	return b[last] == '='
}
