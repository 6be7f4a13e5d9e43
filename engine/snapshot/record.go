package snapshot

import (
	"encoding/binary"
	"time"

	"github.com/farmstate/farmstate/engine"
)

const (
	recordHead = 44 // bytes of a record before its key

	recordLocked  = 1
	recordUninit  = 2
	recordLiteral = 4

	maxKey     = 1 << 16
	maxBody    = 1 << 30
	maxMinutes = 525600 // as in requests
	maxCookie  = 2147483646
	// maxSpan is more than any life or age can be: lives are told as of a time before the last use, so they may be longer than a whole one.
	maxSpan = int64(2 * maxMinutes * time.Minute)
)

// recordLen is the length of a session's record.
func recordLen(p *engine.Parcel) int { return recordHead + len(p.Key) + len(p.Body) }

// appendRecordHead appends a session's record but for the body.
func appendRecordHead(dst []byte, p *engine.Parcel) []byte {
	var flags byte
	left, age := min(p.Left, maxSpan), int64(0)
	if p.Minutes == 0 {
		left = 0
	}
	if p.Locked {
		flags |= recordLocked
		age = min(p.LockAge, maxSpan)
	}
	if p.Uninitialized {
		flags |= recordUninit
	}
	if p.Literal {
		flags |= recordLiteral
	}
	le := binary.LittleEndian
	dst = append(dst, flags, 0)
	dst = le.AppendUint16(dst, p.Skip)
	dst = le.AppendUint32(dst, uint32(len(p.Key)))
	dst = le.AppendUint32(dst, uint32(len(p.Body)))
	dst = le.AppendUint32(dst, p.Minutes)
	dst = le.AppendUint32(dst, p.Gen)
	dst = le.AppendUint32(dst, p.Version)
	dst = le.AppendUint32(dst, p.Cookie)
	dst = le.AppendUint64(dst, uint64(left))
	dst = le.AppendUint64(dst, uint64(age))
	return append(dst, p.Key...)
}

// record1 reads a record of version 1; see format.
func record1(b []byte, p *engine.Parcel) (n int, body int64, ok bool) {
	if len(b) < recordHead {
		return 0, 0, false
	}
	le := binary.LittleEndian
	flags := b[0]
	*p = engine.Parcel{
		Locked: flags&recordLocked != 0, Uninitialized: flags&recordUninit != 0, Literal: flags&recordLiteral != 0,
		Skip: le.Uint16(b[2:]), Minutes: le.Uint32(b[12:]), Gen: le.Uint32(b[16:]), Version: le.Uint32(b[20:]), Cookie: le.Uint32(b[24:]),
		Left: int64(le.Uint64(b[28:])), LockAge: int64(le.Uint64(b[36:])),
	}
	key := int64(le.Uint32(b[4:]))
	body = int64(le.Uint32(b[8:]))
	switch {
	case flags&^(recordLocked|recordUninit|recordLiteral) != 0, b[1] != 0,
		key < 1, key > maxKey, key > int64(len(b)-recordHead), body < 1, body > maxBody,
		p.Minutes > maxMinutes, p.Cookie < 1, p.Cookie > maxCookie, p.Skip != 0 && !p.Locked,
		p.Left < 0, p.Left > maxSpan, p.Left != 0 && p.Minutes == 0, p.LockAge < 0, p.LockAge > maxSpan, p.LockAge != 0 && !p.Locked:
		return 0, 0, false
	}
	n = recordHead + int(key)
	p.Key = string(b[recordHead:n])
	return n, body, true
}
