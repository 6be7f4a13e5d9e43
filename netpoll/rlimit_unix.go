//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package netpoll

import "golang.org/x/sys/unix"

// connLimit is the number of connections, at most want, for which the process has descriptors besides the others that it needs. The Go runtime has raised the soft limit to the hard
// one already.
func connLimit(want, others int) int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return want
	}
	have := int64(min(uint64(r.Cur), 1<<40)) //nolint:unconvert // signed on some systems
	free := have - int64(others)
	if have < 2*int64(others) {
		free = have / 2
	}
	return int(max(1, min(int64(want), free)))
}
