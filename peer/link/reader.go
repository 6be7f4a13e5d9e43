package link

import (
	"bytes"
	"net"

	"github.com/farmstate/farmstate/peer/message"
)

const (
	helloBuffer = 4 << 10 // bytes of a Hello, and what is kept for one that has not said it yet
	readBuffer  = 16 << 10
	maxBuffer   = message.MaxHead + readBuffer
)

// reader takes messages out of a stream. Its buffer has what was read and not used yet in buf[from:to], the beginning of a head.
type reader struct {
	conn     net.Conn
	buf      []byte
	from, to int
	seen     int // bytes of the head at from in which there is no end of it
	limits   message.Limits
}

// newReader reads no more than a Hello until it is told to grow.
func newReader(conn net.Conn) *reader {
	return &reader{conn: conn, buf: make([]byte, helloBuffer), limits: message.Limits{MaxHead: helloBuffer, MaxBody: hardMaxBody}}
}

// grow is called when the other side is known.
func (r *reader) grow() {
	r.limits.MaxHead = message.MaxHead
	r.resize(readBuffer)
}

func (r *reader) resize(n int) {
	bigger := make([]byte, n)
	r.to = copy(bigger, r.buf[r.from:r.to])
	r.from, r.buf = 0, bigger
}

// head reads the next head out of the buffer into m; length is that of the body behind it.
func (r *reader) head(m *message.Message) (length int, f message.Fault) {
	b := r.buf[r.from:r.to]
	if r.seen > 0 && len(b) < r.limits.MaxHead { // so that a head which comes byte by byte is not looked at from its beginning each time
		if !bytes.Contains(b[max(0, r.seen-3):], endOfHead) {
			r.seen = len(b)
			return 0, message.Short
		}
	}
	n, length, f := message.Parse(b, &r.limits, m)
	if f == message.OK {
		r.from += n
		r.seen = 0
	} else {
		r.seen = len(b)
	}
	return length, f
}

var endOfHead = []byte("\r\n\r\n")

// more reads once. It makes room first: by moving what is there to the front, and by a larger buffer if that is full.
func (r *reader) more() (n int, err error) {
	switch {
	case r.from == r.to:
		r.from, r.to = 0, 0
	case r.from > 0 && r.to == len(r.buf):
		r.to = copy(r.buf, r.buf[r.from:r.to])
		r.from = 0
	}
	if r.to == len(r.buf) {
		r.resize(min(2*len(r.buf), maxBuffer)) // head has refused what is longer than that
	}
	n, err = r.conn.Read(r.buf[r.to:])
	r.to += n
	return n, err
}

// body takes what the buffer has of a body to dst, or throws it away if dst is nil, at most max bytes, and returns how much that was.
func (r *reader) body(dst []byte, max int) int {
	n := min(max, r.to-r.from)
	copy(dst, r.buf[r.from:r.from+n])
	r.from += n
	return n
}
