package link

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// bodied are messages of all kinds that have a body, each with this one.
func bodied(from message.Node, n int, body []byte) []*message.Message {
	saved := engine.Parcel{Body: body, Minutes: 20, Left: int64(time.Minute), Cookie: 1}
	list := engine.Parcel{Body: body}
	stream, update, key := id(n), uint64(n+1), fmt.Sprintf("/k/%d", n)
	return []*message.Message{
		transfer(from, 5*n, body),
		{Kind: message.Copy, Stream: stream, Update: update, Change: message.Content, Key: key, Gen: 1, Parcel: saved},
		{Kind: message.Copy, Stream: stream, Update: update, Change: message.Touch, ID: id(5*n + 1), Parcel: list},
		{Kind: message.Ceded, ID: id(5*n + 2), Key: key, Gen: 1, Parcel: saved},
		{Kind: message.Shelved, Parcel: list},
	}
}

// TestBodies: every kind that has a body arrives with it, whole and in parts, also if it has no id of its own; and its memory is accounted for.
func TestBodies(t *testing.T) {
	var mem account
	mem.left.Store(1 << 30)
	a, b := pair(t, Options{}, Options{Reserve: mem.reserve, Unreserve: mem.unreserve})
	sizes := []int{1, 1000, PartSize, PartSize + 1, 10*PartSize + 7}
	want := map[string]int{}
	describe := func(m *message.Message) string {
		return fmt.Sprintf("%v %v %d %d %x", m.Kind, m.Change, m.Update, len(m.Parcel.Body), m.Parcel.Body[:1])
	}
	for i, size := range sizes {
		for _, m := range bodied(a.node, i, randomBody(size)) {
			want[describe(m)]++
			if drop := a.Send(b.node, "", m); drop != Queued {
				t.Fatal(drop)
			}
		}
	}
	arrived := func() (all []*message.Message) {
		for _, k := range []message.Kind{message.Transfer, message.Copy, message.Ceded, message.Shelved} {
			all = append(all, b.got(k)...)
		}
		return all
	}
	eventually(t, "all are there", func() bool { return len(arrived()) == 5*len(sizes) })
	bodies := map[int][]byte{}
	for _, m := range arrived() {
		want[describe(m)]--
		if m.NoRoom || m.Total != 0 {
			t.Errorf("%s: no room: %v, total %d", describe(m), m.NoRoom, m.Total)
		}
		size := len(m.Parcel.Body)
		if bodies[size] == nil {
			bodies[size] = m.Parcel.Body
		}
		if !bytes.Equal(bodies[size], m.Parcel.Body) {
			t.Errorf("%s: another body", describe(m))
		}
	}
	for what, n := range want {
		if n != 0 {
			t.Errorf("%s: %d are missing", what, n)
		}
	}
	eventually(t, "all memory is given back", func() bool { return mem.left.Load() == 1<<30 })
}

// TestNoRoomForAny: of every kind, a body for which there is no memory is skipped, whole or in parts, and what comes behind it is not disturbed.
func TestNoRoomForAny(t *testing.T) {
	var mem account
	p := start(t, Options{Reserve: mem.reserve, Unreserve: mem.unreserve})
	h := connect(t, p, message.Neighbour)
	for _, m := range bodied(h.node, 1, make([]byte, 1000)) {
		if m.ID == (message.ID{}) {
			m.ID = id(99)
		}
		h.send(t, string(message.Append(nil, m))+string(m.Parcel.Body))
		h.send(t, string(message.AppendPiece(nil, m, 0, 10))+string(m.Parcel.Body[:10]))
		h.send(t, string(message.AppendPiece(nil, m, 10, 990))+string(m.Parcel.Body[10:]))
	}
	h.send(t, string(message.Append(nil, notHere(7))))
	eventually(t, "what follows is there", func() bool { return len(p.got(message.NotHere)) == 1 })
	total := 0
	for _, k := range []message.Kind{message.Transfer, message.Copy, message.Ceded, message.Shelved} {
		for _, m := range p.got(k) {
			if total++; !m.NoRoom || m.Parcel.Body != nil || m.Total != 0 {
				t.Errorf("%v: no room: %v, %d bytes, total %d", k, m.NoRoom, len(m.Parcel.Body), m.Total)
			}
		}
	}
	if total != 10 || p.Stats().NoRoom != 10 {
		t.Errorf("%d messages, %d without room", total, p.Stats().NoRoom)
	}
}

// TestOvertaking: what has no body goes before what has one, of whatever kind; the order among each is kept.
func TestOvertaking(t *testing.T) {
	o := newTestOutbox()
	for i := range 3 {
		for _, m := range bodied(o.self, i, []byte{1})[1:2] {
			o.put(m)
		}
		o.put(&message.Message{Kind: message.Copy, Stream: id(1), Update: uint64(i + 10), Change: message.Nothing})
	}
	b, _, _ := o.fill(nil)
	var got []uint64
	for len(b) > 0 {
		var m message.Message
		n, length, f := message.Parse(b, &message.Limits{MaxHead: message.MaxHead, MaxBody: hardMaxBody}, &m)
		if f != message.OK {
			t.Fatal(f)
		}
		b = b[n+length:]
		got = append(got, m.Update)
	}
	if want := "[10 11 12 1 2 3]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
