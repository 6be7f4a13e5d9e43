//go:build !race

package wire_test

import (
	"strconv"
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// TestAllocations holds every path to zero, the refusals too: bad input must not cost more than good.
func TestAllocations(t *testing.T) {
	var (
		r      wire.Request
		a      wire.Answer
		buf    = make([]byte, 0, 1024)
		raw    = []byte(target)
		stored = []byte(key)
		format = func() *wire.Format { bare, _ := formats(t); return bare }()
	)
	free := func(name string, f func()) {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	for _, h := range heads {
		in := []byte(h.head)
		free("ParseHead "+h.name, func() { wire.ParseHead(in, 0, &usual, &r) })
		free("ParseHead in two pieces "+h.name, func() {
			wire.ParseHead(in[:40], 0, &usual, &r)
			wire.ParseHead(in, 40, &usual, &r)
		})
	}
	for _, bad := range []string{
		"GET /x HTTP/1.1\n", "hello\r\n\r\n", "POST /x HTTP/1.1\r\n\r\n", "GET /x HTTP/9\r\n\r\n", "PUT /x HTTP/1.1\r\n\r\n",
		"GET /x HTTP/1.1\r\nTimeout: abc\r\n\r\n", "GET /x HTTP/1.1\r\nExclusive: maybe\r\n\r\n", "GET /x HTTP/1.1\r\nnonsense\r\n\r\n",
		padded(16385),
	} {
		in := []byte(bad)
		free("ParseHead "+strconv.Quote(bad[:min(16, len(bad))]), func() { wire.ParseHead(in, 0, &usual, &r) })
		free("ParseAnswer "+strconv.Quote(bad[:min(16, len(bad))]), func() { wire.ParseAnswer(in, &usual, &a) })
	}
	for _, c := range answers {
		in := []byte(c.want)
		free("AppendHead "+c.name, func() { buf = format.AppendHead(buf[:0], &c.answer) })
		free("ParseAnswer "+c.name, func() { wire.ParseAnswer(in, &usual, &a) })
	}
	put := wire.Request{Verb: wire.Put, Target: raw, Timeout: 20, ContentLength: 7, HasCookie: true, Cookie: 2, Close: true}
	free("AppendRequest", func() { buf = wire.AppendRequest(buf[:0], &put) })
	free("AppendKey", func() { buf = wire.AppendKey(buf[:0], raw) })
	free("AppendKey of rare escapes", func() { buf = wire.AppendKey(buf[:0], []byte("//a+b%u00e9%ud83d%ude00%zz%")) })
	free("AppendTarget", func() { buf = wire.AppendTarget(buf[:0], stored) })
}
