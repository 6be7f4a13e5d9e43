package wire_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// target is one of docs/protocol.md §3.9, and key what it stands for.
const (
	target = "%2fLM%2fW3SVC%2f1%2fROOT(cAHkmVhipCLv%2fQnONQmPsKL%2bq%2fAjnK%2fnYS9aV3Zlad8%3d)%2fz445nnecaiiqye55asxwtm55"
	key    = "/LM/W3SVC/1/ROOT(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)/z445nnecaiiqye55asxwtm55"
)

// usual are the limits of a server where nothing is configured.
var usual = wire.Limits{MaxHead: 16384, MaxBody: 64 << 20}

// request returns the request "GET /x" with some fields changed.
func request(change func(r *wire.Request)) wire.Request {
	r := wire.Request{Verb: wire.Get, Target: []byte("/x"), Timeout: 20}
	change(&r)
	return r
}

// used is a Request that an earlier head has filled; nothing of it may stay.
var used = wire.Request{
	Verb: wire.Delete, Exclusive: wire.Release, Target: []byte("/used"), ContentLength: 99, Timeout: 99, ExtraFlags: 99,
	Cookie: 99, HasCookie: true, Close: true,
}

// accepts checks that in is a good head with these fields: in one piece, followed by other bytes, and at the end of every sequence
// of calls that byte-by-byte delivery makes. Every strict prefix must be short.
func accepts(t *testing.T, in string, want wire.Request) {
	t.Helper()
	allShort(t, in)
	for _, behind := range []string{"", "\r\n", "\x00\x00\xff", "\nGET /y HTTP/1.1\r\n\r\n"} {
		for _, seen := range []int{0, 1, len(in) / 2, len(in) - 1} {
			r := used
			n, f := wire.ParseHead([]byte(in+behind), seen, &usual, &r)
			if n != len(in) || f != wire.OK {
				t.Fatalf("seen %d, followed by %q: got %d, %v, want %d", seen, behind, n, f, len(in))
			}
			if !reflect.DeepEqual(r, want) {
				t.Fatalf("seen %d, followed by %q:\ngot  %+v\nwant %+v", seen, behind, r, want)
			}
		}
	}
}

// refuses checks that the last byte of in, and none before it, makes it malformed, however it is delivered, whatever follows.
func refuses(t *testing.T, in string, want wire.Fault) {
	t.Helper()
	allShort(t, in)
	for _, behind := range []string{"", "\r\n\r\n", "\x00", "\n", "\r\nGET /y HTTP/1.1\r\n\r\n"} {
		for _, seen := range []int{0, 1, len(in) / 2, len(in) - 1} {
			var r wire.Request
			if n, f := wire.ParseHead([]byte(in+behind), seen, &usual, &r); n != 0 || f != want {
				t.Fatalf("seen %d, followed by %q: got %d, %v, want 0, %v", seen, behind, n, f, want)
			}
		}
	}
}

// allShort checks that every strict prefix of in is short, for the first call and for one that continues. Of a long input it takes
// those near both ends and some between.
func allShort(t *testing.T, in string) {
	t.Helper()
	var r wire.Request
	for i := range len(in) {
		if i > 200 && i < len(in)-200 && i%61 != 0 {
			continue
		}
		for _, seen := range []int{0, i / 2, i - 1, i} {
			if n, f := wire.ParseHead([]byte(in[:i]), seen, &usual, &r); n != 0 || f != wire.Short {
				t.Fatalf("first %d bytes, seen %d: got %d, %v, want short; they end with %q", i, seen, n, f, in[max(0, i-40):i])
			}
		}
	}
}

// padded returns a good head of n bytes.
func padded(n int) string {
	const before, after = "GET /x HTTP/1.1\r\nX-Pad: ", "\r\n\r\n"
	return before + strings.Repeat("a", n-len(before)-len(after)) + after
}
