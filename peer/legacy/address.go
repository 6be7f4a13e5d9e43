package legacy

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"
)

// resolveEvery is how often the names of originals are looked up again.
const resolveEvery = time.Minute

// addrPort reads the address of one side of a connection; it is not valid if it is none of TCP.
func addrPort(a net.Addr) netip.AddrPort {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Match reports whether connections from an address are some original's.
func (n *Net) Match(remote netip.Addr) bool { return len(n.candidates(remote)) > 0 }

// candidates are the peers whose host has an address.
func (n *Net) candidates(addr netip.Addr) []int { return (*n.byAddr.Load())[addr.Unmap()] }

// needsProof reports whether all of these peers authenticate.
func (n *Net) needsProof(candidates []int) bool {
	return !slices.ContainsFunc(candidates, func(i int) bool { return !n.peers[i].Authenticate })
}

// takeLiterals takes over the addresses that need no look-up, and reports whether there are peers with names.
func (n *Net) takeLiterals() (named bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.peers {
		h, _ := parseHost(p.Addr, 0) // validate has seen it
		if addr, err := netip.ParseAddr(h.name); err == nil {
			p.addrs = []netip.Addr{addr.Unmap()}
		} else {
			named = true
		}
	}
	n.index()
	return named
}

// index builds the table behind Match. Requires that mu is held.
func (n *Net) index() {
	m := map[netip.Addr][]int{}
	for i, p := range n.peers {
		for _, a := range p.addrs {
			m[a] = append(m[a], i)
		}
	}
	n.byAddr.Store(&m)
}

// resolve looks up names until the Net is closed.
func (n *Net) resolve() {
	for {
		for i := range n.peers {
			if _, err := n.lookup(n.ctx, i); err != nil {
				n.noteError(i, err)
			}
		}
		if !n.pause(resolveEvery) {
			return
		}
	}
}

// lookup finds the addresses of a peer. If the look-up fails, those of the last one stay.
func (n *Net) lookup(ctx context.Context, peer int) ([]netip.Addr, error) {
	p := n.peers[peer]
	h, _ := parseHost(p.Addr, 0)
	if addr, err := netip.ParseAddr(h.name); err == nil {
		return []netip.Addr{addr.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	found, err := n.opt.Lookup(ctx, h.name)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		for i := range found {
			found[i] = found[i].Unmap()
		}
		p.addrs = found
		n.index()
	}
	return p.addrs, err
}

// pause waits, and reports whether the Net is still open then.
func (n *Net) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-n.ctx.Done():
		return false
	}
}
