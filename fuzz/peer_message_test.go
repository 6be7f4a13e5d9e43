package fuzz

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
	"github.com/farmstate/farmstate/peer/message"
)

// peerLimits make limits of a number, so low that inputs reach them.
func peerLimits(maxHead uint16) *message.Limits {
	return &message.Limits{MaxHead: 1 + int(maxHead)%1024, MaxBody: 4096}
}

// peerHeads returns heads of messages between nodes, each kind and what is nearly one. See docs/peer-protocol.md §3.5.
func peerHeads() []string {
	const (
		id      = "0625fc527cf9418b83ed9120b8643ccd\r\n"
		host    = "Host: 10.0.0.2:42425\r\n"
		node    = "X-Node: " + id
		outcome = "X-Assoc-ID: " + id + "X-Generation: 7\r\nX-Key: " + target + "\r\n"
		session = "PUT " + target + " HTTP/1.1\r\n" + host + node + "X-ID: " + id + "X-Generation: 1\r\nX-Version: 3\r\nExclusive: transfer\r\n" +
			"Timeout: 20\r\nX-Left: 1140000\r\nExtraFlags: 0\r\nLockCookie: 1\r\n"
		plain  = "0625fc527cf9418b83ed9120b8643ccd"
		state  = "X-Key: " + target + "\r\nX-Generation: 1\r\nX-Version: 3\r\nTimeout: 20\r\nX-Left: 1140000\r\nLockCookie: 1\r\nX-Locked: true\r\nX-Lock-Age: 1\r\n"
		copied = "PUT \\COPY HTTP/1.1\r\nX-Stream: " + id + "X-Update: 7\r\nX-Heard: 6\r\n"
	)
	return []string{
		"GET \\HELLO HTTP/1.1\r\nHost: \r\n" + node + "X-Protocol: 1\r\nX-Program: farmstate 1\r\nX-Purpose: neighbour\r\nX-Free: 1\r\n\r\n",
		"GET \\PING HTTP/1.1\r\n" + host + "X-Leaving: true\r\nContent-Length: 0\r\n\r\n",
		"GET " + target + " HTTP/1.1\r\n" + host + node + "X-ID: " + id + "Exclusive: transfer\r\nMax-Forwards: 5\r\nX-Rank: 1\r\nX-Wait: 2500\r\n" +
			"X-Chase: 2\r\nX-Direct: true\r\nX-Urgent: true\r\nX-Census: true\r\nX-Generation: 3\r\nX-Target: /x\r\n\r\n",
		"404 Not Found\r\nX-Assoc-ID: " + id + "X-Original: true\r\nX-Undecided: true\r\nX-Lost: 0625fc527cf9418b83ed9120b8643ccd, " + id + "X-Seen: " + id + "\r\n",
		"302 Found\r\nX-Assoc-ID: {0625FC52-7cf9-418b-83ed-9120b8643ccd}\r\n\r\n",
		session + "Content-Length: 7\r\n\r\ncontent",
		session + "X-Query: " + id + "X-Locked: true\r\nLockAge: 1\r\nX-Lock-Age: 1234\r\nX-Skip: 2\r\nX-Shutdown: true\r\nX-Literal: true\r\n" +
			"X-Length: 4000\r\nContent-Length: 7\r\n\r\ncontent",
		"PUT \\PART HTTP/1.1\r\nX-ID: " + id + "X-Offset: 7\r\nContent-Length: 7\r\n\r\ncontent",
		"202 Accepted\r\n" + outcome + "\r\n", "200 OK\r\n" + outcome + "\r\n", "410 Gone\r\n" + outcome + "\r\n",
		"409 Conflict\r\nX-Reason: newer\r\nX-Newer-Generation: 8\r\nX-Version: 4294967295\r\n" + outcome + "\r\n",
		"HTTP/1.1 409 Conflict\r\nX-Reason: no-room\r\nX-Version: 1\r\n" + outcome + "\r\n",
		copied + "X-Change: content\r\nX-Owner: " + id + state + "Content-Length: 7\r\n\r\ncontent",
		copied + "X-Change: content\r\nX-ID: " + id + state + "X-Length: 4000\r\nContent-Length: 7\r\n\r\ncontent",
		copied + "X-Change: state\r\nX-Base: " + id + state + "\r\n", copied + "X-Change: drop\r\nX-Tomb: true\r\n" + state + "\r\n",
		copied + "X-Change: touch\r\nContent-Length: 4\r\n\r\n\x01k\xe8\x07", copied + "X-Change: nothing\r\n\r\n",
		copied + "X-Change: taken\r\nContent-Length: 3\r\n\r\n\x01k\x02",
		copied + "X-Change: buried\r\nContent-Length: 10\r\n\r\n12345678\x02\x03",
		copied + "X-Change: drop\r\nX-Key: " + target + "\r\nX-Generation: 1\r\nX-Tomb: true\r\nTimeout: 20\r\n\r\n",
		"GET \\COPIED HTTP/1.1\r\nX-Stream: " + id + "X-Update: 7\r\nX-Refusals: 7 newer 8 9, 6 lacking,5 busy\r\n\r\n",
		"GET \\CLAIM HTTP/1.1\r\n" + host + node + "X-ID: " + id + "X-Key: " + target + "\r\n\r\n",
		"PUT \\CEDED HTTP/1.1\r\nX-Assoc-ID: " + id + state + "Content-Length: 7\r\n\r\ncontent",
		"PUT \\CEDED HTTP/1.1\r\nX-Assoc-ID: " + id + state + "X-Absent: true\r\n\r\n",
		"PUT \\SHELVED HTTP/1.1\r\nX-ID: " + id + "X-Length: 10\r\nContent-Length: 3\r\n\r\n\x01k\x02",
		"404 Not Found\r\nX-Assoc-ID: " + id + "X-Removed: 3\r\nX-Copies: " + plain + " " + plain + " 1 2 3 locked ended a:1, " + plain + " " + plain + " 1 2 3\r\n\r\n",
		session + "X-Holders: " + plain + "," + id + "Content-Length: 7\r\n\r\ncontent",
		// Nearly.
		copied + "X-Change: content\r\n\r\n", copied + "X-Change: nothing\r\nX-Update: 0\r\n\r\n", copied + "X-Change: state\r\n" + state + "Content-Length: 1\r\n\r\n",
		"GET \\AUTH HTTP/1.1\r\nHost:\r\n\r\n", "GET \\PING HTTP/1.1\r\nHost: a:99999\r\n\r\n", "200 OK\r\nServer: State Service Peer\r\n\r\n",
		"404 Not Found\r\nX-Assoc-ID: " + strings.Repeat("0", 32) + "\r\n\r\n", "202 Accepted\n\n", "\r\n", " \r\n\r\n", "99\r\n\r\n",
		session + "Content-Length: 4097\r\n\r\n", session + "Content-Length: 99999999999999999999\r\n\r\n", session + "X-Length: 7\r\nContent-Length: 7\r\n\r\n",
	}
}

