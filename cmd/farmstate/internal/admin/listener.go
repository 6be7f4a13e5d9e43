package admin

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// maxConnections to the admin pages at one time. It bounds what a client that
// opens connections and says nothing can take.
const maxConnections = 256

// maxOfOne is how many of them one address may have, so that no client shuts out the load balancer, whose check would fail. This machine's own addresses share
// theirs among dashboards, commands and whatever runs here.
const maxOfOne = 64

// guardedListener closes connections that may not be: from elsewhere, or one
// too many.
type guardedListener struct {
	net.Listener
	allow  []netip.Prefix
	logger *slog.Logger
	slots  chan struct{} // holds one value for each open connection

	mu sync.Mutex
	of map[netip.Addr]int // open connections by address. Guarded by mu
}

// Accept returns the next connection that may be.
func (l *guardedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, reason := l.admit(c)
		if reason == "" {
			return &slotConn{Conn: c, free: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		l.logger.Debug("a connection to the admin pages was refused", "event", "admin_refused", "client", c.RemoteAddr(), "reason", reason)
		_ = c.Close()
	}
}

// admit returns where c comes from, and why it may not be; empty when it may, and then it has a slot.
func (l *guardedListener) admit(c net.Conn) (from netip.Addr, refusal string) {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok || !config.Allows(l.allow, tcp.AddrPort().Addr()) {
		return from, "its address is not in allow"
	}
	from = tcp.AddrPort().Addr().Unmap().WithZone("")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[from] >= maxOfOne {
		return from, "too many connections of this address"
	}
	select {
	case l.slots <- struct{}{}:
	default:
		return from, "too many connections"
	}
	if l.of == nil {
		l.of = map[netip.Addr]int{}
	}
	l.of[from]++
	return from, ""
}

// leave gives back what a connection from there had.
func (l *guardedListener) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[from]--; l.of[from] == 0 {
		delete(l.of, from)
	}
	<-l.slots
}

// slotConn gives its slot back when it is closed.
type slotConn struct {
	net.Conn
	free func()
}

// Close closes the connection. It may be called more than once.
func (c *slotConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
