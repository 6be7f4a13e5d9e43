package fuzz

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// verdict is what a parser thinks of some bytes.
type verdict string

const (
	accepted verdict = "accepted"
	short    verdict = "short"
	refused  verdict = "refused"
)

// verdictOf folds all refusals into one: which of several faults is named is not specified (docs/protocol.md §6.2).
func verdictOf(f wire.Fault) verdict {
	switch f {
	case wire.OK:
		return accepted
	case wire.Short:
		return short
	}
	return refused
}

// referenceHead is a second reading of docs/protocol.md sections 2 to 4, with none of the first one's haste: it copies, splits,
// uses regular expressions and numbers without limits.
func referenceHead(in []byte, lim *wire.Limits) (n int, v verdict, r wire.Request) {
	window := string(in[:min(len(in), lim.MaxHead)])
	block, _, complete := strings.Cut(window, "\r\n\r\n")
	if strings.HasPrefix(window, "\r\n") {
		block, complete = "", true
	}
	// What is left when line ends are taken out may have no control characters (§2.5). A CR at the very end may become a line end.
	text := strings.ReplaceAll(block, "\r\n", "|")
	if !complete {
		text = strings.TrimSuffix(text, "\r")
	}
	if forbidden.MatchString(text) {
		return 0, refused, r
	}
	if !complete && len(in) > lim.MaxHead {
		return 0, refused, r
	}
	if !complete {
		return 0, short, r
	}
	lines := strings.Split(block, "\r\n")
	parts := requestLine.FindStringSubmatch(lines[0])
	if parts == nil {
		return 0, refused, r
	}
	r.Verb = map[string]wire.Verb{"GET": wire.Get, "PUT": wire.Put, "HEAD": wire.Head, "DELETE": wire.Delete}[parts[1]]
	r.Target = []byte(parts[2])
	r.Timeout = 20
	for _, line := range lines[1:] {
		parts := headerLine.FindStringSubmatch(line)
		if parts == nil || !referenceHeader(&r, parts[1], strings.Trim(parts[2], " \t"), lim) {
			return 0, refused, r
		}
	}
	if r.Verb == wire.Put && r.ContentLength == 0 {
		return 0, refused, r
	}
	return len(block) + len("\r\n\r\n"), accepted, r
}

var (
	forbidden   = regexp.MustCompile(`[\x00-\x08\x0a-\x1f\x7f]`)
	requestLine = regexp.MustCompile(`^(GET|PUT|HEAD|DELETE) ([^ \t]+) HTTP/1\.[01]$`)
	headerLine  = regexp.MustCompile(`^([!-9;-~]+):(.*)$`)
	wholeNumber = regexp.MustCompile(`^[+-]?[0-9]+$`)
)

// referenceHeader takes in one header, or reports that it is malformed. name is ASCII.
func referenceHeader(r *wire.Request, name, value string, lim *wire.Limits) bool {
	switch strings.ToLower(name) {
	case "content-length":
		n, ok := referenceNumber(value, 0, int64(lim.MaxBody))
		r.ContentLength = int(n)
		return ok
	case "timeout":
		n, ok := referenceNumber(value, 0, 365*24*60)
		r.Timeout = int32(n)
		return ok
	case "lockcookie":
		n, ok := referenceNumber(value, 0, 1<<31-2)
		r.Cookie, r.HasCookie = int32(n), true
		return ok
	case "extraflags":
		n, ok := referenceNumber(value, -1<<31, 1<<31-1)
		if n == -1 {
			n = 0
		}
		r.ExtraFlags = int32(n)
		return ok
	case "exclusive":
		switch lowerASCII(value) {
		case "acquire":
			r.Exclusive = wire.Acquire
			return true
		case "release":
			r.Exclusive = wire.Release
			return true
		}
		return false
	case "connection":
		r.Close = false
		for word := range strings.SplitSeq(value, ",") {
			if lowerASCII(strings.Trim(word, " \t")) == "close" {
				r.Close = true
			}
		}
		return true
	case "transfer-encoding":
		return false
	}
	return true
}

// referenceNumber reads a number of any length and tests its range.
func referenceNumber(value string, low, high int64) (n int64, ok bool) {
	if !wholeNumber.MatchString(value) {
		return 0, false
	}
	exact, ok := new(big.Int).SetString(value, 10)
	if !ok || exact.Cmp(big.NewInt(low)) < 0 || exact.Cmp(big.NewInt(high)) > 0 {
		return 0, false
	}
	return exact.Int64(), true
}

// lowerASCII leaves letters outside ASCII alone, unlike strings.ToLower, which makes a k of U+212A.
func lowerASCII(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c - 'A' + 'a'
		}
		return c
	}, s)
}

var escape = regexp.MustCompile(`%u[dD][89abAB][0-9a-fA-F]{2}%u[dD][c-fC-F][0-9a-fA-F]{2}|%u[0-9a-fA-F]{4}|%[0-9a-fA-F]{2}|\+`)

// referenceKey is a second reading of docs/protocol.md §3.5 and §3.6.
func referenceKey(target string) string {
	if strings.HasPrefix(target, "//") {
		target = target[1:]
	}
	return escape.ReplaceAllStringFunc(target, func(e string) string {
		number := func(hex string) rune {
			n, err := strconv.ParseUint(hex, 16, 16)
			if err != nil {
				panic(err) // the expression lets only hex digits through
			}
			return rune(n)
		}
		switch len(e) {
		case len("+"):
			return " "
		case len("%XX"):
			return string([]byte{byte(number(e[1:]))})
		case len("%uXXXX%uXXXX"):
			return string(utf16.DecodeRune(number(e[2:6]), number(e[8:])))
		}
		if u := number(e[2:]); utf16.IsSurrogate(u) {
			return string([]byte{0xe0 | byte(u>>12), 0x80 | byte(u>>6)&0x3f, 0x80 | byte(u)&0x3f})
		}
		return string(number(e[2:]))
	})
}
