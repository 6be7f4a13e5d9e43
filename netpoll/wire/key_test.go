package wire_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

func TestAppendKey(t *testing.T) {
	for _, c := range []struct{ name, target, want string }{
		{"§3.5 two leading slashes lose one", "//LM/x", "/LM/x"},
		{"§3.5 only once", "///LM", "//LM"},
		{"§3.5 two slashes and nothing else", "//", "/"},
		{"§3.5 one slash", "/", "/"},
		{"§3.5 slashes elsewhere", "/a//b", "/a//b"},
		{"§3.5 /%2f keeps both", "/%2fLM", "//LM"},
		{"§3.5 %2f/ keeps both", "%2f/LM", "//LM"},
		{"§3.5 %2f%2f keeps both", "%2f%2fLM", "//LM"},
		{"§3.5 the slash goes before decoding", "//%2fLM", "//LM"},
		{"§3.6 empty", "", ""},
		{"§3.6 + is a space", "a+b", "a b"},
		{"§3.6 + only", "+++", "   "},
		{"§3.6 + in front of hex digits", "+41+4142434445", " 41 4142434445"},
		{"§3.6 %20", "a%20b", "a b"},
		{"§3.6 small hex", "%2f%2b%3d", "/+="},
		{"§3.6 capital hex", "%2F%2B%3D", "/+="},
		{"§3.6 mixed hex", "%aB%Ab", "\xab\xab"},
		{"§3.6 decoded once", "%252f", "%2f"},
		{"§3.6 %2b is no space", "%2b", "+"},
		{"§3.6 %00", "a%00b", "a\x00b"},
		{"§3.6 bytes that are no UTF-8", "%ff%fe%80", "\xff\xfe\x80"},
		{"§3.6 raw bytes stay", "\x80\xff\xc3\xa9", "\x80\xff\xc3\xa9"},
		{"§3.6 % at the end", "a%", "a%"},
		{"§3.6 % and one digit at the end", "a%4", "a%4"},
		{"§3.6 % at the end of a word", "aaaaaaa%", "aaaaaaa%"},
		{"§3.6 % and one digit at the end of a word", "aaaaaa%4", "aaaaaa%4"},
		{"§3.6 + at the end of a word", "aaaaaaa+", "aaaaaaa "},
		{"§3.6 no hex digit first", "%g1", "%g1"},
		{"§3.6 no hex digit second", "%1g", "%1g"},
		{"§3.6 % twice", "%%41", "%A"},
		{"§3.6 % and u", "%u", "%u"},
		{"§3.6 a sign is no digit", "%+1%-1", "% 1%-1"},
		{"§3.6 %u00e9 as UTF-8", "%u00e9", "\xc3\xa9"},
		{"§3.6 %u with capitals", "%u00E9%uABCD", "\xc3\xa9\xea\xaf\x8d"},
		{"§3.6 %U is none", "%U00e9", "%U00e9"},
		{"§3.6 %u0041", "%u0041", "A"},
		{"§3.6 %u0000", "%u0000", "\x00"},
		{"§3.6 %u007f and %u0080", "%u007f%u0080", "\x7f\xc2\x80"},
		{"§3.6 %u07ff and %u0800", "%u07ff%u0800", "\xdf\xbf\xe0\xa0\x80"},
		{"§3.6 %uffff", "%uffff", "\xef\xbf\xbf"},
		{"§3.6 %ufffd is itself", "%ufffd", "\xef\xbf\xbd"},
		{"§3.6 unfinished %u", "%u00e", "%u00e"},
		{"§3.6 bad digit in %u", "%u00eg", "%u00eg"},
		{"§3.6 bad %u, then a good escape", "%u00%41", "%u00A"},
		{"§3.6 decoding of %u is not repeated", "%u0025%u0034%u0031", "%41"},
		{"§3.6 surrogate pair", "%uD83D%uDE00", "\U0001f600"},
		{"§3.6 first and last pair", "%ud800%udc00%udbff%udfff", "\U00010000\U0010ffff"},
		{"§3.6 lone high surrogate", "%ud83d", "\xed\xa0\xbd"},
		{"§3.6 lone low surrogate", "%ude00", "\xed\xb8\x80"},
		{"§3.6 surrogates in the wrong order", "%ude00%ud83d", "\xed\xb8\x80\xed\xa0\xbd"},
		{"§3.6 two low ones", "%ude00%udc00", "\xed\xb8\x80\xed\xb0\x80"},
		{"§3.6 two high ones", "%ud83d%udbff", "\xed\xa0\xbd\xed\xaf\xbf"},
		{"§3.6 high, then a pair", "%ud83d%ud83d%ude00", "\xed\xa0\xbd\U0001f600"},
		{"§3.6 high, then a letter", "%ud83dx", "\xed\xa0\xbdx"},
		{"§3.6 high, then a plain %u", "%ud83d%u0041", "\xed\xa0\xbdA"},
		{"§3.6 high, then an unfinished low", "%ud83d%ude0", "\xed\xa0\xbd%ude0"},
		{"§3.6 high, then bytes of a low", "%ud83d%ed%b8%80", "\xed\xa0\xbd\xed\xb8\x80"},
		{"§3.6 the first and the last surrogate, alone", "%ud800x%udfff", "\xed\xa0\x80x\xed\xbf\xbf"},
		{"§3.6 the neighbours of the surrogates", "%ud7ff%ue000", "\xed\x9f\xbf\xee\x80\x80"},
		{"§3.7 letter case stays", "/LM/Root", "/LM/Root"},
		{"§3.9 under IIS", target, key},
		{"§3.9 an application below the site",
			"%2fLM%2fW3SVC%2f2%2fROOT%2fshop(R5cLvsolxp83Pl171VCJDriS0xmS6SzeKpszgt1KZI4%3d)%2fz445nnecaiiqye55asxwtm55",
			"/LM/W3SVC/2/ROOT/shop(R5cLvsolxp83Pl171VCJDriS0xmS6SzeKpszgt1KZI4=)/z445nnecaiiqye55asxwtm55"},
		{"§3.9 a development server",
			"%2f4d2f1a7c(BMoYc06Iz4zYHvdRfrrrlPekP%2fkfSiGi820PaIRsUvE%3d)%2fz445nnecaiiqye55asxwtm55",
			"/4d2f1a7c(BMoYc06Iz4zYHvdRfrrrlPekP/kfSiGi820PaIRsUvE=)/z445nnecaiiqye55asxwtm55"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := wire.AppendKey(nil, []byte(c.target)); string(got) != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if strings.HasPrefix(c.target, "//") {
				return // what follows would not begin with it
			}
			// The same at every place within words of eight bytes, behind what dst has, and with more behind.
			for n := 1; n < 20; n++ {
				run := strings.Repeat("a", n)
				got := wire.AppendKey([]byte("dst"), []byte(run+c.target+"/"+run))
				if want := "dst" + run + c.want + "/" + run; string(got) != want {
					t.Errorf("behind %d bytes: got %q, want %q", n, got, want)
				}
			}
		})
	}
}

