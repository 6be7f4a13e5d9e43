package main

import (
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// newLogger is the log of a node, of all levels: the node chooses, since that can be changed.
func newLogger(w io.Writer, cfg *config.Config) *slog.Logger {
	opt := &slog.HandlerOptions{Level: slog.LevelDebug}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

const (
	// logQueue is how many log lines may wait for a reader of standard error
	// that is slow or stuck.
	logQueue = 4096
	// logFlush is how long the end of the program waits for it.
	logFlush = time.Second
)

// logWriter hands lines to a goroutine that writes them, because a line may be
// logged on an event loop, and writing to a full pipe would stop all clients
// of that loop. What does not fit in the queue is dropped, and the number of
// lines dropped is written as soon as there is room.
type logWriter struct {
	lines   chan []byte
	dropped atomic.Int64
	quit    chan struct{} // closed when no further line need be waited for
	done    chan struct{} // closed when the goroutine has ended
}

func newLogWriter(w io.Writer) *logWriter {
	l := &logWriter{lines: make(chan []byte, logQueue), quit: make(chan struct{}), done: make(chan struct{})}
	go l.run(w)
	return l
}

func (l *logWriter) run(w io.Writer) {
	defer close(l.done)
	for {
		select {
		case line := <-l.lines:
			l.print(w, line)
		case <-l.quit:
			for len(l.lines) > 0 {
				l.print(w, <-l.lines)
			}
			return
		}
	}
}

// print writes a line, and then what has to be said about lines dropped. There
// is no other place to report that the writing failed.
func (l *logWriter) print(w io.Writer, line []byte) {
	_, _ = w.Write(line)
	if n := l.dropped.Swap(0); n > 0 {
		slog.New(slog.NewTextHandler(w, nil)).Warn("log lines were dropped: standard error is read too slowly", "event", "log_dropped", "lines", n)
	}
}

// Write takes one line. p may be reused on return. Never blocks.
func (l *logWriter) Write(p []byte) (int, error) {
	select {
	case l.lines <- append([]byte(nil), p...):
	default:
		l.dropped.Add(1)
	}
	return len(p), nil
}

// close writes what is queued, unless that takes too long: then the goroutine
// is left to the end of the process. What is logged later is lost.
func (l *logWriter) close() {
	close(l.quit)
	select {
	case <-l.done:
	case <-time.After(logFlush):
	}
}
