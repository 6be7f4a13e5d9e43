package wire

import (
	"bytes"
	"encoding/binary"
)

// ParseHead reads one header block from the front of b into r.
//
//	n > 0, OK     the block is b[:n], r is filled, and r.ContentLength bytes of body follow
//	0, Short      b is the beginning of a good block, or empty: read more, call again with all of it
//	0, any other  malformed: answer 400 and close (§6.1)
//
// Unless it returns OK, r holds nothing of use. Bytes behind the block are not looked at.
//
// seen is how many bytes of b an earlier call has returned Short for, 0 in the first call. It changes no outcome; it spares a second
// look, so that a block which arrives byte by byte costs no more than two passes.
func ParseHead(b []byte, seen int, lim *Limits, r *Request) (n int, f Fault) {
	w := b[:min(len(b), lim.MaxHead)]
	if seen <= 0 {
		if n, f = parseBlock(w, lim.MaxBody, r); f == OK {
			return n, OK
		}
	}
	end, g := blockEnd(w, seen)
	if g == Short && len(w) < len(b) {
		return 0, HeaderTooLarge
	}
	if g != OK {
		return 0, g
	}
	if seen > 0 {
		return parseBlock(w[:end], lim.MaxBody, r)
	}
	return 0, f
}

// parseBlock reads a complete block from the front of b. It is exact when it accepts. A fault that it returns holds only if the block
// is complete and has no forbidden byte; ParseHead finds that out.
func parseBlock(b []byte, maxBody int, r *Request) (n int, f Fault) {
	p := r.requestLine(b)
	if p == 0 {
		return 0, requestLineFault(b)
	}
	r.Exclusive, r.ContentLength, r.Timeout, r.ExtraFlags = None, 0, defaultTimeout, 0
	r.Cookie, r.HasCookie, r.Close = 0, false, false
	for {
		if len(b)-p < 2 {
			return 0, BadHeader
		}
		if b[p] == '\r' && b[p+1] == '\n' {
			break
		}
		h, v := knownHeader(b[p:])
		if h != other && h <= extraFlags {
			if i, next := plainNumber(b, p+v); next > 0 {
				if f := r.setNumber(h, int64(i), maxBody); f != OK {
					return 0, f
				}
				p = next
				continue
			}
		}
		if p, f = r.headerLine(b, p, h, v, maxBody); f != OK {
			return 0, f
		}
	}
	if r.Verb == Put && r.ContentLength == 0 {
		return 0, MissingBody
	}
	return p + 2, OK
}

// The words of a request line, as little-endian words.
const (
	wordGet    = 'G' | 'E'<<8 | 'T'<<16 | ' '<<24
	wordPut    = 'P' | 'U'<<8 | 'T'<<16 | ' '<<24
	wordHead   = 'H' | 'E'<<8 | 'A'<<16 | 'D'<<24
	wordDelete = 'D' | 'E'<<8 | 'L'<<16 | 'E'<<24
	wordEte    = 'E' | 'T'<<8 | 'E'<<16 | ' '<<24
	wordHTTP10 = 'H' | 'T'<<8 | 'T'<<16 | 'P'<<24 | '/'<<32 | '1'<<40 | '.'<<48 | '0'<<56
	wordHTTP11 = 'H' | 'T'<<8 | 'T'<<16 | 'P'<<24 | '/'<<32 | '1'<<40 | '.'<<48 | '1'<<56

	shortest = len("GET x HTTP/1.1\r\n\r\n") // a block with fewer bytes is not complete or not good
)

