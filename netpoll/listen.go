package netpoll

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// listen opens the state port. It shares the port with nobody: a second copy of the server must fail here instead of taking half of the sessions.
func listen(addr string) (*net.TCPListener, error) {
	lc := net.ListenConfig{Control: exclusive, KeepAlive: -1}
	ln, err := lc.Listen(context.Background(), Network(addr), addr)
	if err != nil {
		return nil, err
	}
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		_ = ln.Close()
		return nil, fmt.Errorf("listen on %s: not a TCP address", addr)
	}
	return tcp, nil
}

// Network is the network to listen on for addr: "tcp4" for an IPv4 address, so that 0.0.0.0 does not mean IPv6 as well, else "tcp".
func Network(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "tcp"
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return "tcp4"
	}
	return "tcp"
}
