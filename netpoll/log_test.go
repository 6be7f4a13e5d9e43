package netpoll

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// logged collects log lines.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// count returns how many lines have the text.
func (l *logged) count(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// TestMalformedIsLogged: with the reason and the client's address, without what it sent, and not for each (§6.1).
func TestMalformedIsLogged(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		var log logged
		s, _ := start(t, Options{Transport: transport, Logger: slog.New(slog.NewTextHandler(&log, nil))}, engine.Options{})
		for range 20 {
			c := dial(t, s)
			ask(t, c, []byte("GET /secret HTTP/1.1\r\nTimeout: secret\r\n\r\n"), wire.StatusBadRequest)
			c.close()
			c = dial(t, s)
			ask(t, c, []byte("secret\n"), wire.StatusBadRequest)
			c.close()
		}
		if n := log.count("event=malformed"); n != 2 || log.count("reason=bad_number") != 1 || log.count("reason=bad_byte") != 1 {
			t.Errorf("%d lines, want one for each reason", n)
		}
		if log.count("client=127.0.0.1") != 2 {
			t.Error("the lines do not name the client")
		}
		if log.count("secret") != 0 {
			t.Error("the log shows what a client has sent")
		}
		if m := s.Stats().Malformed; m["bad_number"] != 20 || m["bad_byte"] != 20 {
			t.Errorf("%v", m)
		}
	})
}
