package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
)

// A recording is lines of JSON. The first says what it is, each other one is an event, the last is of the kind stop. Each line ends with a
// checksum of its own bytes and the checksum before, so that a line that was altered, lost or moved is noticed.

// recordingVersion is that of the lines.
const recordingVersion = 1

// maxLine bounds a line, in bytes. The longest has a head of 64 KiB, of which each byte takes up to six.
const maxLine = 1 << 20

// kindStop is the last line of a recording that was not cut off.
const kindStop kind = "stop"

// line is one line, without its checksum.
type line struct {
	Version  int        `json:"farmstate_recording,omitempty"` // of the first line only
	Began    *time.Time `json:"began,omitempty"`               // likewise
	Kind     kind       `json:"kind,omitempty"`
	At       int64      `json:"at_us,omitempty"` // since the beginning
	Conn     int64      `json:"connection,omitempty"`
	Dir      string     `json:"direction,omitempty"`
	Exchange int64      `json:"exchange,omitempty"`
	Head     string     `json:"head,omitempty"` // a character for each byte
	Data     []byte     `json:"data,omitempty"` // base64
}

const (
	sumMark = `,"sum":"`
	sumEnd  = `"}`
	sumLen  = len(sumMark) + 16 + len(sumEnd)
)

// sum is the checksum of a line without its end, behind one with the checksum before.
func sum(text []byte, before uint64) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(before)
	_, _ = d.Write(text) // it cannot fail
	return d.Sum64()
}

// appendLine appends a line, and returns its checksum.
func appendLine(dst []byte, l *line, before uint64) ([]byte, uint64) {
	text, err := json.Marshal(l)
	if err != nil {
		panic("relay: a line cannot be written as JSON: " + err.Error()) // it has strings and numbers
	}
	text = text[:len(text)-1] // the brace
	s := sum(text, before)
	dst = append(dst, text...)
	dst = fmt.Appendf(dst, `%s%016x%s`, sumMark, s, sumEnd)
	return append(dst, '\n'), s
}

var errDamaged = errors.New("is damaged: its checksum is wrong")

// parseLine reads a line without its line end.
func parseLine(text []byte, before uint64) (*line, uint64, error) {
	n := len(text) - sumLen
	if n < 1 || !bytes.HasPrefix(text[n:], []byte(sumMark)) || !bytes.HasSuffix(text, []byte(sumEnd)) {
		return nil, 0, errors.New("is no line of a recording")
	}
	said, err := strconv.ParseUint(string(text[n+len(sumMark):len(text)-len(sumEnd)]), 16, 64)
	if err != nil || said != sum(text[:n], before) {
		return nil, 0, errDamaged
	}
	dec := json.NewDecoder(bytes.NewReader(append(append([]byte(nil), text[:n]...), '}')))
	dec.DisallowUnknownFields()
	var l line
	if err := dec.Decode(&l); err != nil {
		return nil, 0, errors.New("is no line of a recording")
	}
	return &l, said, nil
}

// latin1 is bytes as text, a character each.
func latin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// unlatin1 is the inverse; false if text has other characters.
func unlatin1(text string) ([]byte, bool) {
	b := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, false
		}
		b = append(b, byte(r))
	}
	return b, true
}
