package main

import (
	"context"
	"log/slog"
)

// levelled is a handler whose level can be changed while the node runs. What the handler behind it takes on its own account bounds it.
type levelled struct {
	slog.Handler
	least *slog.LevelVar
}

func (l levelled) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= l.least.Level() && l.Handler.Enabled(ctx, level)
}

func (l levelled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelled{l.Handler.WithAttrs(attrs), l.least}
}

func (l levelled) WithGroup(name string) slog.Handler {
	return levelled{l.Handler.WithGroup(name), l.least}
}
