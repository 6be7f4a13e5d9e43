package machine

import (
	"bytes"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

const ownStatus = "proc/self/status"

// Swap is the swap of a machine and what this process has there, in bytes; -1 where that is not known.
type Swap struct {
	Total, Free, Own int64
}

// SwapOf reads the swap of this machine.
func SwapOf() Swap { return swapIn(os.DirFS("/")) }

func swapIn(root fs.FS) Swap {
	return Swap{Total: kibField(root, memInfoFile, "SwapTotal"), Free: kibField(root, memInfoFile, "SwapFree"), Own: kibField(root, ownStatus, "VmSwap")}
}

// kibField reads a line such as "SwapTotal:  1024 kB", in bytes; -1 if it is not there.
func kibField(root fs.FS, file, name string) int64 {
	data, err := fs.ReadFile(root, file)
	if err != nil {
		return -1
	}
	for line := range bytes.Lines(data) {
		rest, ok := strings.CutPrefix(string(line), name+":")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil || kib < 0 {
			return -1
		}
		return kib << 10
	}
	return -1
}