// requestLine reads the first line and returns the index of the next one, or 0 if it is not there or not good. See §3.1.
func (r *Request) requestLine(b []byte) (next int) {
	if len(b) < shortest {
		return 0
	}
	var p int
	switch binary.LittleEndian.Uint32(b) {
	case wordGet:
		r.Verb, p = Get, len("GET ")
	case wordPut:
		r.Verb, p = Put, len("PUT ")
	case wordHead:
		if b[4] != ' ' {
			return 0
		}
		r.Verb, p = Head, len("HEAD ")
	case wordDelete:
		if binary.LittleEndian.Uint32(b[3:]) != wordEte {
			return 0
		}
		r.Verb, p = Delete, len("DELETE ")
	default:
		return 0
	}
	e := blank(b, p)
	if e == p || len(b)-e < len(" HTTP/1.1\r\n") || b[e] != ' ' {
		return 0
	}
	version := b[e+1 : e+11]
	if x := binary.LittleEndian.Uint64(version); x != wordHTTP11 && x != wordHTTP10 {
		return 0
	}
	if version[8] != '\r' || version[9] != '\n' {
		return 0
	}
	r.Target = b[p:e:e]
	return e + 11
}

// requestLineFault says what is wrong with the first line of b. Requires that requestLine has refused it.
func requestLineFault(b []byte) Fault {
	line, _, _ := bytes.Cut(b, crlf)
	verb, rest, ok := bytes.Cut(line, space)
	if !ok || len(verb) == 0 {
		return BadRequestLine
	}
	switch string(verb) {
	case "GET", "PUT", "HEAD", "DELETE":
	default:
		return BadVerb
	}
	target, version, ok := bytes.Cut(rest, space)
	if len(target) == 0 || bytes.IndexByte(rest, '\t') >= 0 || bytes.IndexByte(version, ' ') >= 0 {
		return BadRequestLine
	}
	if ok && len(version) == 0 {
		return BadRequestLine
	}
	return BadVersion
}

var (
	crlf  = []byte("\r\n")
	space = []byte(" ")
)

// headerLine reads the header line at b[p:], whatever it looks like; h and v are what knownHeader says of it. It returns the index of
// the next line. See §4.2.
func (r *Request) headerLine(b []byte, p int, h header, v int, maxBody int) (next int, f Fault) {
	if h == other {
		colon := nameEnd(b, p)
		if colon < 0 {
			return 0, BadHeader
		}
		e := lineEnd(b, colon+1)
		if e < 0 {
			return 0, BadByte
		}
		return e + 2, OK
	}
	e := lineEnd(b, p+v)
	if e < 0 {
		return 0, BadByte
	}
	return e + 2, r.set(h, trim(b[p+v:e]), maxBody)
}

// set takes in one value of a known header. Each occurrence is checked, and the last one stays: see §4.3.
func (r *Request) set(h header, value []byte, maxBody int) Fault {
	switch h {
	case exclusive:
		switch {
		case foldEqual(value, "acquire"):
			r.Exclusive = Acquire
		case foldEqual(value, "release"):
			r.Exclusive = Release
		default:
			return BadExclusive
		}
		return OK
	case connection:
		r.Close = hasWord(value, "close")
		return OK
	case transferEncoding:
		return Chunked
	}
	n, ok := number(value)
	if !ok {
		return BadNumber
	}
	return r.setNumber(h, n, maxBody)
}

// setNumber takes in one number. The ranges hold on every verb: see §4.5 and §4.6.
func (r *Request) setNumber(h header, n int64, maxBody int) Fault {
	switch h {
	case contentLength:
		if n > int64(maxBody) {
			return BodyTooLarge
		}
		if n < 0 {
			return BadNumber
		}
		r.ContentLength = int(n)
	case timeout:
		if n < 0 || n > maxTimeout {
			return BadNumber
		}
		r.Timeout = int32(n)
	case lockCookie:
		if n < 0 || n > maxCookie {
			return BadNumber
		}
		r.Cookie, r.HasCookie = int32(n), true
	case extraFlags:
		if n != int64(int32(n)) {
			return BadNumber
		}
		if n == -1 { // a client without flags to send
			n = 0
		}
		r.ExtraFlags = int32(n)
	}
	return OK
}