// FuzzPeerMessage checks what is read of a peer: that what is accepted is written and read again as the same message, that every strict
// prefix of it is short, that bytes behind it change nothing, and that a fault is one for whatever follows.
func FuzzPeerMessage(f *testing.F) {
	for _, head := range append(peerHeads(), append(GoodHeads(), append(BadHeads(), Answers()...)...)...) {
		f.Add([]byte(head), uint16(1023))
		f.Add([]byte(head), uint16(len(head)-2))
	}
	f.Fuzz(func(t *testing.T, in []byte, maxHead uint16) {
		lim := peerLimits(maxHead)
		var m, again message.Message
		n, length, fault := message.Parse(in, lim, &m)
		if fault != message.OK {
			if n != 0 || length != 0 || fault.String() == "unknown" {
				t.Fatalf("%v with lengths %d, %d", fault, n, length)
			}
			if fault != message.Short && fault != message.HeaderTooLarge {
				if _, _, got := message.Parse(append(bytes.Clone(in), "\r\n\r\n"...), lim, &again); got != fault {
					t.Fatalf("%v %s, followed by an end of block %v %s", fault, fault.Where(), got, got.Where())
				}
			}
			return
		}
		if n > len(in) || n > lim.MaxHead || length < 0 || length > lim.MaxBody || int64(length)+m.Offset > int64(lim.MaxBody) {
			t.Fatalf("takes %d and %d of %d bytes", n, length, len(in))
		}
		for i := range n {
			if got, _, fault := message.Parse(in[:i], lim, &again); got != 0 || fault != message.Short {
				t.Fatalf("first %d of %d bytes: %d, %v", i, n, got, fault)
			}
		}
		if len(m.Key) > message.MaxKey || m.Parcel.Body != nil {
			t.Fatalf("a key of %d bytes, a body of %d", len(m.Key), len(m.Parcel.Body))
		}
		m.Parcel.Body = make([]byte, length)
		usual := &message.Limits{MaxHead: message.MaxHead, MaxBody: lim.MaxBody}
		out := message.Append(nil, &m)
		gotN, gotLength, fault := message.Parse(append(bytes.Clone(out), in...), usual, &again)
		if gotN != len(out) || gotLength != length || fault != message.OK {
			t.Fatalf("%q\nis written as %q\nand read as %d, %d, %v %s", in[:n], out, gotN, gotLength, fault, fault.Where())
		}
		m.Parcel.Body = nil
		if !reflect.DeepEqual(m, again) {
			t.Fatalf("%q\nis %+v\nand written and read again %+v", in[:n], m, again)
		}
		again.Parcel.Body = make([]byte, length)
		if twice := message.Append(nil, &again); !bytes.Equal(twice, out) {
			t.Fatalf("%q is written again as %q", out, twice)
		}
	})
}

