package netpoll

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

func numbered(n int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 10<<24+uint32(n))
	return netip.AddrFrom4(b)
}

// TestClientNumbers: an address keeps its number, and when all are given away the others have none.
func TestClientNumbers(t *testing.T) {
	var table clients
	now := time.Unix(1000, 0)
	for round := range 2 {
		for n := 1; n <= maxClients; n++ {
			if c := table.enter(numbered(n), now); c == nil || int(c.number) != n {
				t.Fatalf("round %d: client %d is %+v", round, n, c)
			}
		}
		if c := table.enter(numbered(maxClients+1), now); c != nil {
			t.Fatalf("one too many got number %d", c.number)
		}
	}
	(*visitor)(nil).leave(now)
	if got := table.addr(maxClients); got != numbered(maxClients) {
		t.Errorf("the last is %v", got)
	}
	if table.addr(0).IsValid() {
		t.Error("0 is an address")
	}
	all := table.all()
	if len(all) != maxClients || all[0].Number != 1 || all[0].Connections != 2 || all[0].Opened != 2 || !all[0].LastSeen.Equal(now) {
		t.Errorf("%d, the first is %+v", len(all), all[0])
	}
}

// TestClientZones: an interface's name makes no other address.
func TestClientZones(t *testing.T) {
	var table clients
	a := table.enter(netip.MustParseAddr("fe80::1%eth0"), time.Unix(1, 0))
	if b := table.enter(netip.MustParseAddr("fe80::1%eth1"), time.Unix(2, 0)); a != b || a.addr.Zone() != "" {
		t.Errorf("%+v and %+v", a, b)
	}
}

// TestClientsRefused: of addresses that were kept out the latest are remembered, so that nobody is hidden by those that came earlier.
func TestClientsRefused(t *testing.T) {
	var table clients
	regular := numbered(0)
	for n := 1; n <= 3*maxRefused; n++ {
		table.refuse(regular, time.Unix(int64(n), 0))
		table.refuse(numbered(n), time.Unix(int64(n), 1))
	}
	all := table.all()
	if len(all) != maxRefused {
		t.Fatalf("%d are remembered", len(all))
	}
	if all[0].Addr != numbered(3*maxRefused) || all[1].Addr != regular || all[1].Refused != 3*maxRefused || all[1].Number != 0 {
		t.Errorf("the latest are %+v", all[:2])
	}
	if last := all[maxRefused-1]; last.Addr != numbered(2*maxRefused+2) {
		t.Errorf("the earliest of them is %+v", last)
	}
}

// TestRefusedIsNoted: who is kept out is counted and remembered.
func TestRefusedIsNoted(t *testing.T) {
	s, _ := fakeServer(t, Options{}, engine.Options{})
	s.noteRefused(numbered(7))
	s.noteRefused(numbered(7))
	if all := s.Clients(); len(all) != 1 || all[0].Addr != numbered(7) || all[0].Refused != 2 || s.Stats().Closed["policy"] != 2 {
		t.Errorf("%+v, %v", all, s.Stats().Closed)
	}
}

// TestClients: connections are counted for their address, open ones and past ones, and requests carry its number.
func TestClients(t *testing.T) {
	parallel(t)
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport}, engine.Options{})
		if len(s.Clients()) != 0 || s.ClientAddr(1).IsValid() {
			t.Fatal("somebody is there already")
		}
		before := time.Now()
		a, b := dial(t, s), dial(t, s)
		ask(t, a, putReq("/a", []byte("x")), wire.StatusOK)
		ask(t, b, acquireReq("/a"), wire.StatusOK)
		a.close()
		eventually(t, "one has gone", func() bool { return s.Clients()[0].Connections == 1 })
		all := s.Clients()
		c := all[0]
		if len(all) != 1 || c.Addr != netip.MustParseAddr("127.0.0.1") || c.Number != 1 || c.Opened != 2 || c.Refused != 0 || c.LastSeen.Before(before) || s.ClientAddr(1) != c.Addr {
			t.Errorf("%+v", all)
		}
		var view *engine.Survey
		eventually(t, "the sessions have been looked at", func() bool {
			view = e.Survey(s.Now())
			return view != nil && len(view.Locks) > 0
		})
		if view.Locks[0].Client != c.Number {
			t.Errorf("the lock is held by another: %+v", view.Locks)
		}
	})
}
