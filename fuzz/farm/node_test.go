//go:build unix

package farm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that has no limit of its own.
const patience = 20 * time.Second

// node is a farmstate that listens on the same ports whenever it is started.
type node struct {
	t                  testing.TB
	name               string
	state, peer, admin string   // addresses
	door               string   // that of the peer port, for other nodes
	args               []string // of serve
	*process
}

// process is one run of a node.
type process struct {
	cmd    *exec.Cmd
	log    *logText
	exited chan struct{}
	status int // valid once exited is closed
}

// logText is what a process has said on standard error.
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

// ports hands out ports that nobody listens on and that no outgoing connection gets, as far as systems have their usual settings.
var ports struct {
	mu   sync.Mutex
	used map[int]bool // guarded by mu
}

func freeAddr(t testing.TB) string {
	t.Helper()
	ports.mu.Lock()
	defer ports.mu.Unlock()
	if ports.used == nil {
		ports.used = map[int]bool{}
	}
	for range 1000 {
		port := 10000 + rand.IntN(22000)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if ports.used[port] {
			continue
		}
		ports.used[port] = true
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// newNode returns a node that has not been started. It is killed at the end of the test, and its log shown if the test has failed.
func newNode(t testing.TB, name string, args ...string) *node {
	t.Helper()
	n := &node{t: t, name: name, state: freeAddr(t), peer: freeAddr(t), admin: freeAddr(t)}
	n.door = n.peer
	n.args = append([]string{"--listen", n.state, "--peer-listen", n.peer, "--admin", n.admin, "--aspnet-version", "2.0.50727"}, args...)
	return n
}

// environment is that of this test without what would configure farmstate.
func environment() []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "FARMSTATE_") {
			env = append(env, entry)
		}
	}
	return env
}

// start starts the node, and returns when everything listens.
func (n *node) start() {
	n.t.Helper()
	p := &process{cmd: exec.Command(program, append([]string{"serve"}, n.args...)...), log: new(logText), exited: make(chan struct{})}
	p.cmd.Env, p.cmd.Stderr = environment(), p.log
	endWithParent(p.cmd)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		defer close(p.exited)
		line, _ := bufio.NewReader(stdout).ReadString('\n') // empty if it did not start
		ready <- line
		_ = p.cmd.Wait() // the status says it
		p.status = p.cmd.ProcessState.ExitCode()
	}()
	n.process = p
	n.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has exited already in many tests
		<-p.exited
		for _, trouble := range []string{"DATA RACE", "panic", "fatal error: "} {
			if strings.Contains(p.log.String(), trouble) {
				n.t.Errorf("%s: %s", n.name, trouble)
			}
		}
		if n.t.Failed() {
			n.t.Logf("log of %s (process %d, exit status %d):\n%s", n.name, p.cmd.Process.Pid, p.status, p.log)
		}
	})
	select {
	case line := <-ready:
		if !strings.HasPrefix(line, "farmstate ready ") {
			n.t.Fatalf("%s is not ready: %q", n.name, line)
		}
	case <-time.After(patience):
		n.t.Fatalf("%s is not ready", n.name)
	}
}

// signal sends a signal to the node.
func (n *node) signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Fatalf("%s: %v", n.name, err)
	}
}

// kill ends the node without warning.
func (n *node) kill() {
	n.t.Helper()
	n.signal(syscall.SIGKILL)
	<-n.exited
}

// exit waits for the end of the node and returns its exit status.
func (n *node) exit(within time.Duration) int {
	n.t.Helper()
	select {
	case <-n.exited:
		return n.status
	case <-time.After(within):
		n.t.Fatalf("%s has not ended after %v", n.name, within)
		return -1
	}
}

// stop ends the node gracefully, checks its exit status, and returns how long it took.
func (n *node) stop(status int, within time.Duration) time.Duration {
	n.t.Helper()
	began := time.Now()
	n.signal(syscall.SIGTERM)
	if got := n.exit(within); got != status {
		n.t.Errorf("%s: exit status %d, want %d", n.name, got, status)
	}
	return time.Since(began)
}

// running reports whether the node has not ended.
func (n *node) running() bool {
	select {
	case <-n.exited:
		return false
	default:
		return true
	}
}

// logs waits until a line of the log has all parts.
func (n *node) logs(parts ...string) {
	n.t.Helper()
	await(n.t, fmt.Sprintf("%q in the log of %s", parts, n.name), patience, func() bool {
		for line := range strings.Lines(n.log.String()) {
			found := true
			for _, part := range parts {
				found = found && strings.Contains(line, part)
			}
			if found {
				return true
			}
		}
		return false
	})
}

// await waits until a condition holds.
func await(t testing.TB, what string, within time.Duration, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(within); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v in vain for %s", within, what)
		}
	}
}

// pass waits for time to pass, where that is what a scenario is about.
func pass(d time.Duration) { <-time.After(d) }

var admin = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// page reads a JSON page of the node.
func (n *node) page(name string, into any) error {
	resp, err := admin.Get("http://" + n.admin + "/api/v1/" + name)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it has been read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// view is the page farm, as far as tests look at it.
type view struct {
	Node  string
	Links []struct {
		Node    any
		Purpose any
		Up      bool
		Dialled bool
	}
	Originals []struct{ Live bool }
	Drain     progress
}

// progress is how far a drain is.
type progress struct {
	Draining bool
	Sessions int64
	Handed   int64 `json:"handed_over"`
	Takers   bool
}

// neighbours is how many other nodes the node has links to; -1 if it does not say.
func (n *node) neighbours() int {
	var v view
	if n.page("farm", &v) != nil {
		return -1
	}
	others := map[string]bool{}
	for _, l := range v.Links {
		if l.Up {
			others[fmt.Sprint(l.Node)] = true
		}
	}
	return len(others)
}

// awaitNeighbours waits until the node has links to so many others.
func (n *node) awaitNeighbours(want int, within time.Duration) {
	n.t.Helper()
	await(n.t, fmt.Sprintf("%d neighbours of %s", want, n.name), within, func() bool { return n.neighbours() == want })
}

// sessions is how many sessions the node has.
func (n *node) sessions() int64 {
	n.t.Helper()
	var s struct{ Sessions struct{ Count int64 } }
	if err := n.page("status", &s); err != nil {
		n.t.Fatalf("%s: %v", n.name, err)
	}
	return s.Sessions.Count
}

// run runs another command of the program, and returns its exit status and output.
func run(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = environment(), &out, &errs, time.Second
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String(), errs.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, out.String(), errs.String()
}