func TestAppendKeyKeepsDst(t *testing.T) {
	backing := []byte("before....................................behind")
	dst := backing[: 6 : len(backing)-6]
	got := wire.AppendKey(dst, []byte("%2fa%2fb"))
	if string(got) != "before/a/b" || &got[0] != &backing[0] {
		t.Errorf("got %q, in place: %v", got, &got[0] == &backing[0])
	}
	if !bytes.HasSuffix(backing, []byte("behind")) {
		t.Errorf("bytes beyond the capacity of dst were written: %q", backing)
	}
	in := []byte("%2fa%2fb")
	wire.AppendKey(nil, in)
	if string(in) != "%2fa%2fb" {
		t.Errorf("the target was written: %q", in)
	}
}

func TestAppendTarget(t *testing.T) {
	for _, c := range []struct{ name, key, want string }{
		{"§3.8 literals", "AZaz09-_.!*()", "AZaz09-_.!*()"},
		{"§3.8 space", "a b", "a+b"},
		{"§3.8 small hex", "/+=%", "%2f%2b%3d%25"},
		{"§3.8 what other encoders leave alone", "~'\"<>", "%7e%27%22%3c%3e"},
		{"§3.8 UTF-8", "\u00e9", "%c3%a9"},
		{"§3.8 any byte", "\x00\x7f\xff", "%00%7f%ff"},
		{"§3.8 two slashes", "//x", "%2f%2fx"},
		{"§3.9 under IIS", key, target},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := wire.AppendTarget([]byte("dst"), []byte(c.key))
			if string(got) != "dst"+c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if back := wire.AppendKey(nil, got[3:]); string(back) != c.key {
				t.Errorf("and back: got %q", back)
			}
		})
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if back := wire.AppendKey(nil, wire.AppendTarget(nil, all)); !bytes.Equal(back, all) {
		t.Errorf("all bytes and back: got %q", back)
	}
}
