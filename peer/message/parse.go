package message

import (
	"bytes"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// Limits bound one message. Both fields are bytes and must be above zero.
type Limits struct {
	MaxHead int // longest head, its empty line included; MaxHead is enough for all that Append makes
	MaxBody int // longest body, whole or in parts
}

// Parse reads one head from the front of b into m.
//
//	n > 0, OK     the head is b[:n], m is filled, and length bytes follow that belong to m.Parcel.Body
//	0, Short      b is the beginning of a good head, or empty: read more, call again with all of it
//	0, any other  malformed, or of no kind that is known: close the link
//
// Unless it returns OK, m holds nothing of use. Nothing in m aliases b. Bytes behind the head are not looked at. The outcome depends on the
// bytes alone, never on how they were cut: every strict prefix of a good head is short. See docs/peer-protocol.md §3.1.
func Parse(b []byte, lim *Limits, m *Message) (n, length int, f Fault) {
	n, wf := wire.Block(b, lim.MaxHead)
	if wf != wire.OK {
		return 0, 0, ofWire(wf)
	}
	b = b[:n]
	*m = Message{}
	p, f := m.startLine(b)
	if f != OK {
		return 0, 0, f
	}
	var seen set
	size := int64(0)
	l := &layouts[m.Kind]
	for p < n-2 {
		var name, value []byte
		if name, value, p = wire.HeaderLine(b, p); name == nil {
			return 0, 0, BadHeader
		}
		h := headerOf(name)
		if h == other || !l.allowed.has(h) {
			continue
		}
		if f := m.set(h, value, &size); f != OK {
			return 0, 0, f.in(h)
		}
		seen |= setOf(h)
	}
	if f := m.check(seen, size, int64(lim.MaxBody)); f != OK {
		return 0, 0, f
	}
	return n, int(size), OK
}

// startLine reads the first line, and returns the index of the next one. See docs/peer-protocol.md §3.2.
func (m *Message) startLine(block []byte) (next int, f Fault) {
	code, next := wire.StatusLine(block)
	if len(code) > 0 && code[0] <= '9' {
		if m.Kind = kindOfAnswer(code); m.Kind == 0 {
			return 0, UnknownMessage
		}
	} else {
		verb, target, line, wf := wire.RequestLine(block)
		if wf != wire.OK {
			return 0, ofWire(wf)
		}
		next = line
		if m.Kind = kindOfRequest(verb, target); m.Kind == 0 {
			return 0, UnknownMessage
		}
		if layouts[m.Kind].keyed {
			if m.Key, f = keyOf(target); f != OK {
				return 0, f
			}
		}
	}
	if m.Kind == Hello || m.Kind == Ping {
		m.Free = -1
	}
	return next, OK
}

// kindOfRequest returns the kind of the request with this first line, or 0. A target that begins with a backslash is a name: the canonical
// spelling of a key cannot begin so.
func kindOfRequest(verb wire.Verb, target []byte) Kind {
	name := target[0] == '\\'
	switch {
	case verb == wire.Get && !name:
		return Query
	case verb == wire.Put && !name:
		return Transfer
	case verb == wire.Get && wire.FoldEqual(target, `\hello`):
		return Hello
	case verb == wire.Get && wire.FoldEqual(target, `\ping`):
		return Ping
	case verb == wire.Get && wire.FoldEqual(target, `\around`):
		return Around
	case verb == wire.Put && wire.FoldEqual(target, `\part`):
		return Part
	}
	return 0
}

// usualKey is the room for a key that needs no memory of its own while it is decoded. Real ones have about 90 bytes.
const usualKey = 256

// keyOf returns the key that target stands for. See docs/peer-protocol.md §3.4.
func keyOf(target []byte) (string, Fault) {
	if !isTarget(target) {
		return "", BadKey
	}
	var room [usualKey]byte
	key := wire.AppendKey(room[:0], target)
	if len(key) > MaxKey {
		return "", BadKey
	}
	return string(key), OK
}

// isTarget reports whether v could stand in the first line of a request.
func isTarget(v []byte) bool {
	for _, c := range v {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return len(v) > 0
}

// set takes in one value of a header. Each occurrence is checked, and the last one stays. See docs/peer-protocol.md §3.3.
func (m *Message) set(h header, v []byte, size *int64) (f Fault) {
	switch h {
	case transferEncoding:
		return Chunked
	case host:
		if !isAddr(v) {
			return BadAddr
		}
		m.Addr = string(v)
	case exclusive:
		if !wire.FoldEqual(v, "transfer") {
			return BadWord
		}
	case xNode:
		return setID((*[16]byte)(&m.Node), v)
	case xID, xAssocID:
		return setID((*[16]byte)(&m.ID), v)
	case xQuery:
		return setID((*[16]byte)(&m.Query), v)
	case xLost:
		m.Lost, f = nodes(v)
		return f
	case xSeen:
		m.Seen, f = nodes(v)
		return f
	case xNodes:
		m.Nodes, f = nodes(v)
		return f
	case xKey:
		m.Key, f = keyOf(v)
		return f
	case xTarget:
		return m.setTarget(v)
	case xProgram:
		if !isText(v) {
			return BadText
		}
		m.Program = string(v)
	case xPurpose:
		m.Purpose = Purpose(word(v, purposeNames[:]))
		return known(m.Purpose != 0)
	case xReason:
		m.Reason = Reason(word(v, reasonNames[:]))
		return known(m.Reason != 0)
	default:
		if flag := m.flag(h); flag != nil {
			return setFlag(flag, v)
		}
		return m.setNumber(h, v, size)
	}
	return OK
}

// setTarget keeps a spelling of the key only if it is another than the canonical one.
func (m *Message) setTarget(v []byte) Fault {
	if len(v) > MaxTarget || !isTarget(v) {
		return BadKey
	}
	m.Target = ""
	var room [3 * usualKey]byte
	if string(AppendTarget(room[:0], m.Key)) != string(v) {
		m.Target = string(v)
	}
	return OK
}

func setID(id *[16]byte, v []byte) Fault {
	ok := false
	if *id, ok = parse16(v); !ok || *id == [16]byte{} {
		return BadID
	}
	return OK
}

// nodes reads a list with commas between.
func nodes(v []byte) ([]Node, Fault) {
	n := bytes.Count(v, comma) + 1
	if n > MaxNodes {
		return nil, BadText
	}
	all := make([]Node, n)
	for i := range all {
		one, rest, _ := bytes.Cut(v, comma)
		if f := setID((*[16]byte)(&all[i]), bytes.Trim(one, " \t")); f != OK {
			return nil, f
		}
		v = rest
	}
	return all, OK
}

var comma = []byte(",")

func setFlag(flag *bool, v []byte) Fault {
	switch {
	case wire.FoldEqual(v, "true"):
		*flag = true
	case wire.FoldEqual(v, "false"):
		*flag = false
	default:
		return BadFlag
	}
	return OK
}

// word returns which of the words v is, 0 if none. The first is no word.
func word(v []byte, words []string) int {
	for i := 1; i < len(words); i++ {
		if wire.FoldEqual(v, words[i]) {
			return i
		}
	}
	return 0
}

func known(ok bool) Fault {
	if !ok {
		return BadWord
	}
	return OK
}

// setNumber takes in one number; size is where that of Content-Length goes.
func (m *Message) setNumber(h header, v []byte, size *int64) Fault {
	n, ok := wire.Number(v)
	if !ok || n < headers[h].low || n > headers[h].high {
		return BadNumber
	}
	p := &m.Parcel
	switch h {
	case contentLength:
		*size = n
	case maxForwards:
		m.Hops = uint8(n)
	case timeout:
		p.Minutes = uint32(n)
	case extraFlags:
		p.Uninitialized = n == 1
	case lockCookie:
		p.Cookie = uint32(n)
	case lockAge: // for people: X-Lock-Age says it more exactly
	case xProtocol:
		m.Protocol = uint32(n)
	case xFree:
		m.Free = n
	case xRank:
		m.Rank = uint32(n)
	case xSum:
		m.Sum = uint32(n)
	case xWait:
		m.Wait = time.Duration(n * ms)
	case xChase:
		m.Chase = uint8(n)
	case xGeneration:
		m.Gen = uint32(n)
	case xNewerGeneration:
		m.Theirs = uint32(n)
	case xVersion:
		p.Version = uint32(n)
	case xLeft:
		p.Left = n * ms
	case xLockAge:
		p.LockAge = n * ms
	case xSkip:
		p.Skip = uint16(n)
	case xLength:
		m.Total = n
	case xOffset:
		m.Offset = n
	}
	return OK
}

// check looks at what no header can tell alone, when all are read. size is that of the body behind the head.
func (m *Message) check(seen set, size, maxBody int64) Fault {
	if missing := layouts[m.Kind].needs &^ seen; missing != 0 {
		return MissingHeader.in(missing.first())
	}
	switch m.Kind {
	case Transfer:
		return m.checkTransfer(seen, size, maxBody)
	case Part:
		switch {
		case size == 0:
			return MissingBody
		case size > maxBody-m.Offset:
			return BodyTooLarge
		}
		return OK
	case Refused:
		if m.Reason != Newer {
			m.Theirs, m.Parcel.Version = 0, 0
		} else if missing := setOf(xNewerGeneration, xVersion) &^ seen; missing != 0 {
			return MissingHeader.in(missing.first())
		}
	}
	if size != 0 {
		return UnwantedBody
	}
	return OK
}

func (m *Message) checkTransfer(seen set, size, maxBody int64) Fault {
	p := &m.Parcel
	switch {
	case size == 0:
		return MissingBody
	case size > maxBody || m.Total > maxBody:
		return BodyTooLarge
	case seen.has(xLength) && m.Total <= size:
		return BadNumber.in(xLength)
	case p.Left > int64(p.Minutes)*int64(time.Minute):
		return BadNumber.in(xLeft)
	case p.Locked && !seen.has(xLockAge):
		return MissingHeader.in(xLockAge)
	case !p.Locked:
		p.LockAge, p.Skip = 0, 0
	}
	return OK
}
