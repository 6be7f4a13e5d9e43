package trace

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// File is a file of lines that is put aside when it has grown to a size: FILE becomes FILE.1, that FILE.2, and so on. Only its own account can read it.
//
// What cannot be written, because the disk is full or whatever else, is counted and left out; each later line is tried again.
type File struct {
	Name string
	Size int64        // from which on it is put aside, in bytes
	Keep int          // how many that were put aside are kept
	Say  func(string) // told when lines cannot be written, and when they can be again

	f    *os.File
	size int64
	lost int64     // lines since writing failed
	said time.Time // when that was said last
}

// sayAgain is how often it is said that lines are lost.
const sayAgain = time.Minute

// Open opens the file, at the end of what it holds. The error says what to do.
func (r *File) Open() error {
	f, err := os.OpenFile(r.Name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("events cannot be written: %w; choose another file with --out", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file that can be put aside; choose another with --out", r.Name)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r.f, r.size = f, info.Size()
	return nil
}

// Write writes a line, which it does not keep. It never fails: see File.
func (r *File) Write(now time.Time, line []byte) {
	err := r.write(line)
	switch {
	case err != nil:
		r.lost++
		if now.Sub(r.said) >= sayAgain {
			r.said = now
			r.Say(fmt.Sprintf("events cannot be written: %v; %d left out so far; make room, then it goes on", err, r.lost))
		}
	case r.lost > 0:
		r.Say(fmt.Sprintf("events are written again; %d were left out", r.lost))
		r.lost, r.said = 0, time.Time{}
	}
}

func (r *File) write(line []byte) error {
	if r.f == nil {
		if err := r.Open(); err != nil {
			return err
		}
	}
	if r.size > 0 && r.size+int64(len(line)) > r.Size {
		if err := r.rotate(); err != nil {
			return err
		}
	}
	n, err := r.f.Write(line)
	if err != nil && n > 0 { // half a line would spoil the next
		if r.f.Truncate(r.size) != nil {
			r.size += int64(n)
		}
		return err
	}
	r.size += int64(n)
	return err
}

// rotate puts the file aside and begins a new one.
func (r *File) rotate() error {
	err := r.f.Close()
	r.f = nil
	if err != nil {
		return err
	}
	if r.Keep == 0 {
		err = os.Remove(r.Name)
	}
	for i := r.Keep; i > 0 && err == nil; i-- {
		if err = os.Rename(r.aside(i-1), r.aside(i)); i > 1 && errors.Is(err, os.ErrNotExist) {
			err = nil // there are not that many yet
		}
	}
	if err != nil {
		return err
	}
	return r.Open()
}

// aside is the name of the file that was put aside so many times ago; 0 is the one that is written.
func (r *File) aside(i int) string {
	if i == 0 {
		return r.Name
	}
	return r.Name + "." + strconv.Itoa(i)
}

// Close closes the file.
func (r *File) Close() error {
	if r.f == nil {
		return nil
	}
	return r.f.Close()
}
