package netpoll

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxClients is how many addresses get a number: as many as there are numbers. The memory of all of them is about 10 MB, and only those in allow get one.
	maxClients = 1<<16 - 1
	// maxRefused is how many addresses that allow keeps out are remembered: the latest.
	maxRefused = 256
)

// clients are the addresses that have come to the state port. A web server has many connections and few addresses: these are interned, so that
// a request can say with two bytes where it comes from.
type clients struct {
	mu sync.Mutex

	// Guarded by mu.

	numbers map[netip.Addr]uint16
	known   []*visitor // by number; the first is nil
	refused map[netip.Addr]*refused
}

// visitor is one address. It is never forgotten: its number may stand in a session.
type visitor struct {
	addr   netip.Addr
	number uint16
	open   atomic.Int64 // connections
	opened atomic.Int64
	last   atomic.Int64 // unix nanoseconds: when a connection was opened or closed
}

// refused is an address that allow has kept out.
type refused struct {
	times int64
	last  time.Time
}

// ClientStats is what is known of one address.
type ClientStats struct {
	Addr netip.Addr // without a zone
	// Number is what tickets call it, 1 to 65535; 0 if it has none, because it was kept out each time.
	Number uint16
	// Connections are open now, Opened have been since the start.
	Connections int64
	Opened      int64
	// Refused is how often it was kept out because it is in none of the allowed networks. Only the latest 256 such addresses are remembered.
	Refused int64
	// LastSeen is when a connection of it was last opened, closed or refused. It may send requests all the time without one.
	LastSeen time.Time
}

// enter notes a connection of a client and returns whose it is; nil if all numbers are given away.
func (t *clients) enter(addr netip.Addr, now time.Time) *visitor {
	addr = addr.WithZone("")
	t.mu.Lock()
	defer t.mu.Unlock()
	var c *visitor
	if n, ok := t.numbers[addr]; ok {
		c = t.known[n]
	} else {
		if t.numbers == nil {
			t.numbers, t.known = map[netip.Addr]uint16{}, []*visitor{nil}
		}
		if len(t.known) > maxClients {
			return nil
		}
		c = &visitor{addr: addr, number: uint16(len(t.known))}
		t.known = append(t.known, c)
		t.numbers[addr] = c.number
	}
	c.open.Add(1)
	c.opened.Add(1)
	c.last.Store(now.UnixNano())
	return c
}

// leave notes the end of a connection. Does nothing for nil.
func (c *visitor) leave(now time.Time) {
	if c != nil {
		c.open.Add(-1)
		c.last.Store(now.UnixNano())
	}
}

// refuse notes that an address was kept out.
func (t *clients) refuse(addr netip.Addr, now time.Time) {
	addr = addr.WithZone("")
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.refused[addr]
	if r == nil {
		if t.refused == nil {
			t.refused = map[netip.Addr]*refused{}
		}
		if len(t.refused) >= maxRefused {
			t.forgetLocked()
		}
		r = new(refused)
		t.refused[addr] = r
	}
	r.times++
	r.last = now
}

// forgetLocked makes room for another refused address: the one that was seen longest ago goes.
func (t *clients) forgetLocked() {
	var oldest netip.Addr
	for addr, r := range t.refused {
		if o := t.refused[oldest]; o == nil || r.last.Before(o.last) {
			oldest = addr
		}
	}
	delete(t.refused, oldest)
}

// addr is the address of a number; the zero value if it has not been given away.
func (t *clients) addr(n uint16) netip.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n == 0 || int(n) >= len(t.known) {
		return netip.Addr{}
	}
	return t.known[n].addr
}

// all describes all addresses: those with a number by number, then the others, the latest first.
func (t *clients) all() []ClientStats {
	t.mu.Lock()
	known := slices.Clone(t.known)
	kept := make(map[netip.Addr]refused, len(t.refused))
	for addr, r := range t.refused {
		kept[addr] = *r
	}
	t.mu.Unlock()
	list := make([]ClientStats, 0, len(known)+len(kept))
	for _, c := range known {
		if c == nil {
			continue
		}
		list = append(list, ClientStats{Addr: c.addr, Number: c.number, Connections: c.open.Load(), Opened: c.opened.Load(), LastSeen: time.Unix(0, c.last.Load())})
	}
	rest := len(list)
	for addr, r := range kept {
		list = append(list, ClientStats{Addr: addr, Refused: r.times, LastSeen: r.last})
	}
	slices.SortFunc(list[rest:], func(a, b ClientStats) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), a.Addr.Compare(b.Addr))
	})
	return list
}

// ClientAddr is the address that a ticket's Client stands for; the zero value if there is none with this number.
func (s *Server) ClientAddr(n uint16) netip.Addr { return s.clients.addr(n) }

// Clients describes the addresses that have come to the state port: at most 65535 that were let in, in the order in which they came first, then at
// most 256 that were kept out.
func (s *Server) Clients() []ClientStats { return s.clients.all() }
