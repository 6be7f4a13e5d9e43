package winsvc

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLife follows a service from start to stop.
func TestLife(t *testing.T) {
	const hint = 30 * time.Second
	for _, tt := range []struct {
		control Control
		why     string
	}{{Stop, "stop of the service"}, {PreShutdown, "shutdown of the system"}} {
		m := NewMachine(hint)
		told := func(got, want Status) {
			t.Helper()
			if got != want {
				t.Errorf("told %+v, want %+v", got, want)
			}
		}
		told(m.Status(), Status{StartPending, 0, 0, hint})
		told(m.Starting(), Status{StartPending, 0, 1, hint})
		told(m.Starting(), Status{StartPending, 0, 2, hint})
		running := Status{Running, AcceptStop | AcceptPreShutdown, 0, 0}
		told(m.Ready(), running)
		told(m.Starting(), running)
		for _, c := range []Control{Interrogate, 3, 128} {
			if s, why := m.Control(c); s != running || why != "" {
				t.Errorf("control %d: %+v, %q", c, s, why)
			}
		}
		s, why := m.Control(tt.control)
		told(s, Status{StopPending, 0, 1, hint})
		if why != tt.why {
			t.Errorf("stops because of %q", why)
		}
		told(m.Stopping(), Status{StopPending, 0, 2, hint})
		for _, c := range []Control{Stop, PreShutdown, Interrogate} {
			if s, why := m.Control(c); s != (Status{StopPending, 0, 2, hint}) || why != "" {
				t.Errorf("again %d: %+v, %q", c, s, why)
			}
		}
		told(m.Ready(), Status{StopPending, 0, 2, hint})
		told(m.Stopping(), Status{StopPending, 0, 3, hint})
	}
}

// TestEnd: a node that ends by a fault has to look like a crash, or nobody
// starts it again.
func TestEnd(t *testing.T) {
	for _, tt := range []struct {
		asked  bool
		status int
		crash  bool
	}{
		{true, 0, false}, {true, 1, false}, {true, 2, false},
		{false, 0, false}, {false, 1, true}, {false, 2, false},
	} {
		m := NewMachine(time.Second)
		m.Ready()
		if tt.asked {
			m.Control(Stop)
		} else {
			m.Stopping()
		}
		if code, crash := m.End(tt.status); code != uint32(tt.status) || crash != tt.crash {
			t.Errorf("%+v: code %d, crash %v", tt, code, crash)
		}
	}
}

// events notes what the Event Log is told.
type events struct {
	all  []string
	fail error
}

func (e *events) note(level string, id uint32, text string) error {
	e.all = append(e.all, level+string(rune('0'+id))+" "+text)
	return e.fail
}

func (e *events) Info(id uint32, text string) error    { return e.note("I", id, text) }
func (e *events) Warning(id uint32, text string) error { return e.note("W", id, text) }
func (e *events) Error(id uint32, text string) error   { return e.note("E", id, text) }

func TestEventLog(t *testing.T) {
	var e events
	log := NewLogger(Writer{&e})
	log.Debug("noise", "event", "ready_not")
	log.Info("noise", "event", "peer_up")
	log.Info("ready", "event", "ready", "state", "127.0.0.1:42424")
	log.Info("stopping", "event", "stopping")
	log.With("node", "a").Warn("no memory", "event", "save_refused", "level", "ERROR")
	log.Error("broken\x00off\nhere", "event", "state_port_failed")
	want := []string{
		"I1 level=INFO msg=ready event=ready state=127.0.0.1:42424",
		"I1 level=INFO msg=stopping event=stopping",
		`W2 level=WARN msg="no memory" node=a event=save_refused level=ERROR`,
		`E3 level=ERROR msg="broken\x00off\nhere" event=state_port_failed`,
	}
	if !slices.Equal(e.all, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(e.all, "\n"), strings.Join(want, "\n"))
	}
}

func TestWriter(t *testing.T) {
	e := events{fail: errors.New("full")}
	w := Writer{&e}
	line := "time=2026 level=WARN msg=" + strings.Repeat("é", maxText) + "\x00\n"
	if _, err := w.Write([]byte(line)); err == nil {
		t.Error("no error")
	}
	if got := e.all[0]; len(got) > maxText+3 || !strings.HasPrefix(got, "W2 time=2026") || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("%d bytes: %.60s", len(got), got)
	}
	e.fail = nil
	slog.New(slog.NewTextHandler(w, nil)).Error("x")
	if got := e.all[1]; !strings.HasPrefix(got, "E3 time=") {
		t.Error(got)
	}
}
