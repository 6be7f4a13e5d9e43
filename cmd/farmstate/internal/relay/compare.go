package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// cookies are the lock cookies of one session: servers may count them as they like, so those of the recording are other numbers.
type cookies struct {
	live     map[uint32]uint32 // by the recorded one
	recorded map[uint32]uint32 // the inverse
}

func (p *player) cookiesOf(key string) *cookies {
	c := p.cookies[key]
	if c == nil {
		c = &cookies{map[uint32]uint32{}, map[uint32]uint32{}}
		p.cookies[key] = c
	}
	return c
}

// same reports whether two cookies mean one lock. A pair that is new means one from now on.
func (c *cookies) same(recorded, live uint32) bool {
	l, known := c.live[recorded]
	r, used := c.recorded[live]
	if !known && !used {
		c.live[recorded], c.recorded[live] = live, recorded
		return true
	}
	return known && used && l == live && r == recorded
}

// fields returns how an answer differs from the recorded one.
func (p *player) fields(key string, want, got *answer) []Field {
	var w, g wire.Answer
	lim := &wire.Limits{MaxHead: maxMaxHead, MaxBody: maxBody}
	_, wf := wire.ParseAnswer(want.head, lim, &w)
	_, gf := wire.ParseAnswer(got.head, lim, &g)
	if wf != wire.OK || gf != wire.OK {
		return []Field{{"answer", wf.String(), gf.String()}}
	}
	var all []Field
	add := func(differ bool, name, recorded, live string) {
		if differ {
			all = append(all, Field{name, recorded, live})
		}
	}
	add(w.Status != g.Status, "status", w.Status.String(), g.Status.String())
	if len(all) == 0 { // with another status the headers are others
		add(w.ActionFlags != g.ActionFlags, "ActionFlags", optional(w.ActionFlags, 1), optional(g.ActionFlags, 1))
		add(w.HasTimeout != g.HasTimeout || w.Timeout != g.Timeout, "Timeout", optional(w.HasTimeout, w.Timeout), optional(g.HasTimeout, g.Timeout))
		add(w.HasCookie != g.HasCookie || w.HasCookie && !p.cookiesOf(key).same(w.Cookie, g.Cookie),
			"LockCookie", optional(w.HasCookie, w.Cookie), optional(g.HasCookie, g.Cookie))
	}
	if f, differ := contents("body", want.body, got.body); differ {
		all = append(all, f)
	}
	if p.opt.Strict && !bytes.Equal(want.head, got.head) {
		at := firstDifference(want.head, got.head)
		all = append(all, Field{"head", fmt.Sprintf("from byte %d: %s", at, escape(cut(want.head[at:]))), escape(cut(got.head[at:]))})
	}
	return all
}

// cut is the beginning of bytes of a head: what differs, and a little of what follows.
func cut(b []byte) []byte { return b[:min(len(b), 60)] }

func optional(there bool, n uint32) string {
	if !there {
		return "none"
	}
	return strconv.FormatUint(uint64(n), 10)
}

// contents compares bytes. What differs is told as lengths and digests, since it belongs to somebody.
func contents(name string, want, got []byte) (Field, bool) {
	if bytes.Equal(want, got) {
		return Field{}, false
	}
	at := firstDifference(want, got)
	return Field{name, fmt.Sprintf("%s, another one from byte %d", digest(want), at), digest(got)}, true
}

func digest(b []byte) string {
	s := sha256.Sum256(b)
	return fmt.Sprintf("%d bytes, SHA-256 %s", len(b), hex.EncodeToString(s[:digestShown]))
}

// firstDifference is the index of the first byte that is not the same, or the shorter length.
func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
