package legacy

import (
	"context"
	"errors"
	"net/netip"
	"sync"
)

// phoneBook has one address for all names, or an error if it is empty.
type phoneBook struct {
	mu   sync.Mutex
	addr string
}

func (b *phoneBook) set(addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addr = addr
}

func (b *phoneBook) lookup(context.Context, string) ([]netip.Addr, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.addr == "" {
		return nil, errors.New("no such host")
	}
	return []netip.Addr{netip.MustParseAddr(b.addr)}, nil
}

func mustAddr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
