package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// listener is a supervisor that notes what it is told.
type listener struct {
	t     *testing.T
	began time.Time
	every time.Duration

	mu   sync.Mutex
	told []string // guarded by mu
}

func (l *listener) note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, fmt.Sprintf("%v %s", time.Since(l.began), text))
}

func (l *listener) starting()               { l.note("starting") }
func (l *listener) ready(n int64)           { l.note(fmt.Sprintf("ready %d", n)) }
func (l *listener) alive(n int64)           { l.note(fmt.Sprintf("alive %d", n)) }
func (l *listener) stopping(n int64)        { l.note(fmt.Sprintf("stopping %d", n)) }
func (l *listener) watchdog() time.Duration { return l.every }

func (l *listener) want(told ...string) {
	l.t.Helper()
	synctest.Wait()
	if got := l.take(); !slices.Equal(got, told) {
		l.t.Errorf("told\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(told, "\n\t"))
	}
}

// take returns what the supervisor was told, and forgets it.
func (l *listener) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.told
	l.told = nil
	return told
}

// lockedLog is a log that is read while others write.
type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take returns what was logged, and forgets it.
func (l *lockedLog) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

var noLog = slog.New(slog.NewTextHandler(io.Discard, nil))

// TestReporter: the life of a node as its supervisor sees it.
func TestReporter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listener{t: t, began: time.Now(), every: 30 * time.Second}
		var (
			sessions atomic.Int64
			ill      atomic.Bool
			log      lockedLog
		)
		sessions.Store(7)
		r := startReporter(l)
		time.Sleep(2500 * time.Millisecond)
		l.want("0s starting", "1s starting", "2s starting")
		r.ready(slog.New(slog.NewTextHandler(&log, nil)), sessions.Load, func(ctx context.Context) error {
			if !ill.Load() {
				return nil
			}
			<-ctx.Done()
			return errors.New("silence")
		})
		time.Sleep(21 * time.Second)
		l.want("2.5s ready 7", "12.5s alive 7", "22.5s alive 7")
		sessions.Store(8)
		ill.Store(true)
		time.Sleep(30 * time.Second)
		l.want()
		if text := log.take(); !strings.Contains(text, "event=watchdog_failed err=silence") {
			t.Errorf("log: %s", text)
		}
		r.stopping(time.Minute, sessions.Load) // in the middle of a check
		l.want("53.5s stopping 8")
		if text := log.take(); text != "" {
			t.Errorf("a check that the stop has cut short is an error: %s", text)
		}
		sessions.Store(3)
		time.Sleep(1500 * time.Millisecond)
		l.want("54.5s stopping 3")
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if n := len(l.take()); n < 31*60-2 || n > 31*60 {
			t.Errorf("%d seconds were granted", n)
		}
		r.close()
	})
}

// TestReporterOfNobody: a node without a supervisor, and one that never gets ready.
func TestReporterOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReporter(nil)
		r.ready(noLog, nil, nil)
		r.stopping(time.Second, nil)
		r.close()

		l := &listener{t: t, began: time.Now()}
		r = startReporter(l)
		r.close()
		l.want("0s starting")

		r = startReporter(l)
		l.want("0s starting")
		r.ready(noLog, func() int64 { return 0 }, func(context.Context) error { panic("nobody waits for it") })
		time.Sleep(time.Hour)
		l.want("0s ready 0")
		r.close()
	})
}

// TestKnock: who answers, and who does not.
func TestKnock(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := knock(ctx, l.Addr()); err == nil { // the kernel takes the connection, and nobody looks at it
		t.Error("a port that nobody serves answers")
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for range 2 { // that of before is first
			nc, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, nc)
			nc.Close()
		}
	}()
	ctx, cancel = context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := knock(ctx, l.Addr()); err != nil {
		t.Error(err)
	}
	<-served
	l.Close()
	if err := knock(ctx, l.Addr()); err == nil {
		t.Error("a port that is closed answers")
	}
}
