package engine

import "time"

// Time is one moment as its reader saw it. The engine never reads a clock: every call that needs the time is given one.
type Time struct {
	// Mono is nanoseconds since an arbitrary start. It never goes back and is not moved by setting the clock:
	// expiry and lock ages are computed from it. See docs/protocol.md §7.9.
	Mono int64
	// Date is the server's local wall clock in ticks of 100 ns since the year 1: what LockDate tells.
	Date int64
}

// ticksToUnix is 1970-01-01 in ticks of 100 ns since 0001-01-01.
const ticksToUnix = 621355968000000000

// Ticks converts a wall clock reading and its zone's offset (seconds east of UTC) to a Time.Date.
func Ticks(unixNano int64, zoneOffset int) int64 {
	return unixNano/100 + int64(zoneOffset)*int64(time.Second/100) + ticksToUnix
}

const minute = int64(time.Minute)
