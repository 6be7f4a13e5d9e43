package admin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// hostAllowed reports whether a Host header names this node. A browser can be
// led to send requests to this address under a name that its owner points
// here (DNS rebinding), and hands the answers to the page under that name; it
// cannot be led to do so under an IP address, localhost, or a name that the
// attacker does not own. A browser always sends one; a health check may not.
func hostAllowed(header string, names []string) bool {
	if header == "" {
		return true
	}
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	for _, name := range names {
		if strings.EqualFold(host, name) {
			return true
		}
	}
	return false
}

// checkHost refuses requests whose Host header names another host.
func checkHost(names []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hostAllowed(r.Host, names) {
			http.Error(w, "The Host header names another host. Use the IP address of this node, localhost, the name of the machine, or the name in the option admin.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
