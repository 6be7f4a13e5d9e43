package fuzz

import (
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// FuzzAnswerRoundTrip checks that parse(append(x)) == x for every answer x, less the fields that its status does not carry, with a
// bare status line and with HTTP's, and that nothing of the output is left over.
func FuzzAnswerRoundTrip(f *testing.F) {
	f.Add(uint8(0), true, false, false, uint32(0), uint32(0), int64(0), int64(0), uint32(0), false)
	f.Add(uint8(1), true, true, true, uint32(2), uint32(20), int64(0), int64(0), uint32(7), false)
	f.Add(uint8(1), false, false, true, uint32(0), uint32(525600), int64(0), int64(0), uint32(64<<20), true)
	f.Add(uint8(2), false, false, false, uint32(0), uint32(0), int64(0), int64(0), uint32(0), true)
	f.Add(uint8(3), false, true, false, uint32(1<<31-2), uint32(0), int64(638409078000000000), int64(3), uint32(9), false)
	f.Fuzz(func(t *testing.T, status uint8, flag, hasCookie, hasTimeout bool, cookie, timeout uint32, date, age int64, length uint32, http bool) {
		x := wire.Answer{
			Status: wire.Status(status % 4), ActionFlags: flag, HasCookie: hasCookie, HasTimeout: hasTimeout,
			Cookie: cookie % (1<<31 - 1), Timeout: timeout % 525601,
			LockDate: int64(uint64(date) % 3155378976000000000), LockAge: age % 315537897600,
			ContentLength: int(length % (64<<20 + 1)),
		}
		format, err := wire.NewFormat("4.0.30319", http)
		if err != nil {
			t.Fatal(err)
		}
		out := format.AppendHead(nil, &x)
		var back wire.Answer
		n, fault := wire.ParseAnswer(append(out, 0), limits(1023), &back)
		if want := carried(x); n != len(out) || fault != wire.OK || back != want {
			t.Fatalf("%q\nis read as %d, %v, %+v\nwant %d, %+v", out, n, fault, back, len(out), want)
		}
	})
}

// carried returns what of x reaches a client. See docs/protocol.md §5.5.
func carried(x wire.Answer) wire.Answer {
	y := wire.Answer{Status: x.Status}
	switch x.Status {
	case wire.StatusOK:
		y.ActionFlags, y.HasCookie, y.HasTimeout, y.ContentLength = x.ActionFlags, x.HasCookie, x.HasTimeout, x.ContentLength
		if x.HasCookie {
			y.Cookie = x.Cookie
		}
		if x.HasTimeout {
			y.Timeout = x.Timeout
		}
	case wire.StatusBadRequest:
		y.ActionFlags = x.ActionFlags
	case wire.StatusLocked:
		y.LockDate, y.LockAge, y.Cookie, y.HasCookie = x.LockDate, x.LockAge, x.Cookie, true
	}
	return y
}
