package netpoll

import "golang.org/x/sys/unix"

// hungUp reports whether the other side has ended the connection, in one direction at least. The bytes that it sent before need not have been read.
func hungUp(fd int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}, 0) // resets and errors are reported unasked
	return err == nil && n > 0
}
