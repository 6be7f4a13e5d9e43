package wire

import "strconv"

// Verb is the first word of a request line. The zero value is no verb.
type Verb uint8

// The verbs. See docs/protocol.md §3.2.
const (
	Get Verb = iota + 1
	Put
	Head
	Delete
)

var verbNames = [...]string{Get: "GET", Put: "PUT", Head: "HEAD", Delete: "DELETE"}

// String returns the verb as it stands in a request line, or "" for what is no verb.
func (v Verb) String() string {
	if int(v) >= len(verbNames) {
		return ""
	}
	return verbNames[v]
}

// Exclusive is the value of the Exclusive header.
type Exclusive uint8

// The values. None stands for a request without the header.
const (
	None Exclusive = iota
	Acquire
	Release
)

// Limits bound one message. Both fields are bytes and must be above zero.
type Limits struct {
	MaxHead int // longest header block, its empty line included; 16384 is usual (§2.6)
	MaxBody int // longest body; 64 MiB is usual (§2.7)
}

// Values of headers that are absent, and the upper ends of ranges. See docs/protocol.md §4.5.
const (
	defaultTimeout = 20         // minutes
	maxTimeout     = 525600     // minutes: 365 days
	maxCookie      = 2147483646 // one less than an int32 can hold; the counter turns over there
)

// Request is one header block, read.
type Request struct {
	Verb      Verb
	Exclusive Exclusive

	Target        []byte // as it was sent. Aliases the input of ParseHead; valid as long as that is
	ContentLength int    // bytes of body behind the head, 0 to MaxBody; at least 1 for Put
	Timeout       int32  // minutes, 0 to 525600; 20 when absent
	ExtraFlags    int32  // only bit 0 has a meaning; 0 when absent or -1
	Cookie        int32  // 0 to 2147483646; 0 unless HasCookie
	HasCookie     bool   // absent is different from 0
	Close         bool   // Connection: close (§2.9)
}

// AppendRequest appends the head of r as docs/protocol.md §4.9 spells it; the caller appends the body. Headers whose value is
// that of their absence are left out, except on a PUT, which always names its Timeout, Content-Length and ExtraFlags.
//
// r must be a request that ParseHead could have filled. A request without a verb panics.
func AppendRequest(dst []byte, r *Request) []byte {
	verb := r.Verb.String()
	if verb == "" {
		panic("wire: request without a verb")
	}
	dst = append(dst, verb...)
	dst = append(dst, ' ')
	dst = append(dst, r.Target...)
	dst = append(dst, " HTTP/1.1\r\nHost: stateserver\r\n"...)
	switch r.Exclusive {
	case Acquire:
		dst = append(dst, "Exclusive: acquire\r\n"...)
	case Release:
		dst = append(dst, "Exclusive: release\r\n"...)
	}
	if r.Verb == Put || r.Timeout != defaultTimeout {
		dst = appendNumber(dst, "Timeout: ", int64(r.Timeout))
	}
	if r.Verb == Put || r.ContentLength != 0 {
		dst = appendNumber(dst, "Content-Length: ", int64(r.ContentLength))
	}
	if r.Verb == Put || r.ExtraFlags != 0 {
		dst = appendNumber(dst, "ExtraFlags: ", int64(r.ExtraFlags))
	}
	if r.HasCookie {
		dst = appendNumber(dst, "LockCookie: ", int64(r.Cookie))
	}
	if r.Close {
		dst = append(dst, "Connection: close\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// appendNumber appends one header line; name ends with ": ".
func appendNumber(dst []byte, name string, n int64) []byte {
	dst = append(dst, name...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "\r\n"...)
}
