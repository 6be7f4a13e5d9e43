package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"syscall"
	"time"
)

// alive finds out whether the node still serves: time goes on for the engine,
// and the state port takes in a connection for each event loop and notices
// that it has nothing to ask. So neither a request is made up nor a session
// looked for. It returns when that is certain, or when ctx ends.
func (n *node) alive(ctx context.Context) error {
	before := n.server.Ticks()
	for range n.eventLoops() {
		if err := knock(ctx, n.server.Addr()); err != nil {
			return fmt.Errorf("the state port: %w", err)
		}
	}
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for n.server.Ticks() == before {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return errors.New("time stands still for the engine")
		}
	}
	return nil
}

// eventLoops is how many lanes the state port has, as far as that is known.
func (n *node) eventLoops() int {
	if n.cfg.EventLoops > 0 {
		return int(n.cfg.EventLoops)
	}
	return max(1, runtime.GOMAXPROCS(0)/2)
}

// knock connects to the state port over a loopback address, says at once that
// nothing follows, and waits until the port has closed its side, too.
func knock(ctx context.Context, addr net.Addr) error {
	to, ok := addr.(*net.TCPAddr)
	if !ok {
		return nil // there is no other kind
	}
	d := net.Dialer{}
	loopback, any4 := net.IPv4(127, 0, 0, 1), to.IP.To4() != nil
	if !any4 {
		loopback = net.IPv6loopback
	}
	target := *to
	switch {
	case to.IP.IsUnspecified():
		target.IP = loopback
	case !to.IP.IsLoopback():
		d.LocalAddr = &net.TCPAddr{IP: loopback} // a client from the machine's own address may be outside allow
	}
	nc, err := d.DialContext(ctx, "tcp", target.String())
	for _, shortage := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, shortage) {
			return nil // Out of descriptors, or of outgoing ports: those who are connected are served, and a restart would cost them their sessions.
		}
	}
	if err != nil {
		return err
	}
	defer func() { _ = nc.Close() }() // nothing was said
	if end, ok := ctx.Deadline(); ok {
		_ = nc.SetDeadline(end) // the read fails then
	}
	if c, ok := nc.(*net.TCPConn); ok {
		_ = c.CloseWrite() // the port may have closed it already: there are max_connections
	}
	if _, err := nc.Read(make([]byte, 1)); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		return err
	}
	return nil
}
