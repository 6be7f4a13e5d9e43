package wire_test

import (
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// TestBlock takes a block apart with the pieces that readers of other messages use.
func TestBlock(t *testing.T) {
	const in = "PUT \\Part HTTP/1.1\r\nX-ID:  a b\t\r\nX-Empty:\r\nno header\r\n\r\n"
	n, f := wire.Block([]byte(in+"\x00"), len(in))
	if n != len(in) || f != wire.OK {
		t.Fatalf("got %d, %v", n, f)
	}
	for i := range n {
		if got, f := wire.Block([]byte(in[:i]), n); got != 0 || f != wire.Short {
			t.Fatalf("first %d bytes: %d, %v", i, got, f)
		}
	}
	if got, f := wire.Block([]byte(in), n-1); got != 0 || f != wire.HeaderTooLarge {
		t.Errorf("beyond the limit: %d, %v", got, f)
	}
	verb, target, p, f := wire.RequestLine([]byte(in))
	if verb != wire.Put || string(target) != "\\Part" || f != wire.OK {
		t.Fatalf("got %v, %q, %v", verb, target, f)
	}
	for _, want := range []struct{ name, value string }{{"X-ID", "a b"}, {"X-Empty", ""}, {"", ""}} {
		var name, value []byte
		if name, value, p = wire.HeaderLine([]byte(in), p); string(name) != want.name || string(value) != want.value || (name == nil) != (want.name == "") {
			t.Errorf("got %q, %q, want %q", name, value, want)
		}
	}
	if p != n-2 {
		t.Errorf("the empty line is at %d, want %d", p, n-2)
	}
	for _, c := range []struct{ in, code string }{
		{"\r\n", ""}, {"200\r\n\r\n", "200"}, {"HTTP/1.1 302 Found\r\n\r\n", "302"}, {"HTTP/1.0 410\r\n\r\n", "410"}, {in, "PUT"},
	} {
		if code, next := wire.StatusLine([]byte(c.in)); string(code) != c.code || c.in[next-2:next] != "\r\n" {
			t.Errorf("%q: got %q, %d", c.in, code, next)
		}
	}
	if _, _, next, f := wire.RequestLine([]byte("POST /x HTTP/1.1\r\n\r\n")); next != 0 || f != wire.BadVerb {
		t.Errorf("got %d, %v", next, f)
	}
}
