package message

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// Two headers are lists whose items have several fields, with blanks between: X-Refusals and X-Copies. See docs/peer-protocol.md §3.8.

// Words of an item of X-Copies.
const (
	wordLocked = "locked"
	wordEnded  = "ended"
)

// appendRefusals appends the list, or nothing if it is empty.
func appendRefusals(dst []byte, all []Refusal) []byte {
	if len(all) == 0 {
		return dst
	}
	dst = appendName(dst, xRefusals)
	for i := range all {
		r := &all[i]
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = strconv.AppendUint(dst, r.Update, 10)
		dst = append(append(dst, ' '), r.Reason.String()...)
		if r.Reason == Newer {
			dst = appendField(appendField(dst, r.Gen), r.Version)
		}
	}
	return append(dst, "\r\n"...)
}

// appendCopies appends the list, or nothing if it is empty.
func appendCopies(dst []byte, all []CopyAt) []byte {
	if len(all) == 0 {
		return dst
	}
	dst = appendName(dst, xCopies)
	for i := range all {
		c := &all[i]
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = hex.AppendEncode(dst, c.Node[:])
		dst = hex.AppendEncode(append(dst, ' '), c.Owner[:])
		dst = appendField(appendField(appendField(dst, c.Gen), c.Version), c.Cookie)
		if c.Locked {
			dst = append(dst, " "+wordLocked...)
		}
		if c.Ended {
			dst = append(dst, " "+wordEnded...)
		}
		if c.Addr != "" {
			dst = append(append(dst, ' '), c.Addr...)
		}
	}
	return append(dst, "\r\n"...)
}

func appendField(dst []byte, n uint32) []byte {
	return strconv.AppendUint(append(dst, ' '), uint64(n), 10)
}

// fields reads the fields of one item. The first that is not as it should be is its fault, and all that follow are empty.
type fields struct {
	rest  []byte
	fault Fault
}

// next returns the next field, empty if there is none.
func (r *fields) next() (v []byte) {
	r.rest = bytes.TrimLeft(r.rest, blanks)
	end := bytes.IndexAny(r.rest, blanks)
	if end < 0 {
		end = len(r.rest)
	}
	v, r.rest = r.rest[:end], r.rest[end:]
	return v
}

const blanks = " \t"

func (r *fields) fail(f Fault) {
	if r.fault == OK {
		r.fault = f
	}
}

func (r *fields) number(low, high int64) int64 {
	n, ok := wire.Number(r.next())
	if !ok || n < low || n > high {
		r.fail(BadNumber)
	}
	return n
}

func (r *fields) uint32() uint32 { return uint32(r.number(0, math.MaxUint32)) }

func (r *fields) node() (n Node) {
	if f := setID((*[16]byte)(&n), r.next()); f != OK {
		r.fail(f)
	}
	return n
}

// word reports whether the next field is this one, and takes it if so.
func (r *fields) word(lower string) bool {
	after := *r
	if !wire.FoldEqual(after.next(), lower) {
		return false
	}
	*r = after
	return true
}

// done returns what was wrong with the item. Nothing may be left of it.
func (r *fields) done() Fault {
	if len(r.next()) > 0 {
		r.fail(BadText)
	}
	return r.fault
}

// items reads a list of up to limit items with commas between.
func items[T any](v []byte, limit int, read func(item []byte) (T, Fault)) ([]T, Fault) {
	n := bytes.Count(v, comma) + 1
	if n > limit {
		return nil, BadText
	}
	all := make([]T, n)
	for i := range all {
		item, rest, _ := bytes.Cut(v, comma)
		var f Fault
		if all[i], f = read(item); f != OK {
			return nil, f
		}
		v = rest
	}
	return all, OK
}

func refusal(item []byte) (one Refusal, f Fault) {
	r := fields{rest: item}
	one.Update = uint64(r.number(1, maxUpdate))
	if one.Reason = Reason(word(r.next(), reasonNames[:])); one.Reason == 0 {
		r.fail(BadWord)
	}
	if one.Reason == Newer {
		one.Gen, one.Version = r.uint32(), r.uint32()
	}
	return one, r.done()
}

func copyAt(item []byte) (one CopyAt, f Fault) {
	r := fields{rest: item}
	one.Node, one.Owner = r.node(), r.node()
	one.Gen, one.Version, one.Cookie = r.uint32(), r.uint32(), uint32(r.number(1, maxCookie))
	one.Locked, one.Ended = r.word(wordLocked), r.word(wordEnded)
	addr := r.next()
	if !isAddr(addr) {
		r.fail(BadAddr)
	}
	one.Addr = string(addr)
	return one, r.done()
}
