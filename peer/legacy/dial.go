package legacy

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"
)

// Dialling live links. The original's fixed 30 s are long when a node has only been restarted. See docs/peer-protocol.md §8.1.
const (
	dialTimeout = 5 * time.Second
	firstRetry  = 250 * time.Millisecond
	lastRetry   = 30 * time.Second
	settled     = 10 * time.Second // a link that has lived so long was a good one
)

// keep dials the live link of a peer again and again until the Net is closed.
func (n *Net) keep(peer int) {
	delay := firstRetry
	for {
		up, refused := n.runLink(peer)
		switch {
		case refused: // trying again soon will not help
			delay = lastRetry
		case up >= settled:
			delay = firstRetry
		}
		if !n.pause(delay*3/4 + rand.N(delay/2)) {
			return
		}
		delay = min(2*delay, lastRetry)
	}
}

// runLink dials the live link of a peer and waits for its end. It returns how long it was live, and whether the peer did not want us.
func (n *Net) runLink(peer int) (up time.Duration, refused bool) {
	c, err := n.dialPeer(peer)
	if err == nil {
		c.mu.Lock()
		c.pingAt, c.limit, c.limitEnd = time.Now(), time.Now().Add(authTimeout), endNoPing
		c.mu.Unlock()
		err = n.adopt(c)
	}
	if err != nil {
		n.noteError(peer, err)
		return 0, errors.Is(err, errRefused) || errors.Is(err, errUnproved) || errors.Is(err, errReflected)
	}
	begun := time.Now()
	<-c.done
	c.mu.Lock()
	live, why := c.live, c.why
	c.mu.Unlock()
	if !live {
		n.noteError(peer, errors.New("the link ended before it was live: "+endNames[why]))
		return 0, why == endNoPing
	}
	return time.Since(begun), false
}

// noteError keeps why a peer could not be dialled, for Peers, and logs that it could not.
func (n *Net) noteError(peer int, err error) {
	if n.ctx.Err() != nil {
		return
	}
	n.mu.Lock()
	n.peers[peer].lastError = err.Error()
	linked := len(n.peers[peer].links) > 0
	n.mu.Unlock()
	var op *net.OpError
	if !linked && errors.As(err, &op) {
		n.warn(peer, textUnreachable, "event", "original_unreachable", "error", err)
	}
}

// dialPeer connects to a peer's peer port, and authenticates if it is to be.
func (n *Net) dialPeer(peer int) (*conn, error) {
	addrs, err := n.lookup(n.ctx, peer)
	if len(addrs) == 0 {
		if err == nil {
			err = errHost
		}
		return nil, err
	}
	h, _ := parseHost(n.peers[peer].Addr, 0) // validate has seen it
	ctx, cancel := context.WithTimeout(n.ctx, dialTimeout)
	defer cancel()
	var c *conn
	for _, addr := range addrs {
		if c, err = n.connect(ctx, netip.AddrPortFrom(addr, h.port), peer); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return c, n.prepare(c, time.Now().Add(authTimeout))
}

// connect opens a connection to a peer or for a delivery in the mode of that peer.
func (n *Net) connect(ctx context.Context, to netip.AddrPort, peer int) (*conn, error) {
	nc, err := n.opt.Dial(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	c := n.newConn(nc, nil, []int{peer})
	c.dialled = true
	return c, nil
}

// prepare authenticates a connection that has just been dialled, if its peer's mode asks for it. It closes the connection if that fails, also
// because the Net is closed meanwhile.
func (n *Net) prepare(c *conn, by time.Time) error {
	p := n.peers[c.peer]
	if !p.Authenticate {
		return nil
	}
	stop := context.AfterFunc(n.ctx, func() { _ = c.nc.Close() }) // reading and writing fail then
	defer stop()
	err := c.authenticate(p, by)
	if err != nil {
		if n.ctx.Err() == nil {
			c.end(n.authFailed(c.peer, err))
		} else {
			c.end(endShutdown)
		}
	}
	return err
}

var errClosed = errors.New("this node stops")

// adopt starts a connection that has been dialled.
func (n *Net) adopt(c *conn) error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		c.end(endShutdown)
		return errClosed
	}
	n.start(c)
	n.mu.Unlock()
	return nil
}
