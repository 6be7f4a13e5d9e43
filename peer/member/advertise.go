package member

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// lookUpTimeout bounds the look-up of one name.
const lookUpTimeout = 5 * time.Second

// lookUp is what a name stands for, now.
func lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, err
}

// resolve is what an address host:port stands for, now.
func (o *Options) resolve(ctx context.Context, addr string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, err
	}
	ips, err := o.lookUp(ctx, host)
	if err != nil {
		return nil, err
	}
	all := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		all[i] = netip.AddrPortFrom(ip, uint16(port))
	}
	return all, nil
}

// advertised is the address that other nodes are told, when gossip listens on local.
func (o *Options) advertised(local netip.AddrPort) (netip.AddrPort, error) {
	if o.Advertise != "" {
		found, err := o.resolve(context.Background(), o.Advertise)
		if err != nil || len(found) == 0 {
			return netip.AddrPort{}, fmt.Errorf("the advertised gossip address %s cannot be looked up: %w", o.Advertise, err)
		}
		return found[0], nil
	}
	if !local.Addr().IsUnspecified() {
		return local, nil
	}
	if ip, ok := o.outward(local.Addr()); ok {
		return netip.AddrPortFrom(ip, local.Port()), nil
	}
	return netip.AddrPort{}, fmt.Errorf("gossip listens on %s, and this machine has no address of its own that other nodes could be told; set gossip_advertise", local)
}

// outward is an address of this machine that others may reach: the one on the way to whom we join, or else the first of its interfaces.
func (o *Options) outward(local netip.Addr) (netip.Addr, bool) {
	fits := func(ip netip.Addr) bool {
		return ip.IsValid() && !ip.IsLoopback() && !ip.IsUnspecified() && (ip.Is4() || !local.Is4())
	}
	for _, addr := range o.Join {
		found, _ := o.resolve(context.Background(), addr) // it is tried again when it is joined
		for _, to := range found {
			if nc, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to)); err == nil { // sends nothing
				ip := nc.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone("")
				_ = nc.Close() // it was never used
				if fits(ip) {
					return ip, true
				}
			}
		}
	}
	own, _ := net.InterfaceAddrs() // without any there is none
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil && fits(p.Addr().Unmap()) && !p.Addr().IsLinkLocalUnicast() {
			return p.Addr().Unmap(), true
		}
	}
	return netip.Addr{}, false
}
