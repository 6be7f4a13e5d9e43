package message

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// AppendTarget appends the canonical spelling of a key as a request target, which is that of an ASP.NET client (docs/protocol.md §3.8):
// wire.AppendKey leads back. It takes at most three bytes for each of the key. See docs/peer-protocol.md §3.4.
func AppendTarget(dst []byte, key string) []byte { return wire.AppendTarget(dst, key) }

// Append appends the head of m, its empty line included. The caller sends m.Body() behind it. See docs/peer-protocol.md §3.5.
//
// m must be a message that Parse could have filled, except that times may lie outside their ranges: they come from clocks, and the nearest
// in the range is written. A Target that is longer than MaxTarget is left out. A message without a kind panics, and so does a Copy without a Change.
func Append(dst []byte, m *Message) []byte {
	return appendHead(dst, m, int64(len(m.Parcel.Body)), m.Total)
}

// AppendPiece appends the head of one piece of a message whose body travels in parts: that of the message itself for offset 0, and that of
// a Part for all others. The caller sends m.Parcel.Body[offset:offset+n] behind it. Requires an ID. See docs/peer-protocol.md §3.6.
func AppendPiece(dst []byte, m *Message, offset, n int64) []byte {
	if offset > 0 {
		return appendHead(dst, &Message{Kind: Part, ID: m.ID, Offset: offset}, n, 0)
	}
	return appendHead(dst, m, n, int64(len(m.Parcel.Body)))
}

// Body returns what follows the head on the wire. It aliases m.Parcel.Body.
func (m *Message) Body() []byte { return m.Parcel.Body }

// appendHead appends the head of m with length bytes of body behind it, of total altogether.
func appendHead(dst []byte, m *Message, length, total int64) []byte {
	if m.Kind == 0 || m.Kind >= numKinds {
		panic("message: no kind")
	}
	if m.Kind == Copy && (m.Change == 0 || m.Change >= numChanges) {
		panic("message: no change")
	}
	l := &layouts[m.Kind]
	dst = append(dst, l.start...)
	var target []byte
	if l.keyed {
		start := len(dst)
		dst = AppendTarget(dst, m.Key)
		target = dst[start:]
	}
	if l.start[0] > '9' { // a request
		dst = append(dst, " HTTP/1.1"...)
	}
	dst = append(dst, "\r\n"...)
	for _, h := range m.written() {
		if h == xTarget {
			if m.Target != "" && len(m.Target) <= MaxTarget && m.Target != string(target) {
				dst = append(appendName(dst, h), m.Target...)
				dst = append(dst, "\r\n"...)
			}
			continue
		}
		dst = m.appendHeader(dst, h)
	}
	if m.bodied() {
		switch {
		case m.Kind == Part:
			dst = appendNumber(dst, xOffset, m.Offset)
		case total > length:
			dst = appendNumber(dst, xLength, total)
		}
		dst = appendNumber(dst, contentLength, length)
	}
	return append(dst, "\r\n"...)
}

// appendHeader appends one header of m, or nothing if the absence of the header says the same.
func (m *Message) appendHeader(dst []byte, h header) []byte {
	p := &m.Parcel
	switch h {
	case host:
		return appendText(dst, h, m.Addr)
	case exclusive:
		return appendText(dst, h, "transfer")
	case xNode:
		return appendID(dst, h, m.Node)
	case xID, xAssocID:
		if m.ID == (ID{}) && (m.Kind == Copy || m.Kind == Shelved) {
			return dst
		}
		return appendID(dst, h, m.ID)
	case xStream:
		return appendID(dst, h, m.Stream)
	case xQuery:
		return appendOptional(dst, h, m.Query)
	case xOwner:
		return appendOptional(dst, h, m.Owner)
	case xBase:
		return appendOptional(dst, h, m.Base)
	case xKey:
		return append(AppendTarget(appendName(dst, h), m.Key), "\r\n"...)
	case xAdmin:
		if m.Admin == "" {
			return dst
		}
		return appendText(dst, h, m.Admin)
	case xProgram:
		if m.Program == "" {
			return dst
		}
		return appendText(dst, h, m.Program)
	case xPurpose:
		return appendText(dst, h, m.Purpose.String())
	case xReason:
		return appendText(dst, h, m.Reason.String())
	case xChange:
		return appendText(dst, h, m.Change.String())
	case xFree:
		if m.Free < 0 {
			return dst
		}
	case xLost:
		return appendNodes(dst, h, m.Lost)
	case xSeen:
		return appendNodes(dst, h, m.Seen)
	case xNodes:
		return appendNodes(dst, h, m.Nodes)
	case xHolders:
		return appendNodes(dst, h, m.Holders)
	case xRefusals:
		return appendRefusals(dst, m.Refusals)
	case xCopies:
		return appendCopies(dst, m.Copies)
	case xSum:
		if m.Sum == 0 {
			return dst
		}
	case xHeard:
		if m.Heard == 0 {
			return dst
		}
	case xAge:
		if m.Age <= 0 {
			return dst
		}
	case xRemoved:
		if m.Removed == 0 {
			return dst
		}
	case timeout:
		if m.Change == Drop && m.Kind == Copy && (!m.Tomb || p.Minutes == 0) {
			return dst
		}
	case extraFlags:
		if m.Kind != Transfer && !p.Uninitialized {
			return dst
		}
	case xGeneration:
		if m.Kind == Query && m.Gen == 0 {
			return dst
		}
	case xVersion, xNewerGeneration:
		if m.Kind == Refused && m.Reason != Newer {
			return dst
		}
	case xChase:
		if m.Chase == 0 {
			return dst
		}
	case lockAge, xLockAge:
		if !p.Locked {
			return dst
		}
	case xSkip:
		if !p.Locked || p.Skip == 0 {
			return dst
		}
	}
	if flag := m.flag(h); flag != nil {
		if !*flag {
			return dst
		}
		return appendText(dst, h, "true")
	}
	return appendNumber(dst, h, m.number(h))
}

