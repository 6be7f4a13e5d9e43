package netpoll

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// TestHalfClose: when a client ends its sending side, what was complete is executed and answered, what was not is forgotten (§2.10).
func TestHalfClose(t *testing.T) {
	overLoops(t, func(t *testing.T, opt Options) {
		s, e := start(t, opt, engine.Options{})
		check(t, put(dial(t, s), "/a", pattern("a", 3000)))
		for round := range 200 {
			c, err := connect(s)
			check(t, err)
			n := round % 8 // many more of one session would queue, and what has to wait may be lost
			all := append(bytes.Repeat(getReq("/a"), n), putReq(fmt.Sprint("/half", round), []byte("x"))...)
			all = append(all, putReq("/never", make([]byte, 100<<10))[:round%2*1000]...)
			check(t, c.send(all))
			check(t, c.nc.CloseWrite())
			for range n + 1 {
				expect(t, c, wire.StatusOK)
			}
			check(t, c.closed())
			c.close()
		}
		if n := e.Stats().Sessions; n != 201 {
			t.Errorf("%d sessions, want 201", n)
		}
		eventually(t, "the connections are counted", func() bool { return s.Stats().Truncated == 100 && s.Stats().Closed["client"] == 200 })
	})
}
