package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// reply is a response as it came.
type reply struct {
	head []byte    // with the empty line
	body []byte    // Content-Length bytes
	at   time.Time // when its last byte had come
}

// maxReplyHead bounds how long the end of a head is looked for, in bytes. Real
// heads are below 250.
const maxReplyHead = 64 << 10

// parseReply finds one response at the front of b. need is how many bytes it is
// long; 0 means that its head is not complete yet.
func parseReply(b []byte) (r reply, need int, err error) {
	end := bytes.Index(b[:min(len(b), maxReplyHead)], []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) >= maxReplyHead {
			return r, 0, fmt.Errorf("%d bytes without an empty line are no response: %s", len(b), excerpt(b, 0))
		}
		return r, 0, nil
	}
	r.head = b[:end+len("\r\n\r\n")]
	if !statusShape.MatchString(r.lines()[0]) {
		return r, 0, fmt.Errorf("no status line: %s", excerpt(b, 0))
	}
	text, ok := r.header("Content-Length")
	if !ok {
		return r, 0, fmt.Errorf("no Content-Length: %s", excerpt(b, 0))
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxData {
		return r, 0, fmt.Errorf("unusable Content-Length: %s", excerpt(b, 0))
	}
	need = len(r.head) + n
	if len(b) >= need {
		r.body = b[len(r.head):need]
	}
	return r, need, nil
}

// lines returns the lines of the head without their ends.
func (r *reply) lines() []string {
	return strings.Split(strings.TrimSuffix(string(r.head), "\r\n\r\n"), "\r\n")
}

// header returns the value of the first header of exactly that name.
func (r *reply) header(name string) (string, bool) {
	for _, line := range r.lines()[1:] {
		if n, value, ok := headerOf(line); ok && n == name {
			return value, true
		}
	}
	return "", false
}

// status returns the number in the status line.
func (r *reply) status() string { return string(r.head[:3]) }

// errNoReply says that the server closed where a response was due.
var errNoReply = errors.New("the server closed the connection instead of answering")
