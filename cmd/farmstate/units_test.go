package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/farmstate/farmstate/bench"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// TestGCPercent: the next collection comes when the garbage has reached what is
// live, at most the headroom, whatever the last collection has seen.
func TestGCPercent(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	for _, v := range []struct {
		marked, held uint64
		want         int
	}{
		{0, 0, 800},                // 4 MiB and 32 MiB of garbage
		{100 * mib, 50 * mib, 100}, // as Go's default
		{gib, gib, 100},
		{2 * gib, 2 * gib, 50},
		{10 * gib, 9 * gib, 10},
		{20 * gib, 0, 5},
		{100 * gib, 0, 5},   // more would be collected too often
		{gib, 5 * gib, 500}, // sessions have come: they are no garbage
		{0, 1 << 62, gcMaxPercent},
	} {
		if got := gcPercent(v.marked, v.held); got != v.want {
			t.Errorf("%d MiB marked, %d MiB held: %d, want %d", v.marked/mib, v.held/mib, got, v.want)
		}
	}
	for held := uint64(mib); held < 20*gib; held = held*5/4 + 12345 {
		for marked := uint64(8 * mib); marked <= held; marked *= 2 {
			goal := marked + uint64(float64(marked)*float64(gcPercent(marked, held))/100)
			if goal > held+gib || goal < held {
				t.Errorf("%d marked, %d held: collects at %d", marked, held, goal)
			}
		}
	}
}

// TestGCTuned: who tunes the collector is not overruled.
func TestGCTuned(t *testing.T) {
	for _, v := range []struct {
		env  []string
		want bool
	}{
		{nil, false}, {[]string{"GOGC="}, false}, {[]string{"GOGC=50"}, true}, {[]string{"A=1", "GOMEMLIMIT=1GiB"}, true}, {[]string{"GOGCX=1"}, false},
	} {
		if got := gcTuned(v.env); got != v.want {
			t.Errorf("%v: %v", v.env, got)
		}
	}
	none := func() uint64 { return 0 }
	if startGCKeeper([]string{"GOGC=50"}, none) != nil {
		t.Error("a keeper although GOGC is set")
	}
	startGCKeeper(nil, none).close()
	(*gcKeeper)(nil).close()
}

