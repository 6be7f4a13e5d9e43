package data

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// errTaken says that another process holds the lock.
var errTaken = errors.New("taken")

// lockFile opens a file so that nobody else can, until it is closed, were it by the end of the process.
func lockFile(name string) (*os.File, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(path, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_ALWAYS, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
		return nil, errTaken
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(h), name), nil
}

// syncDir has nothing to do: Windows brings names to the disk with the file.
func syncDir(string) error { return nil }

// ignoreFileLimit has nothing to do: there is none.
func ignoreFileLimit() {}

// full reports whether an error says that there is no room.
func full(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) || errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}
