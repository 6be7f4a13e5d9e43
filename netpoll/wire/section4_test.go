package wire_test

import (
	"math"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

const (
	getLine = "GET /x HTTP/1.1\r\n"
	putLine = "PUT /x HTTP/1.1\r\nContent-Length: 4\r\n"
)

func TestOperations(t *testing.T) {
	const host = " " + target + " HTTP/1.1\r\nHost: stateserver\r\n"
	of := func(v wire.Verb, change func(r *wire.Request)) wire.Request {
		r := request(change)
		r.Verb, r.Target = v, []byte(target)
		return r
	}
	cookie := func(r *wire.Request, n int32) { r.Cookie, r.HasCookie = n, true }
	for _, c := range []struct {
		name, in string
		want     wire.Request
	}{
		{"§4.1 Get", "GET" + host + "\r\n", of(wire.Get, func(*wire.Request) {})},
		{"§4.1 acquire", "GET" + host + "Exclusive: acquire\r\n\r\n", of(wire.Get, func(r *wire.Request) { r.Exclusive = wire.Acquire })},
		{"§4.1 release", "GET" + host + "Exclusive: release\r\nLockCookie: 2\r\n\r\n", of(wire.Get, func(r *wire.Request) {
			r.Exclusive = wire.Release
			cookie(r, 2)
		})},
		{"§4.1 Set", "PUT" + host + "Timeout: 30\r\nContent-Length: 7\r\nExtraFlags: 0\r\nLockCookie: 2\r\n\r\n",
			of(wire.Put, func(r *wire.Request) {
				r.Timeout, r.ContentLength = 30, 7
				cookie(r, 2)
			})},
		{"§4.1 create", "PUT" + host + "Timeout: 20\r\nContent-Length: 7\r\nExtraFlags: 1\r\nLockCookie: 0\r\n\r\n",
			of(wire.Put, func(r *wire.Request) {
				r.ContentLength, r.ExtraFlags = 7, 1
				cookie(r, 0)
			})},
		{"§4.1 Remove", "DELETE" + host + "LockCookie: 2\r\n\r\n", of(wire.Delete, func(r *wire.Request) { cookie(r, 2) })},
		{"§4.1 Touch", "HEAD" + host + "\r\n", of(wire.Head, func(*wire.Request) {})},
		{"§4.6 headers that a verb does not use", "HEAD" + host + "Exclusive: release\r\nTimeout: 0\r\nLockCookie: 0\r\nExtraFlags: 1\r\n\r\n",
			of(wire.Head, func(r *wire.Request) {
				r.Exclusive, r.Timeout, r.ExtraFlags = wire.Release, 0, 1
				cookie(r, 0)
			})},
	} {
		t.Run(c.name, func(t *testing.T) { accepts(t, c.in, c.want) })
	}
}

func TestHeaderLines(t *testing.T) {
	plain := request(func(*wire.Request) {})
	long := request(func(r *wire.Request) { r.Timeout = 35 })
	for _, c := range []struct {
		name, lines string
		want        wire.Request
	}{
		{"§4.2 none at all", "", plain},
		{"§4.2 small letters", "timeout: 35\r\n", long},
		{"§4.2 capitals", "TIMEOUT: 35\r\n", long},
		{"§4.2 mixed", "tImEoUt: 35\r\n", long},
		{"§4.2 no blank behind the colon", "Timeout:35\r\n", long},
		{"§4.2 blanks around the value", "Timeout: \t 35 \t \r\n", long},
		{"§4.2 TAB only", "Timeout:\t35\r\n", long},
		{"§4.2 a blank behind the value", "Timeout: 35 \r\n", long},
		{"§4.2 empty value", "X-Empty:\r\n", plain},
		{"§4.2 blank value", "X-Empty:  \t\r\n", plain},
		{"§4.2 a name of one byte", "x:1\r\n", plain},
		{"§4.2 every byte that a name may have", "!\"#$%&'()*+,-./09;<=>?@AZ[\\]^_`az{|}~: 1\r\n", plain},
		{"§4.2 colons in a value", "Host: h:42424\r\n", plain},
		{"§4.2 bytes from 0x80 up in a value", "X: \x80\xe9\xff\r\n", plain},
		{"§4.2 a TAB in a value", "X: a\tb\r\n", plain},
		{"§4.2 a known name with more behind it", "Timeouts: x\r\nLockCookies: x\r\nContent-Lengths: x\r\n", plain},
		{"§4.2 a known name with more before it", "X-Timeout: x\r\nXLockCookie: x\r\n", plain},
		{"§4.2 a known name with another hyphen", "Content_Length: x\r\nContentLength: x\r\nTransfer_Encoding: x\r\n", plain},
		{"§4.2 a beginning of a known name", "Content-: x\r\nLockCook: x\r\nTransfer-Encodin: x\r\nExtraFla: x\r\nT: x\r\n", plain},
		{"§4.2 @ and ` are no letters", "@imeout: x\r\nLock`ookie: x\r\n", plain},
		{"§4.3 the last Timeout counts", "Timeout: 20\r\nTimeout: 35\r\n", long},
		{"§4.3 however they are spelled", "Timeout: 0000000020\r\ntimeout:35\r\n", long},
		{"§4.5 Timeout absent", "", plain},
		{"§4.6 unknown headers", "User-Agent: curl/8\r\nAccept: */*\r\nTimeout: 35\r\nExpect: 100-continue\r\n", long},
		{"§4.8 Lock-Cookie is unknown", "Lock-Cookie: 2\r\nLock-Cookie: x\r\n", plain},
	} {
		t.Run(c.name, func(t *testing.T) { accepts(t, getLine+c.lines+"\r\n", c.want) })
	}
	for _, c := range []struct{ name, line string }{
		{"§4.2 no colon", "nonsense"},
		{"§4.2 a known name without a colon", "Timeout"},
		{"§4.2 empty name", ": y"},
		{"§4.2 a colon alone", ":"},
		{"§4.2 blank before the colon", "Timeout : 30"},
		{"§4.2 TAB before the colon", "Timeout\t: 30"},
		{"§4.2 blank in the name", "Time out: 30"},
		{"§4.2 folded line", " folded"},
		{"§4.2 folded line with a TAB", "\tfolded: x"},
		{"§4.2 a blank line", " "},
		{"§4.2 byte from 0x80 up in the name", "Hos\xf4: h"},
		{"§4.2 the letter that Unicode folds to k", "Loc\u212aCookie: 1"},
	} {
		for _, place := range []string{"", "Host: h\r\n"} {
			t.Run(c.name, func(t *testing.T) { refuses(t, getLine+place+c.line+"\r\n\r\n", wire.BadHeader) })
		}
		t.Run(c.name+", then a good one", func(t *testing.T) { refuses(t, getLine+c.line+"\r\nHost: h\r\n\r\n", wire.BadHeader) })
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        int32
	}{
		{"§4.4 one digit", "7", 7},
		{"§4.4 zero", "0", 0},
		{"§4.4 plus", "+35", 35},
		{"§4.4 minus zero is zero", "-0", 0},
		{"§4.4 plus zero", "+0", 0},
		{"§4.4 leading zeros", "0000035", 35},
		{"§4.4 nine digits", "000000035", 35},
		{"§4.4 ten digits", "0000000035", 35},
		{"§4.4 a thousand leading zeros", strings.Repeat("0", 1000) + "35", 35},
		{"§4.4 a sign and leading zeros", "+" + strings.Repeat("0", 100) + "35", 35},
		{"§4.4 zeros only", strings.Repeat("0", 100), 0},
		{"§4.5 Timeout, lowest", "0", 0},
		{"§4.5 Timeout, highest", "525600", 525600},
	} {
		t.Run(c.name, func(t *testing.T) {
			accepts(t, getLine+"Timeout: "+c.value+"\r\n\r\n", request(func(r *wire.Request) { r.Timeout = c.want }))
		})
	}
	numbers := []string{"Timeout", "LockCookie", "ExtraFlags", "Content-Length"}
	for _, c := range []struct{ name, value string }{
		{"§4.4 empty", ""},
		{"§4.4 blanks only", " \t "},
		{"§4.4 a word", "abc"},
		{"§4.4 a sign alone", "+"},
		{"§4.4 minus alone", "-"},
		{"§4.4 two signs", "+-5"},
		{"§4.4 plus twice", "++5"},
		{"§4.4 a blank behind the sign", "- 5"},
		{"§4.4 a sign behind", "5-"},
		{"§4.4 fraction", "20.5"},
		{"§4.4 hexadecimal", "0x14"},
		{"§4.4 exponent", "2e1"},
		{"§4.4 digits and a letter", "4x"},
		{"§4.4 a blank between digits", "2 0"},
		{"§4.4 a TAB between digits", "2\t0"},
		{"§4.4 underscore", "2_0"},
		{"§4.4 a list", "20,20"},
		{"§4.4 digits of another script", "\u0662"},
		{"§4.4 the byte behind 9", ":"},
		{"§4.4 the byte before 0", "/"},
	} {
		for _, header := range numbers {
			for _, verb := range []string{"GET", "PUT", "HEAD", "DELETE"} {
				t.Run(c.name+" in "+header+" of "+verb, func(t *testing.T) {
					refuses(t, verb+" /x HTTP/1.1\r\n"+header+": "+c.value+"\r\nContent-Length: 1\r\n\r\n", wire.BadNumber)
				})
			}
		}
	}
}

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		name, line string
		change     func(r *wire.Request)
	}{
		{"§4.5 LockCookie 0 is a cookie", "LockCookie: 0", func(r *wire.Request) { r.HasCookie = true }},
		{"§4.5 LockCookie, highest", "LockCookie: 2147483646", func(r *wire.Request) { r.Cookie, r.HasCookie = 2147483646, true }},
		{"§4.5 ExtraFlags, highest", "ExtraFlags: 2147483647", func(r *wire.Request) { r.ExtraFlags = math.MaxInt32 }},
		{"§4.5 ExtraFlags, lowest", "ExtraFlags: -2147483648", func(r *wire.Request) { r.ExtraFlags = math.MinInt32 }},
		{"§4.5 ExtraFlags -1 is absent", "ExtraFlags: -1", func(*wire.Request) {}},
		{"§4.5 §4.3 ExtraFlags -1 behind 1 is absent", "ExtraFlags: 1\r\nExtraFlags: -1", func(*wire.Request) {}},
		{"§4.5 ExtraFlags -3 has bit 0", "ExtraFlags: -3", func(r *wire.Request) { r.ExtraFlags = -3 }},
		{"§4.5 ExtraFlags -2 has not", "ExtraFlags: -2", func(r *wire.Request) { r.ExtraFlags = -2 }},
		{"§4.6 Content-Length 0 on GET", "Content-Length: 0", func(*wire.Request) {}},
		{"§4.7 a body on GET", "Content-Length: 163", func(r *wire.Request) { r.ContentLength = 163 }},
		{"§4.5 Exclusive, acquire", "Exclusive: acquire", func(r *wire.Request) { r.Exclusive = wire.Acquire }},
		{"§4.5 Exclusive, as an example of MS-ASP has it", "Exclusive: Acquire", func(r *wire.Request) { r.Exclusive = wire.Acquire }},
		{"§4.5 Exclusive, capitals", "EXCLUSIVE: RELEASE", func(r *wire.Request) { r.Exclusive = wire.Release }},
		{"§4.5 Exclusive with blanks", "Exclusive:  \tacquire \t", func(r *wire.Request) { r.Exclusive = wire.Acquire }},
		{"§4.3 the last Exclusive", "Exclusive: release\r\nExclusive: acquire", func(r *wire.Request) { r.Exclusive = wire.Acquire }},
		{"§4.3 the last LockCookie", "LockCookie: 7\r\nLockCookie: 0", func(r *wire.Request) { r.HasCookie = true }},
	} {
		t.Run(c.name, func(t *testing.T) { accepts(t, getLine+c.line+"\r\n\r\n", request(c.change)) })
	}
	for _, c := range []struct {
		name, line string
		want       wire.Fault
	}{
		{"§4.5 Timeout, one below", "Timeout: -1", wire.BadNumber},
		{"§4.5 Timeout, one above", "Timeout: 525601", wire.BadNumber},
		{"§4.4 Timeout, 2^32 + 20", "Timeout: 4294967316", wire.BadNumber},
		{"§4.4 Timeout, 2^64 + 20", "Timeout: 18446744073709551636", wire.BadNumber},
		{"§4.4 Timeout, digits beyond 64 bits", "Timeout: 9" + strings.Repeat("0", 400), wire.BadNumber},
		{"§4.5 LockCookie, one below", "LockCookie: -1", wire.BadNumber},
		{"§4.5 LockCookie, one above", "LockCookie: 2147483647", wire.BadNumber},
		{"§4.4 LockCookie, 2^32 + 2", "LockCookie: 4294967298", wire.BadNumber},
		{"§4.4 LockCookie, 2^64 + 2", "LockCookie: 18446744073709551618", wire.BadNumber},
		{"§4.4 LockCookie, digits beyond 64 bits", "LockCookie: 99999999999999999999", wire.BadNumber},
		{"§4.4 LockCookie, minus 2^64", "LockCookie: -18446744073709551616", wire.BadNumber},
		{"§4.5 ExtraFlags, one above", "ExtraFlags: 2147483648", wire.BadNumber},
		{"§4.5 ExtraFlags, one below", "ExtraFlags: -2147483649", wire.BadNumber},
		{"§4.4 ExtraFlags, 2^32", "ExtraFlags: 4294967296", wire.BadNumber},
		{"§4.4 ExtraFlags, minus 2^64 - 1", "ExtraFlags: -18446744073709551617", wire.BadNumber},
		{"§4.5 Content-Length -1", "Content-Length: -1", wire.BadNumber},
		{"§4.4 Content-Length, minus 2^64", "Content-Length: -18446744073709551616", wire.BadNumber},
		{"§4.3 an earlier one is checked too", "Timeout: x\r\nTimeout: 20", wire.BadNumber},
		{"§4.3 a later one is checked too", "Timeout: 20\r\nTimeout: x", wire.BadNumber},
		{"§4.5 Exclusive, unknown value", "Exclusive: maybe", wire.BadExclusive},
		{"§4.5 Exclusive, two words", "Exclusive: acquire, release", wire.BadExclusive},
		{"§4.5 Exclusive, empty", "Exclusive:", wire.BadExclusive},
		{"§4.5 Exclusive, a number", "Exclusive: 1", wire.BadExclusive},
		{"§4.5 Exclusive, a beginning", "Exclusive: acquir", wire.BadExclusive},
		{"§4.5 Exclusive, the letter that Unicode folds to s", "Exclusive: relea\u017fe", wire.BadExclusive},
		{"§4.3 an earlier Exclusive is checked too", "Exclusive: maybe\r\nExclusive: acquire", wire.BadExclusive},
		{"§4.7 chunked", "Transfer-Encoding: chunked", wire.Chunked},
		{"§4.7 identity", "transfer-encoding: identity", wire.Chunked},
		{"§4.7 a number", "Transfer-Encoding: 0", wire.Chunked},
		{"§4.7 Transfer-Encoding without a value", "TRANSFER-ENCODING:", wire.Chunked},
	} {
		for _, verb := range []string{"GET", "PUT", "HEAD", "DELETE"} {
			t.Run(c.name+" on "+verb, func(t *testing.T) {
				refuses(t, verb+" /x HTTP/1.1\r\nHost: h\r\n"+c.line+"\r\nContent-Length: 1\r\n\r\n", c.want)
			})
		}
	}
}

