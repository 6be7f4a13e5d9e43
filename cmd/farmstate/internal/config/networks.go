package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// parseNetworks reads networks such as 10.1.0.0/16 and single addresses. A
// text may hold several with commas between them.
func parseNetworks(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			p, err := ParseNetwork(strings.TrimSpace(part))
			if err != nil {
				return nil, fmt.Errorf("%s %w", show(part), err)
			}
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// ParseNetwork reads a network such as 10.1.0.0/16, or a single address. The error says what is wrong and what to write, but not the text itself.
func ParseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		if addr.Zone() != "" {
			return netip.Prefix{}, errors.New("has a zone; write the address without it")
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, errors.New("is neither a network nor an IP address")
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, errors.New("is wider than IPv4; write an IPv4 or an IPv6 network")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if masked := p.Masked(); masked != p {
		return netip.Prefix{}, fmt.Errorf("names one address inside the network; write %s for the network or %s for the address", masked, p.Addr())
	}
	return p, nil
}

// formatNetworks is the inverse of parseNetworks.
func formatNetworks(nets []netip.Prefix) []string {
	out := make([]string, len(nets))
	for i, p := range nets {
		if p.IsSingleIP() {
			out[i] = p.Addr().String()
		} else {
			out[i] = p.String()
		}
	}
	return out
}

// Allows reports whether a client at addr may connect: one on this machine
// that used a loopback address always may, anyone else only from a listed
// network.
func Allows(nets []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if addr.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(addr) })
}
