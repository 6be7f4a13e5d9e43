package data

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/snapshot"
)

// readAhead is how much is read from the disk at a time.
const readAhead = 1 << 20

// Loaded says what was read.
type Loaded struct {
	Header   snapshot.Header
	Bytes    int64 // of the file
	Sessions int64 // given to the caller, and taken by it
	Expired  int64 // their time was up
	Refused  int64 // the caller did not take them
	// Plain says that it was not encrypted although there is a key: it was written before there was one, or by somebody else.
	Plain bool
	// Damage is nil if the file was whole.
	Damage *snapshot.Damage
}

// Load reads the snapshot and calls take for each session that lives at now. It is taken over with its lock, and with what is left of its life. take returns false
// for a session that it cannot take. ok is false if there is no snapshot; the error says what to do about one that cannot be read at all. One that is damaged is read
// as far as it is whole. bury is called before take with each removal that is to be kept in mind still; nil: nobody wants to know.
func (d *Dir) Load(now time.Time, secret []byte, bury func(snapshot.Removal), take func(h *snapshot.Header, p engine.Parcel) bool) (x Loaded, ok bool, err error) {
	f, err := os.Open(d.file(fileName))
	if errors.Is(err, fs.ErrNotExist) {
		return x, false, nil
	}
	if err != nil {
		return x, false, fmt.Errorf("%s cannot be read (%w); let the account that runs farmstate read it, or move it away: the node then begins without the sessions in it", d.file(fileName), cause(err))
	}
	defer func() { _ = f.Close() }() // Read only: nothing is lost.
	info, err := f.Stat()
	if err != nil {
		return x, false, fmt.Errorf("%s cannot be read: %w", d.file(fileName), cause(err))
	}
	x.Bytes = info.Size()
	r, err := snapshot.NewReader(bufio.NewReaderSize(f, readAhead), x.Bytes, secret)
	if x.Plain = errors.Is(err, snapshot.ErrPlain); x.Plain {
		if _, err = f.Seek(0, io.SeekStart); err == nil {
			r, err = snapshot.NewReader(bufio.NewReaderSize(f, readAhead), x.Bytes, nil)
		}
	}
	if err == nil {
		x.Header = r.Header()
		err = x.all(r, now, bury, take)
	}
	if damage, ok := errors.AsType[*snapshot.Damage](err); ok {
		d.keep, x.Damage = true, damage
		if r != nil {
			tail := make([]byte, r.EndLen())
			if _, err := f.ReadAt(tail, max(0, x.Bytes-int64(len(tail)))); err == nil {
				damage.Total, damage.KnownTotal = r.End(tail)
			}
		}
		return x, true, nil
	}
	if err != nil {
		return x, false, fmt.Errorf("%s %w. %s", d.file(fileName), err, advice(err))
	}
	d.keep = x.Refused > 0
	return x, true, nil
}

// all reads the sessions.
func (x *Loaded) all(r *snapshot.Reader, now time.Time, bury func(snapshot.Removal), take func(*snapshot.Header, engine.Parcel) bool) error {
	elapsed := max(0, now.UTC().Round(0).Sub(x.Header.Written)) // by the wall clock: the machine may have been off
	r.Removed = func(gone snapshot.Removal) {
		if gone.Left -= elapsed; gone.Left > 0 && bury != nil {
			bury(gone)
		}
	}
	for {
		p, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case !snapshot.Resume(&p, elapsed):
			x.Expired++
		case take(&x.Header, p):
			x.Sessions++
		default:
			x.Refused++
		}
	}
}

// advice is what to do about a file that is not read at all.
func advice(err error) string {
	const orElse = "or move the file away: the node then begins without the sessions in it"
	switch {
	case errors.Is(err, snapshot.ErrNoKey):
		return "Name the file with its key (--snapshot-key-file FILE), " + orElse
	case errors.Is(err, snapshot.ErrWrongKey):
		return "Name the file with the key that it was written with (--snapshot-key-file FILE), " + orElse
	}
	return "Name another directory (--data DIR), " + orElse
}
