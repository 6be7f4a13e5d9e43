package admin

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// maxConnections to the admin pages at one time. It bounds what a client that
// opens connections and says nothing can take.
const maxConnections = 256

// maxOfOne is how many of them one address may have, so that no client shuts out the load balancer, whose check would fail. This machine's own addresses share
// theirs among dashboards, commands and whatever runs here.
const maxOfOne = 64

// guardedListener closes connections that may not be: from elsewhere, or one too many. Where there is one too many, it is not the new one that goes, but one that waits
// for a request, or for the rest of one, or else one that takes long to be answered: otherwise whoever opens connections and says nothing, or does not read what is
// answered, would shut out those who have something to ask.
type guardedListener struct {
	net.Listener
	allow  []netip.Prefix
	logger *slog.Logger
	most   int // connections at one time

	mu      sync.Mutex
	open    int
	of      map[netip.Addr]int // open connections by address. Guarded by mu, as all of these
	waiting []*slotConn        // those of which no request is being answered, the one that has waited longest first
	busy    []*slotConn        // those of which one is, likewise; without those that follow events, which take their time
	crowded crowding
}

// Accept returns the next connection that may be.
func (l *guardedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		admitted, reason := l.admit(c)
		if reason == "" {
			return admitted, nil
		}
		l.logger.Debug("a connection to the admin pages was refused", "event", "admin_refused", "client", c.RemoteAddr(), "reason", reason)
		_ = c.Close()
	}
}

// admit gives c a slot, or says why it may not be.
func (l *guardedListener) admit(c net.Conn) (admitted *slotConn, refusal string) {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok || !config.Allows(l.allow, tcp.AddrPort().Addr()) {
		return nil, "its address is not in allow"
	}
	admitted = &slotConn{Conn: c, listener: l, from: tcp.AddrPort().Addr().Unmap().WithZone("")}
	limit, closed := l.place(admitted)
	if limit > 0 {
		l.tell(limit, admitted)
	}
	switch {
	case closed != nil:
		_ = closed.Conn.Close() // its client hears of it
	case limit > 0:
		return nil, "too many connections"
	}
	return admitted, ""
}

// place gives a connection a slot. Where all are taken it returns the limit that is reached, and the connection that has lost its own for that, which the caller
// closes; none if all follow events: then there is no slot.
func (l *guardedListener) place(c *slotConn) (limit int, closed *slotConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.of[c.from] >= maxOfOne:
		limit, closed = maxOfOne, l.oldest(func(w *slotConn) bool { return w.from == c.from })
	case l.open >= l.most:
		limit, closed = l.most, l.oldest(func(*slotConn) bool { return true })
	}
	if limit > 0 && closed == nil {
		return limit, nil
	}
	if closed != nil {
		l.leave(closed)
	}
	if l.of == nil {
		l.of = map[netip.Addr]int{}
	}
	l.open++
	l.of[c.from]++
	l.waiting = append(l.waiting, c)
	return limit, closed
}

// oldest is the connection that has to go first of those that may; nil if there is none.
func (l *guardedListener) oldest(may func(*slotConn) bool) *slotConn {
	for _, list := range [][]*slotConn{l.waiting, l.busy} {
		if i := slices.IndexFunc(list, may); i >= 0 {
			return list[i]
		}
	}
	return nil
}

// tell tells the operator now and then that a limit is reached: whoever opens all those connections can do so all the time.
func (l *guardedListener) tell(limit int, c *slotConn) {
	l.mu.Lock()
	hidden, due := l.crowded.pass(time.Now())
	l.mu.Unlock()
	if due {
		l.logger.Warn("the admin pages have as many connections as they may: for each new one, the one that has waited longest without a whole request is closed, or else the one whose answer takes longest. See who opens so many",
			"event", "admin_crowded", "client", c.from, "limit", limit, "not_logged", hidden)
	}
}

// leave gives back what a connection had, once. mu is held.
func (l *guardedListener) leave(c *slotConn) {
	if c.gone {
		return
	}
	c.gone = true
	l.waiting, l.busy = without(l.waiting, c), without(l.busy, c)
	l.open--
	if l.of[c.from]--; l.of[c.from] == 0 {
		delete(l.of, c.from)
	}
}

func without(list []*slotConn, c *slotConn) []*slotConn {
	if i := slices.Index(list, c); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// crowdedSpan is how long nothing is said of further connections that had to go.
const crowdedSpan = 10 * time.Second

// crowding tells how often connections had to go.
type crowding struct {
	next   time.Time // before which nothing is said
	hidden int
}

// pass reports whether a line is due, and how many went without since the last one.
func (c *crowding) pass(now time.Time) (hidden int, due bool) {
	if now.Before(c.next) {
		c.hidden++
		return 0, false
	}
	hidden, c.hidden, c.next = c.hidden, 0, now.Add(crowdedSpan)
	return hidden, true
}

// slotConn gives its slot back when it is closed.
type slotConn struct {
	net.Conn
	listener *guardedListener
	from     netip.Addr
	gone     bool // it has no slot any more. Guarded by the listener's mu
}

// Close closes the connection. It may be called more than once.
func (c *slotConn) Close() error {
	c.listener.mu.Lock()
	c.listener.leave(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// begin is called when the whole head of a request is there: until end, the connection waits no more. It reports whether it has been closed to make room.
func (c *slotConn) begin() (gone bool) {
	l := c.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.gone {
		l.waiting, l.busy = without(l.waiting, c), append(l.busy, c)
	}
	return c.gone
}

// hold is called between begin and end when the answer takes as long as the client likes: then it is no reason to close the connection.
func (c *slotConn) hold() {
	l := c.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = without(l.busy, c)
}

func (c *slotConn) end() {
	l := c.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.gone {
		l.waiting, l.busy = append(l.waiting, c), without(l.busy, c)
	}
}

// connKey is where the context of a request has its slotConn.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connOf is the connection of a request; nil in tests without one.
func connOf(r *http.Request) *slotConn {
	c, _ := r.Context().Value(connKey{}).(*slotConn)
	return c
}

// keepConn keeps the connection of a request while it is answered. An action for a client who would not hear of it is not carried out. A body is nothing to wait
// for: without Connection: close the server would read it before it begins to answer.
func keepConn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connOf(r); c != nil {
			if c.begin() {
				panic(http.ErrAbortHandler) // closes the connection, and says nothing
			}
			defer c.end()
		}
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
