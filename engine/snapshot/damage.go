package snapshot

import (
	"errors"
	"fmt"
	"io"
)

// Damage says that a file is not as it was written. All sessions in the frames before it have been read, and those behind it as far as they can be found.
type Damage struct {
	Offset   int64 // where the first begins: in the frame that begins there
	Size     int64 // of the file, bytes
	Unread   int64 // bytes that could not be read
	Sessions int64 // that were read
	Cut      bool  // the file ends too early; otherwise something else stands there than was written
	Err      error // of who reads the file, if that has failed
	// Total is how many sessions the file had, if KnownTotal is set; by the caller, see Reader.End.
	Total      int64
	KnownTotal bool
}

func (d *Damage) Error() string {
	what := "is damaged"
	switch {
	case d.Cut:
		what = "is cut off"
	case d.Err != nil:
		what = "cannot be read (" + d.Err.Error() + ")"
	}
	missing := "it is not known how many are missing"
	if d.KnownTotal {
		missing = fmt.Sprintf("%d are missing", d.Total-d.Sessions)
	}
	return fmt.Sprintf("%s at byte %d of %d: %d sessions could be read, %s (%d bytes could not be read)", what, d.Offset, d.Size, d.Sessions, missing, d.Unread)
}

var (
	errDamaged = errors.New("damaged")
	errCut     = errors.New("cut off")
)

// cut tells the end of a file from a fault of its reader.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return err
}

// damage describes what has been met in the frame that begins where the last whole one ended.
func (r *Reader) damage(why error) *Damage {
	d := &Damage{Offset: r.at, Size: r.size, Unread: r.size - r.at, Sessions: r.sessions, Cut: errors.Is(why, errCut)}
	if !d.Cut && !errors.Is(why, errDamaged) {
		d.Err = why
	}
	return d
}

// Unwrap returns Err.
func (d *Damage) Unwrap() error { return d.Err }
