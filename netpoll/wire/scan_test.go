package wire

import (
	"bytes"
	"testing"
)

// TestFirstOfEach holds the eight-at-a-time scans to their definitions: every byte value, at every place of two words and a tail, between
// neighbours that borrow from, or lend to, the byte in question.
func TestFirstOfEach(t *testing.T) {
	isControl := func(c byte) bool { return c < 0x20 || c == 0x7f }
	isBlank := func(c byte) bool { return c <= 0x20 || c == 0x7f }
	naive := func(b []byte, i int, stop func(byte) bool) int {
		for i < len(b) && !stop(b[i]) {
			i++
		}
		return i
	}
	b := make([]byte, 19)
	for _, fill := range []byte{' ', '!', 'a', 0x7e, 0x80, 0xa0, 0xff} {
		for c := range 256 {
			for at := range b {
				for _, next := range []byte{fill, 0x00, 0x1f, 0x20, 0x21, 0x7f, 0x80} {
					for i := range b {
						b[i] = fill
					}
					b[at] = byte(c)
					if at+1 < len(b) {
						b[at+1] = next
					}
					for _, from := range []int{0, 1, at, len(b)} {
						if got, want := control(b, from), naive(b, from, isControl); got != want {
							t.Fatalf("control(%q, %d) = %d, want %d", b, from, got, want)
						}
						if got, want := blank(b, from), naive(b, from, isBlank); got != want {
							t.Fatalf("blank(%q, %d) = %d, want %d", b, from, got, want)
						}
					}
				}
			}
		}
	}
}

func TestLineEnd(t *testing.T) {
	for _, c := range []struct {
		in   string
		from int
		want int
	}{
		{"", 0, -1},
		{"abc", 0, -1},
		{"abc\r", 0, -1},
		{"abc\r\n", 0, 3},
		{"abc\r\n", 3, 3},
		{"abc\r\n", 4, -1},
		{"abc\r\n", 5, -1},
		{"a\tb\t\t\r\n", 0, 5},
		{"a\n\r\n", 0, -1},
		{"a\rb\r\n", 0, -1},
		{"a\x00\r\n", 0, -1},
		{"\r\n\r\n", 0, 0},
		{"\r\n\r\n", 2, 2},
	} {
		if got := lineEnd([]byte(c.in), c.from); got != c.want {
			t.Errorf("lineEnd(%q, %d) = %d, want %d", c.in, c.from, got, c.want)
		}
	}
}

func TestBlockEnd(t *testing.T) {
	for _, c := range []struct {
		in    string
		seen  int
		want  int
		fault Fault
	}{
		{"", 0, 0, Short},
		{"\r", 0, 0, Short},
		{"\r\n", 0, 2, OK},
		{"\r\n", 1, 2, OK},
		{"a\r\n", 0, 0, Short},
		{"a\r\n\r", 0, 0, Short},
		{"a\r\n\r", 3, 0, Short},
		{"a\r\n\r\n", 0, 5, OK},
		{"a\r\n\r\n", 1, 5, OK},
		{"a\r\n\r\n", 2, 5, OK},
		{"a\r\n\r\n", 3, 5, OK},
		{"a\r\n\r\n", 4, 5, OK},
		{"a\r\nb\r\n\r\n\x00", 6, 8, OK},
		{"a\r\n\n", 3, 0, BadByte},
		{"a\n", 1, 0, BadByte},
		{"a\n", 2, 0, BadByte},
		{"\n", 0, 0, BadByte},
		{"a\t\tb\x7f", 0, 0, BadByte},
	} {
		if n, f := blockEnd([]byte(c.in), c.seen); n != c.want || f != c.fault {
			t.Errorf("blockEnd(%q, %d) = %d, %v, want %d, %v", c.in, c.seen, n, f, c.want, c.fault)
		}
	}
}

func TestTrim(t *testing.T) {
	for in, want := range map[string]string{"": "", " ": "", "\t \t": "", "a": "a", " a b\t": "a b", "\u00a0a": "\u00a0a"} {
		if got := string(trim([]byte(in))); got != want {
			t.Errorf("trim(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestKnownHeaderIsExact changes every byte of every known name into every other byte: only letters may change, and only in case.
func TestKnownHeaderIsExact(t *testing.T) {
	for want, name := range map[header]string{
		contentLength: "Content-Length", timeout: "Timeout", lockCookie: "LockCookie", extraFlags: "ExtraFlags",
		exclusive: "Exclusive", connection: "Connection", transferEncoding: "Transfer-Encoding",
	} {
		line := []byte(name + ": x\r\n\r\n")
		colon := len(name)
		if h, v := knownHeader(line); h != want || v != colon+1 {
			t.Errorf("%s: got header %d, value at %d", name, h, v)
		}
		for i := range colon + 1 {
			for c := range 256 {
				changed := bytes.Clone(line)
				changed[i] = byte(c)
				expect := other
				if foldEqual(changed[:colon+1], string(bytes.ToLower([]byte(name)))+":") {
					expect = want
				}
				if h, _ := knownHeader(changed); h != expect {
					t.Errorf("%q: got header %d, want %d", changed, h, expect)
				}
			}
		}
		for end := range colon + 1 {
			if h, _ := knownHeader(line[:end]); h != other {
				t.Errorf("%q: got header %d, want none before the colon", line[:end], h)
			}
		}
	}
}
