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

// guardedListener closes connections that may not be: from elsewhere, or one
// too many.
type guardedListener struct {
	net.Listener
	allow  []netip.Prefix
	logger *slog.Logger
	slots  chan struct{} // holds one value for each open connection
}

// Accept returns the next connection that may be.
func (l *guardedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		reason := l.refusal(c)
		if reason == "" {
			return &slotConn{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
		}
		l.logger.Debug("a connection to the admin pages was refused", "event", "admin_refused", "client", c.RemoteAddr(), "reason", reason)
		_ = c.Close()
	}
}

// refusal is why c may not be; empty when it may, and then it has a slot.
func (l *guardedListener) refusal(c net.Conn) string {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok || !config.Allows(l.allow, tcp.AddrPort().Addr()) {
		return "its address is not in allow"
	}
	select {
	case l.slots <- struct{}{}:
		return ""
	default:
		return "too many connections"
	}
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
