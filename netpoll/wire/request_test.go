package wire_test

import (
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

func TestAppendRequest(t *testing.T) {
	const host = " /x HTTP/1.1\r\nHost: stateserver\r\n"
	for _, c := range []struct {
		name string
		r    wire.Request
		want string
	}{
		{"§4.9 Get", request(func(*wire.Request) {}), "GET" + host + "\r\n"},
		{"§4.9 acquire", request(func(r *wire.Request) { r.Exclusive = wire.Acquire }), "GET" + host + "Exclusive: acquire\r\n\r\n"},
		{"§4.9 release", request(func(r *wire.Request) { r.Exclusive, r.Cookie, r.HasCookie = wire.Release, 2, true }),
			"GET" + host + "Exclusive: release\r\nLockCookie: 2\r\n\r\n"},
		{"§4.9 Set", request(func(r *wire.Request) { r.Verb, r.ContentLength, r.Cookie, r.HasCookie = wire.Put, 7, 2, true }),
			"PUT" + host + "Timeout: 20\r\nContent-Length: 7\r\nExtraFlags: 0\r\nLockCookie: 2\r\n\r\n"},
		{"§4.9 create", request(func(r *wire.Request) { r.Verb, r.ContentLength, r.ExtraFlags, r.HasCookie = wire.Put, 7, 1, true }),
			"PUT" + host + "Timeout: 20\r\nContent-Length: 7\r\nExtraFlags: 1\r\nLockCookie: 0\r\n\r\n"},
		{"§4.9 Remove", request(func(r *wire.Request) { r.Verb, r.Cookie, r.HasCookie = wire.Delete, 2, true }),
			"DELETE" + host + "LockCookie: 2\r\n\r\n"},
		{"§4.9 Touch", request(func(r *wire.Request) { r.Verb = wire.Head }), "HEAD" + host + "\r\n"},
		{"§4.6 what a verb does not use", request(func(r *wire.Request) { r.Timeout, r.ExtraFlags, r.ContentLength = 0, -2147483648, 1 }),
			"GET" + host + "Timeout: 0\r\nContent-Length: 1\r\nExtraFlags: -2147483648\r\n\r\n"},
		{"§2.9 close", request(func(r *wire.Request) { r.Close = true }), "GET" + host + "Connection: close\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := string(wire.AppendRequest([]byte("dst"), &c.r))
			if got != "dst"+c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			accepts(t, c.want, c.r)
		})
	}
}

func TestAppendRequestWithoutVerb(t *testing.T) {
	for _, v := range []wire.Verb{0, 5, 255} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("verb %d did not panic", v)
				}
			}()
			wire.AppendRequest(nil, &wire.Request{Verb: v, Target: []byte("/x")})
		}()
	}
}
