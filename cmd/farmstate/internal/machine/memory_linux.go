package machine

import (
	"io/fs"
	"os"
)

func systemMemory() (int64, error) {
	return memoryIn(os.DirFS("/"))
}

func memoryIn(root fs.FS) (int64, error) {
	total, err := memTotal(root)
	if err != nil {
		return 0, err
	}
	if limit, ok := groupLimit(root); ok && limit < total {
		return limit, nil
	}
	return total, nil
}
