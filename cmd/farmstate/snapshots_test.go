package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/data"
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/snapshot"
)

// exchange sends a request and returns the answer with its headers.
func (c *client) exchange(request string) (status string, headers map[string]string, body string) {
	c.t.Helper()
	c.send(request)
	headers = map[string]string{}
	for first := true; ; first = false {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatal(err)
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			break
		}
		if name, value, ok := strings.Cut(line, ": "); ok {
			headers[name] = value
		}
		if first {
			status = line
		}
	}
	n, _ := strconv.Atoi(headers["Content-Length"])
	content := make([]byte, n)
	if _, err := io.ReadFull(c.r, content); err != nil {
		c.t.Fatal(err)
	}
	return status, headers, string(content)
}

// act carries out an action of the admin pages.
func (p *process) act(name string) (status int, body string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+p.admin+"/api/v1/"+name, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("X-Farmstate-Action", name)
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}).Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// putLocked is put by whoever holds the lock, by its cookie.
func putLocked(body, cookie string) string {
	return strings.Replace(put(body), "\r\n\r\n", "\r\nLockCookie: "+cookie+"\r\n\r\n", 1)
}

// keyFile writes a secret.
func keyFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestSnapshotAtStop: the sessions that nobody took are written at a stop and are there after the next start, with content, lock and cookie; and with none left, the file
// goes. Encrypted or not, in a farm of one or without a farm.
func TestSnapshotAtStop(t *testing.T) {
	t.Parallel()
	needSignals(t)
	for name, extra := range map[string][]string{
		"plain": {"--standalone"}, "with a peer port": nil, "encrypted": {"--standalone", "--snapshot-key-file", keyFile(t, "a secret that is long enough")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			args := append([]string{"--data", dir, "--lock-wait", "0"}, extra...)
			p := serve(t, args...)
			c := dial(t, p.state)
			if status, _ := c.do(put("content")); status != "200 OK" {
				t.Error(status)
			}
			_, headers, _ := c.exchange(acquire(site1))
			cookie := headers["LockCookie"]
			if cookie == "" {
				t.Fatal("no cookie")
			}
			p.stop(exitOK)
			p.await("event=snapshot_written", "sessions=1", "left_out=0")

			p = serve(t, args...)
			p.await("event=snapshot_loaded", "sessions=1", "expired=0", "no_room=0")
			if s := p.nodeStatus().Snapshot; s == nil || s.Directory != dir || s.Loaded == nil || s.Loaded.Sessions != 1 || s.Written != nil {
				t.Errorf("%+v", s)
			}
			c = dial(t, p.state)
			if status, headers, _ := c.exchange(acquire(site1)); status != "423 Locked" || headers["LockCookie"] != cookie {
				t.Errorf("%s, %v", status, headers)
			}
			if status, _ := c.do(putLocked("more", "1")); status != "423 Locked" {
				t.Error(status)
			}
			if status, _ := c.do(putLocked("more", cookie)); status != "200 OK" {
				t.Error(status)
			}
			status, headers, body := c.exchange(acquire(site1))
			if status != "200 OK" || body != "more" {
				t.Errorf("%s %q", status, body)
			}
			if next, _ := strconv.Atoi(headers["LockCookie"]); next < 60000 {
				t.Errorf("cookie %d may have been given out before", next)
			}
			if status, _ := c.do("DELETE " + target(site1) + " HTTP/1.1\r\nLockCookie: " + headers["LockCookie"] + "\r\n\r\n"); status != "200 OK" {
				t.Error(status)
			}
			p.stop(exitOK)
			p.await("event=snapshot_removed")
			if left, _ := os.ReadDir(dir); len(left) != 1 || left[0].Name() != "lock" {
				t.Errorf("%v", left)
			}
			p = serve(t, args...)
			if n := p.nodeStatus().Sessions.Count; n != 0 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

// TestSnapshotLife: what was left of a life goes on by the wall clock, and does not begin anew.
func TestSnapshotLife(t *testing.T) {
	t.Parallel()
	needSignals(t)
	path := t.TempDir()
	dir, err := data.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	h := snapshot.Header{Written: time.Now().Add(-time.Hour), Program: "test"}
	if _, err := dir.Write(&h, nil, func(w *snapshot.Writer) error {
		for key, left := range map[string]time.Duration{"/LM/W3SVC/1/ROOT(h)/over": 30 * time.Minute, "/LM/W3SVC/1/ROOT(h)/on": 90 * time.Minute} {
			w.Take(engine.Parcel{Key: key, Body: []byte("x"), Minutes: 120, Left: int64(left), Cookie: 7}, true)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := dir.Close(); err != nil {
		t.Fatal(err)
	}
	p := serve(t, "--data", path, "--standalone")
	p.await("event=snapshot_loaded", "sessions=1", "expired=1", "age=1h0m")
	p.stop(exitOK)
	if dir, err = data.Open(path); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	if _, _, err := dir.Load(time.Now(), nil, nil, func(_ *snapshot.Header, p engine.Parcel) bool {
		if left := time.Duration(p.Left).Round(5 * time.Minute); left != 30*time.Minute || !strings.HasSuffix(p.Key, "/on") || p.Minutes != 120 {
			t.Errorf("%+v", p)
		}
		return true
	}); err != nil {
		t.Error(err)
	}
}

// TestSnapshotAfterKill: a node that is killed leaves the snapshot that was written last.
func TestSnapshotAfterKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, "--data", dir, "--standalone")
	c := dial(t, p.state)
	if status, _ := c.do(put("first")); status != "200 OK" {
		t.Error(status)
	}
	status, body := p.act("snapshot")
	var s api.Snapshot
	if err := json.Unmarshal([]byte(body), &s); err != nil || status != 200 || s.Sessions != 1 || s.Written == nil || s.Bytes == 0 || s.Failures != 0 || s.Running {
		t.Errorf("%d, %v: %s", status, err, body)
	}
	p.await("event=snapshot_written", "sessions=1")
	if _, body := p.get("/metrics"); !holds(body, []string{"\nfarmstate_snapshot_sessions 1\n", "\nfarmstate_snapshot_failures_total 0\n", "\nfarmstate_snapshot_last_success_timestamp_seconds 1"}) {
		t.Error(body)
	}
	if status, _ := c.do(put("second")); status != "200 OK" {
		t.Error(status)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.exit()
	for range 2 { // it stays until the next one is written
		p = serve(t, "--data", dir, "--standalone")
		p.await("event=snapshot_loaded", "sessions=1")
		if status, body := dial(t, p.state).do(get(site1)); status != "200 OK" || body != "first" {
			t.Errorf("%s %q", status, body)
		}
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.exit()
	}
}

// TestSnapshotRefused: what keeps a node with a directory from starting has exit status 2 and a sentence.
func TestSnapshotRefused(t *testing.T) {
	t.Parallel()
	needSignals(t)
	dir := t.TempDir()
	key := keyFile(t, "a secret that is long enough")
	p := serve(t, "--data", dir, "--snapshot-key-file", key)
	if status, _ := dial(t, p.state).do(put("content")); status != "200 OK" {
		t.Error(status)
	}
	refused := func(want string, args ...string) {
		t.Helper()
		env := []string{"FARMSTATE_LISTEN=127.0.0.1:0", "FARMSTATE_ADMIN=off", "FARMSTATE_STANDALONE=true", "FARMSTATE_LOG_LEVEL=error"}
		status, stdout, stderr := execute(t, env, append([]string{"serve", "--data", dir}, args...)...)
		if status != exitUsage || stdout != "" || !strings.HasPrefix(stderr, "farmstate: "+want) {
			t.Errorf("exit status %d, standard output %q\n got %s\nwant %s", status, stdout, stderr, want)
		}
	}
	refused(dir + ": another process uses this directory; each node needs a directory of its own\n")
	p.signal(syscall.SIGTERM)
	if status := p.exit(); status != exitOK {
		t.Errorf("exit status %d", status)
	}
	file := filepath.Join(dir, "farmstate-sessions.snapshot")
	refused(file + " is encrypted, and no key is given. Name the file with its key")
	refused(file+" was encrypted with another key. Name the file with the key that it was written with", "--snapshot-key-file", keyFile(t, "another secret, as long"))
	short := keyFile(t, "short")
	refused("--snapshot-key-file: "+short+": holds 5 bytes", "--snapshot-key-file", short)
	if err := os.WriteFile(file, []byte("farmsnap\x09\x00 of a later time"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(file + " has version 9 of the format, and this program reads version 1 to 2; use the program that wrote it, or a newer one. Name another directory")
	refused("/proc/nowhere: ", "--data", "/proc/nowhere") // where there is no /proc, it cannot be made either
}

// TestSnapshotNoRoom: what does not fit is told, and kept.
func TestSnapshotNoRoom(t *testing.T) {
	t.Parallel()
	needSignals(t)
	dir := t.TempDir()
	p := serve(t, "--data", dir, "--standalone")
	c := dial(t, p.state)
	for _, app := range []string{site1, site2, "/LM/W3SVC/3/ROOT"} {
		if status, _ := c.do(strings.Replace(put(strings.Repeat("x", 600<<10)), target(site1), target(app), 1)); status != "200 OK" {
			t.Error(status)
		}
	}
	p.stop(exitOK)
	p = serve(t, "--data", dir, "--standalone", "--max-memory", "1MiB")
	p.await("level=WARN", "event=snapshot_no_room", "sessions=2", "max_memory=1048576")
	p.await("event=snapshot_loaded", "sessions=1", "no_room=2")
	p.stop(exitOK)
	if info, err := os.Stat(filepath.Join(dir, "farmstate-sessions.snapshot.kept")); err != nil || info.Size() < 3*600<<10 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestSnapshotDamaged: the node starts with what can be read.
func TestSnapshotDamaged(t *testing.T) {
	t.Parallel()
	needSignals(t)
	dir := t.TempDir()
	p := serve(t, "--data", dir, "--standalone")
	c := dial(t, p.state)
	for _, app := range []string{site1, site2} {
		if status, _ := c.do(strings.Replace(put(strings.Repeat("x", 100<<10)), target(site1), target(app), 1)); status != "200 OK" {
			t.Error(status)
		}
	}
	p.stop(exitOK)
	file := filepath.Join(dir, "farmstate-sessions.snapshot")
	if err := os.Truncate(file, 150<<10); err != nil {
		t.Fatal(err)
	}
	p = serve(t, "--data", dir, "--standalone")
	p.await("level=WARN", "event=snapshot_damaged", "is cut off at byte ", " of 153600: 1 sessions could be read, it is not known how many are missing")
	p.await("level=WARN", "only a part of the sessions", "event=snapshot_loaded", "sessions=1", "unread_bytes=5", "missing=unknown")
	if s := p.nodeStatus(); s.Sessions.Count != 1 || s.Snapshot.Loaded.Damage == "" {
		t.Errorf("%+v", s)
	}
}

// TestNoSnapshots: without a directory there is no such action, and no such metric.
func TestNoSnapshots(t *testing.T) {
	t.Parallel()
	p := serve(t)
	if status, body := p.act("snapshot"); status != 409 || body != "this node keeps no snapshots: start it with --data DIR\n" {
		t.Errorf("%d %q", status, body)
	}
	if _, body := p.get("/metrics"); strings.Contains(body, "farmstate_snapshot") {
		t.Error("there are metrics")
	}
	if s := p.nodeStatus().Snapshot; s != nil {
		t.Errorf("%+v", s)
	}
}