func TestBodies(t *testing.T) {
	for _, c := range []struct{ name, in string }{
		{"§4.7 PUT without Content-Length", "PUT /x HTTP/1.1\r\nTimeout: 20\r\n\r\n"},
		{"§4.7 PUT with Content-Length 0", "PUT /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n"},
		{"§4.7 PUT with Content-Length -0", "PUT /x HTTP/1.1\r\nContent-Length: -0\r\n\r\n"},
		{"§4.3 PUT whose last Content-Length is 0", putLine + "Content-Length: 0\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) { refuses(t, c.in, wire.MissingBody) })
	}
	put := func(n int) wire.Request {
		return request(func(r *wire.Request) { r.Verb, r.ContentLength = wire.Put, n })
	}
	for _, c := range []struct {
		name, in string
		want     wire.Request
	}{
		{"§4.7 one byte", "PUT /x HTTP/1.1\r\nContent-Length: 1\r\n\r\n", put(1)},
		{"§4.3 the last Content-Length counts", putLine + "Content-Length: 6\r\n\r\n", put(6)},
		{"§4.3 the last Content-Length counts, 0 before it", "PUT /x HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 6\r\n\r\n", put(6)},
		{"§4.6 PUT with Exclusive", putLine + "Exclusive: acquire\r\n\r\n",
			request(func(r *wire.Request) { r.Verb, r.ContentLength, r.Exclusive = wire.Put, 4, wire.Acquire })},
	} {
		t.Run(c.name, func(t *testing.T) { accepts(t, c.in, c.want) })
	}
}