// TestListenAdvice is the text for each way in which an address cannot be
// listened on, on each system.
func TestListenAdvice(t *testing.T) {
	linux := fstest.MapFS{"proc/sys/net/ipv4/ip_local_port_range": {Data: []byte("32768\t60999\n")}}
	wrap := func(err error) error {
		return fmt.Errorf("netpoll: %w", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", err)})
	}
	const stop = "the port is taken; Microsoft's ASP.NET State Service (aspnet_state) or another farmstate may be running. Stop it, or choose another address with --listen"
	for _, v := range []struct {
		option, addr string
		err          error
		goos         string
		root         fs.FS
		want         string
	}{
		{"listen", "127.0.0.1:42424", wrap(syscall.EADDRINUSE), "linux", linux, "cannot listen on 127.0.0.1:42424: " + stop + "\n" +
			"42424 lies in Linux's range for outgoing connections (32768-60999), so any program may have got it by chance.\n" +
			"Reserve it, and start again once it is free: sysctl -w net.ipv4.ip_local_reserved_ports=42424 (a list with commas: keep what is in it; put it in /etc/sysctl.d to survive a restart)"},
		{"listen", "127.0.0.1:1024", wrap(syscall.EADDRINUSE), "linux", linux, "cannot listen on 127.0.0.1:1024: " + stop},
		{"listen", "127.0.0.1:42424", wrap(syscall.EADDRINUSE), "linux", fstest.MapFS{}, "cannot listen on 127.0.0.1:42424: " + stop},
		{"listen", "127.0.0.1:42424", wrap(syscall.EADDRINUSE), "darwin", linux, "cannot listen on 127.0.0.1:42424: " + stop},
		{"listen", "127.0.0.1:42424", wrap(syscall.EADDRINUSE), "windows", linux, "cannot listen on 127.0.0.1:42424: " + stop + "\n" +
			"To keep it from being taken by chance: netsh int ipv4 add excludedportrange protocol=tcp startport=42424 numberofports=1"},
		{"admin", "127.0.0.1:42480", wrap(syscall.EADDRINUSE), "darwin", nil,
			"cannot listen on 127.0.0.1:42480: the port is taken; another farmstate may be running. Stop it, or choose another address with --admin"},
		{"listen", "192.0.2.1:42424", wrap(syscall.EADDRNOTAVAIL), "linux", linux,
			"cannot listen on 192.0.2.1:42424: this machine has no such address; use one of its own, 127.0.0.1, or leave the host out for all of them"},
		{"listen", "127.0.0.1:80", wrap(syscall.EACCES), "linux", linux,
			"cannot listen on 127.0.0.1:80: permission denied; ports below 1024 need a privilege; choose another address with --listen with a higher port, or grant it (setcap cap_net_bind_service=+ep on the program, AmbientCapabilities=CAP_NET_BIND_SERVICE in a systemd unit)"},
		{"listen", "127.0.0.1:42424", wrap(syscall.EACCES), "linux", linux,
			"cannot listen on 127.0.0.1:42424: permission denied; the system forbids it to this account; choose another address with --listen"},
		{"listen", "127.0.0.1:42424", wrap(syscall.EACCES), "windows", linux,
			"cannot listen on 127.0.0.1:42424: permission denied; Windows keeps port 42424 for itself or another program (netsh int ipv4 show excludedportrange protocol=tcp shows the ranges); choose another address with --listen"},
		{"listen", "web9:42424", &net.DNSError{Err: "no such host", Name: "web9"}, "linux", linux,
			`cannot listen on web9:42424: the host name "web9" is not known on this machine (no such host); write an IP address, or put the name right`},
		{"listen", "127.0.0.1:1", wrap(errors.New("odd")), "linux", linux,
			"cannot listen on 127.0.0.1:1: bind: odd; choose another address with --listen"},
	} {
		if got := listenAdvice(v.option, v.addr, v.err, v.goos, v.root); got != v.want {
			t.Errorf("%s, %v:\n got %s\nwant %s", v.goos, v.err, got, v.want)
		}
	}
}

// TestExitStatus: the status of the innermost error that has one.
func TestExitStatus(t *testing.T) {
	for _, v := range []struct {
		err  error
		want int
	}{
		{nil, exitOK}, {errQuiet, exitFailed}, {errors.New("x"), exitFailed}, {usageError(errors.New("x")), exitUsage},
		{fmt.Errorf("y: %w", usageError(errors.New("x"))), exitUsage},
	} {
		if got := exitStatus(v.err); got != v.want {
			t.Errorf("%v: %d, want %d", v.err, got, v.want)
		}
	}
}

// TestVCSRevision: a changed working copy is told from a clean one.
func TestVCSRevision(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123abc"}
	for _, v := range []struct {
		settings []debug.BuildSetting
		want     string
	}{
		{nil, ""},
		{[]debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}, ""},
		{[]debug.BuildSetting{revision, {Key: "vcs.modified", Value: "false"}}, "0123abc"},
		{[]debug.BuildSetting{revision, {Key: "vcs.modified", Value: "true"}}, "0123abc+changes"},
	} {
		if got := vcsRevision(v.settings); got != v.want {
			t.Errorf("%v: %q, want %q", v.settings, got, v.want)
		}
	}
}

// stuck is a standard error that nobody reads until gate is closed.
type stuck struct {
	gate chan struct{}
	text strings.Builder
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.gate
	return s.text.Write(p)
}

// TestLogWriter: a log that nobody reads holds up nobody, and says later what
// was lost.
func TestLogWriter(t *testing.T) {
	s := &stuck{gate: make(chan struct{})}
	l := newLogWriter(s)
	logger := newLogger(l, &config.Config{})
	for range 2 * logQueue {
		logger.Info("line")
	}
	close(s.gate)
	l.close()
	if n := strings.Count(s.text.String(), "msg=line"); n < logQueue || n > logQueue+1 {
		t.Errorf("%d lines, want %d", n, logQueue)
	}
	if !strings.Contains(s.text.String(), "event=log_dropped") {
		t.Error("nothing about the lines that were dropped")
	}
	logger.Info("too late") // Must neither block nor panic.
}

// TestProgressLine is what a terminal shows during a load.
func TestProgressLine(t *testing.T) {
	for want, p := range map[string]bench.Progress{
		"run 3s: 1000, 333/s":                    {Phase: bench.PhaseRun, Elapsed: 3 * time.Second, Done: 1000, PerS: 333.3},
		"preload 1s: 5 of 10, 5/s":               {Phase: bench.PhasePreload, Elapsed: time.Second, Done: 5, Total: 10, PerS: 5},
		"warm-up 1s: 5, 5/s, 7 behind, 2 failed": {Phase: bench.PhaseWarmUp, Elapsed: time.Second, Done: 5, PerS: 5, Behind: 7, Failed: 2},
	} {
		if got := progressLine(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if terminal(&strings.Builder{}) {
		t.Error("a builder is no terminal")
	}
}
