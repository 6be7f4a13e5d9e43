package wire

import "math"

// plainNumber reads " 123\r\n" at b[p:], the way nearly every client writes a number, and returns the index of the next line.
// It returns next 0 for anything else, good or bad: number then looks at it. Nine digits fit an int on every machine.
//
// NB: small on purpose; it runs once for every number of every request.
func plainNumber(b []byte, p int) (n, next int) {
	if p < len(b) && b[p] == ' ' {
		p++
	}
	start := p
	for p < len(b) && b[p]-'0' <= 9 {
		n = n*10 + int(b[p]-'0')
		p++
	}
	if digits := p - start; digits < 1 || digits > 9 || len(b)-p < 2 || b[p] != '\r' || b[p+1] != '\n' {
		return 0, 0
	}
	return n, p + 2
}

// number reads a whole value as §4.4 wants it: at most one sign, then digits only, leading zeros at any length. A number beyond
// 64 bits becomes the nearest int64, which lies outside every range a header has.
func number(v []byte) (n int64, ok bool) {
	neg := false
	if len(v) > 0 && (v[0] == '+' || v[0] == '-') {
		neg = v[0] == '-'
		v = v[1:]
	}
	if len(v) == 0 {
		return 0, false
	}
	for _, c := range v {
		if c -= '0'; c > 9 {
			return 0, false
		}
		// n is negative: there is one more number on that side.
		if n < (math.MinInt64+int64(c))/10 {
			n = math.MinInt64
		} else {
			n = n*10 - int64(c)
		}
	}
	if neg {
		return n, true
	}
	if n == math.MinInt64 {
		return math.MaxInt64, true
	}
	return -n, true
}
