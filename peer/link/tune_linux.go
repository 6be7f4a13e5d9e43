package link

import (
	"net"

	"golang.org/x/sys/unix"
)

// tune keeps the kernel from taking more than it can send: what it has taken cannot be overtaken any more, and a query would wait behind it. Fails if the
// connection is closed, which others notice. TCP_NODELAY is on already.
func tune(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	rc, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = rc.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, PartSize)
	})
}
