package link

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// written reads what an outbox gave out, as short words: what was written is judged by what the other side would read.
func written(t *testing.T, b []byte) (words []string) {
	t.Helper()
	for len(b) > 0 {
		var m message.Message
		n, length, f := message.Parse(b, &message.Limits{MaxHead: message.MaxHead, MaxBody: hardMaxBody}, &m)
		if f != message.OK || n+length > len(b) {
			t.Fatalf("%v, %d bytes", f, len(b))
		}
		b = b[n+length:]
		word := fmt.Sprintf("%v %d", m.Kind, m.ID[0])
		if m.Kind == message.Part || m.Total > 0 {
			word += fmt.Sprintf("@%d", m.Offset/PartSize)
		}
		words = append(words, word)
	}
	return words
}

func newTestOutbox() *outbox {
	o := newOutbox(message.Node{1}, 1000, 64<<20)
	o.open("192.0.2.1:1")
	return o
}

// TestOrder: what others wait for goes first, then whole bodies and parts in turn, and parts of several bodies in turn.
func TestOrder(t *testing.T) {
	o := newTestOutbox()
	put := func(m *message.Message) {
		t.Helper()
		if drop := o.put(m); drop != Queued {
			t.Fatal(drop)
		}
	}
	put(transfer(o.self, 1, make([]byte, 2*PartSize+1)))
	put(transfer(o.self, 2, make([]byte, 3*PartSize)))
	put(transfer(o.self, 1, make([]byte, PartSize+1))) // of the same move: not before the first has gone
	put(transfer(o.self, 4, make([]byte, PartSize)))
	put(transfer(o.self, 5, make([]byte, 10)))
	put(notHere(9))
	var got []string
	for i := 0; ; i++ {
		b, _, done := o.fill(nil)
		if len(b) == 0 {
			if done {
				t.Error("done, but nobody said that it should be")
			}
			break
		}
		if i == 3 {
			put(notHere(10))
		}
		got = append(got, written(t, b)...)
	}
	want := "not_here 9, transfer 4, transfer 1@0, transfer 5, transfer 2@0, not_here 10, part 1@1, part 2@1, part 1@2, part 2@2, transfer 1@0, part 1@1"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
	if messages, n := o.load(); messages != 0 || n != 0 {
		t.Errorf("%d messages, %d bytes are left", messages, n)
	}
}

// TestOwnAddress: a message of ours that says where we are, says it as the other side sees it; those of others are passed on as they are.
func TestOwnAddress(t *testing.T) {
	o := newOutbox(message.Node{1}, 1000, 1<<20)
	mine := &message.Message{Kind: message.Query, ID: id(1), Key: "/x", Node: o.self}
	named := &message.Message{Kind: message.Query, ID: id(2), Key: "/x", Node: o.self, Addr: "192.0.2.7:7"}
	other := &message.Message{Kind: message.Query, ID: id(3), Key: "/x", Node: message.Node{2}}
	claim := &message.Message{Kind: message.Claim, ID: id(4), Key: "/x", Node: o.self}
	for _, m := range []*message.Message{mine, named, other, claim} {
		o.put(m)
	}
	o.open("192.0.2.1:1")
	o.put(mine)
	b, _, _ := o.fill(nil)
	for i, want := range []string{"192.0.2.1:1", "192.0.2.7:7", "", "192.0.2.1:1", "192.0.2.1:1"} {
		var m message.Message
		n, _, f := message.Parse(b, &message.Limits{MaxHead: message.MaxHead, MaxBody: 1}, &m)
		if f != message.OK || m.Addr != want {
			t.Errorf("message %d: %v, address %q, want %q", i, f, m.Addr, want)
		}
		b = b[n:]
	}
	if mine.Addr != "" {
		t.Error("the message that was given was changed")
	}
}

// TestExpire: a body whose parts come too slowly is given up, and what comes of it later is skipped.
func TestExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mem account
		mem.left.Store(1 << 20)
		rec := &recorder{}
		n := &Net{opt: Options{Reserve: mem.reserve, Unreserve: mem.unreserve}, h: rec}
		n.opt.setDefaults()
		h := &hostile{node: message.Node{1}}
		in := &inbox{link: &link{net: n}, reader: newReader(nil)}
		feed := func(s string) {
			t.Helper()
			in.reader.from, in.reader.to = 0, copy(in.reader.buf, s)
			check(t, in.parse())
			in.deliver()
			in.expire()
		}
		feed(h.piece(1, 1000, 0, 10))
		time.Sleep(bodyTime(1000))
		feed(h.piece(2, 1000, 0, 10))
		if n.assemblies.Load() != 2 {
			t.Error("given up too early")
		}
		time.Sleep(time.Millisecond)
		in.expire()
		if n.assemblies.Load() != 1 || mem.left.Load() != 1<<20-1000 || n.drops[DropExpired].Load() != 1 {
			t.Errorf("%d bodies, %d bytes left", n.assemblies.Load(), mem.left.Load())
		}
		feed(h.piece(1, 1000, 10, 990) + h.piece(2, 1000, 10, 990))
		if got := rec.got(message.Transfer); len(got) != 1 || got[0].ID != id(2) || !bytes.HasSuffix(got[0].Parcel.Body, []byte("bbb")) {
			t.Errorf("%d transfers", len(got))
		}
		in.free()
		if mem.left.Load() != 1<<20 {
			t.Errorf("%d bytes left", mem.left.Load())
		}
	})
}

// TestBackoff: a peer that is not there is dialled less and less often, and no less than every few seconds.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		ctx, stop := contextWithStop()
		n := &Net{h: &recorder{}, guard: plainGuard{}, ctx: ctx, cancel: stop}
		n.opt.setDefaults()
		n.opt.jitter = func() float64 { return 1 }
		n.opt.dial = refuseAll(func() {
			if at = append(at, time.Since(began)); len(at) == 12 {
				stop()
			}
		})
		n.keep(n.newTarget("192.0.2.1:1", true))
		ms := time.Millisecond
		want := []time.Duration{0, 50 * ms, 150 * ms, 350 * ms, 750 * ms, 1550 * ms, 3150 * ms, 6350 * ms, 11350 * ms, 16350 * ms, 21350 * ms, 26350 * ms}
		if !slices.Equal(at, want) {
			t.Errorf("dialled at %v, want %v", at, want)
		}
	})
}
