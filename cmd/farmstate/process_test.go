package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a process may take for anything, in these tests.
const patience = 60 * time.Second

// process is a running farmstate.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	ready  string      // the ready line
	state  string      // address of the state port
	admin  string      // of the admin pages; empty when they are off
	lines  chan string // of standard error; closed at its end
	log    io.Closer   // our end of it
	seen   []string    // lines taken from the channel
	exited chan struct{}
	status int // valid once exited is closed
}

// environment is that of this test without what would configure farmstate,
// plus extra.
func environment(extra ...string) []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, envPrefix) {
			env = append(env, entry)
		}
	}
	return append(env, extra...)
}

const envPrefix = "FARMSTATE_"

// execute runs a command that ends by itself.
func execute(t *testing.T, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = environment(env...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = patience
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String(), errs.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, out.String(), errs.String()
}

// adminToken is the token of the admin pages of all nodes that tests start.
const adminToken = "the-admin-token-of-the-tests"

// tokenFile is a file with it.
func tokenFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(adminToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// serve starts a node on free ports, and waits until it is ready. The node is
// killed at the end of the test if it still runs.
func serve(t *testing.T, args ...string) *process {
	t.Helper()
	return serveEnv(t, []string{"FARMSTATE_LISTEN=127.0.0.1:0", "FARMSTATE_PEER_LISTEN=127.0.0.1:0", "FARMSTATE_ADMIN=127.0.0.1:0"}, args...)
}

func serveEnv(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, lines: make(chan string, 10000), exited: make(chan struct{})}
	p.cmd = exec.Command(program, append([]string{"serve"}, args...)...)
	p.cmd.Env = environment(append([]string{"FARMSTATE_ADMIN_TOKEN_FILE=" + tokenFile(t)}, env...)...)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.log = stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	piped := make(chan struct{}, 2)
	go func() {
		first, _ := bufio.NewReader(stdout).ReadString('\n') // Empty when it did not start, which await shows.
		ready <- first
		piped <- struct{}{}
	}()
	go func() {
		defer close(p.lines)
		for scan := bufio.NewScanner(stderr); scan.Scan(); {
			p.lines <- scan.Text()
		}
		piped <- struct{}{}
	}()
	go func() {
		defer close(p.exited)
		<-piped
		<-piped
		err := p.cmd.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			p.status = exit.ExitCode()
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // It has exited already in most tests.
		<-p.exited
		if t.Failed() {
			p.drain()
			t.Logf("standard error:\n%s", strings.Join(p.seen, "\n"))
		}
	})
	select {
	case p.ready = <-ready:
	case <-time.After(patience):
	}
	if p.ready == "" {
		t.Fatal("the node is not ready")
	}
	for field := range strings.FieldsSeq(p.ready) {
		if addr, ok := strings.CutPrefix(field, "state="); ok {
			p.state = addr
		}
		if addr, ok := strings.CutPrefix(field, "admin="); ok {
			p.admin = addr
		}
	}
	return p
}

// await returns the next line of the log that holds all parts.
func (p *process) await(parts ...string) string {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("the log ended without %q", parts)
			}
			p.seen = append(p.seen, line)
			if holds(line, parts) {
				return line
			}
		case <-deadline:
			p.t.Fatalf("no %q in the log", parts)
		}
	}
}

func holds(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// closeLog closes the pipe that the process writes its log to.
func (p *process) closeLog() {
	p.t.Helper()
	if err := p.log.Close(); err != nil {
		p.t.Fatal(err)
	}
	p.drain()
}

// drain takes in the log until its end.
func (p *process) drain() {
	for line := range p.lines {
		p.seen = append(p.seen, line)
	}
}

// signal sends a signal, which Windows cannot do to a process.
func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// needSignals skips a test where there are none.
func needSignals(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent a signal here")
	}
}

// exit waits for the end of the process and returns its exit status.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.exited:
		return p.status
	case <-time.After(patience):
		p.t.Fatal("the process does not end")
		return -1
	}
}

// stop ends the process gracefully and checks its exit status.
func (p *process) stop(status int) {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if got := p.exit(); got != status {
		p.t.Errorf("exit status %d, want %d", got, status)
	}
}

// get asks for an admin page.
func (p *process) get(path string) (status int, body string) {
	p.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get("http://" + p.admin + path)
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

// client is a connection to the state port.
type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads one answer: its status line and its body.
func (c *client) answer() (status, body string) {
	c.t.Helper()
	length := 0
	for first := true; ; first = false {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("the answer ends in %q: %v", line, err)
		}
		line = strings.TrimRight(line, "\r\n")
		if first {
			status = line
		}
		if line == "" {
			break
		}
		if text, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if length, err = strconv.Atoi(text); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	content := make([]byte, length)
	if _, err := io.ReadFull(c.r, content); err != nil {
		c.t.Fatal(err)
	}
	return status, string(content)
}

// do sends a request and reads the answer.
func (c *client) do(request string) (status, body string) {
	c.t.Helper()
	c.send(request)
	return c.answer()
}

// closed reports whether the other side has closed the connection without
// another byte.
func (c *client) closed() bool {
	_, err := c.r.ReadByte()
	timeout, ok := errors.AsType[net.Error](err)
	return err != nil && (!ok || !timeout.Timeout())
}

// Requests for one session, of site1 or of the application id that is given.
func put(body string) string {
	return "PUT " + target(site1) + " HTTP/1.1\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

func get(app string) string {
	return "GET " + target(app) + " HTTP/1.1\r\n\r\n"
}

func acquire(app string) string {
	return "GET " + target(app) + " HTTP/1.1\r\nExclusive: acquire\r\n\r\n"
}

func target(app string) string {
	return strings.ReplaceAll(app, "/", "%2f") + "(aGFzaA%3d%3d)%2fz445nnecaiiqye55asxwtm55"
}
