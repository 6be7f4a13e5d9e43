package data

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/farmstate/farmstate/engine/snapshot"
)

// Write replaces the snapshot by a new one, which fill writes. Until all of it is on the disk the old one stays, and on an error for good; nothing is left of the new
// one then. A secret that is not nil encrypts it.
func (d *Dir) Write(h *snapshot.Header, secret []byte, fill func(*snapshot.Writer) error) (snapshot.Totals, error) {
	temp := d.file(tempName)
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fileMode)
	if err != nil {
		return snapshot.Totals{}, err
	}
	x := newFlusher(f)
	totals, err := writeTo(x, h, secret, fill)
	if flushErr := x.close(); err == nil { // Must come before the rename: or after a power cut an empty file might have the good one's name.
		err = flushErr
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.replace(temp)
	}
	if err != nil {
		_ = os.Remove(temp) // it has no other name; what went wrong is told
		return snapshot.Totals{}, err
	}
	return totals, nil
}

func writeTo(f io.Writer, h *snapshot.Header, secret []byte, fill func(*snapshot.Writer) error) (snapshot.Totals, error) {
	w, err := snapshot.NewWriter(f, h, secret)
	if err != nil {
		return snapshot.Totals{}, err
	}
	if err := fill(w); err != nil {
		return snapshot.Totals{}, err
	}
	return w.Close()
}

// replace gives the new file the name of the old one.
func (d *Dir) replace(temp string) error {
	if err := d.keepOld(); err != nil {
		return err
	}
	if err := os.Rename(temp, d.file(fileName)); err != nil {
		return err
	}
	return syncDir(d.path)
}

// keepOld keeps an old snapshot beside the new one, if there is something in it that somebody may want to have.
func (d *Dir) keepOld() error {
	if !d.keep {
		return nil
	}
	if err := os.Rename(d.file(fileName), d.file(keptName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d.keep = false
	return nil
}

// Remove takes the snapshot away, so that the next start begins without sessions. It returns false if there is none.
func (d *Dir) Remove() (removed bool, err error) {
	if err := d.keepOld(); err != nil {
		return false, err
	}
	if err := os.Remove(d.file(fileName)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	return true, syncDir(d.path)
}
