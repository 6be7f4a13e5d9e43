package wire_test

import (
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// The heads of docs/protocol.md §4.9.
var heads = []struct{ name, head string }{
	{"get", "GET " + target + " HTTP/1.1\r\nHost: stateserver\r\n\r\n"},
	{"acquire", "GET " + target + " HTTP/1.1\r\nHost: stateserver\r\nExclusive: acquire\r\n\r\n"},
	{"release", "GET " + target + " HTTP/1.1\r\nHost: stateserver\r\nExclusive: release\r\nLockCookie: 2\r\n\r\n"},
	{"put", "PUT " + target + " HTTP/1.1\r\nHost: stateserver\r\nTimeout: 20\r\nContent-Length: 7\r\nExtraFlags: 0\r\nLockCookie: 2\r\n\r\n"},
}

func BenchmarkParseHead(b *testing.B) {
	for _, h := range heads {
		b.Run("op="+h.name, func(b *testing.B) {
			in := []byte(h.head + "behind the head")
			b.ReportAllocs()
			var r wire.Request
			for b.Loop() {
				if n, f := wire.ParseHead(in, 0, &usual, &r); n != len(h.head) {
					b.Fatal(f)
				}
			}
		})
	}
}

func BenchmarkAppendKey(b *testing.B) {
	in, dst := []byte(target), make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst = wire.AppendKey(dst[:0], in)
	}
}

func BenchmarkAppendHead(b *testing.B) {
	format, err := wire.NewFormat("4.0.30319", false)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		answer wire.Answer
	}{
		{"stored", wire.Answer{Status: wire.StatusOK}},
		{"get", wire.Answer{Status: wire.StatusOK, HasTimeout: true, Timeout: 20, ContentLength: 4096}},
		{"acquired", wire.Answer{Status: wire.StatusOK, HasTimeout: true, Timeout: 20, HasCookie: true, Cookie: 7, ContentLength: 4096}},
		{"locked", wire.Answer{Status: wire.StatusLocked, LockDate: 638409078000000000, LockAge: 3, Cookie: 7}},
	} {
		b.Run("answer="+c.name, func(b *testing.B) {
			dst := make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				dst = format.AppendHead(dst[:0], &c.answer)
			}
		})
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	r := wire.Request{Verb: wire.Put, Target: []byte(target), Timeout: 20, ContentLength: 4096, HasCookie: true, Cookie: 2}
	dst := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		dst = wire.AppendRequest(dst[:0], &r)
	}
}

func BenchmarkParseAnswer(b *testing.B) {
	in := []byte("200 OK\r\nX-AspNet-Version: 4.0.30319\r\nLockCookie: 2\r\nTimeout: 20\r\nCache-Control: private\r\nContent-Length: 7\r\n\r\n")
	b.ReportAllocs()
	var a wire.Answer
	for b.Loop() {
		if n, f := wire.ParseAnswer(in, &usual, &a); n != len(in) {
			b.Fatal(f)
		}
	}
}
