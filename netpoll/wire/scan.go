package wire

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes are looked at in one step: a word holds them little-endian, and a mask has the top bit of each byte that matches.
// NB: above the lowest match a mask may have false ones (subtraction borrows from the next byte), so only the lowest counts.
const (
	ones = 0x0101010101010101
	lows = 0x7f7f7f7f7f7f7f7f
	tops = 0x8080808080808080
)

// below marks the bytes of x that are less than n or equal to 0x7F; n is at most 0x80. Bytes from 0x80 up never match.
func below(x uint64, n uint64) uint64 {
	return (x - n*ones | (x&lows + ones)) &^ x & tops
}

// equal marks the bytes of x that are c.
func equal(x uint64, c uint64) uint64 {
	x ^= c * ones
	return (x - ones) &^ x & tops
}

// control returns the index of the first byte of b[i:] that is a control character (below 0x20, or 0x7F), or len(b).
func control(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if m := below(binary.LittleEndian.Uint64(b[i:]), ' '); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(b); i++ {
		if b[i] < ' ' || b[i] == 0x7f {
			break
		}
	}
	return i
}

// blank returns the index of the first byte of b[i:] that is a control character or a space, or len(b).
func blank(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if m := below(binary.LittleEndian.Uint64(b[i:]), ' '+1); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(b); i++ {
		if b[i] <= ' ' || b[i] == 0x7f {
			break
		}
	}
	return i
}

// lineEnd returns the index of the CR of the first CRLF in b[i:], or -1 if there is none or a forbidden byte comes first.
func lineEnd(b []byte, i int) int {
	for {
		i = control(b, i)
		if i+1 >= len(b) {
			return -1
		}
		if b[i] == '\r' && b[i+1] == '\n' {
			return i
		}
		if b[i] != '\t' {
			return -1
		}
		i++
	}
}

// blockEnd looks for the empty line that ends a header block, and at nothing but §2.5 on the way.
//
//	n > 0, OK   the block is b[:n]; an empty first line is a block too
//	0, Short    good so far, a CR at the end included
//	0, BadByte  not good
//
// Requires that b[:seen] was Short, or seen <= 0. Only its last byte is looked at again: it may be a CR that waited.
func blockEnd(b []byte, seen int) (n int, f Fault) {
	for i := max(0, min(seen, len(b))-1); ; {
		i = control(b, i)
		if i == len(b) {
			return 0, Short
		}
		switch b[i] {
		case '\t':
			i++
		case '\n': // only where the look begins can it be the second half of a CRLF
			if i == 0 || b[i-1] != '\r' {
				return 0, BadByte
			}
			i++
		case '\r':
			if i+1 == len(b) {
				return 0, Short
			}
			if b[i+1] != '\n' {
				return 0, BadByte
			}
			if i == 0 || b[i-1] == '\n' {
				return i + 2, OK
			}
			i += 2
		default:
			return 0, BadByte
		}
	}
}

// trim returns v without the blanks (§1.3: spaces and TABs) at its ends.
func trim(v []byte) []byte {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	return v
}

// foldEqual reports whether v is lower when ASCII capitals count as small letters; lower has none.
//
// It is not bytes.EqualFold, which also folds U+017F to s and U+212A to k.
func foldEqual(v []byte, lower string) bool {
	if len(v) != len(lower) {
		return false
	}
	for i, c := range v {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// hasWord reports whether lower is one of the words of the comma-separated list v, in any letter case.
func hasWord(v []byte, lower string) bool {
	for i := 0; ; {
		start := i
		for i < len(v) && v[i] != ',' {
			i++
		}
		if foldEqual(trim(v[start:i]), lower) {
			return true
		}
		if i == len(v) {
			return false
		}
		i++
	}
}
