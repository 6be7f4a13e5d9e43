package netpoll

import (
	"net"
	"net/netip"
	"testing"
)

// TestMayConnect is §2.1: this machine, and the networks that are allowed.
func TestMayConnect(t *testing.T) {
	s := &Server{opt: Options{Allow: []netip.Prefix{
		netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("192.168.7.9/32"), netip.MustParsePrefix("2001:db8::/64"),
	}}}
	for addr, want := range map[string]bool{
		"127.0.0.1:1":            true,
		"127.200.3.4:1":          true,
		"[::1]:1":                true,
		"[::ffff:127.0.0.1]:1":   true,
		"10.1.0.0:1":             true,
		"10.1.255.255:65535":     true,
		"[::ffff:10.1.2.3]:1":    true,
		"10.2.0.0:1":             false,
		"10.0.255.255:1":         false,
		"192.168.7.9:1":          true,
		"192.168.7.8:1":          false,
		"[2001:db8::77]:1":       true,
		"[2001:db8::77%eth0]:1":  true,
		"[2001:db8:0:1::77]:1":   false,
		"[fe80::1%eth0]:1":       false,
		"0.0.0.0:1":              false,
		"[::]:1":                 false,
		"[::10.1.2.3]:1":         false,
		"[64:ff9b::10.1.2.3]:99": false,
	} {
		if got := s.mayConnect(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
	for _, addr := range []net.Addr{nil, &net.UnixAddr{Name: "/x"}, &net.TCPAddr{}, &net.TCPAddr{IP: net.IP{1}}} {
		if s.mayConnect(addr) {
			t.Errorf("%v may connect", addr)
		}
	}
	if (&Server{}).mayConnect(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}) {
		t.Error("without a list, another machine may connect")
	}
}
