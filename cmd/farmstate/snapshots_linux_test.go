package main

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSnapshotDiskFull: when there is no room the node says so and goes on serving, and the snapshot before stays; at a stop its sessions are lost.
func TestSnapshotDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, "--data", dir, "--standalone")
	c := dial(t, p.state)
	if status, _ := c.do(put("small")); status != "200 OK" {
		t.Error(status)
	}
	if status, body := p.act("snapshot"); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	var before unix.Rlimit
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &before); err != nil {
		t.Fatal(err)
	}
	limit := func(bytes uint64) {
		t.Helper()
		if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: before.Max}, nil); err != nil {
			t.Fatal(err)
		}
	}
	limit(100 << 10)
	large := strings.Repeat("x", 300<<10)
	if status, _ := c.do(put(large)); status != "200 OK" {
		t.Error(status)
	}
	if status, body := p.act("snapshot"); status != 409 || !strings.Contains(body, "file too large") {
		t.Errorf("%d %s", status, body)
	}
	p.await("level=ERROR", "event=snapshot_failed", "the one before stays, and the node goes on: there is no room for it: make some on the disk of "+dir)
	if s := p.nodeStatus().Snapshot; s.Failures != 1 || s.LastError == "" || s.Sessions != 1 {
		t.Errorf("%+v", s)
	}
	if status, body := c.do(get(site1)); status != "200 OK" || body != large {
		t.Errorf("%s, %d bytes", status, len(body))
	}
	limit(before.Cur)
	if status, body := p.act("snapshot"); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	limit(100 << 10)
	p.stop(exitFailed)
	p.await("level=ERROR", "event=snapshot_failed", "could not be written at the stop; the snapshot before stays, and what has changed since is lost: there is no room for it")
	p.await("level=WARN", "event=sessions_lost", "could not be written to the directory of --data", "sessions=1")
	p = serve(t, "--data", dir, "--standalone")
	if status, body := dial(t, p.state).do(get(site1)); status != "200 OK" || body != large {
		t.Errorf("%s, %d bytes", status, len(body))
	}
}
