//go:build unix

package machine

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// Files returns how many descriptors this process has open and how many it may have; -1 where that is not known.
func Files() (open, most int64) {
	open, most = -1, -1
	if names, err := os.ReadDir("/dev/fd"); err == nil {
		open = int64(len(names)) - 1 // one is that of the reading
	}
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) == nil {
		most = int64(min(uint64(r.Cur), math.MaxInt64)) //nolint:unconvert // signed on FreeBSD
	}
	return open, most
}
