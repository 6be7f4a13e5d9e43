package relay

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"time"
)

// kind says what an event tells. The values stand in recordings.
type kind string

const (
	kindOpen  kind = "open"  // a client connected
	kindHead  kind = "head"  // of a message, whole
	kindBody  kind = "body"  // a piece of the body of the latest message of that connection and direction
	kindEnd   kind = "end"   // of that message
	kindRaw   kind = "raw"   // bytes that are no message
	kindShut  kind = "shut"  // no more bytes come from that direction
	kindClose kind = "close" // the connection has ended
)

// event is what the recorder is told: what the state server saw and said. head and data are the recorder's own.
type event struct {
	kind kind
	at   time.Time
	conn int64
	dir  Direction
	n    int64  // the exchange, counted over all connections from 1; 0 for an answer to nothing
	data []byte // of kindHead, kindBody, kindRaw
}

// shown is what the display is told of one message, or of a moment in the life of a connection.
type shown struct {
	kind    kind
	at      time.Time
	conn    int64
	dir     Direction
	m       *message // of kindEnd: with its head as it was sent on
	n       int64    // as in event
	target  string   // where the request went
	latency time.Duration
	size    int    // of the body that went on, or of the bytes
	part    []byte // the first bytes of it, if they are to be shown
	digest  string // of it, likewise
	text    string // of kindOpen: who connected; of kindClose: why, if it did not end by itself
}

// maxShown bounds the bytes of a body that are shown.
const maxShown = 64 << 10

// content collects what is shown of a body while it passes.
type content struct {
	want bool
	size int
	part []byte
	sum  hash.Hash
}

func (c *content) add(b []byte) {
	c.size += len(b)
	if !c.want {
		return
	}
	c.part = append(c.part, b[:min(len(b), maxShown-len(c.part))]...)
	if c.sum == nil {
		c.sum = sha256.New()
	}
	_, _ = c.sum.Write(b) // it cannot fail
}

// take puts what was collected into s, and begins anew.
func (c *content) take(s *shown) {
	s.size, s.part = c.size, c.part
	if c.sum != nil {
		s.digest = hex.EncodeToString(c.sum.Sum(nil)[:digestShown])
	}
	*c = content{want: c.want}
}

// digestShown is how many bytes of a SHA-256 are shown: enough to tell contents apart.
const digestShown = 8
