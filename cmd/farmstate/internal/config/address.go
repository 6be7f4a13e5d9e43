package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// hostOf reads the host of HOST:PORT, and sees to it that all of it is right.
// The host is empty (every address of this machine), an IP address, or a name
// that is looked up at the start; the port is a number from 0 to 65535.
func hostOf(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", addressAdvice(text)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("has the port %q, which is not a number from 0 to 65535", port)
	}
	if host == "" || isName(host) {
		return host, nil
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return "", fmt.Errorf("has the host %q, which is neither an IP address nor a host name", host)
	}
	return host, nil
}

// addressAdvice says what is missing in a text that is not HOST:PORT.
func addressAdvice(text string) error {
	if _, err := strconv.ParseUint(text, 10, 16); err == nil {
		return fmt.Errorf("has no host; write 127.0.0.1:%s, or :%s for every address of this machine", text, text)
	}
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return fmt.Errorf("has no port; write %s", net.JoinHostPort(addr.String(), "PORT"))
	}
	if isName(text) {
		return fmt.Errorf("has no port; write %s:PORT", text)
	}
	return errors.New("is not HOST:PORT")
}

// isName reports whether host can be a host name; a dotted number that is not
// an address, such as 127.0.0.256, cannot.
func isName(host string) bool {
	if host == "" || len(host) > 253 || strings.Trim(host, "0123456789.") == "" {
		return false
	}
	for _, r := range host {
		ok := r == '-' || r == '.' || r == '_' ||
			r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !ok {
			return false
		}
	}
	return true
}

func parseListen(text string) (string, error) {
	if _, err := hostOf(text); err != nil {
		return "", err
	}
	return text, nil
}

// offWord switches a listener off, as an empty value does.
const offWord = "off"

func parseListenOrOff(text string) (string, error) {
	if text == "" || text == offWord {
		return "", nil
	}
	return parseListen(text)
}

func formatListenOrOff(addr string) string {
	if addr == "" {
		return offWord
	}
	return addr
}

// Exposed reports whether a listener on addr can be reached from other
// machines, as far as the text tells: a name other than localhost is not
// judged here, since it has to be looked up. Requires an addr that its option
// accepted.
func Exposed(addr string) bool {
	host, err := hostOf(addr)
	if err != nil || strings.EqualFold(host, "localhost") {
		return false
	}
	if host == "" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && !ip.Unmap().IsLoopback()
}
