package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/admin"
	"github.com/farmstate/farmstate/peer"
)

func TestDrainText(t *testing.T) {
	first := peer.Progress{Sessions: 1000, Takers: true}
	for _, c := range []struct {
		now     peer.Progress
		elapsed time.Duration
		want    string
	}{
		{first, 0, "[....................]   0 %  1000 left"},
		{peer.Progress{Sessions: 250, Handed: 750, Takers: true}, 3 * time.Second, "[###############.....]  75 %  250 left  250/s  1s to go"},
		{peer.Progress{Sessions: 0, Handed: 1000, Takers: true}, 4 * time.Second, "[####################] 100 %  0 left  250/s"},
		{peer.Progress{Sessions: 1200, Takers: true}, time.Second, "[....................]   0 %  1200 left"}, // more have come
		{peer.Progress{Sessions: 1000}, time.Second, "[....................]   0 %  1000 left  (no node takes them)"},
	} {
		got := drainText(first, c.now, c.elapsed)
		if got != c.want {
			t.Errorf("%+v after %v:\n%s\nwant\n%s", c.now, c.elapsed, got, c.want)
		}
		if len(got) > 80 {
			t.Errorf("%q is wider than 80 columns", got)
		}
	}
}

// drainServer plays a node whose sessions go 400 at a time.
func drainServer(t *testing.T, sessions int64, takers bool) (addr string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/api/v1/drain" || r.Header.Get(admin.ActionHeader) == "" || r.Header.Get("Authorization") != "Bearer "+adminToken {
			http.Error(w, "not that", http.StatusForbidden)
			return
		}
		p := peer.Progress{Draining: true, Sessions: sessions, Takers: takers}
		sessions = max(0, sessions-400)
		_ = json.NewEncoder(w).Encode(p) // to a client that reads it
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

func TestDrainCommand(t *testing.T) {
	var out, errs bytes.Buffer
	env := withToken(t)
	if status := run([]string{"drain", "--admin", drainServer(t, 1000, true)}, env, &out, &errs); status != exitOK {
		t.Fatalf("exit status %d: %s", status, errs.String())
	}
	if !strings.Contains(out.String(), "1000 left") || !strings.HasSuffix(out.String(), "the node is empty; it can be stopped\n") {
		t.Errorf("it writes:\n%s", out.String())
	}
	out.Reset()
	if status := run([]string{"drain", "--json", "--admin", drainServer(t, 500, true)}, env, &out, &errs); status != exitOK {
		t.Fatalf("exit status %d: %s", status, errs.String())
	}
	for line := range strings.Lines(out.String()) {
		var p peer.Progress
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Errorf("%q is no JSON: %v", line, err)
		}
	}
	out.Reset()
	if status := run([]string{"drain", "--stop", "--admin", drainServer(t, 500, true)}, env, &out, &errs); status != exitOK || out.String() != "the node takes sessions again\n" {
		t.Errorf("exit status %d: %s%s", status, out.String(), errs.String())
	}
}

// withToken is an environment that tells commands the token of the tests' nodes.
func withToken(t *testing.T) []string {
	t.Helper()
	return []string{tokenVariable + "=" + tokenFile(t)}
}

// TestDrainToken: without the token, or with a wrong one, nothing happens.
func TestDrainToken(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("another-token-than-that-of-the-node\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := []string{"XDG_RUNTIME_DIR=" + t.TempDir()}
	for name, c := range map[string]struct {
		env    []string
		args   []string
		status int
		want   string
	}{
		"none":       {nowhere, nil, exitUsage, "no admin token"},
		"wrong":      {nowhere, []string{"--token-file", wrong}, exitFailed, "not that"},
		"no file":    {nowhere, []string{"--token-file", wrong + "er"}, exitUsage, "wronger"},
		"no address": {withToken(t), []string{"--admin", "here"}, exitUsage, "is no address"},
		"no node":    {withToken(t), []string{"--node", "web9"}, exitFailed, "not that"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			args := append([]string{"drain", "--admin", drainServer(t, 10, true)}, c.args...)
			if status := run(args, c.env, &out, &errs); status != c.status || !strings.Contains(errs.String(), c.want) || out.Len() > 0 {
				t.Errorf("exit status %d, want %d: %s%s", status, c.status, out.String(), errs.String())
			}
		})
	}
}

// TestDrainEndedByAnother: who follows a drain does not begin it again when somebody else has ended it.
func TestDrainEndedByAnother(t *testing.T) {
	asked := []string{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		_ = json.NewEncoder(w).Encode(peer.Progress{Draining: len(asked) < 3, Sessions: 7, Takers: true}) // to a client that reads it
	}))
	defer srv.Close()
	var out, errs bytes.Buffer
	status := run([]string{"drain", "--admin", strings.TrimPrefix(srv.URL, "http://")}, withToken(t), &out, &errs)
	if status != exitFailed || !strings.Contains(errs.String(), "somebody has ended the drain") {
		t.Errorf("exit status %d: %s", status, errs.String())
	}
	if got := strings.Join(asked, ", "); got != ", look=true, look=true" {
		t.Errorf("the node was asked %q", got)
	}
}

// silentServer answers the first question how far the drain is, and no other.
func silentServer(t *testing.T) string {
	t.Helper()
	var calls atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) > 1 {
			<-r.Context().Done()
			return
		}
		_ = json.NewEncoder(w).Encode(peer.Progress{Draining: true, Sessions: 7, Takers: true})
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

// TestDrainAction: a node says what a drain is of no use for.
func TestDrainAction(t *testing.T) {
	alone, err := start(t, map[string][]string{"listen": {"127.0.0.1:0"}, "admin": {"off"}, "standalone": {"true"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alone.drainAction(nil); err == nil || !strings.Contains(err.Error(), "no farm") {
		t.Errorf("a node without a farm: %v", err)
	}
	alone.stop()
	n, err := start(t, map[string][]string{"listen": {"127.0.0.1:0"}, "admin": {"off"}, "peer_listen": {"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	stop, look := url.Values{"stop": {"true"}}, url.Values{"look": {"true"}}
	for _, c := range []struct {
		query url.Values
		want  bool
	}{{stop, false}, {look, false}, {nil, true}, {nil, true}, {look, true}, {stop, false}, {look, false}, {nil, true}} {
		if p, err := n.drainAction(c.query); err != nil || p.(peer.Progress).Draining != c.want {
			t.Errorf("%v: %+v %v, want draining: %v", c.query, p, err, c.want)
		}
	}
	n.stop()
	if p, err := n.drainAction(nil); err != nil || !p.(peer.Progress).Draining {
		t.Errorf("a drain of a node that stops: %+v %v", p, err)
	}
	if _, err := n.drainAction(stop); err == nil || !strings.Contains(err.Error(), "about to stop") {
		t.Errorf("a node that stops was told to go on: %v", err)
	}
}

// TestDrainFails: what stands in the way is said, with what to do.
func TestDrainFails(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"too slow":  {[]string{"--timeout", "300ms", "--admin", drainServer(t, 1<<40, true)}, "sessions are left after 300ms"},
		"no answer": {[]string{"--timeout", "300ms", "--admin", silentServer(t)}, "7 sessions are left after 300ms"},
		"nobody":    {[]string{"--admin", "127.0.0.1:1"}, "the admin pages at 127.0.0.1:1 cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if status := run(append([]string{"drain"}, c.args...), withToken(t), &out, &errs); status != exitFailed || !strings.Contains(errs.String(), c.want) {
				t.Errorf("exit status %d: %s", status, errs.String())
			}
		})
	}
}
