package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// peerForm is what is accepted as the address of another node.
const peerForm = "HOST:PORT, such as 10.1.0.7:42425 or web2:42425"

// parsePeer reads the address of a port on another node, or on this one as
// others see it: unlike the address of a listener it has a host and a port.
func parsePeer(text string) (string, error) {
	if _, err := strconv.ParseUint(text, 10, 16); err == nil {
		return "", fmt.Errorf("has no host; write HOST:%s", text)
	}
	host, err := hostOf(text)
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", err
	}
	if host == "" {
		return "", errors.New("has no host; write HOST" + text)
	}
	if strings.Trim(port, "0") == "" {
		return "", errors.New("has the port 0, where nothing can be reached")
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsUnspecified() {
		return "", fmt.Errorf("has the host %q, which is no address of one machine", host)
	}
	return text, nil
}

// parseOriginal reads the address of a peer-to-peer state server.
func parseOriginal(text string) (string, error) {
	if _, err := parsePeer(text); err != nil {
		return "", err
	}
	if addr, err := netip.ParseAddrPort(text); err == nil && !addr.Addr().Unmap().Is4() {
		return "", errors.New("is an IPv6 address, and the original knows IPv4 only")
	}
	return text, nil
}

// CheckOriginal reports what is wrong with text as the address of a legacy
// peer; nil if it is accepted.
func CheckOriginal(text string) error {
	if _, err := parseOriginal(text); err != nil {
		return fmt.Errorf("%s %w; accepted: %s", show(text), err, peerForm)
	}
	return nil
}

func parseAdvertise(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return parsePeer(text)
}

// sameAddress makes two spellings of one address equal, as far as the text
// tells.
func sameAddress(text string) string {
	if addr, err := netip.ParseAddrPort(text); err == nil {
		return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()).String()
	}
	return strings.ToLower(text)
}

// elsewhere reports whether the address of a peer is, or may be, that of
// another machine. A name other than localhost is taken for one: that is what
// names are for.
func elsewhere(addr string) bool {
	host, err := hostOf(addr)
	if err != nil || strings.EqualFold(host, "localhost") {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || !ip.Unmap().IsLoopback()
}

// peerList is the binding of a list of addresses of other nodes. A list
// replaces the whole list of a source of lower precedence.
type peerList struct {
	field func(*Config) *[]string
}

func (peerList) kind() kind      { return kindList }
func (peerList) accepts() string { return peerForm }

// set takes texts that may hold several addresses with commas between them.
func (p peerList) set(c *Config, texts []string) error {
	var list []string
	seen := make(map[string]bool)
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			addr, err := parsePeer(strings.TrimSpace(part))
			if err != nil {
				return fmt.Errorf("%s %w", show(part), err)
			}
			if same := sameAddress(addr); !seen[same] {
				seen[same] = true
				list = append(list, addr)
			}
		}
	}
	*p.field(c) = list
	return nil
}

func (p peerList) get(c *Config) []string {
	return slices.Clone(*p.field(c))
}
