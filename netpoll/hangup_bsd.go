//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package netpoll

import (
	"errors"

	"golang.org/x/sys/unix"
)

// hungUp reports whether the other side has ended the connection, in one direction at least. It cannot see an end that comes behind bytes which have not
// been read.
func hungUp(fd int) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return n == 0 && err == nil || err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
}