// flag returns where the value of h is kept, nil if h is no flag.
func (m *Message) flag(h header) *bool {
	switch h {
	case xLeaving:
		return &m.Leaving
	case xDirect:
		return &m.Direct
	case xUrgent:
		return &m.Urgent
	case xLook:
		return &m.Look
	case xCensus:
		return &m.Census
	case xOriginal:
		return &m.Original
	case xUndecided:
		return &m.Undecided
	case xLocked:
		return &m.Parcel.Locked
	case xShutdown:
		return &m.Leave
	case xLiteral:
		return &m.Parcel.Literal
	case xTomb:
		return &m.Tomb
	case xAbsent:
		return &m.Absent
	}
	return nil
}

// number returns what is written for h.
func (m *Message) number(h header) int64 {
	p := &m.Parcel
	switch h {
	case maxForwards:
		return int64(m.Hops)
	case timeout:
		return int64(p.Minutes)
	case extraFlags:
		if p.Uninitialized {
			return 1
		}
	case lockCookie:
		return int64(p.Cookie)
	case lockAge:
		return within(p.LockAge, maxAge) / int64(time.Second)
	case xProtocol:
		return int64(m.Protocol)
	case xFree:
		return m.Free
	case xRank:
		return int64(m.Rank)
	case xSum:
		return int64(m.Sum)
	case xAge:
		return within(int64(m.Age)+ms-1, int64(MaxWait)) / ms // rounded up
	case xWait:
		return within(int64(m.Wait), int64(MaxWait)) / ms
	case xChase:
		return int64(m.Chase)
	case xGeneration:
		return int64(m.Gen)
	case xNewerGeneration:
		return int64(m.Theirs)
	case xVersion:
		return int64(p.Version)
	case xLeft: // upwards, so that nothing dies of being rounded
		return (within(p.Left, int64(p.Minutes)*int64(time.Minute)) + ms - 1) / ms
	case xLockAge:
		return within(p.LockAge, maxAge) / ms
	case xSkip:
		return int64(p.Skip)
	case xUpdate:
		return int64(m.Update)
	case xHeard:
		return int64(m.Heard)
	case xRemoved:
		return int64(m.Removed)
	}
	return 0
}

// within returns the number of 0 to high that is nearest to n.
func within(n, high int64) int64 { return max(0, min(n, high)) }

func appendName(dst []byte, h header) []byte {
	dst = append(dst, headers[h].name...)
	return append(dst, ": "...)
}

func appendText(dst []byte, h header, v string) []byte {
	dst = append(appendName(dst, h), v...)
	return append(dst, "\r\n"...)
}

func appendNumber(dst []byte, h header, v int64) []byte {
	dst = strconv.AppendInt(appendName(dst, h), v, 10)
	return append(dst, "\r\n"...)
}

func appendID(dst []byte, h header, id [16]byte) []byte {
	dst = hex.AppendEncode(appendName(dst, h), id[:])
	return append(dst, "\r\n"...)
}

// appendOptional appends an id, or nothing if it is none.
func appendOptional(dst []byte, h header, id [16]byte) []byte {
	if id == [16]byte{} {
		return dst
	}
	return appendID(dst, h, id)
}

// appendNodes appends a list of nodes, or nothing if there are none.
func appendNodes(dst []byte, h header, all []Node) []byte {
	if len(all) == 0 {
		return dst
	}
	dst = appendName(dst, h)
	for i := range all {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = hex.AppendEncode(dst, all[i][:])
	}
	return append(dst, "\r\n"...)
}
