package legacy

import (
	"encoding/hex"
	"strconv"
	"time"
)

// Kind says what a message is.
type Kind uint8

// The kinds. See docs/peer-protocol.md §8.1 for how they are told apart.
const (
	KindPing       Kind = 1 + iota // GET \PING
	KindPingReply                  // 200 with a Server header
	KindAuthBegin                  // GET \AUTH
	KindAuthAnswer                 // GET \AUTH with Authorization
	KindQuery                      // GET, Exclusive: transfer
	KindTransfer                   // PUT, Exclusive: transfer
	KindResponse                   // any other number
	KindSession                    // a request that belongs on the state port
)

// ID is a guid. Its bytes are the 32 digits in the order in which they are written.
type ID = [16]byte

// Message is the head of one message. Which fields have a meaning depends on Kind.
type Message struct {
	Kind Kind
	Bad  bool // it is malformed, but one can tell where it ends. See docs/peer-protocol.md §8.1

	Target string // of a request, byte for byte as written
	Host   string // of a request
	Status int    // of a response
	Phrase string // of a response

	ID        ID  // X-ID: of a query, of a transfer
	Broadcast ID  // of a query; zero if it is no rebroadcast
	Forwards  int // of a query: how many further hops are allowed

	HasAssoc bool // of a response: it is the answer to a transfer,
	Assoc    ID   // to this one

	HasDigest bool   // Authorization of a KindAuthAnswer; WWW-Authenticate or Authentication-Info of a KindResponse
	Digest    Digest // what it says

	// The session of a transfer.

	Timeout       uint32 // minutes
	Uninitialized bool
	Locked        bool
	LockCookie    uint32
	LockAge       int64 // seconds
	LockDate      int64 // ticks
	LastModified  int64 // ticks

	Encrypted   bool // the body of a transfer is ciphertext,
	PlainLength int  // of this many bytes

	Length int // of the body, in bytes on the wire
}

// Limits of the original. It drops the connection on which one is exceeded. See docs/peer-protocol.md §8.1.
const (
	maxLine  = 2048       // bytes, CRLF included
	maxLines = 40         // start line and empty line included
	maxBody  = 20_971_520 // bytes on the wire
)

const (
	maxCookie      = 1<<31 - 2
	maxTicks       = 3_155_378_975_999_999_999 // the last moment of the year 9999
	defaultTimeout = 20
)

// ticksOfUnixEpoch is 1970-01-01 in ticks of 100 ns since 0001-01-01.
const ticksOfUnixEpoch = 621_355_968_000_000_000

// Ticks returns t as originals write it.
func Ticks(t time.Time) int64 {
	switch y := t.UTC().Year(); {
	case y < 1:
		return 0
	case y > 9999:
		return maxTicks
	}
	return t.Unix()*10_000_000 + int64(t.Nanosecond())/100 + ticksOfUnixEpoch
}

// FromTicks returns the moment that an original wrote as n.
func FromTicks(n int64) time.Time {
	n -= ticksOfUnixEpoch
	return time.Unix(n/10_000_000, n%10_000_000*100).UTC()
}

// parseID reads a guid: 32 hexadecimal digits, or the same with hyphens, and then maybe in braces or parentheses.
func parseID(s string) (id ID, ok bool) {
	if len(s) == 38 && (s[0] == '{' && s[37] == '}' || s[0] == '(' && s[37] == ')') {
		s = s[1:37]
		if s[8] != '-' {
			return id, false
		}
	}
	if len(s) == 36 {
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return id, false
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	if len(s) != 32 {
		return id, false
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, false
	}
	return id, true
}

// parseInt reads a decimal number with an optional sign, as the original does: anything that does not fit lo to hi is no number.
func parseInt(s string, lo, hi int64) (n int64, ok bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && lo <= n && n <= hi
}
