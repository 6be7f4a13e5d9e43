package wire_test

import (
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

func TestReasons(t *testing.T) {
	for _, c := range []struct{ name, in string }{
		{"bad_byte", "GET /x HTTP/1.1\n"},
		{"header_too_large", padded(16385)},
		{"bad_request_line", "hello\r\n\r\n"},
		{"bad_verb", "POST /x HTTP/1.1\r\n\r\n"},
		{"bad_version", "GET /x HTTP/2.0\r\n\r\n"},
		{"bad_header", "GET /x HTTP/1.1\r\nnonsense\r\n\r\n"},
		{"bad_number", "GET /x HTTP/1.1\r\nTimeout: abc\r\n\r\n"},
		{"bad_exclusive", "GET /x HTTP/1.1\r\nExclusive: maybe\r\n\r\n"},
		{"chunked", "PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{"missing_body", "PUT /x HTTP/1.1\r\n\r\n"},
		{"body_too_large", "PUT /x HTTP/1.1\r\nContent-Length: 67108865\r\n\r\n"},
	} {
		t.Run("§6.2 "+c.name, func(t *testing.T) {
			var r wire.Request
			if n, f := wire.ParseHead([]byte(c.in), 0, &usual, &r); n != 0 || f.String() != c.name {
				t.Errorf("got %d, %v", n, f)
			}
		})
	}
	for f, want := range map[wire.Fault]string{wire.OK: "ok", wire.Short: "short", 200: "unknown"} {
		if got := f.String(); got != want {
			t.Errorf("fault %d is called %q, want %q", f, got, want)
		}
	}
}

func TestWhenRefused(t *testing.T) {
	// The fault named is the same whether the block comes at once or in pieces, also when several apply.
	t.Run("§6.3 a forbidden byte goes before everything else", func(t *testing.T) {
		refuses(t, "POST /x HTTP/9\r\nTimeout: abc\r\n\x01", wire.BadByte)
	})
	t.Run("§6.3 the first of several faults", func(t *testing.T) {
		refuses(t, "GET /x HTTP/1.1\r\nTimeout: abc\r\nnonsense\r\nExclusive: maybe\r\n\r\n", wire.BadNumber)
	})
	t.Run("§6.3 a fault in a block that never ends", func(t *testing.T) {
		refuses(t, "POST /x HTTP/1.1\r\n"+padded(20000)[:16385-len("POST /x HTTP/1.1\r\n")], wire.HeaderTooLarge)
	})
	t.Run("§6.1 what is behind a good block is not judged", func(t *testing.T) {
		accepts(t, "GET /x HTTP/1.1\r\n\r\n", request(func(*wire.Request) {}))
	})
}
