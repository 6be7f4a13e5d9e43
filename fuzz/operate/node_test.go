//go:build unix

package operate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/proc"
)

// patience is how long anything may take here.
const patience = 60 * time.Second

// node is a farmstate process.
type node struct {
	t                          *testing.T
	name                       string
	state, peer, gossip, admin string // addresses
	args                       []string
	log                        string // name of the file

	cmd    *exec.Cmd
	exited chan struct{}
}

// newNode chooses addresses for a node, and starts nothing. A node of a farm has its own address and that of the first of the others to join.
func newNode(t *testing.T, name string, args ...string) *node {
	t.Helper()
	n := &node{t: t, name: name, log: filepath.Join(t.TempDir(), "log")}
	for _, addr := range []*string{&n.state, &n.peer, &n.gossip, &n.admin} {
		port, err := proc.LastingPort()
		if err != nil {
			t.Fatal(err)
		}
		*addr = "127.0.0.1:" + strconv.Itoa(port)
	}
	n.args = append([]string{"serve", "--listen", n.state, "--peer-listen", n.peer, "--admin", n.admin, "--admin-token-file", tokenFile}, args...)
	return n
}

// newFarm chooses addresses for nodes that find each other by gossip and keep two copies of each session.
func newFarm(t *testing.T, names []string, args ...string) []*node {
	t.Helper()
	var all []*node
	for _, name := range names {
		n := newNode(t, name, args...)
		n.args = append(n.args, "--gossip-listen", n.gossip)
		all = append(all, n)
	}
	for _, n := range all {
		for _, other := range all {
			if other != n {
				n.args = append(n.args, "--join", other.gossip)
			}
		}
	}
	return all
}

// start starts the node, and returns when it listens.
func (n *node) start() {
	n.t.Helper()
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	n.cmd = exec.Command(program, n.args...)
	n.cmd.Env, n.cmd.Stderr, n.exited = environment(), log, make(chan struct{})
	endWithParent(n.cmd)
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	ready, cmd, exited := make(chan struct{}), n.cmd, n.exited
	go func() { // ends with the process
		defer close(exited)
		text, told := make([]byte, 4096), false
		for {
			k, err := out.Read(text)
			if !told && bytes.Contains(text[:k], []byte("farmstate ready")) {
				told = true
				close(ready)
			}
			if err != nil {
				break
			}
		}
		_ = cmd.Wait() // the status says it
	}()
	n.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-exited
	})
	select {
	case <-ready:
	case <-exited:
		n.t.Fatalf("%s has ended before it was ready:\n%s", n.name, n.said())
	case <-time.After(patience):
		n.t.Fatalf("%s is not ready", n.name)
	}
}

// startAll starts a farm, and returns when all nodes are ready to be relied on.
func startAll(nodes []*node) {
	for _, n := range nodes {
		n.t.Helper()
		n.start()
	}
	for _, n := range nodes {
		n.awaitReady()
	}
}

// awaitReady waits until the node says that it can be relied on.
func (n *node) awaitReady() {
	n.t.Helper()
	n.await("it is ready", func() bool { return n.get("/readyz").status == http.StatusOK })
}

// await waits for something that happens outside this process.
func (n *node) await(what string, holds func() bool) {
	n.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			n.t.Fatalf("%s: waited in vain until %s; its log:\n%s", n.name, what, n.said())
		}
	}
}

// kill ends the process without a warning.
func (n *node) kill() {
	_ = n.cmd.Process.Kill() // it may have ended
	<-n.exited
}

// stop has the process end, and returns its exit status.
func (n *node) stop() int {
	n.t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		n.t.Fatal(err)
	}
	select {
	case <-n.exited:
	case <-time.After(patience):
		n.t.Fatalf("%s has not ended %v after SIGTERM", n.name, patience)
	}
	return n.cmd.ProcessState.ExitCode()
}

// said is the log.
func (n *node) said() string {
	text, err := os.ReadFile(n.log)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(text)
}

// environment is that of the test without what would configure farmstate.
func environment() []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "FARMSTATE_") {
			env = append(env, entry)
		}
	}
	return append(env, "NO_COLOR=1")
}

// result is an answer of the admin pages.
type result struct {
	status int
	header http.Header
	body   string
}

var web = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

func (n *node) ask(method, path string, headers ...string) result {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, "http://"+n.admin+path, http.NoBody)
	if err != nil {
		n.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := web.Do(req)
	if err != nil {
		return result{}
	}
	defer func() { _ = resp.Body.Close() }() // it is read here
	body, _ := io.ReadAll(resp.Body)
	return result{resp.StatusCode, resp.Header, string(body)}
}

// get reads a page without the token.
func (n *node) get(path string) result { return n.ask(http.MethodGet, path) }

// command runs farmstate with the token, and returns what it writes.
func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(environment(), "FARMSTATE_ADMIN_TOKEN_FILE="+tokenFile), &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String(), errs.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, out.String(), errs.String()
}
