package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	fileName = "farmstate-sessions.snapshot"
	tempName = fileName + ".tmp"
	keptName = fileName + ".kept"
	lockName = "lock"

	dirMode  = 0o700
	fileMode = 0o600
	// othersWrite are the bits of a directory that let others than its owner put files into it.
	othersWrite = 0o022
)

// Dir is a directory that this process has locked. Its methods may be called by one goroutine at a time.
type Dir struct {
	path string
	lock *os.File
	keep bool // there is something in the snapshot that was not taken when it was read, and it has not been replaced yet
}

// Open locks a directory, which it makes if it is missing, and sees to it that files can be written there. The error says what to do.
func Open(path string) (*Dir, error) {
	d := &Dir{path: path}
	if err := d.enter(); err != nil {
		return nil, err
	}
	ignoreFileLimit()
	lock, err := lockFile(d.file(lockName))
	if errors.Is(err, errTaken) {
		return nil, fmt.Errorf("%s: another process uses this directory; each node needs a directory of its own", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: no file can be written there (%w); let the account that runs farmstate write into it, or name another directory", path, cause(err))
	}
	d.lock = lock
	if err := d.tryWriting(); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("%s: no file can be written there (%w); let the account that runs farmstate write into it, or name another directory", path, cause(err))
	}
	return d, nil
}

// enter makes the directory, or judges the one that is there.
func (d *Dir) enter() error {
	info, err := os.Stat(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(d.path, dirMode); err != nil {
			return fmt.Errorf("%s: this directory cannot be made (%w); make it, and let the account that runs farmstate write into it", d.path, cause(err))
		}
		return nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: this directory cannot be used (%w); check the name, and what the account that runs farmstate may do", d.path, cause(err))
	case !info.IsDir():
		return fmt.Errorf("%s: this is a file; name a directory", d.path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&othersWrite != 0:
		return fmt.Errorf("%s: other accounts may write into this directory, and so replace sessions; run chmod go-w %s, or name a directory in it, which farmstate makes itself", d.path, d.path)
	}
	return nil
}

// tryWriting takes away what a process left behind that ended while it wrote, and writes a byte.
func (d *Dir) tryWriting() error {
	f, err := os.OpenFile(d.file(tempName), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte{0})
	return errors.Join(err, f.Close(), os.Remove(d.file(tempName)))
}

// Path is the directory's name as it was given.
func (d *Dir) Path() string { return d.path }

// Close lets another process use the directory.
func (d *Dir) Close() error { return d.lock.Close() }

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

// cause is an error without the operation and the path, which the message names already.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
