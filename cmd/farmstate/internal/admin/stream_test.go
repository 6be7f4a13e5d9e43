package admin

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
)

// follow asks for the events and returns their lines as they come.
func follow(t *testing.T, s *Server, query, lastID string) *bufio.Scanner {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr().String()+"/api/v1/events"+query, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	return bufio.NewScanner(resp.Body)
}

// want reads the stream up to the event with this name.
func want(t *testing.T, lines *bufio.Scanner, name string) {
	t.Helper()
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, "data: ") {
			if !strings.Contains(line, fmt.Sprintf(`"event":%q`, name)) {
				t.Errorf("%s, want %s", line, name)
			}
			return
		}
	}
	t.Errorf("the stream has ended before %s: %v", name, lines.Err())
}

func TestEvents(t *testing.T) {
	hub := event.NewHub(10)
	s := start(t, func(opt *Options) { opt.Events = hub })
	log := slog.New(hub.Handler(slog.DiscardHandler))
	log.Info("text", "event", "first")
	log.Info("text", "event", "second")
	log.Warn("text", "event", "third")
	past, since, grave := follow(t, s, "?recent=2", ""), follow(t, s, "", "1"), follow(t, s, "?level=warn&recent=5", "")
	now := follow(t, s, "", "")
	log.Error("text", "event", "fourth")
	for _, c := range []struct {
		lines *bufio.Scanner
		names string
	}{{past, "second third fourth"}, {since, "second third fourth"}, {grave, "third fourth"}, {now, "fourth"}} {
		for name := range strings.FieldsSeq(c.names) {
			want(t, c.lines, name)
		}
	}
	// The end of the server ends streams; nothing waits for their clients.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	s.Shutdown(ctx)
	if ctx.Err() != nil {
		t.Error("the streams went on")
	}
	for past.Scan() {
	}
}

// TestEventsWithWrongToken: a wrong token is said to be so, as on every page.
func TestEventsWithWrongToken(t *testing.T) {
	r := httptest.NewRequest("GET", "http://localhost/api/v1/events", nil)
	r.Header.Set("Authorization", "Bearer x")
	opt := &Options{Token: token, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Events: event.NewHub(1)}
	if status, body := play(t, opt, r); status != http.StatusUnauthorized {
		t.Errorf("status %d: %s", status, body)
	}
}