// FuzzPeerLists checks the lists in bodies: what is accepted is written again as the same bytes, so there is one spelling of each; whoever has seen enough
// is not called again; and what is refused was passed up to the fault. It takes the same bytes as either list.
func FuzzPeerLists(f *testing.F) {
	f.Add([]byte(nil), uint8(0))
	f.Add([]byte("\x01k\xe8\x07"), uint8(1))
	f.Add(message.AppendTouch(message.AppendTouch(nil, target, 1<<62), "k", 0), uint8(1))
	f.Add(message.AppendShelved(message.AppendShelved(nil, target, 1<<32-1, 7), "k", 0, 0), uint8(9))
	f.Add([]byte("\x01k\x81\x00"), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, enough uint8) {
		for name, each := range map[string]func([]byte, func(calls int) bool) ([]byte, error){"touch": eachTouch, "shelved": eachShelved} {
			calls := 0
			out, err := each(in, func(n int) bool {
				calls = n
				return n != int(enough)
			})
			if enough > 0 && calls > int(enough) {
				t.Fatalf("%s: %d calls, of which the one before the last was enough", name, calls)
			}
			if !bytes.HasPrefix(in, out) {
				t.Fatalf("%s: %q is written again as %q", name, in, out)
			}
			if err == nil && calls != int(enough) && len(out) != len(in) {
				t.Fatalf("%s: of %q, %q is left out", name, in, in[len(out):])
			}
			if err != nil && (!errors.Is(err, message.ErrList) || len(out) == len(in)) {
				t.Fatalf("%s: %q: %v", name, in, err)
			}
		}
	})
}

// eachTouch and eachShelved read a list, and write again what they have read. next is told how many that are.
func eachTouch(in []byte, next func(calls int) bool) (out []byte, err error) {
	calls := 0
	err = message.Touches(in, func(key string, left int64) bool {
		calls++
		out = message.AppendTouch(out, key, left)
		return next(calls)
	})
	return out, err
}

func eachShelved(in []byte, next func(calls int) bool) (out []byte, err error) {
	calls := 0
	err = message.EachShelved(in, func(key string, gen, version uint32) bool {
		calls++
		out = message.AppendShelved(out, key, gen, version)
		return next(calls)
	})
	return out, err
}

// FuzzPeerTarget checks that every key has a spelling that leads back to it and can stand in the first line of a request.
func FuzzPeerTarget(f *testing.F) {
	for _, t := range Targets() {
		f.Add(t)
	}
	f.Fuzz(func(t *testing.T, key string) {
		spelt := message.AppendTarget(nil, key)
		if back := wire.AppendKey(nil, spelt); string(back) != key {
			t.Fatalf("%q is spelt %q, which is %q", key, spelt, back)
		}
		if key == "" || len(key) > message.MaxKey {
			return
		}
		m := message.Message{Kind: message.Held, ID: message.ID{1}, Key: key}
		var back message.Message
		lim := &message.Limits{MaxHead: message.MaxHead, MaxBody: 1}
		if _, _, fault := message.Parse(message.Append(nil, &m), lim, &back); fault != message.OK || back.Key != key {
			t.Fatalf("%q is read as %q, %v", key, back.Key, fault)
		}
	})
}
