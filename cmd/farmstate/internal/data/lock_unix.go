//go:build !windows

package data

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// errTaken says that another process holds the lock.
var errTaken = errors.New("taken")

// lockFile opens a file and locks it until it is closed, were it by the end of the process.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	_ = f.Close() // nothing was written
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errTaken
	}
	return nil, err
}

// syncDir brings the names in a directory to the disk.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ignoreFileLimit makes a write beyond the limit on the length of files an error. Without this it would end the process.
func ignoreFileLimit() { signal.Ignore(syscall.SIGXFSZ) }

// full reports whether an error says that there is no room.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
