package machine

import (
	"errors"
	"strconv"
)

// ErrUnknown is returned where a system does not tell.
var ErrUnknown = errors.New("machine: the system does not tell its memory")

// max32 is what a 32-bit process can count on of its address space, in bytes.
const max32 = 2 << 30

// Memory is the memory that this process may use, in bytes: that of the
// machine, or the limit of its control group (container) where that is lower.
// Swap does not count: a node that swaps is too slow to be of use.
func Memory() (int64, error) {
	n, err := systemMemory()
	if err != nil {
		return 0, err
	}
	if strconv.IntSize == 32 {
		n = min(n, max32)
	}
	return n, nil
}
