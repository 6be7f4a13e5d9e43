package conformance

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// pattern is what a header value must look like. Static after decoding.
type pattern struct {
	kind   patternKind
	text   string // as written in the case, shown in failures
	lo, hi int64  // of an int
	name   string // of ticks that are remembered or demanded again
}

type patternKind uint8

const (
	literal   patternKind = iota
	intRange              // <int 0..2>
	ticks                 // <ticks>, <ticks as d>
	sameTicks             // <=d>
)

var (
	intPattern   = regexp.MustCompile(`^<int (-?\d+)\.\.(-?\d+)>$`)
	ticksPattern = regexp.MustCompile(`^<ticks(?: as (\w+))?>$`)
	samePattern  = regexp.MustCompile(`^<=(\w+)>$`)
)

// decodePattern reads a header value of a case. Whatever begins with < must be
// one of the patterns: no value of the protocol begins so, and a misspelt
// pattern must not become a literal.
func decodePattern(text string, s *scope) (pattern, error) {
	p := pattern{text: text}
	if !strings.HasPrefix(text, "<") {
		return p, nil
	}
	if m := intPattern.FindStringSubmatch(text); m != nil {
		p.kind = intRange
		var err1, err2 error
		p.lo, err1 = strconv.ParseInt(m[1], 10, 64)
		p.hi, err2 = strconv.ParseInt(m[2], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return p, err
		}
		if p.lo > p.hi {
			return p, fmt.Errorf("%q is an empty range", text)
		}
		return p, nil
	}
	if m := ticksPattern.FindStringSubmatch(text); m != nil {
		p.kind, p.name = ticks, m[1]
		if p.name != "" {
			s.ticks[p.name] = true
		}
		return p, nil
	}
	if m := samePattern.FindStringSubmatch(text); m != nil {
		p.kind, p.name = sameTicks, m[1]
		if !s.ticks[p.name] {
			return p, fmt.Errorf("%q: no earlier <ticks as %s>", text, p.name)
		}
		return p, nil
	}
	return p, fmt.Errorf("%q is no known pattern", text)
}

// match checks one value of a. Remembered values go to and come from memory.
func (p *pattern) match(value string, a *reply, memory map[string]string) error {
	switch p.kind {
	case literal:
		return equal(value, p.text)
	case intRange:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != value {
			return errors.New("want a plain decimal number")
		}
		if n < p.lo || n > p.hi {
			return fmt.Errorf("want a number in %d..%d", p.lo, p.hi)
		}
	case ticks:
		if err := checkTicks(value, a); err != nil {
			return err
		}
		if p.name != "" {
			memory[p.name] = value
		}
	case sameTicks:
		if value != memory[p.name] {
			return fmt.Errorf("it was %q before", memory[p.name])
		}
	}
	return nil
}

var ticksShape = regexp.MustCompile(`^\d{17,19}$`)

// checkTicks demands that a lock time and the LockAge beside it give the moment
// of the answer, on some wall clock of the world: the server's time zone is not
// known here. See docs/protocol.md §7.9.
func checkTicks(value string, a *reply) error {
	if !ticksShape.MatchString(value) {
		return errors.New("want 17 to 19 digits")
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return fmt.Errorf("want a number of 64 bits: %w", err)
	}
	ageText, ok := a.header("LockAge")
	if !ok {
		return errors.New("want a LockAge beside it")
	}
	age, err := strconv.ParseInt(ageText, 10, 32)
	if err != nil {
		return fmt.Errorf("cannot be checked, LockAge is %q", ageText)
	}
	const (
		zoneStep  = 15 * time.Minute
		tolerance = 5 * time.Second
		west      = -12 * time.Hour
		east      = 14 * time.Hour
	)
	said := time.Unix(n/ticksPerSecond-secondsToUnix+age, n%ticksPerSecond*100)
	ahead := said.Sub(a.at) // saturates, far outside the zones
	zone := ahead.Round(zoneStep)
	if off := ahead - zone; off.Abs() > tolerance || zone < west || zone > east {
		return fmt.Errorf("with LockAge %d it gives %s, which is no wall clock's time at %s",
			age, said.UTC().Format(time.RFC3339), a.at.UTC().Format(time.RFC3339))
	}
	return nil
}

const (
	ticksPerSecond = 10_000_000     // a tick is 100 ns
	secondsToUnix  = 62_135_596_800 // from year 1 to 1970
)
