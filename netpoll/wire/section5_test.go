package wire_test

import (
	"math"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// answers has every outcome of §5.5 and the bytes that it must have.
var answers = []struct {
	name   string
	answer wire.Answer
	want   string
}{
	{"§5.8 Get", wire.Answer{Status: wire.StatusOK, HasTimeout: true, Timeout: 20, ContentLength: 7},
		"200 OK\r\nX-AspNet-Version: 4.0.30319\r\nTimeout: 20\r\nCache-Control: private\r\nContent-Length: 7\r\n\r\n"},
	{"§5.8 acquire", wire.Answer{Status: wire.StatusOK, HasTimeout: true, Timeout: 20, HasCookie: true, Cookie: 2, ContentLength: 7},
		"200 OK\r\nX-AspNet-Version: 4.0.30319\r\nLockCookie: 2\r\nTimeout: 20\r\nCache-Control: private\r\nContent-Length: 7\r\n\r\n"},
	{"§5.8 first acquire",
		wire.Answer{Status: wire.StatusOK, ActionFlags: true, HasTimeout: true, Timeout: 20, HasCookie: true, Cookie: 2, ContentLength: 7},
		"200 OK\r\nX-AspNet-Version: 4.0.30319\r\nActionFlags: 1\r\nLockCookie: 2\r\nTimeout: 20\r\n" +
			"Cache-Control: private\r\nContent-Length: 7\r\n\r\n"},
	{"§5.5 first Get", wire.Answer{Status: wire.StatusOK, ActionFlags: true, HasTimeout: true, Timeout: 525600, ContentLength: 64 << 20},
		"200 OK\r\nX-AspNet-Version: 4.0.30319\r\nActionFlags: 1\r\nTimeout: 525600\r\n" +
			"Cache-Control: private\r\nContent-Length: 67108864\r\n\r\n"},
	{"§5.5 Timeout 0", wire.Answer{Status: wire.StatusOK, HasTimeout: true, ContentLength: 1},
		"200 OK\r\nX-AspNet-Version: 4.0.30319\r\nTimeout: 0\r\nCache-Control: private\r\nContent-Length: 1\r\n\r\n"},
	{"§5.5 the highest cookie", wire.Answer{Status: wire.StatusOK, HasTimeout: true, HasCookie: true, Cookie: 2147483646, ContentLength: 1},
		"200 OK\r\nX-AspNet-Version: 4.0.30319\r\nLockCookie: 2147483646\r\nTimeout: 0\r\nCache-Control: private\r\nContent-Length: 1\r\n\r\n"},
	{"§5.8 Set", wire.Answer{Status: wire.StatusOK},
		"200 OK\r\nX-AspNet-Version: 4.0.30319\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"},
	{"§5.5 release of an uninitialised item", wire.Answer{Status: wire.StatusOK, ActionFlags: true},
		"200 OK\r\nX-AspNet-Version: 4.0.30319\r\nActionFlags: 1\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"},
	{"§5.5 release without a cookie", wire.Answer{Status: wire.StatusBadRequest, ActionFlags: true},
		"400 Bad Request\r\nX-AspNet-Version: 4.0.30319\r\nActionFlags: 1\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"},
	{"§5.8 refused", wire.Answer{Status: wire.StatusBadRequest},
		"400 Bad Request\r\nX-AspNet-Version: 4.0.30319\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"},
	{"§5.8 missing", wire.Answer{Status: wire.StatusNotFound},
		"404 Not Found\r\nX-AspNet-Version: 4.0.30319\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"},
	{"§5.8 locked", wire.Answer{Status: wire.StatusLocked, LockDate: 638409078000000000, LockAge: 3, HasCookie: true, Cookie: 2},
		"423 Locked\r\nX-AspNet-Version: 4.0.30319\r\nLockDate: 638409078000000000\r\nLockAge: 3\r\nLockCookie: 2\r\n" +
			"Cache-Control: private\r\nContent-Length: 0\r\n\r\n"},
	{"§5.6 no leading zeros", wire.Answer{Status: wire.StatusLocked, HasCookie: true},
		"423 Locked\r\nX-AspNet-Version: 4.0.30319\r\nLockDate: 0\r\nLockAge: 0\r\nLockCookie: 0\r\n" +
			"Cache-Control: private\r\nContent-Length: 0\r\n\r\n"},
}

func formats(t testing.TB) (bare, http *wire.Format) {
	bare, err := wire.NewFormat("4.0.30319", false)
	if err != nil {
		t.Fatal(err)
	}
	if http, err = wire.NewFormat("4.0.30319", true); err != nil {
		t.Fatal(err)
	}
	return bare, http
}

func TestAppendHead(t *testing.T) {
	bare, http := formats(t)
	for _, c := range answers {
		t.Run(c.name, func(t *testing.T) {
			if got := string(bare.AppendHead([]byte("dst"), &c.answer)); got != "dst"+c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if got := string(http.AppendHead(nil, &c.answer)); got != "HTTP/1.1 "+c.want {
				t.Errorf("§5.2 got  %q\nwant %q", got, "HTTP/1.1 "+c.want)
			}
			var back wire.Answer
			for _, in := range []string{c.want, "HTTP/1.1 " + c.want, "HTTP/1.0 " + c.want} {
				if n, f := wire.ParseAnswer([]byte(in+"body"), &usual, &back); n != len(in) || f != wire.OK || back != c.answer {
					t.Errorf("read back from %q: %d, %v, %+v, want %+v", in, n, f, back, c.answer)
				}
				for i := range len(in) {
					if n, f := wire.ParseAnswer([]byte(in[:i]), &usual, &back); n != 0 || f != wire.Short {
						t.Errorf("first %d bytes of %q: %d, %v, want short", i, in, n, f)
					}
				}
			}
		})
	}
}

func TestAppendHeadLeavesOut(t *testing.T) {
	full := wire.Answer{ActionFlags: true, HasCookie: true, HasTimeout: true, Cookie: 7, Timeout: 20, LockDate: 1, LockAge: 2, ContentLength: 9}
	bare, _ := formats(t)
	for _, c := range []struct {
		name   string
		status wire.Status
		want   string
	}{
		{"§5.5 404 has no headers of an outcome", wire.StatusNotFound,
			"404 Not Found\r\nX-AspNet-Version: 4.0.30319\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"},
		{"§5.7 423 has no body and no flag", wire.StatusLocked,
			"423 Locked\r\nX-AspNet-Version: 4.0.30319\r\nLockDate: 1\r\nLockAge: 2\r\nLockCookie: 7\r\n" +
				"Cache-Control: private\r\nContent-Length: 0\r\n\r\n"},
		{"§5.7 400 has no body", wire.StatusBadRequest,
			"400 Bad Request\r\nX-AspNet-Version: 4.0.30319\r\nActionFlags: 1\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"},
		{"§6.5 a status that does not exist is no success", 200,
			"400 Bad Request\r\nX-AspNet-Version: 4.0.30319\r\nActionFlags: 1\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			full.Status = c.status
			if got := string(bare.AppendHead(nil, &full)); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
	t.Run("§6.5 the zero Answer is a refusal", func(t *testing.T) {
		if got := string(bare.AppendHead(nil, &wire.Answer{})); !strings.HasPrefix(got, "400 ") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("§5.5 content without headers", func(t *testing.T) {
		got := string(bare.AppendHead(nil, &wire.Answer{Status: wire.StatusOK, ContentLength: 5}))
		if want := "200 OK\r\nX-AspNet-Version: 4.0.30319\r\nCache-Control: private\r\nContent-Length: 5\r\n\r\n"; got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
	t.Run("§5.5 a cookie without a timeout", func(t *testing.T) {
		got := string(bare.AppendHead(nil, &wire.Answer{Status: wire.StatusOK, HasCookie: true, Cookie: 9, ContentLength: 5}))
		if want := "200 OK\r\nX-AspNet-Version: 4.0.30319\r\nLockCookie: 9\r\nCache-Control: private\r\nContent-Length: 5\r\n\r\n"; got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

func TestNewFormat(t *testing.T) {
	for _, v := range []string{"4.0.30319", "2.0.50727", "2", "10.0", "4.7.3930.0", "2147483647.0"} {
		f, err := wire.NewFormat(v, false)
		if err != nil {
			t.Errorf("§5.4 %q is refused: %v", v, err)
			continue
		}
		if got, want := string(f.AppendHead(nil, &wire.Answer{})), "\r\nX-AspNet-Version: "+v+"\r\n"; !strings.Contains(got, want) {
			t.Errorf("§5.4 %q: got %q", v, got)
		}
	}
	for _, v := range []string{
		"", "1", "1.1.4322", "0.0", "01.0", "-2.0", "+2.0", " 2.0", "2.0 ", "2.", ".2", "2..0", "v2.0", "two", "2.0\r\n", "2\r\nX: 1.0",
		"2.x", "2147483648.0", "4.0_30319", "0x4.0", "\u0664.0",
	} {
		if f, err := wire.NewFormat(v, false); err == nil || f != nil {
			t.Errorf("§5.4 %q is accepted", v)
		}
	}
}

func TestParseAnswer(t *testing.T) {
	locked := func(change func(a *wire.Answer)) wire.Answer {
		a := wire.Answer{Status: wire.StatusLocked}
		change(&a)
		return a
	}
	for _, c := range []struct {
		name, in string
		want     wire.Answer
	}{
		{"§5.2 no text behind the number", "404\r\nContent-Length: 0\r\n\r\n", wire.Answer{Status: wire.StatusNotFound}},
		{"§5.2 another text", "200 Fine, thanks\r\nContent-Length: 0\r\n\r\n", wire.Answer{Status: wire.StatusOK}},
		{"§5.3 another order and spelling", "HTTP/1.1 423 Locked\r\ncontent-length:0\r\nLOCKAGE:\t3 \r\nLockCookie: +2\r\nServer: x\r\n\r\n",
			locked(func(a *wire.Answer) { a.LockAge, a.Cookie, a.HasCookie = 3, 2, true })},
		{"§5.6 the highest date, the lowest age", "423 Locked\r\nLockDate: 3155378975999999999\r\nLockAge: -315537897599\r\nContent-Length: 0\r\n\r\n",
			locked(func(a *wire.Answer) { a.LockDate, a.LockAge = 3155378975999999999, -315537897599 })},
		{"§5.7 a server that sends bodies with errors", "400 Bad Request\r\nContent-Length: 589\r\n\r\n",
			wire.Answer{Status: wire.StatusBadRequest, ContentLength: 589}},
		{"§5.6 ActionFlags 0", "200 OK\r\nActionFlags: 0\r\nContent-Length: 0\r\n\r\n", wire.Answer{Status: wire.StatusOK}},
		{"headers of requests mean nothing", "200 OK\r\nExtraFlags: x\r\nExclusive: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
			wire.Answer{Status: wire.StatusOK}},
		{"§4.3 the last one counts", "200 OK\r\nTimeout: 1\r\nTimeout: 2\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
			wire.Answer{Status: wire.StatusOK, HasTimeout: true, Timeout: 2, ContentLength: 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := wire.Answer{ // what an earlier answer has left
				Status: wire.StatusLocked, ActionFlags: true, HasCookie: true, HasTimeout: true, Cookie: 9, Timeout: 9,
				LockDate: 9, LockAge: 9, ContentLength: 9,
			}
			if n, f := wire.ParseAnswer([]byte(c.in+"\x00"), &usual, &got); n != len(c.in) || f != wire.OK || got != c.want {
				t.Errorf("got %d, %v, %+v, want %+v", n, f, got, c.want)
			}
		})
	}
	const ok = "200 OK\r\n"
	const length = "Content-Length: 0\r\n\r\n"
	for _, c := range []struct {
		name, in string
		want     wire.Fault
	}{
		{"empty first line", "\r\n", wire.BadRequestLine},
		{"unknown status", "500 Oops\r\n" + length, wire.BadRequestLine},
		{"another version", "HTTP/2 200 OK\r\n" + length, wire.BadRequestLine},
		{"prefix without status", "HTTP/1.1 \r\n" + length, wire.BadRequestLine},
		{"longer number", "2000 OK\r\n" + length, wire.BadRequestLine},
		{"a request", "GET /x HTTP/1.1\r\n" + length, wire.BadRequestLine},
		{"no length", ok + "Timeout: 20\r\n\r\n", wire.MissingBody},
		{"length too large", ok + "Content-Length: 67108865\r\n\r\n", wire.BodyTooLarge},
		{"length below 0", ok + "Content-Length: -1\r\n\r\n", wire.BadNumber},
		{"timeout too large", ok + "Timeout: 525601\r\n" + length, wire.BadNumber},
		{"cookie too large", ok + "LockCookie: 2147483647\r\n" + length, wire.BadNumber},
		{"flags", ok + "ActionFlags: 2\r\n" + length, wire.BadNumber},
		{"date below 0", ok + "LockDate: -1\r\n" + length, wire.BadNumber},
		{"date after the year 9999", ok + "LockDate: 3155378976000000000\r\n" + length, wire.BadNumber},
		{"age above any", ok + "LockAge: 315537897600\r\n" + length, wire.BadNumber},
		{"no number", ok + "LockAge: 3s\r\n" + length, wire.BadNumber},
		{"chunked", ok + "Transfer-Encoding: chunked\r\n\r\n", wire.Chunked},
		{"no colon", ok + "nonsense\r\n" + length, wire.BadHeader},
		{"folded", ok + " x: y\r\n" + length, wire.BadHeader},
		{"bare LF", "200 OK\n", wire.BadByte},
		{"too long", padded(16385), wire.HeaderTooLarge},
	} {
		t.Run("malformed: "+c.name, func(t *testing.T) {
			var a wire.Answer
			if n, f := wire.ParseAnswer([]byte(c.in), &usual, &a); n != 0 || f != c.want {
				t.Errorf("got %d, %v, want %v", n, f, c.want)
			}
			for i := max(0, len(c.in)-200); i < len(c.in); i++ {
				if n, f := wire.ParseAnswer([]byte(c.in[:i]), &usual, &a); n != 0 || f != wire.Short {
					t.Errorf("first %d bytes: got %d, %v, want short", i, n, f)
				}
			}
		})
	}
}

func TestStatusNames(t *testing.T) {
	for s, want := range map[wire.Status]string{
		wire.StatusOK: "200 OK", wire.StatusBadRequest: "400 Bad Request",
		wire.StatusNotFound: "404 Not Found", wire.StatusLocked: "423 Locked", math.MaxUint8: "unknown",
	} {
		if got := s.String(); got != want {
			t.Errorf("§5.2 status %d is %q, want %q", s, got, want)
		}
	}
}
