package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// relayProcess is a running farmstate relay.
type relayProcess struct {
	t      *testing.T
	cmd    *exec.Cmd
	addr   string
	stdout bytes.Buffer
	stderr string // complete when it has ended
	read   chan struct{}
}

// startRelay runs farmstate relay on a free port, until the end of the test.
func startRelay(t *testing.T, env []string, args ...string) *relayProcess {
	t.Helper()
	p := &relayProcess{t: t, read: make(chan struct{})}
	p.cmd = exec.Command(program, append([]string{"relay", "--listen", "127.0.0.1:0"}, args...)...)
	p.cmd.Env = environment(env...)
	p.cmd.Stdout = &p.stdout
	p.cmd.WaitDelay = patience
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		defer close(p.read)
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			if addr, ok := strings.CutPrefix(lines.Text(), "farmstate relay ready listen="); ok {
				ready <- addr
			}
			p.stderr += lines.Text() + "\n"
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended in most tests
		<-p.read
		_ = p.cmd.Wait() // likewise
	})
	select {
	case p.addr = <-ready:
	case <-p.read:
		t.Fatalf("the relay ended:\n%s", p.stderr)
	case <-time.After(patience):
		t.Fatal("the relay is not ready")
	}
	return p
}

// stop ends the relay with a signal, and returns its exit status and all of its standard output.
func (p *relayProcess) stop() (status int, stdout string) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	<-p.read
	err := p.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), p.stdout.String()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return 0, p.stdout.String()
}

// TestRelay: traffic through a relay in front of a node is recorded, shown without ids, and the same on another node, but not on the same again.
func TestRelay(t *testing.T) {
	t.Parallel()
	needSignals(t)
	name := filepath.Join(t.TempDir(), "recording")
	node := serve(t)
	r := startRelay(t, nil, "--target", node.state, "--record", name)
	c := dial(t, r.addr)
	if status, _ := c.do(put("secret")); status != "200 OK" {
		t.Error(status)
	}
	if status, body := c.do(acquire(site1)); status != "200 OK" || body != "secret" {
		t.Error(status, body)
	}
	status, stdout := r.stop()
	if status != exitOK || !strings.Contains(stdout, "z445nn…") || !strings.Contains(stdout, "\n1 connections, 2 exchanges\n") || strings.Contains(stdout, "\x1b") {
		t.Errorf("exit status %d\n%s", status, stdout)
	}
	if strings.Contains(stdout, "z445nnecaiiqye55asxwtm55") || strings.Contains(stdout, "secret") {
		t.Errorf("too much is shown:\n%s", stdout)
	}
	if !strings.HasPrefix(r.stderr, "farmstate: warning: "+name+" gets whole session ids and contents") {
		t.Error(r.stderr)
	}
	if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}

	another := serve(t)
	if status, stdout, stderr := execute(t, nil, "relay", "replay", name, "--target", another.state); status != exitOK || stdout != "2 the same, 0 different\n" || stderr != "" {
		t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
	}
	status, stdout, stderr := execute(t, nil, "relay", "replay", name, "--target", another.state, "--json") // the session is locked by now
	if status != exitFailed || !strings.Contains(stdout, `{"kind":"difference","exchange":2,`) || !strings.Contains(stdout, `{"kind":"result","same":0,"different":2,`) || !strings.HasPrefix(stderr, "farmstate: warning: the server has sessions of the recording already") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
	}
}

// TestRelayBends what a client says, and counts without showing.
func TestRelayBends(t *testing.T) {
	t.Parallel()
	needSignals(t)
	r := startRelay(t, nil, "--target", serve(t).state, "--rule", "drop-header=Exclusive,verb=acquire", "--rule", `answer:set-header=X:a\,b`, "--quiet")
	c := dial(t, r.addr)
	c.do(put("x"))
	for range 2 {
		if status, _ := c.do(acquire(site1)); status != "200 OK" {
			t.Error(status)
		}
	}
	if status, stdout := r.stop(); status != exitOK || !strings.HasPrefix(stdout, "1 connections, 3 exchanges\n") {
		t.Errorf("exit status %d, %q", status, stdout)
	}
}

// TestRelayUsage: exit status 2, and what is accepted.
func TestRelayUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		args []string
		want string
	}{
		{[]string{"--rule", "dorp-header=X"}, "farmstate: --rule: rule \"dorp-header=X\": there is no action \"dorp-header\"\nfarmstate: accepted: [request:|answer:]ACTION"},
		{[]string{"--listen", "0.0.0.0:0"}, "farmstate: --listen: \"0.0.0.0:0\" can be reached from other machines"},
		{[]string{"--listen", "here"}, "farmstate: --listen: \"here\" is not HOST:PORT"},
		{[]string{"--listen", "127.0.0.1:0", "--target", "here"}, "farmstate: --target: \"here\" is not HOST:PORT"},
		{[]string{"--allow", "10.1.2.3/8"}, "farmstate: --allow: \"10.1.2.3/8\" names one address inside the network"},
		{[]string{"--listen", "localhost:9999", "--target", "127.0.0.1:9999"}, "farmstate: --target: \"127.0.0.1:9999\" is the address that the relay itself listens on"},
		{[]string{"--target", "127.0.0.1:9999", "--warm-up", "1s"}, "farmstate: --warm-up is about several targets"},
		{[]string{"--probe", "1s"}, "farmstate: --probe is about several targets"},
		{[]string{"replay", there, "--max-differences", "-1"}, "farmstate: --max-differences: "},
		{[]string{"--bytes"}, "farmstate: --bytes: shows session ids and contents, which only --whole allows"},
		{[]string{"--quiet", "--json"}, "farmstate: --quiet: shows nothing"},
		{[]string{"--listen", "127.0.0.1:0", "--record", there}, "farmstate: --record: " + there + ": there is such a file"},
		{[]string{"replay", there, "--target", "127.0.0.1:1"}, "farmstate: " + there + ": this is no recording of farmstate relay"},
		{[]string{"replay", filepath.Join(dir, "none")}, "farmstate: " + filepath.Join(dir, "none") + ": there is no such file; name one"},
		{[]string{"replay", there, "--target", "here"}, "farmstate: --target: \"here\" is not HOST:PORT"},
		{[]string{"replay"}, "farmstate: expected \"<file>\"; see `farmstate help relay replay`\n"},
	} {
		status, stdout, stderr := execute(t, nil, append([]string{"relay"}, v.args...)...)
		if status != exitUsage || stdout != "" || !strings.HasPrefix(stderr, v.want) {
			t.Errorf("%q: exit status %d, %q\n got %s\nwant %s", v.args, status, stdout, stderr, v.want)
		}
	}
	for _, args := range [][]string{{"relay", "--help"}, {"help", "relay"}} {
		status, stdout, stderr := execute(t, nil, args...)
		if status != exitOK || stderr != "" || !holds(stdout, []string{"--listen", "--target", "--rule", "replay"}) {
			t.Errorf("%q: exit status %d, %q\n%s", args, status, stderr, stdout)
		}
	}
	addr := taken(t, "127.0.0.1:0")
	if status, _, stderr := execute(t, nil, "relay", "--listen", addr); status != exitUsage || !strings.HasPrefix(stderr, "farmstate: cannot listen on "+addr+": the port is taken") {
		t.Errorf("exit status %d\n%s", status, stderr)
	}
}
