package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// differ compares a response with what was expected, line by line, and says
// where the first difference is.
type differ struct {
	lines []wantedLine
}

// wantedLine is one expected line of a response's head: either exactly text, or
// text as the header's name and a value that check accepts. check also returns
// what to show as wanted.
type wantedLine struct {
	text  string
	check func(value string) (want string, err error)
}

func (d *differ) line(text string) {
	d.lines = append(d.lines, wantedLine{text: text})
}

func (d *differ) field(name string, check func(string) (string, error)) {
	d.lines = append(d.lines, wantedLine{text: name, check: check})
}

// compare returns nil if r consists of the wanted lines and of body.
func (d *differ) compare(r *reply, body []byte) error {
	offset := 0 // of the line in the response
	have := r.lines()
	for i, want := range d.lines {
		if i == len(have) {
			return r.differs(offset, fmt.Sprintf("the head ends, want %q", want.text))
		}
		if at, problem := want.compare(have[i]); problem != "" {
			return r.differs(offset+at, problem)
		}
		offset += len(have[i]) + len("\r\n")
	}
	if len(have) > len(d.lines) {
		return r.differs(offset, fmt.Sprintf("line %q is too many", have[len(d.lines)]))
	}
	if at := firstDifference(r.body, body); at >= 0 {
		return r.differs(len(r.head)+at, fmt.Sprintf("body of %d bytes, want %d; from byte %d of it %s, want %s",
			len(r.body), len(body), at, excerpt(r.body, at), excerpt(body, at)))
	}
	return nil
}

// compare returns where in the line it differs from w, and how; no problem is "".
func (w *wantedLine) compare(line string) (at int, problem string) {
	if w.check == nil {
		if at := firstDifference([]byte(line), []byte(w.text)); at >= 0 {
			return at, fmt.Sprintf("line %q, want %q", line, w.text)
		}
		return 0, ""
	}
	name, value, ok := headerOf(line)
	if !ok || name != w.text {
		at := max(0, firstDifference([]byte(line), []byte(w.text+": ")))
		return at, fmt.Sprintf("line %q, want header %q", line, w.text)
	}
	want, err := w.check(value)
	if err == nil {
		return 0, ""
	}
	at = len(name) + len(": ") + max(0, firstDifference([]byte(value), []byte(want)))
	problem = fmt.Sprintf("line %q, want %q", line, w.text+": "+want)
	if !errors.Is(err, errUnequal) {
		problem += ": " + err.Error()
	}
	return at, problem
}

// firstDifference returns the first offset at which a and b differ, -1 if none.
func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) == len(b) {
		return -1
	}
	return min(len(a), len(b))
}

// differs makes the failure for a difference at an offset of the response.
func (r *reply) differs(offset int, problem string) error {
	all := append(bytes.Clone(r.head), r.body...)
	shown := "the end"
	if offset < len(all) {
		shown = fmt.Sprintf("%#02x", all[offset])
	}
	return fmt.Errorf("response differs at byte %d (%s): %s\nresponse: %s", offset, shown, problem, excerpt(all, 0))
}

// shownBytes is how much of long data a failure shows.
const shownBytes = 400

// excerpt quotes b from an offset on, or says that nothing is there.
func excerpt(b []byte, from int) string {
	switch rest := len(b) - from; {
	case rest <= 0:
		return "nothing"
	case rest > shownBytes:
		return fmt.Sprintf("%q and %d bytes more", b[from:from+shownBytes], rest-shownBytes)
	default:
		return fmt.Sprintf("%q", b[from:])
	}
}

// unread makes the failure for bytes nobody expected.
func unread(b []byte, when string) error {
	return fmt.Errorf("%d bytes too many %s: %s", len(b), when, excerpt(b, 0))
}

// indent puts later lines of a failure under its first one.
func indent(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.ReplaceAll(err.Error(), "\n", "\n    "))
}
