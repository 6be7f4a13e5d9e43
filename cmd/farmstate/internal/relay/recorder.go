package relay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// recordQueue is how many events may wait to be written; traffic waits for more.
const recordQueue = 256

// Recorder writes what passes to a file.
type Recorder struct {
	file  io.WriteCloser
	out   *bufio.Writer
	began time.Time
	queue chan event
	last  uint64 // checksum
	buf   []byte
	err   error // the first; read it when run has returned
}

// Create makes the file of a recording, for its owner alone, and fails if there is one: recordings are never overwritten. The recorder closes the file.
func Create(name string, began time.Time) (*Recorder, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s: there is such a file; remove it, or give the recording another name", name)
	}
	if err != nil {
		return nil, err
	}
	return newRecorder(f, began), nil
}

func newRecorder(f io.WriteCloser, began time.Time) *Recorder {
	return &Recorder{file: f, out: bufio.NewWriterSize(f, 64<<10), began: began, queue: make(chan event, recordQueue)}
}

// tell records an event; it waits while too many wait already.
func (r *Recorder) tell(e event) { r.queue <- e }

// end is called when nothing more is told.
func (r *Recorder) end() { close(r.queue) }

// run writes until the end. If that fails it calls failed once, and drops what comes.
func (r *Recorder) run(failed context.CancelCauseFunc) {
	began := r.began.UTC()
	r.write(&line{Version: recordingVersion, Began: &began})
	for e := range r.queue {
		r.write(r.line(e))
		if len(r.queue) == 0 {
			r.keep(r.out.Flush())
		}
		if r.err != nil {
			failed(r.err)
		}
	}
	r.write(&line{Kind: kindStop})
	r.keep(r.out.Flush())
	r.keep(r.file.Close())
}

func (r *Recorder) line(e event) *line {
	l := &line{Kind: e.kind, At: max(e.at.Sub(r.began).Microseconds(), 0), Conn: e.conn, Exchange: e.n}
	switch e.kind {
	case kindHead:
		l.Head = latin1(e.data)
	default:
		l.Data = e.data
	}
	if e.kind != kindOpen && e.kind != kindClose {
		l.Dir = e.dir.String()
	}
	return l
}

func (r *Recorder) write(l *line) {
	if r.err != nil {
		return
	}
	r.buf, r.last = appendLine(r.buf[:0], l, r.last)
	_, err := r.out.Write(r.buf)
	r.keep(err)
}

func (r *Recorder) keep(err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("the recording cannot be written: %w", err)
	}
}
