//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package netpoll

import (
	"context"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// onLoop runs a function on an event loop.
type onLoop func()

func (f onLoop) Run(context.Context) error { f(); return nil }

// TestGnetSocketOptions: the sockets that the event loops have got are without Nagle's algorithm, and with keep-alive, although gnet is told to leave
// both alone.
func TestGnetSocketOptions(t *testing.T) {
	s, _ := start(t, Options{Transport: TransportGnet, Loops: 1}, engine.Options{})
	c := dial(t, s)
	ask(t, c, getReq("/none"), wire.StatusNotFound)
	lane := (*s.transport.(*gnetTransport).view.Load())[0]
	got := make(chan [2]int, 1)
	check(t, lane.loop.Execute(t.Context(), onLoop(func() {
		var values [2]int
		for c := range lane.conns {
			fd := c.link.(*gnetLink).gc.Fd()
			values[0], _ = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
			values[1], _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		}
		got <- values
	})))
	if v := <-got; v[0] == 0 || v[1] == 0 {
		t.Errorf("TCP_NODELAY %d, SO_KEEPALIVE %d, want both", v[0], v[1])
	}
}
