package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// RSS returns the resident memory of process pid in bytes, as the kernel counts it.
func RSS(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, fmt.Errorf("resident memory of process %d: %w", pid, err)
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0, errors.New("statm has an unknown form")
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}
