package wire

import "encoding/binary"

// header is one of the request headers that mean something, or other. See docs/protocol.md §4.5.
type header uint8

const (
	other header = iota
	contentLength
	timeout
	lockCookie
	extraFlags // the last of the numbers: plainNumber is tried up to here
	exclusive
	connection
	transferEncoding
)

// The first eight bytes of each known name, in small letters, as a little-endian word.
const (
	headConnecti = 'c' | 'o'<<8 | 'n'<<16 | 'n'<<24 | 'e'<<32 | 'c'<<40 | 't'<<48 | 'i'<<56
	headContent  = 'c' | 'o'<<8 | 'n'<<16 | 't'<<24 | 'e'<<32 | 'n'<<40 | 't'<<48 | '-'<<56
	headExclusiv = 'e' | 'x'<<8 | 'c'<<16 | 'l'<<24 | 'u'<<32 | 's'<<40 | 'i'<<48 | 'v'<<56
	headExtrafla = 'e' | 'x'<<8 | 't'<<16 | 'r'<<24 | 'a'<<32 | 'f'<<40 | 'l'<<48 | 'a'<<56
	headLockcook = 'l' | 'o'<<8 | 'c'<<16 | 'k'<<24 | 'c'<<32 | 'o'<<40 | 'o'<<48 | 'k'<<56
	headTimeout  = 't' | 'i'<<8 | 'm'<<16 | 'e'<<24 | 'o'<<32 | 'u'<<40 | 't'<<48 | ':'<<56
	headTransfer = 't' | 'r'<<8 | 'a'<<16 | 'n'<<24 | 's'<<32 | 'f'<<40 | 'e'<<48 | 'r'<<56
)

// And what ends them, colon included, as words that overlap the first one where the name is short.
const (
	tailLength = '-' | 'l'<<8 | 'e'<<16 | 'n'<<24 | 'g'<<32 | 't'<<40 | 'h'<<48 | ':'<<56
	tailEncodi = '-' | 'e'<<8 | 'n'<<16 | 'c'<<24 | 'o'<<32 | 'd'<<40 | 'i'<<48 | 'n'<<56
	tailIng    = 'i' | 'n'<<8 | 'g'<<16 | ':'<<24
	tailKie    = 'k' | 'i'<<8 | 'e'<<16 | ':'<<24
	tailAgs    = 'a' | 'g'<<8 | 's'<<16 | ':'<<24
	tailIve    = 'i' | 'v'<<8 | 'e'<<16 | ':'<<24
	tailIon    = 'i' | 'o'<<8 | 'n'<<16 | ':'<<24
)

// The letter case bit of each byte. A letter with the bit set is the small letter and nothing else becomes one, so folding is exact
// where a letter is wanted. It is not where '-' or ':' is: CR would become '-'. Those bytes are compared unfolded.
const (
	caseAll    = 0x2020202020202020
	caseInner  = 0x0020202020202000 // all but the first and the last byte of a word
	caseTail8  = 0x2020202020202000 // all but the first
	caseTail4  = 0x00202020         // all but the last of four
	colonShift = 56
)

// knownHeader returns the header whose name and colon b begins with, in any letter case, and the index behind the colon.
func knownHeader(b []byte) (h header, v int) {
	if len(b) < 8 {
		return other, 0
	}
	x := binary.LittleEndian.Uint64(b)
	switch x | caseAll {
	case headTimeout:
		if x>>colonShift == ':' {
			return timeout, len("timeout:")
		}
	case headContent:
		if len(b) >= 15 && binary.LittleEndian.Uint64(b[7:])|caseInner == tailLength {
			return contentLength, len("content-length:")
		}
	case headLockcook:
		if tail4(b, 7, tailKie) {
			return lockCookie, len("lockcookie:")
		}
	case headExtrafla:
		if tail4(b, 7, tailAgs) {
			return extraFlags, len("extraflags:")
		}
	case headExclusiv:
		if tail4(b, 6, tailIve) {
			return exclusive, len("exclusive:")
		}
	case headConnecti:
		if tail4(b, 7, tailIon) {
			return connection, len("connection:")
		}
	case headTransfer:
		if tail4(b, 14, tailIng) && binary.LittleEndian.Uint64(b[8:])|caseTail8 == tailEncodi {
			return transferEncoding, len("transfer-encoding:")
		}
	}
	return other, 0
}

// tail4 reports whether b[i:i+4], with its first three bytes folded, is w.
func tail4(b []byte, i int, w uint32) bool {
	return len(b) >= i+4 && binary.LittleEndian.Uint32(b[i:])|caseTail4 == w
}

// inName tells which bytes a header name may consist of. See docs/protocol.md §4.2.
var inName = func() (t [256]bool) {
	for c := 0x21; c <= 0x7e; c++ {
		t[c] = c != ':'
	}
	return t
}()

// nameEnd returns the index of the colon behind the header name that b[p:] begins with, or -1 if there is no such thing.
func nameEnd(b []byte, p int) int {
	q := p
	for q < len(b) && inName[b[q]] {
		q++
	}
	if q == p || q == len(b) || b[q] != ':' {
		return -1
	}
	return q
}
