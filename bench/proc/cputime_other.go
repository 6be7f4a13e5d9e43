//go:build !linux

package proc

import (
	"errors"
	"time"
)

// CPUTime returns the processor time that a process has used.
func CPUTime(int) (time.Duration, error) {
	return 0, errNeedsLinux
}

var errNeedsLinux = errors.New("this comparison needs Linux: it asks the kernel for the processor time of other processes")
