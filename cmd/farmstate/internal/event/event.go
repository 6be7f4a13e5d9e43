package event

import (
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Attr is what the attribute is called that makes a record of the log an event.
const Attr = "event"

// Event is one event, as /api/v1/events shows it. Its fields are only added to.
type Event struct {
	ID    uint64            `json:"id"` // counts up from 1 in the life of a process; one that is not kept, as no debug event is, has that of the one before
	Time  time.Time         `json:"time"`
	Level Level             `json:"level"`
	Name  string            `json:"event"`
	Text  string            `json:"text"`
	Attrs map[string]string `json:"attrs,omitempty"` // what it is about, such as the session's beginning, the node, the reason
}

// Key is what events are counted by.
type Key struct {
	Name  string
	Level Level
}

// Level is a level of the log by its name.
type Level string

// The levels.
const (
	Debug Level = "debug"
	Info  Level = "info"
	Warn  Level = "warn"
	Error Level = "error"
)

var levels = []Level{Debug, Info, Warn, Error}

// LevelOf is the name of a level; one between two counts as the lower.
func LevelOf(l slog.Level) Level {
	switch {
	case l < slog.LevelInfo:
		return Debug
	case l < slog.LevelWarn:
		return Info
	case l < slog.LevelError:
		return Warn
	}
	return Error
}

// ParseLevel reads the name of a level.
func ParseLevel(text string) (l Level, ok bool) {
	l = Level(strings.ToLower(text))
	return l, slices.Contains(levels, l)
}

// AtLeast reports whether a level is as grave as another. A name that is none is below all.
func (l Level) AtLeast(least Level) bool {
	return slices.Index(levels, l) >= slices.Index(levels, least)
}
