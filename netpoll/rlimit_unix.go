//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package netpoll

import "golang.org/x/sys/unix"

// otherDescriptors is how many descriptors the process keeps for all but clients: listeners, event loops, admin connections, peers, files.
const otherDescriptors = 64

// connLimit is the number of connections, at most want, for which the process has descriptors. The Go runtime has raised the soft limit to the hard
// one already.
func connLimit(want int) int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return want
	}
	have := int64(min(uint64(r.Cur), 1<<40)) //nolint:unconvert // signed on some systems
	free := have - otherDescriptors
	if have < 2*otherDescriptors {
		free = have / 2
	}
	return int(max(1, min(int64(want), free)))
}
