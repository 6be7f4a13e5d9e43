package wire

import "bytes"

// Ranges of the answer headers that no request has. Both follow from what a .NET DateTime can be, years 1 to 9999.
const (
	maxLockDate = 3155378975999999999 // ticks
	maxLockAge  = 315537897599        // seconds; a server that measures by the wall clock may send a negative age
)

// ParseAnswer reads the head of one answer from the front of b into a, bare or with HTTP/1.1 or HTTP/1.0 in front of the status.
//
//	n > 0, OK     the head is b[:n], a is filled, and a.ContentLength bytes of body follow
//	0, Short      read more, call again with all of it
//	0, any other  this is no answer of a state server: close
//
// Unless it returns OK, a holds nothing of use. Headers may come in any order and spelling that §4.2 allows, unknown ones are ignored,
// so it reads other implementations of the protocol too. Content-Length must be there: without it nobody knows where the answer ends.
func ParseAnswer(b []byte, lim *Limits, a *Answer) (n int, f Fault) {
	if n, f = Block(b, lim.MaxHead); f != OK {
		return 0, f
	}
	*a = Answer{}
	w := b[:n] // whole lines, with an empty one at the end
	e := lineEnd(w, 0)
	if !a.statusLine(w[:e]) {
		return 0, BadRequestLine
	}
	known := false // the length
	for p := e + 2; p < n-2; p = e + 2 {
		e = lineEnd(w, p)
		line := w[p:e]
		h, v := knownHeader(line)
		if h == other {
			colon := nameEnd(line, 0)
			if colon < 0 {
				return 0, BadHeader
			}
			h, v = answerHeader(line[:colon]), colon+1
		}
		if f := a.set(h, trim(line[v:]), lim.MaxBody); f != OK {
			return 0, f
		}
		known = known || h == contentLength
	}
	if !known {
		return 0, MissingBody
	}
	return n, OK
}

// statusLine reads the first line. What stands behind the number is for people and not looked at.
func (a *Answer) statusLine(line []byte) bool {
	switch string(statusCode(line)) {
	case "200":
		a.Status = StatusOK
	case "400":
		a.Status = StatusBadRequest
	case "404":
		a.Status = StatusNotFound
	case "423":
		a.Status = StatusLocked
	default:
		return false
	}
	return true
}

// statusCode returns the first word behind HTTP's version, or without one.
func statusCode(line []byte) []byte {
	if bytes.HasPrefix(line, http11) || bytes.HasPrefix(line, http10) {
		line = line[len(http11):]
	}
	code, _, _ := bytes.Cut(line, space)
	return code
}

var (
	http11 = []byte("HTTP/1.1 ")
	http10 = []byte("HTTP/1.0 ")
)

// The headers that only answers have, behind those of requests.
const (
	actionFlags header = transferEncoding + 1 + iota
	lockDate
	lockAge
)

// answerHeader returns which of these is called name.
func answerHeader(name []byte) header {
	switch {
	case foldEqual(name, "actionflags"):
		return actionFlags
	case foldEqual(name, "lockdate"):
		return lockDate
	case foldEqual(name, "lockage"):
		return lockAge
	}
	return other
}

// set takes in one value of a header. As in requests, each occurrence is checked, and the last one stays.
func (a *Answer) set(h header, value []byte, maxBody int) Fault {
	switch h {
	case transferEncoding:
		return Chunked
	case contentLength, timeout, lockCookie, actionFlags, lockDate, lockAge:
		return a.setNumber(h, value, maxBody)
	}
	return OK
}

func (a *Answer) setNumber(h header, value []byte, maxBody int) Fault {
	n, ok := number(value)
	if !ok {
		return BadNumber
	}
	var lowest, highest int64
	switch h {
	case contentLength:
		highest = int64(maxBody)
		a.ContentLength = int(n)
	case timeout:
		highest = maxTimeout
		a.Timeout, a.HasTimeout = uint32(n), true
	case lockCookie:
		highest = maxCookie
		a.Cookie, a.HasCookie = uint32(n), true
	case actionFlags:
		highest = 1
		a.ActionFlags = n == 1
	case lockDate:
		highest = maxLockDate
		a.LockDate = n
	case lockAge:
		lowest, highest = -maxLockAge, maxLockAge
		a.LockAge = n
	}
	if n > highest && h == contentLength {
		return BodyTooLarge
	}
	if n < lowest || n > highest {
		return BadNumber
	}
	return OK
}
