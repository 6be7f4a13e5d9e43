package naive

import (
	"bytes"
	"math/big"
	"slices"
	"strings"
)

// request is one parsed header block. See docs/protocol.md §3 and §4.
type request struct {
	verb, key  string
	exclusive  string // "", "acquire" or "release"
	length     int
	timeout    int
	cookie     int64 // noCookie if absent
	insertOnly bool
	close      bool
}

const noCookie = -1

// parse reads a header block that ends with its empty line. It reports false if
// the block is malformed.
func parse(block []byte, maxBody int) (*request, bool) {
	lines := strings.Split(strings.TrimSuffix(string(block), "\r\n\r\n"), "\r\n")
	r := &request{timeout: 20, cookie: noCookie}
	if !r.line(lines[0]) {
		return nil, false
	}
	for _, line := range lines[1:] {
		if !r.header(line, maxBody) {
			return nil, false
		}
	}
	return r, r.verb != "PUT" || r.length > 0
}

// line reads the request line.
func (r *request) line(line string) bool {
	parts := strings.Split(line, " ")
	if len(parts) != 3 || parts[1] == "" || strings.Contains(line, "\t") {
		return false
	}
	r.verb, r.key = parts[0], keyOf(parts[1])
	return slices.Contains([]string{"GET", "PUT", "HEAD", "DELETE"}, r.verb) &&
		(parts[2] == "HTTP/1.1" || parts[2] == "HTTP/1.0")
}

// header reads one header line.
func (r *request) header(line string, maxBody int) bool {
	name, value, found := strings.Cut(line, ":")
	notName := func(c rune) bool { return c <= ' ' || c > '~' }
	if !found || name == "" || strings.ContainsFunc(name, notName) {
		return false
	}
	value = strings.Trim(value, " \t")
	ok := true
	var n int64
	switch strings.ToLower(name) {
	case "content-length":
		n, ok = number(value, 0, int64(maxBody))
		r.length = int(n)
	case "timeout":
		n, ok = number(value, 0, 525600)
		r.timeout = int(n)
	case "lockcookie":
		r.cookie, ok = number(value, 0, 2147483646)
	case "extraflags":
		n, ok = number(value, -1<<31, 1<<31-1)
		r.insertOnly = n != -1 && n&1 != 0
	case "exclusive":
		r.exclusive = strings.ToLower(value)
		ok = r.exclusive == "acquire" || r.exclusive == "release"
	case "connection":
		for word := range strings.SplitSeq(value, ",") {
			r.close = r.close || strings.EqualFold(strings.Trim(word, " \t"), "close")
		}
	case "transfer-encoding":
		ok = false
	}
	return ok
}

// number reads a decimal number of any length and tests its range.
func number(s string, lo, hi int64) (int64, bool) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || n.Cmp(big.NewInt(lo)) < 0 || n.Cmp(big.NewInt(hi)) > 0 {
		return 0, false
	}
	return n.Int64(), true
}

// badByte reports whether the last byte of a growing header block shows that it
// can never become good. See docs/protocol.md §2.5.
func badByte(block []byte) bool {
	last := block[len(block)-1]
	afterCR := bytes.HasSuffix(block[:len(block)-1], []byte("\r"))
	if afterCR || last == '\n' {
		return !afterCR || last != '\n'
	}
	return last < ' ' && last != '\t' && last != '\r' || last == 0x7f
}
