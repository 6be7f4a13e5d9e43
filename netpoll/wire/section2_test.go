package wire_test

import (
	"fmt"
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

func TestLineEndsAndBytes(t *testing.T) {
	const line = "GET /x HTTP/1.1\r\n"
	for _, c := range []struct{ name, in string }{
		{"§2.5 LF behind the request line", "GET /x HTTP/1.1\n"},
		{"§2.5 LF as the first byte", "\n"},
		{"§2.5 LF where one byte more would be a line end", "GET /x HTTP/1.1X\n"},
		{"§2.5 LF behind a number, one byte more", getLine + "Timeout: 20 \n"},
		{"§2.5 LF behind a header", line + "Host: h\n"},
		{"§2.5 LF in a value", line + "Host: a\n"},
		{"§2.5 LF at the start of a line", line + "\n"},
		{"§2.5 two LF behind a CR", "GET /x HTTP/1.1\r\n\n"},
		{"§2.5 CR in the request line", "GET /x\r "},
		{"§2.5 CR twice", "GET /x HTTP/1.1\r\r"},
		{"§2.5 CR as the first byte, then no LF", "\rG"},
		{"§2.5 CR in a value", line + "Host: a\rb"},
		{"§2.5 CR in a name", line + "Ho\rs"},
		{"§2.5 CR behind the colon", line + "Timeout:\r2"},
		{"§2.5 CR twice at the end of the block", line + "\r\r"},
		{"§2.5 CR LF CR and something else", line + "Host: h\r\n\rX"},
		{"§2.5 NUL in a value", line + "Host: a\x00"},
		{"§2.5 NUL in a number", line + "Timeout: 2\x00"},
		{"§2.5 NUL as the first byte", "\x00"},
		{"§2.5 backspace in a target", "GET /x\x08"},
		{"§2.5 DEL in a target", "GET /x\x7f"},
		{"§2.5 DEL in a value", line + "X: \x7f"},
		{"§2.5 DEL in a name", line + "X\x7f"},
		{"§2.5 vertical tab between blanks", line + "X: \t \x0b"},
		{"§2.5 0x1F behind a long run", line + "X: 01234567890123456789012345678901234567890123456789\x1f"},
		{"§2.5 a TLS client", "\x16"},
		{"§2.5 bad byte behind a bad verb", "POST /x HTTP/1.1\r\n\x01"},
		{"§2.5 0x1A, which folding makes a colon", line + "Timeout\x1a"},
		{"§2.5 CR, which folding makes a hyphen", line + "Content\rL"},
	} {
		t.Run(c.name, func(t *testing.T) { refuses(t, c.in, wire.BadByte) })
	}
}

func TestEveryByteAtEveryPlace(t *testing.T) {
	plain := request(func(*wire.Request) {})
	for c := range 256 {
		t.Run(fmt.Sprintf("§2.5 byte %#02x", c), func(t *testing.T) {
			for behind := range 17 { // two words and a tail
				run := "aaaaaaaaaaaaaaaaa"[:behind] + string([]byte{byte(c)})
				value := getLine + "X: " + run
				name := "GET /" + run
				switch {
				case c == '\r':
					allShort(t, value+"\n")
				case c == '\t', c == ' ':
					accepts(t, value+"a\r\n\r\n", plain)
					refuses(t, name+"a HTTP/1.1\r\n\r\n", wire.BadRequestLine)
				case c < ' ', c == 0x7f:
					refuses(t, value, wire.BadByte)
					refuses(t, name, wire.BadByte)
				default:
					accepts(t, value+"\r\n\r\n", plain)
					accepts(t, name+" HTTP/1.1\r\n\r\n", request(func(r *wire.Request) { r.Target = []byte("/" + run) }))
				}
			}
		})
	}
}

func TestHeaderBlockLimit(t *testing.T) {
	t.Run("§2.6 a block of exactly 16384 bytes", func(t *testing.T) {
		accepts(t, padded(16384), request(func(*wire.Request) {}))
	})
	t.Run("§2.6 a block of 16385 bytes", func(t *testing.T) {
		refuses(t, padded(16385), wire.HeaderTooLarge)
	})
	t.Run("§2.6 one byte more than 16384 and no end", func(t *testing.T) {
		refuses(t, padded(20000)[:16385], wire.HeaderTooLarge)
	})
	t.Run("§2.6 the limit inside CRLFCRLF", func(t *testing.T) {
		for over := range 4 {
			in := padded(16384 + over)
			if over > 0 {
				refuses(t, in[:16385], wire.HeaderTooLarge)
			}
		}
	})
	t.Run("§2.6 a target may fill the block", func(t *testing.T) {
		long := padded(16384)[:16384-len("GET  HTTP/1.1\r\n\r\n")]
		name := []byte(long)
		for i := range name {
			name[i] = 'n'
		}
		accepts(t, "GET "+string(name)+" HTTP/1.1\r\n\r\n", request(func(r *wire.Request) { r.Target = name }))
	})
	t.Run("§2.6 any number of lines", func(t *testing.T) {
		in := "GET /x HTTP/1.1\r\n"
		for len(in) < 16384-4-5 {
			in += "a:\r\n"
		}
		accepts(t, in+"\r\n", request(func(*wire.Request) {}))
	})
	t.Run("§2.6 a bad byte beyond the limit is too late", func(t *testing.T) {
		in := padded(20000)[:16384] + "\x00"
		refuses(t, in, wire.HeaderTooLarge)
	})
	t.Run("§2.6 a bad byte before the limit", func(t *testing.T) {
		in := padded(20000)[:16383] + "\x00"
		refuses(t, in, wire.BadByte)
	})
	t.Run("§2.6 another limit", func(t *testing.T) {
		in := "GET /x HTTP/1.1\r\n\r\n"
		var r wire.Request
		for limit := 1; limit < 40; limit++ {
			lim := wire.Limits{MaxHead: limit, MaxBody: 1}
			n, f := wire.ParseHead([]byte(in), 0, &lim, &r)
			if limit < len(in) && (n != 0 || f != wire.HeaderTooLarge) || limit >= len(in) && (n != len(in) || f != wire.OK) {
				t.Errorf("limit %d: got %d, %v", limit, n, f)
			}
		}
	})
}

func TestBodyLimit(t *testing.T) {
	const put = "PUT /x HTTP/1.1\r\nContent-Length: "
	t.Run("§2.7 exactly max_body", func(t *testing.T) {
		accepts(t, put+"67108864\r\n\r\n", request(func(r *wire.Request) { r.Verb, r.ContentLength = wire.Put, 64<<20 }))
	})
	for _, c := range []struct{ name, in string }{
		{"§2.7 one byte more", put + "67108865\r\n\r\n"},
		{"§2.7 more than 64 bits", put + "99999999999999999999999999\r\n\r\n"},
		{"§2.7 on GET too", "GET /x HTTP/1.1\r\nContent-Length: 67108865\r\n\r\n"},
		{"§2.7 §4.3 also when a smaller one follows", put + "67108865\r\nContent-Length: 1\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) { refuses(t, c.in, wire.BodyTooLarge) })
	}
}

func TestConnectionClose(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        bool
	}{
		{"§2.9 close", " close", true},
		{"§2.9 any case", " CLoSE", true},
		{"§2.9 no blank", "close", true},
		{"§2.9 in a list", " keep-alive, close", true},
		{"§2.9 first in a list", " close,keep-alive", true},
		{"§2.9 blanks around words", "\tkeep-alive ,\t close \t, x", true},
		{"§2.9 empty words", " ,,close,,", true},
		{"§2.9 keep-alive", " keep-alive", false},
		{"§2.9 empty", "", false},
		{"§2.9 part of a word", " closed, enclose", false},
		{"§2.9 two words without a comma", " close please", false},
		{"§2.9 a quoted word", ` "close"`, false},
		{"§2.9 a letter that Unicode folds to s", " clo\u017fe", false},
		{"§4.3 the last one counts, close", " keep-alive\r\nConnection: close", true},
		{"§4.3 the last one counts, keep-alive", " close\r\nConnection: keep-alive", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			accepts(t, "GET /x HTTP/1.1\r\nConnection:"+c.value+"\r\n\r\n", request(func(r *wire.Request) { r.Close = c.want }))
		})
	}
	t.Run("§2.9 Connection with a longer name", func(t *testing.T) {
		accepts(t, "GET /x HTTP/1.1\r\nConnections: close\r\n\r\n", request(func(*wire.Request) {}))
	})
}
