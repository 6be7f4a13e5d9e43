package relay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// ErrCutOff is the end of a recording whose last line is missing: the relay was killed, or still runs.
var ErrCutOff = errors.New("the recording is cut off")

// Recording reads what a Recorder wrote.
type Recording struct {
	in      *bufio.Reader
	last    uint64 // checksum
	lines   int
	stopped bool
}

// NewRecording reads the first line.
func NewRecording(from io.Reader) (*Recording, error) {
	r := &Recording{in: bufio.NewReaderSize(from, maxLine)}
	l, err := r.read()
	switch {
	case err != nil || l.Version == 0:
		return nil, errors.New("this is no recording of farmstate relay; make one with --record FILE")
	case l.Version != recordingVersion:
		return nil, fmt.Errorf("the recording has version %d, and this program reads %d; use the farmstate that made it", l.Version, recordingVersion)
	}
	return r, nil
}

// next returns the next event; io.EOF behind the last, ErrCutOff if there is none. Any other error names the line that cannot be used.
func (r *Recording) next() (*recorded, error) {
	if r.stopped {
		return nil, io.EOF
	}
	l, err := r.read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, ErrCutOff
	case err != nil:
		return nil, fmt.Errorf("line %d %w; the recording can be used up to there only", r.lines, err)
	case l.Kind == kindStop:
		r.stopped = true
		return nil, io.EOF
	}
	e, err := l.event()
	if err != nil {
		return nil, fmt.Errorf("line %d %w", r.lines, err)
	}
	return e, nil
}

// read returns the next line; io.EOF if there is no whole one.
func (r *Recording) read() (*line, error) {
	r.lines++
	text, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, errors.New("is too long for a recording")
	}
	if err != nil {
		return nil, err
	}
	l, s, err := parseLine(text[:len(text)-1], r.last)
	if err != nil {
		return nil, err
	}
	r.last = s
	return l, nil
}

// recorded is an event, as it was read.
type recorded struct {
	kind kind
	conn int64
	dir  Direction
	n    int64
	data []byte
}

func (l *line) event() (*recorded, error) {
	e := &recorded{kind: l.Kind, conn: l.Conn, n: l.Exchange, data: l.Data}
	switch l.Dir {
	case Answers.String():
		e.dir = Answers
	case Requests.String(), "":
	default:
		return nil, fmt.Errorf("has the direction %s, which there is not", quote(l.Dir))
	}
	switch l.Kind {
	case kindHead:
		var ok bool
		if e.data, ok = unlatin1(l.Head); !ok {
			return nil, errors.New("has a head that is no bytes")
		}
	case kindOpen, kindBody, kindEnd, kindRaw, kindShut, kindClose:
	default:
		return nil, fmt.Errorf("is of the kind %s, which there is not", quote(string(l.Kind)))
	}
	if e.conn < 1 || e.n < 0 {
		return nil, errors.New("has no connection")
	}
	return e, nil
}
