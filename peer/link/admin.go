package link

import "net"

// saysAdmin takes note of where the other side shows its admin pages. Called by the reader.
func (l *link) saysAdmin(addr string) {
	if known := l.admin.Load(); known == nil || *known != addr {
		l.admin.Store(&addr)
	}
}

// adminHere is where we show ours, as the other side may reach it: without a host of its own, at the address that this link comes from.
func (l *link) adminHere() string {
	addr := l.net.opt.Admin()
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host != "" {
		return addr
	}
	local, _, err := net.SplitHostPort(l.raw.LocalAddr().String())
	if err != nil {
		return ""
	}
	return net.JoinHostPort(local, port)
}
