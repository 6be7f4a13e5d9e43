package proc

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime returns the processor time that process pid has used, in user and kernel mode, by all its threads: the sum that
// /proc/pid/stat has as utime and stime, but from the process's clock, which counts nanoseconds instead of hundredths.
func CPUTime(pid int) (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED; see clock_getcpuclockid(3)
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}
