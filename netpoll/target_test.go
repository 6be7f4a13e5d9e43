package netpoll

import (
	"bytes"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// TestTargetsInTurn: a connection that goes from session to session and back reaches the one that each target names, whatever the one before was:
// as long, longer by a byte, spelled in another way, very long.
func TestTargetsInTurn(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport, Loops: 1}, engine.Options{LockWait: longWait})
		long := strings.Repeat("x", 12<<10)
		names := []string{"/a", "/b", "/a", "/ab", "/aa", "/" + long + "1", "/" + long + "2", "/c%20d", "/c%21d", "/c", "/%2", "/%"}
		c, other := dial(t, s), dial(t, s)
		for _, name := range names {
			ask(t, c, putReq(name, []byte(name)), wire.StatusOK)
			ask(t, other, headReq("/zz"), wire.StatusNotFound) // on an event loop, into the same buffer
		}
		for _, name := range append(names, names...) {
			if a := ask(t, c, getReq(name), wire.StatusOK); string(a.body) != name {
				t.Fatalf("%q instead of %q", clip(a.body), clip([]byte(name)))
			}
		}
		if a := ask(t, c, getReq("/c+d"), wire.StatusOK); string(a.body) != "/c%20d" {
			t.Errorf("%v: the spelling of a space makes another session", a)
		}
		// In one piece, and with one that has to wait between the others.
		cookie := ask(t, other, acquireReq("/b"), wire.StatusOK).Cookie
		check(t, c.send(bytes.Join([][]byte{getReq("/a"), acquireReq("/b"), getReq("/a"), getReq("/c")}, nil)))
		eventually(t, "it waits", func() bool { return e.Stats().Waiting == 1 })
		ask(t, other, releaseReq("/b", cookie), wire.StatusOK)
		for _, want := range []string{"/a", "/b", "/a", "/c"} {
			if a := expect(t, c, wire.StatusOK); string(a.body) != want {
				t.Fatalf("%v instead of %q", a, want)
			}
		}
	})
}
