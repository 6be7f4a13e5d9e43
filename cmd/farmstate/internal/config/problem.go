package config

import (
	"strconv"
	"strings"
	"unicode"
)

// A Problem is one thing that is wrong with a configuration. It is one line:
// where, what, and what is accepted instead.
type Problem struct {
	Where string // "farm.toml:3: lock_wait", "--lock-wait", "FARMSTATE_LOCK_WAIT"
	What  string
}

// Error is the problem as one line.
func (p Problem) Error() string {
	return p.Where + ": " + p.What
}

// Problems is everything that is wrong with a configuration, in the order in
// which it was found.
type Problems []Problem

// Error is all problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// err is p as an error, nil when there are none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// maxShown bounds what is shown of a value, in bytes.
const maxShown = 200

// show is a value for a message: in quotes, on one line, and not without end.
func show(value string) string {
	if len(value) > maxShown {
		return strconv.Quote(value[:maxShown]) + "…"
	}
	return strconv.Quote(value)
}

// showKey is a key for a message: as it is when it needs no quotes in TOML.
func showKey(key string) string {
	bare := !strings.ContainsFunc(key, func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	if bare && key != "" && len(key) <= maxShown {
		return key
	}
	return show(key)
}

// oneLine takes line breaks and other control characters out of a message.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
