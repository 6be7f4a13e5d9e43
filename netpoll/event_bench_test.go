package netpoll

import (
	"testing"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// BenchmarkEvent is what a request costs between the transport's read and its write: everything but the system calls.
func BenchmarkEvent(b *testing.B) {
	target := wire.AppendTarget(nil, []byte("/LM/W3SVC/1/ROOT(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)/z445nnecaiiqye55asxwtm55"))
	body := make([]byte, 1<<10)
	put := append(wire.AppendRequest(nil, &wire.Request{Verb: wire.Put, Target: target, ContentLength: len(body), Timeout: 20, HasCookie: true}), body...)
	get := wire.AppendRequest(nil, &wire.Request{Verb: wire.Get, Target: target, Timeout: 20})
	for name, req := range map[string][]byte{"get": get, "put": put} {
		b.Run("request="+name, func(b *testing.B) {
			s, _ := fakeServer(b, Options{}, engine.Options{})
			c, f := fakeConn(b, s, newLane(s, 0))
			f.keep = false
			f.handle(put)
			b.ReportAllocs()
			for b.Loop() {
				f.in = append(f.in[:0], req...)
				f.event()
			}
			_ = c
		})
	}
}
