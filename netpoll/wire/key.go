package wire

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// AppendKey appends the key that target stands for: one of two leading literal slashes goes, then escapes are decoded once.
// See docs/protocol.md §3.5 and §3.6. A key is never longer than its target.
//
// The free room of dst must not overlap target; up to len(target) bytes of it are written, also behind the end of the result.
func AppendKey(dst, target []byte) []byte {
	if len(target) >= 2 && target[0] == '/' && target[1] == '/' {
		target = target[1:]
	}
	dst = slices.Grow(dst, len(target))
	start := len(dst)
	out := dst[start : start+len(target)]
	i, o := 0, 0
	for {
		if i, o = decodeCommon(out, o, target, i); i == len(target) {
			return dst[:start+o]
		}
		i, o = decodeRare(out, o, target, i)
	}
}

// decodeCommon decodes s[i:] to out[o:] up to the first thing that is neither a plain byte nor a good %XX, and returns how far it
// came on both sides. Invariant: o <= i and len(out) == len(s), so what is read at i may be written at o, eight bytes at once too.
//
// NB: the loop calls nothing, so that everything stays in registers. Gathering the marks of 64 bytes before looking at any, and
// walking byte by byte, were both measured to be slower on real targets, which have an escape every eight bytes or so.
func decodeCommon(out []byte, o int, s []byte, i int) (nextIn, nextOut int) {
	for i+8 <= len(s) {
		x := binary.LittleEndian.Uint64(s[i:])
		binary.LittleEndian.PutUint64(out[o:], x)
		m := equal(x, '%') | equal(x, '+')
		if m == 0 {
			i, o = i+8, o+8
			continue
		}
		k := bits.TrailingZeros64(m) >> 3
		i, o = i+k, o+k
		if i+2 >= len(s) {
			return i, o
		}
		c := unhex[s[i+1]]<<4 | unhex[s[i+2]]
		if c > 0xff || s[i] != '%' {
			return i, o
		}
		out[o] = byte(c)
		i, o = i+3, o+1
	}
	for i < len(s) && s[i] != '%' && s[i] != '+' {
		out[o] = s[i]
		i, o = i+1, o+1
	}
	return i, o
}

// notHex is what unhex has for a byte that is no hex digit: above all two-digit numbers, also when shifted.
const notHex = 0x100

// unhex has the value of each hex digit.
var unhex = func() (t [256]uint16) {
	for c := range t {
		switch {
		case '0' <= c && c <= '9':
			t[c] = uint16(c - '0')
		case 'a' <= c && c <= 'f':
			t[c] = uint16(c - 'a' + 10)
		case 'A' <= c && c <= 'F':
			t[c] = uint16(c - 'A' + 10)
		default:
			t[c] = notHex
		}
	}
	return t
}()

// decodeRare decodes the '+' or '%' that stands at s[i] to out[o:], and returns the indexes behind both.
func decodeRare(out []byte, o int, s []byte, i int) (nextIn, nextOut int) {
	if s[i] == '+' {
		out[o] = ' '
		return i + 1, o + 1
	}
	if i+2 < len(s) {
		if c := unhex[s[i+1]]<<4 | unhex[s[i+2]]; c <= 0xff {
			out[o] = byte(c)
			return i + 3, o + 1
		}
	}
	u, ok := utf16Unit(s, i)
	if !ok {
		out[o] = '%' // no escape: the sign is only itself, and what follows is looked at anew
		return i + 1, o + 1
	}
	i += 6
	if u&^0x7ff != 0xd800 {
		return i, o + utf8.EncodeRune(out[o:], u)
	}
	if u < 0xdc00 {
		if low, ok := utf16Unit(s, i); ok && low&^0x3ff == 0xdc00 {
			return i + 6, o + utf8.EncodeRune(out[o:], 0x10000+(u-0xd800)<<10+(low-0xdc00))
		}
	}
	// A surrogate without its partner. utf8 knows no form for it and would make all of them one.
	out[o], out[o+1], out[o+2] = byte(0xe0|u>>12), byte(0x80|u>>6&0x3f), byte(0x80|u&0x3f)
	return i, o + 3
}

// utf16Unit reads %uXXXX at s[i:].
func utf16Unit(s []byte, i int) (u rune, ok bool) {
	if len(s)-i < 6 || s[i] != '%' || s[i+1] != 'u' {
		return 0, false
	}
	for _, c := range s[i+2 : i+6] {
		d := unhex[c]
		if d == notHex {
			return 0, false
		}
		u = u<<4 | rune(d)
	}
	return u, true
}

// literal tells which bytes HttpUtility.UrlEncode leaves alone. See docs/protocol.md §3.8.
var literal = func() (t [256]bool) {
	for c := range t {
		t[c] = '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	for _, c := range []byte("-_.!*()") {
		t[c] = true
	}
	return t
}()

// AppendTarget appends the target that the real client makes of key: AppendKey leads back.
func AppendTarget[Key ~string | ~[]byte](dst []byte, key Key) []byte {
	const digits = "0123456789abcdef"
	for i := range len(key) {
		switch c := key[i]; {
		case literal[c]:
			dst = append(dst, c)
		case c == ' ':
			dst = append(dst, '+')
		default:
			dst = append(dst, '%', digits[c>>4], digits[c&0xf])
		}
	}
	return dst
}
