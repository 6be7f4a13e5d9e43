package message

import (
	"bytes"
	"time"

	"github.com/farmstate/farmstate/engine"
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
	case verb == wire.Put && wire.FoldEqual(target, `\copy`):
		return Copy
	case verb == wire.Get && wire.FoldEqual(target, `\copied`):
		return Copied
	case verb == wire.Get && wire.FoldEqual(target, `\claim`):
		return Claim
	case verb == wire.Put && wire.FoldEqual(target, `\ceded`):
		return Ceded
	case verb == wire.Put && wire.FoldEqual(target, `\shelved`):
		return Shelved
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

// isTarget reports whether v could stand in the first line of a request. Of the control characters, Block lets none but a tab through.
func isTarget(v []byte) bool {
	return len(v) > 0 && bytes.IndexByte(v, ' ') < 0 && bytes.IndexByte(v, '\t') < 0
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
	case xAdmin:
		if !isAddr(v) {
			return BadAddr
		}
		m.Admin = string(v)
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
	case xStream:
		return setID((*[16]byte)(&m.Stream), v)
	case xOwner:
		return setID((*[16]byte)(&m.Owner), v)
	case xBase:
		return setID((*[16]byte)(&m.Base), v)
	case xHolders:
		m.Holders, f = nodes(v)
		return f
	case xRefusals:
		m.Refusals, f = items(v, MaxRefusals, refusal)
		return f
	case xCopies:
		m.Copies, f = items(v, MaxCopies, copyAt)
		return f
	case xChange:
		m.Change = Change(word(v, changeNames[:]))
		return known(m.Change != 0)
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
	case xAge:
		m.Age = time.Duration(n * ms)
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
	case xUpdate:
		m.Update = uint64(n)
	case xHeard:
		m.Heard = uint64(n)
	case xRemoved:
		m.Removed = uint32(n)
	case xLength:
		m.Total = n
	case xOffset:
		m.Offset = n
	}
	return OK
}

// check looks at what no header can tell alone, when all are read. size is that of the body behind the head.
func (m *Message) check(seen set, size, maxBody int64) Fault {
	if f := layouts[m.Kind].needs.in(seen); f != OK {
		return f
	}
	switch m.Kind {
	case Transfer:
		return m.checkSession(seen, m.checkBody(seen, size, maxBody))
	case Part:
		switch {
		case size == 0:
			return MissingBody
		case size > maxBody-m.Offset:
			return BodyTooLarge
		}
		return OK
	case Copy:
		return m.checkCopy(seen, size, maxBody)
	case Ceded:
		return m.checkCeded(seen, size, maxBody)
	case Shelved:
		return m.checkBody(seen, size, maxBody)
	case Refused:
		if m.Reason != Newer {
			m.Theirs, m.Parcel.Version = 0, 0
		} else if f := setOf(xNewerGeneration, xVersion).in(seen); f != OK {
			return f
		}
	}
	return noBody(size)
}

// in reports what of s is missing among those that were seen.
func (s set) in(seen set) Fault {
	if missing := s &^ seen; missing != 0 {
		return MissingHeader.in(missing.first())
	}
	return OK
}

func noBody(size int64) Fault {
	if size != 0 {
		return UnwantedBody
	}
	return OK
}

// checkBody is of what is there, or the beginning of what comes in parts.
func (m *Message) checkBody(seen set, size, maxBody int64) Fault {
	switch {
	case size == 0:
		return MissingBody
	case size > maxBody || m.Total > maxBody:
		return BodyTooLarge
	case seen.has(xLength) && m.Total <= size:
		return BadNumber.in(xLength)
	case m.Total > 0 && m.ID == ID{}:
		return MissingHeader.in(xID)
	}
	return OK
}

// checkSession looks at what a message says of a session, if nothing is wrong with its body.
func (m *Message) checkSession(seen set, body Fault) Fault {
	p := &m.Parcel
	switch {
	case body != OK:
		return body
	case p.Left > int64(p.Minutes)*int64(time.Minute):
		return BadNumber.in(xLeft)
	case p.Locked && !seen.has(xLockAge):
		return MissingHeader.in(xLockAge)
	case !p.Locked:
		p.LockAge, p.Skip = 0, 0
	}
	return OK
}

// checkCopy looks at a Copy, and leaves nothing of what another Change would have.
func (m *Message) checkCopy(seen set, size, maxBody int64) Fault {
	c := &changes[m.Change]
	if f := c.needs.in(seen); f != OK {
		return f
	}
	if m.Update == 0 {
		return BadNumber.in(xUpdate)
	}
	m.Tomb = m.Tomb && m.Change == Drop
	if !m.Change.carries() {
		minutes := m.Parcel.Minutes
		m.Parcel = engine.Parcel{}
		if m.Tomb {
			m.Parcel.Minutes = minutes
		}
		if m.Change != Drop {
			m.Key, m.Owner, m.Gen = "", Node{}, 0
		}
	}
	if m.Change != State {
		m.Base = Node{}
	}
	var f Fault
	if c.bodied {
		f = m.checkBody(seen, size, maxBody)
	} else {
		m.ID, m.Total = ID{}, 0
		f = noBody(size)
	}
	if m.Change.carries() {
		f = m.checkSession(seen, f)
	}
	return f
}

// cededNeeds is what a Ceded must have that brings a session.
var cededNeeds = stateNeeds | setOf(contentLength)

// checkCeded looks at a Ceded, and leaves nothing but the answer if it brings nothing.
func (m *Message) checkCeded(seen set, size, maxBody int64) Fault {
	if m.Absent {
		m.Owner, m.Gen, m.Total, m.Parcel = Node{}, 0, 0, engine.Parcel{}
		return noBody(size)
	}
	if f := cededNeeds.in(seen); f != OK {
		return f
	}
	return m.checkSession(seen, m.checkBody(seen, size, maxBody))
}
