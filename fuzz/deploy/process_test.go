//go:build linux

package deploy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that has no limit of its own.
const patience = 30 * time.Second

// process is a run of a program.
type process struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	log    logText
	exited chan struct{}
}

// logText is what a process has said. Safe for concurrent use.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// spawn starts a program, which is killed with the test. If ready is not empty it waits for a line of standard output that begins with it.
func spawn(t *testing.T, name, ready, path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(path, args...), exited: make(chan struct{})}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "FARMSTATE_") {
			p.cmd.Env = append(p.cmd.Env, entry)
		}
	}
	p.cmd.Env = append(p.cmd.Env, "FARMSTATE_ADMIN_TOKEN_FILE="+tokenFile)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stderr = &p.log
	pipe, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan struct{})
	go func() {
		defer close(p.exited)
		told := false
		for lines := bufio.NewScanner(io.TeeReader(pipe, &p.log)); lines.Scan(); {
			if ready != "" && !told && strings.HasPrefix(lines.Text(), ready) {
				told = true
				close(found)
			}
		}
		_ = p.cmd.Wait() // the status says it
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s (process %d, exit status %d) said:\n%s", name, p.cmd.Process.Pid, p.cmd.ProcessState.ExitCode(), &p.log)
		}
	})
	if ready == "" {
		return p
	}
	select {
	case <-found:
	case <-p.exited:
		t.Fatalf("%s has ended before it was ready", name)
	case <-time.After(patience):
		t.Fatalf("%s is not ready", name)
	}
	return p
}

// kill ends the process without warning.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// stop asks the process to end, waits for that, and returns the exit status.
func (p *process) stop() int {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("%s has not ended %v after SIGTERM", p.name, patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// node is a farmstate that runs with a file of the document.
type node struct {
	t                  *testing.T
	name               string
	state, peer, admin string // addresses
	args               []string
	*process
}

// newNode writes the configuration of the node on the machine host, and starts nothing. What the file does not say is at the default ports.
func newNode(p *places, host, file string) *node {
	p.t.Helper()
	n := &node{t: p.t, name: host, state: p.addr(host + ":42424"), peer: p.addr(host + ":42425"), admin: p.addr(host + ":42480")}
	name := filepath.Join(p.t.TempDir(), "farmstate.toml")
	if err := os.WriteFile(name, []byte(p.replace(host, file)), 0o600); err != nil {
		p.t.Fatal(err)
	}
	n.args = []string{"serve", "--config", name}
	for flag, addr := range map[string]string{"listen": n.state, "peer_listen": n.peer, "admin": n.admin, "gossip_listen": p.addr(host + ":42426")} {
		if flag == "gossip_listen" && !strings.Contains(file, "\njoin = ") {
			continue // it is off
		}
		if !strings.Contains("\n"+file, "\n"+flag+" = ") {
			n.args = append(n.args, "--"+strings.ReplaceAll(flag, "_", "-"), addr)
		}
	}
	return n
}

func (n *node) start() {
	n.t.Helper()
	n.process = spawn(n.t, n.name, "farmstate ready state="+n.state+" peer="+n.peer, program, n.args...)
}

// metric reads one of the node's metrics; -1 if it does not answer.
func (n *node) metric(name string) float64 {
	for line := range strings.Lines(get("http://" + n.admin + "/metrics")) {
		if text, ok := strings.CutPrefix(line, "farmstate_"+name+" "); ok {
			if v, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil {
				return v
			}
		}
	}
	return -1
}

var admin = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// get reads a page; empty if that fails.
func get(url string) string {
	resp, err := admin.Get(url)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }() // it has been read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(text)
}

// startFarm starts nodes, each linked to all others.
func startFarm(t *testing.T, nodes []*node) {
	t.Helper()
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(n.start)
	}
	all.Wait()
	awaitLinks(t, nodes)
}

func awaitLinks(t *testing.T, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		await(t, "the links of "+n.name, func() bool { return n.metric("farm_neighbours") == float64(len(nodes)-1) })
	}
}

// awaitCopies waits until nothing is missing: there are two states at least of each of so many sessions, and nobody looks for more. What is missing may be
// noticed a moment later, so that has to hold for longer.
func awaitCopies(t *testing.T, nodes []*node, sessions int) {
	t.Helper()
	var since time.Time
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("at last:%s; there are %d sessions", last, sessions)
		}
	}()
	await(t, "a copy of each session", func() bool {
		whole, states := true, 0.0
		last = ""
		for _, n := range nodes {
			have, missing, kept, repairs := n.metric("sessions"), n.metric("copies_short_sessions"), n.metric("copies_kept"), n.metric("repair_running")
			states += have + kept
			whole = whole && missing == 0 && repairs == 0
			last += fmt.Sprintf(" %s has %v sessions, %v of them short of copies, and keeps %v copies (repair %v)", n.name, have, missing, kept, repairs)
		}
		if !whole || states < 2*float64(sessions) {
			since = time.Time{}
			return false
		}
		if since.IsZero() {
			since = time.Now()
		}
		return time.Since(since) > 1500*time.Millisecond
	})
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}
