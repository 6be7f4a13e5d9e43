//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package machine

import (
	"math"

	"golang.org/x/sys/unix"
)

// sysctlNames under which these systems tell the memory of the machine in
// bytes.
var sysctlNames = []string{"hw.memsize", "hw.physmem64", "hw.physmem"}

func systemMemory() (int64, error) {
	for _, name := range sysctlNames {
		if n, err := unix.SysctlUint64(name); err == nil && n > 0 && n <= math.MaxInt64 {
			return int64(n), nil
		}
		if n, err := unix.SysctlUint32(name); err == nil && n > 0 {
			return int64(n), nil
		}
	}
	return 0, ErrUnknown
}
