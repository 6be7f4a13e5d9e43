package winsvc

import (
	"context"
	"io"
	"log/slog"
)

// Log is the Event Log of Windows.
type Log interface {
	Info(id uint32, text string) error
	Warning(id uint32, text string) error
	Error(id uint32, text string) error
}

// The numbers of our events: one for each level. What it is stands in the text.
const (
	idInfo    = 1
	idWarning = 2
	idError   = 3
)

// milestones are the events that go to the Event Log although nothing is wrong.
var milestones = map[string]bool{"ready": true, "settings": true, "stopping": true, "drain_ended": true, "stopped": true}

// NewLogger writes warnings, errors, and the beginning and end of a node to w,
// a line each, without the time: the Event Log has one.
func NewLogger(w io.Writer) *slog.Logger {
	return slog.New(filter{slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})})
}

// filter lets pass what belongs into the Event Log. Our loggers have no
// attributes of their own, so it need not look for events among those.
type filter struct{ slog.Handler }

// Handle implements slog.Handler.
func (f filter) Handle(ctx context.Context, r slog.Record) error {
	pass := r.Level >= slog.LevelWarn
	r.Attrs(func(a slog.Attr) bool {
		pass = pass || a.Key == "event" && milestones[a.Value.String()]
		return !pass
	})
	if !pass {
		return nil
	}
	return f.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (f filter) WithAttrs(attrs []slog.Attr) slog.Handler { return filter{f.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (f filter) WithGroup(name string) slog.Handler { return filter{f.Handler.WithGroup(name)} }
