package naive

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// keyOf turns a target into the name a session is stored under.
// See docs/protocol.md §3.5 and §3.6.
func keyOf(target string) string {
	if strings.HasPrefix(target, "//") {
		target = target[1:]
	}
	var key []byte
	for rest := target; rest != ""; {
		switch hi, ok := unit(rest); {
		case ok:
			rest = rest[6:]
			if lo, ok := unit(rest); ok && utf16.IsSurrogate(rune(hi)) {
				if pair := utf16.DecodeRune(rune(hi), rune(lo)); pair != '\uFFFD' {
					key = append(key, string(pair)...)
					rest = rest[6:]
					continue
				}
			}
			key = appendUnit(key, hi)
		case rest[0] == '+':
			key, rest = append(key, ' '), rest[1:]
		default:
			if b, ok := hex(rest, "%", 2); ok {
				key, rest = append(key, byte(b)), rest[3:]
			} else {
				key, rest = append(key, rest[0]), rest[1:]
			}
		}
	}
	return string(key)
}

// unit reads a %uXXXX at the front of s.
func unit(s string) (uint16, bool) {
	n, ok := hex(s, "%u", 4)
	return uint16(n), ok
}

// hex reads prefix and that many hex digits at the front of s.
func hex(s, prefix string, digits int) (uint64, bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) < digits || strings.ContainsAny(rest[:digits], "+-_") {
		return 0, false
	}
	n, err := strconv.ParseUint(rest[:digits], 16, 16)
	return n, err == nil
}

// appendUnit appends the UTF-8 bytes of u; of a lone surrogate, for which Go's
// own encoder writes U+FFFD, the three bytes the same scheme gives.
func appendUnit(dst []byte, u uint16) []byte {
	if utf16.IsSurrogate(rune(u)) {
		return append(dst, 0xe0|byte(u>>12), 0x80|byte(u>>6)&0xbf, 0x80|byte(u)&0xbf)
	}
	return append(dst, string(rune(u))...)
}
