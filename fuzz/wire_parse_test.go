package fuzz

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// limits makes limits of a number, the header limit so low that inputs reach it.
func limits(maxHead uint16) *wire.Limits {
	return &wire.Limits{MaxHead: 1 + int(maxHead)%1024, MaxBody: 64 << 20}
}

// used is a Request that another head has filled; nothing of it may stay.
var used = wire.Request{
	Verb: wire.Delete, Exclusive: wire.Release, Target: []byte("/used"), ContentLength: 99, Timeout: 99, ExtraFlags: 99,
	Cookie: 99, HasCookie: true, Close: true,
}

func addHeads(f *testing.F, add func(head string)) {
	f.Helper()
	for _, head := range GoodHeads() {
		add(head)
	}
	for _, head := range BadHeads() {
		add(head)
	}
}

// FuzzParseSplit checks that how bytes are cut into reads never matters, nor how much of it the caller remembers having shown: the
// first outcome that is not short has the whole input's length, fault and fields, and if there is none, the whole input is short.
func FuzzParseSplit(f *testing.F) {
	addHeads(f, func(head string) {
		f.Add([]byte(head), []byte{1, 255}, uint16(1023))
		f.Add([]byte(head), []byte{16, 255, 90, 100, 3, 0}, uint16(1023))
		f.Add([]byte(head), []byte{9, 255}, uint16(len(head)-2))
	})
	f.Fuzz(func(t *testing.T, in, cuts []byte, maxHead uint16) {
		lim := limits(maxHead)
		whole, r := wire.Request{}, used
		wantN, want := wire.ParseHead(in, 0, lim, &whole)
		have, seen := 0, 0
		for i := 0; ; i += 2 {
			have = len(in)
			if len(cuts) > 1 { // pairs of a step and how much is remembered, over and over
				step, memory := cuts[i%(len(cuts)&^1)], cuts[i%(len(cuts)&^1)+1]
				have = min(seen+int(step)+1, len(in))
				seen = seen * int(memory) / 255
			}
			n, fault := wire.ParseHead(in[:have], seen, lim, &r)
			if fault == wire.Short && have < len(in) {
				seen = have
				continue
			}
			if n != wantN || fault != want {
				t.Fatalf("%d of %d bytes, seen %d: %d, %v; in one piece %d, %v", have, len(in), seen, n, fault, wantN, want)
			}
			if fault == wire.OK && !reflect.DeepEqual(r, whole) {
				t.Fatalf("%d of %d bytes, seen %d:\n%+v, in one piece\n%+v", have, len(in), seen, r, whole)
			}
			return
		}
	})
}

// FuzzParseReference checks that a slow and obvious parser accepts, waits and refuses for the same input, and reads the same length
// and the same fields.
func FuzzParseReference(f *testing.F) {
	addHeads(f, func(head string) {
		f.Add([]byte(head), uint16(1023))
		f.Add([]byte(head), uint16(len(head)-2))
	})
	f.Fuzz(func(t *testing.T, in []byte, maxHead uint16) {
		lim := limits(maxHead)
		wantN, want, wantR := referenceHead(in, lim)
		r := used
		n, fault := wire.ParseHead(in, 0, lim, &r)
		if n != wantN || verdictOf(fault) != want {
			t.Fatalf("got %d, %v; the reference says %d, %s", n, fault, wantN, want)
		}
		if fault == wire.OK && !reflect.DeepEqual(r, wantR) {
			t.Fatalf("got\n%+v, the reference says\n%+v", r, wantR)
		}
	})
}

// FuzzStrictPrefix checks that every strict prefix of a good head is short, never good and never malformed, and that what follows a
// head changes nothing; of requests and of answers.
func FuzzStrictPrefix(f *testing.F) {
	addHeads(f, func(head string) { f.Add([]byte(head)) })
	for _, answer := range Answers() {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		lim := limits(1023)
		var r wire.Request
		var a wire.Answer
		for _, c := range []struct {
			name  string
			parse func(b []byte) (int, wire.Fault)
		}{
			{"request", func(b []byte) (int, wire.Fault) { return wire.ParseHead(b, 0, lim, &r) }},
			{"answer", func(b []byte) (int, wire.Fault) { return wire.ParseAnswer(b, lim, &a) }},
		} {
			n, fault := c.parse(in)
			if fault != wire.OK {
				if n != 0 {
					t.Fatalf("%s: %v with length %d", c.name, fault, n)
				}
				continue
			}
			for i := range n {
				if got, fault := c.parse(in[:i]); got != 0 || fault != wire.Short {
					t.Fatalf("%s: first %d of %d bytes: %d, %v", c.name, i, n, got, fault)
				}
			}
			for _, behind := range []string{"", "\n", "\x00", "\r\n\r\n"} {
				if got, fault := c.parse(append(bytes.Clone(in[:n]), behind...)); got != n || fault != wire.OK {
					t.Fatalf("%s: followed by %q: %d, %v, want %d", c.name, behind, got, fault, n)
				}
			}
		}
	})
}

// FuzzRequestRoundTrip checks that parse(append(x)) == x for every request x that can exist, and that nothing of the output is left over.
func FuzzRequestRoundTrip(f *testing.F) {
	f.Add(uint8(0), uint8(0), []byte("x"), uint32(0), uint32(20), int32(0), uint32(0), false, false)
	f.Add(uint8(0), uint8(2), []byte(target), uint32(0), uint32(20), int32(0), uint32(2), true, false)
	f.Add(uint8(1), uint8(0), []byte(target), uint32(7), uint32(20), int32(1), uint32(0), true, false)
	f.Add(uint8(1), uint8(1), []byte("\x80//?"), uint32(64<<20), uint32(525600), int32(-1<<31), uint32(1<<31-2), true, true)
	f.Fuzz(func(t *testing.T, verb, exclusive uint8, name []byte, length, timeout uint32, flags int32, cookie uint32, hasCookie, end bool) {
		for _, c := range name {
			if c <= ' ' || c == 0x7f {
				t.Skip("no target")
			}
		}
		if len(name) == 0 {
			t.Skip("no target")
		}
		lim := &wire.Limits{MaxHead: len(name) + 300, MaxBody: 64 << 20}
		x := wire.Request{
			Verb:      wire.Get + wire.Verb(verb%4),
			Exclusive: wire.Exclusive(exclusive % 3),
			Target:    name, ContentLength: int(length % (64<<20 + 1)),
			Timeout: int32(timeout % 525601), ExtraFlags: flags, HasCookie: hasCookie, Close: end,
		}
		if x.Verb == wire.Put {
			x.ContentLength = max(1, x.ContentLength)
		}
		if x.ExtraFlags == -1 {
			x.ExtraFlags = 0 // -1 is how a client says that there are none
		}
		if hasCookie {
			x.Cookie = int32(cookie % (1<<31 - 1))
		}
		out := wire.AppendRequest(nil, &x)
		back := used
		n, fault := wire.ParseHead(append(out, 0), 0, lim, &back)
		if n != len(out) || fault != wire.OK || !reflect.DeepEqual(back, x) {
			t.Fatalf("%q\nis read as %d, %v, %+v\nwant %d, %+v", out, n, fault, back, len(out), x)
		}
	})
}
