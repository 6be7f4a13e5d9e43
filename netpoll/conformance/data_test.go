package conformance

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestData(t *testing.T) {
	n := &names{id: "abc0", id2: "def1"}
	for _, tt := range []struct{ src, want string }{
		{`"a\u0000\u00ff\r\n"`, "a\x00\xff\r\n"},
		{`"{S} {SU} {S2} {X} {} {"`, "abc0 ABC0 def1 {X} {} {"},
		{`"{K}|{K2}"`, targetPrefix + "abc0|" + targetPrefix + "def1"},
		{`["x", {"repeat": "ab", "n": 3}, {"repeat": "ab", "n": 0}, "y"]`, "xabababy"},
		{`["x", {"pad_total": 5}, "yz"]`, "xaayz"},
		{`["xyz", {"pad_total": 3}]`, "xyz"},
		{`[]`, ""},
	} {
		d, err := decodeData([]byte(tt.src))
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
		} else if got := string(d.bytes(n)); got != tt.want {
			t.Errorf("%s: have %q, want %q", tt.src, got, tt.want)
		}
	}
}

// TestRandom holds the generator against bytes computed apart from this code,
// and against its period.
func TestRandom(t *testing.T) {
	b := appendRandom(nil, 1, 2*randomPeriod+10)
	if got, want := hex.EncodeToString(b[:4]), "c67e816b"; got != want {
		t.Errorf("begins with %s, want %s", got, want)
	}
	if len(b) != 2*randomPeriod+10 || !bytes.Equal(b[randomPeriod:], b[:randomPeriod+10]) {
		t.Errorf("does not repeat after %d bytes", randomPeriod)
	}
}

func TestNewNames(t *testing.T) {
	n := newNames()
	if n.id == n.id2 {
		t.Error("the two ids are the same")
	}
	for _, id := range []string{n.id, n.id2} {
		if len(id) != 24 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz012345") != "" {
			t.Errorf("%q is no session id", id)
		}
	}
}

func TestPieces(t *testing.T) {
	for _, tt := range []struct{ chunk, want string }{
		{`1`, "a b c d e"},
		{`2`, "ab cd e"},
		{`9`, "abcde"},
		{`[-2]`, "abc de"},
		{`[-1, 1]`, "a bcd e"},
		{`[2, -3]`, "ab cde"},
	} {
		src := fmt.Sprintf(`{"send": "abcde", "chunk": %s}`, tt.chunk)
		o, err := parseObject([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		m := takeMessage(o)
		if err := o.done(); err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got := slices.Collect(func(yield func(string) bool) {
			for _, p := range m.pieces([]byte("abcde")) {
				if !yield(string(p)) {
					return
				}
			}
		})
		if joined := strings.Join(got, " "); joined != tt.want {
			t.Errorf("%s: have %q, want %q", src, joined, tt.want)
		}
	}
}
