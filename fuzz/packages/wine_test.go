//go:build linux

package packages

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/proc"
	"github.com/farmstate/farmstate/netpoll/conformance"
)

// windowsProgram is farmstate for Windows.
var windowsProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(work, "farmstate.exe")
	return path, goRun(top, []string{"GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0"}, "build", "-o", path, "./cmd/farmstate")
})

// wine runs programs for Windows, in a Windows of its own.
type wine struct {
	t       *testing.T
	path    string
	prefix  string
	program string
}

// newWine makes a Windows, which ends with the test.
func newWine(t *testing.T) *wine {
	t.Helper()
	w := &wine{t: t, path: tool(t, "wine"), prefix: filepath.Join(t.TempDir(), "w")}
	server := tool(t, "wineserver")
	var err error
	if w.program, err = windowsProgram(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	t.Cleanup(func() { // before the folder is removed: a server writes its registry at the end
		for _, option := range []string{"-k", "-w"} {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			cmd := exec.CommandContext(ctx, server, option)
			cmd.Env = w.environ()
			_ = cmd.Run() // it may have ended
			cancel()
		}
	})
	if out, err := w.command("wineboot", "--init").CombinedOutput(); err != nil {
		t.Fatalf("wineboot: %v\n%s", err, out)
	}
	dll := filepath.Join(w.prefix, "drive_c", "windows", "system32", "bcryptprimitives.dll")
	if _, err := os.Stat(dll); errors.Is(err, os.ErrNotExist) {
		write(t, dll, string(prngDLL()))
	}
	t.Logf("Wine took %v to make a Windows", time.Since(began).Round(100*time.Millisecond))
	return w
}

func (w *wine) environ() []string {
	// Without them Wine would ask for its browser and its .NET.
	return environment(append([]string{"WINEPREFIX=" + w.prefix, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml,winemenubuilder.exe=", "DISPLAY="}, ephemeral...)...)
}

func (w *wine) command(args ...string) *exec.Cmd {
	cmd := exec.Command(w.path, args...)
	cmd.Env = w.environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run runs a command of farmstate.
func (w *wine) run(args ...string) (status int, out string) {
	w.t.Helper()
	var b bytes.Buffer
	cmd := w.command(append([]string{w.program}, args...)...)
	cmd.Stdout, cmd.Stderr = &b, &b
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	limit := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	_ = cmd.Wait() // the status says it
	return cmd.ProcessState.ExitCode(), strings.ReplaceAll(b.String(), "\r", "")
}

// want runs a command of farmstate, which has to end with a status and say something.
func (w *wine) want(status int, says string, args ...string) {
	w.t.Helper()
	if got, out := w.run(args...); got != status || !strings.Contains(out, says) {
		w.t.Errorf("farmstate %s: exit status %d, want %d and %q:\n%s", strings.Join(args, " "), got, status, says, out)
	}
}

// TestWine runs the program for Windows: commands, the protocol over the standard library's network, and the service.
func TestWine(t *testing.T) {
	w := newWine(t)
	w.want(0, "windows/amd64", "version")
	good, bad := filepath.Join(t.TempDir(), "good.toml"), filepath.Join(t.TempDir(), "bad.toml")
	write(t, good, "lock_wait = \"1s\"\r\ndata = 'C:\\farmstate'\r\n")
	write(t, bad, "lock_wiat = \"1s\"\r\n")
	w.want(0, "", "config", "check", windowsName(good))
	w.want(2, "lock_wait", "config", "check", windowsName(bad))
	w.want(0, `data = 'C:\farmstate'`, "config", "print", "--config", windowsName(good))

	// Windows ends, and its services with it, when nobody uses it; so this node stays until the end.
	n := start(t, w.command(w.program, "serve", "--transport", "std", "--lock-wait", "400ms", "--idle-timeout", "30s", "--max-body", "64MiB", "--max-header", "16KiB", "--standalone"))
	t.Run("conformance", func(t *testing.T) {
		cases := slices.DeleteFunc(conformance.Cases(), func(c conformance.Case) bool {
			return slices.Contains(c.Tags, "slow") || slices.Contains(c.Tags, "timing") || slices.Contains(c.Tags, "large")
		})
		if len(cases) < 100 {
			t.Fatalf("%d cases", len(cases))
		}
		conformance.Run(t, n.addr["state"], cases, conformance.Options{})
	})
	t.Run("doctor", func(t *testing.T) {
		w.t = t
		status, out := w.run("doctor", "--admin", n.addr["admin"], "--json")
		if status > 1 || !json.Valid([]byte(out)) {
			t.Errorf("exit status %d:\n%s", status, out)
		}
		w.want(0, "", "status", "--admin", n.addr["admin"], "--check", "ready")
	})

	t.Run("service", func(t *testing.T) {
		w.t = t
		w.want(2, "farmstate service install", "service", "status")
		w.want(2, "lock-wait", "service", "install", "--lock-wait=never")
		port, err := proc.LastingPort()
		if err != nil {
			t.Fatal(err)
		}
		addr := "127.0.0.1:" + strconv.Itoa(port)
		w.want(0, "is installed", "service", "install", "--listen="+addr, "--standalone", "--admin=off")
		w.want(1, "stopped", "service", "status")
		w.want(0, "runs", "service", "start")
		w.want(0, "running, process", "service", "status")
		if status, _ := ask(t, addr, session("PUT", "Timeout: 20\r\nContent-Length: 2\r\n", "ab")); !strings.Contains(status, "200 OK") {
			t.Error(status)
		}
		w.want(1, "exit code 1: sessions may have been lost", "service", "stop")
		w.want(1, "stopped, exit code 1", "service", "status")
		data := `C:\kept sessions`
		w.want(0, "new options", "service", "install", "--listen="+addr, "--standalone", "--admin=off", "--data="+data)
		w.want(0, "runs", "service", "start")
		if status, _ := ask(t, addr, session("PUT", "Timeout: 20\r\nContent-Length: 2\r\n", "ab")); !strings.Contains(status, "200 OK") {
			t.Error(status)
		}
		w.want(0, "has stopped", "service", "stop")
		w.want(0, "runs", "service", "start")
		if status, body := ask(t, addr, session("GET", "", "")); !strings.Contains(status, "200 OK") || body != "ab" {
			t.Errorf("after a restart with --data: %s, %q", status, body)
		}
		w.want(0, "is removed", "service", "remove")
		w.want(2, "no service", "service", "start")
	})

	if status := n.stop(syscall.SIGINT); status != 1 || !strings.Contains(n.log.String(), "event=sessions_lost") { // Wine makes Ctrl+C of it
		t.Errorf("exit status %d", status)
	}
}

// windowsName is the name of a file of this system for a program under Wine.
func windowsName(name string) string { return `Z:` + strings.ReplaceAll(name, "/", `\`) }
