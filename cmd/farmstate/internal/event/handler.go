package event

import (
	"context"
	"log/slog"
	"slices"
)

// Handler returns a handler that gives all records to next and the events among them to the hub.
func (h *Hub) Handler(next slog.Handler) slog.Handler { return &handler{hub: h, next: next} }

// handler is static after construction.
type handler struct {
	hub    *Hub
	next   slog.Handler
	attrs  []slog.Attr // of WithAttrs, with the names of their groups
	groups string      // of WithGroup, each with a point behind it
}

// Enabled implements slog.Handler: events from info on are wanted whatever the log shows.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.wants(level) || h.next.Enabled(ctx, level)
}

func (h *handler) wants(level slog.Level) bool {
	return level >= slog.LevelInfo || h.hub.detailed.Load() > 0
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if h.wants(r.Level) {
		h.note(r)
	}
	if h.next.Enabled(ctx, r.Level) {
		return h.next.Handle(ctx, r)
	}
	return nil
}

// note gives a record to the hub if it is an event.
func (h *handler) note(r slog.Record) {
	e := Event{Time: r.Time, Level: LevelOf(r.Level), Text: r.Message, Attrs: map[string]string{}}
	take := func(a slog.Attr, group string) {
		switch value := a.Value.Resolve().String(); {
		case group == "" && a.Key == Attr:
			e.Name = value
		case a.Key != "":
			e.Attrs[group+a.Key] = value
		}
	}
	for _, a := range h.attrs {
		take(a, "")
	}
	r.Attrs(func(a slog.Attr) bool {
		take(a, h.groups)
		return true
	})
	if e.Name != "" {
		h.hub.put(e)
	}
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(slices.Clip(c.attrs), attrs...)
	for i := len(h.attrs); i < len(c.attrs); i++ {
		c.attrs[i].Key = h.groups + c.attrs[i].Key
	}
	c.next = h.next.WithAttrs(attrs)
	return &c
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.groups += name + "."
	}
	c.next = h.next.WithGroup(name)
	return &c
}
