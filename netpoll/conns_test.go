package netpoll

import (
	"errors"
	"log/slog"
	"net"
	"testing"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// TestMaxConns: one connection too many is closed, and is not one too many any more when another has gone.
func TestMaxConns(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		const most = 5
		var log logged
		s, _ := start(t, Options{Transport: transport, MaxConns: most, Logger: slog.New(slog.NewTextHandler(&log, nil))}, engine.Options{})
		var all []*client
		for range most {
			c := dial(t, s)
			ask(t, c, getReq("/none"), wire.StatusNotFound)
			all = append(all, c)
		}
		for range 3 {
			check(t, dial(t, s).closed())
		}
		for _, c := range all {
			ask(t, c, getReq("/none"), wire.StatusNotFound)
		}
		all[0].close()
		eventually(t, "the closed connection is gone", func() bool { return s.Stats().Connections == most-1 })
		ask(t, dial(t, s), getReq("/none"), wire.StatusNotFound)
		if st := s.Stats(); st.Closed["policy"] != 3 || st.Opened != most+1 || st.MaxConnections != most {
			t.Errorf("%d turned away, %d opened, at most %d; want 3, %d, %d", st.Closed["policy"], st.Opened, st.MaxConnections, most+1, most)
		}
		if n := log.count("too_many_connections"); n != 1 {
			t.Errorf("%d lines, want one for all", n)
		}
	})
}

// TestListenerFault: when the listener ends and nobody asked for it, that is reported, and the connections that are there live on.
func TestListenerFault(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		e, err := engine.New(engine.Options{}, engine.Time{})
		check(t, err)
		starting.Lock()
		s, err := Listen(Options{Addr: "127.0.0.1:0", Transport: transport}, e)
		starting.Unlock()
		check(t, err)
		c, err := connect(s)
		check(t, err)
		defer c.close()
		ask(t, c, getReq("/none"), wire.StatusNotFound)
		check(t, s.listener.Close())
		if err := <-s.Err(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v, want %v", err, net.ErrClosed)
		}
		ask(t, c, getReq("/none"), wire.StatusNotFound)
		c.close()
		if err := stop(s, patience); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v, want %v", err, net.ErrClosed)
		}
	})
}

// TestIPv6: the address family makes no difference.
func TestIPv6(t *testing.T) {
	if ln, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("this system has no IPv6 loopback")
	} else {
		check(t, ln.Close())
	}
	transports(t, func(t *testing.T, transport string) {
		s, _ := start(t, Options{Transport: transport, Addr: "[::1]:0"}, engine.Options{})
		check(t, put(dial(t, s), "/a", []byte("x")))
	})
}
