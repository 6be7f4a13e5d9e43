//go:build linux

package packages

import (
	"bufio"
	"bytes"
	"io"
	"net"
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

// text is what a process has said. Safe for concurrent use.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *text) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *text) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// node is a run of farmstate serve.
type node struct {
	t      *testing.T
	cmd    *exec.Cmd
	log    text
	addr   map[string]string // of the ready line
	exited chan struct{}
}

// ephemeral are options for any number of nodes on one machine.
var ephemeral = []string{"FARMSTATE_LISTEN=127.0.0.1:0", "FARMSTATE_PEER_LISTEN=127.0.0.1:0", "FARMSTATE_ADMIN=127.0.0.1:0"}

// environment is that of this test without what would configure a node, plus extra.
func environment(extra ...string) []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "FARMSTATE_") {
			env = append(env, entry)
		}
	}
	return append(env, extra...)
}

// start starts a node and waits until it is ready. It is killed with the test.
func start(t *testing.T, cmd *exec.Cmd) *node {
	t.Helper()
	n := &node{t: t, cmd: cmd, exited: make(chan struct{}), addr: map[string]string{}}
	cmd.Stderr = &n.log
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		defer close(n.exited)
		for lines := bufio.NewScanner(io.TeeReader(pipe, &n.log)); lines.Scan(); {
			if line, ok := strings.CutPrefix(lines.Text(), "farmstate ready "); ok {
				ready <- line
			}
		}
		_ = cmd.Wait() // the status says it
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-n.exited
		if t.Failed() {
			t.Logf("process %d (exit status %d) said:\n%s", cmd.Process.Pid, cmd.ProcessState.ExitCode(), &n.log)
		}
	})
	select {
	case line := <-ready:
		for field := range strings.FieldsSeq(line) {
			name, addr, _ := strings.Cut(field, "=")
			n.addr[name] = addr
		}
	case <-n.exited:
		t.Fatal("the node has ended before it was ready")
	case <-time.After(patience):
		t.Fatal("the node is not ready")
	}
	return n
}

// stop sends a signal, and returns the exit status.
func (n *node) stop(s syscall.Signal) int {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Fatal(err)
	}
	select {
	case <-n.exited:
	case <-time.After(patience):
		n.t.Fatalf("the node has not ended %v after %v", patience, s)
	}
	return n.cmd.ProcessState.ExitCode()
}

// ask sends a request to a state port, and returns the status line of the answer and its body.
func ask(t *testing.T, addr, request string) (status, body string) {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience)) // the read fails then
	if _, err := io.WriteString(nc, request); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(nc)
	length := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("the answer ends in %q: %v", line, err)
		}
		line = strings.TrimSpace(line)
		if status == "" {
			status = line
		}
		if line == "" {
			break
		}
		if n, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length = int(number(t, n))
		}
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return status, string(b)
}

func number(t *testing.T, text string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// session is a request line for one, and what follows it.
func session(method, headers, body string) string {
	return method + " /%2fLM%2fW3SVC%2f1%2fROOT(abc)/0123456789abcdefghijklmn HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body
}

// notices is a notify socket as systemd has one.
type notices struct {
	conn *net.UnixConn
	done chan struct{}
	text text
}

// listenNotices makes one in a root.
func listenNotices(t *testing.T, r root, name string) *notices {
	t.Helper()
	// The path of a socket is short, that of a test's folder need not be.
	dir, err := os.MkdirTemp("", "fs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	short := filepath.Join(dir, "r")
	if err := os.Symlink(string(r), short); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(short, name)
	n := &notices{done: make(chan struct{})}
	if n.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(n.done)
		for b := make([]byte, 4096); ; {
			size, err := n.conn.Read(b)
			if err != nil {
				return
			}
			_, _ = n.text.Write(append(b[:size:size], "\n--\n"...)) // a buffer takes everything
		}
	}()
	t.Cleanup(func() {
		n.conn.Close()
		<-n.done
	})
	return n
}

// await waits until systemd would have been told a message with all these lines, and returns how often it has been.
func (n *notices) await(t *testing.T, lines ...string) {
	t.Helper()
	await(t, strings.Join(lines, ", "), func() bool { return n.count(lines...) > 0 })
}

func (n *notices) count(lines ...string) int {
	found := 0
	for message := range strings.SplitSeq(n.text.String(), "\n--\n") {
		all := true
		for _, line := range lines {
			all = all && strings.Contains("\n"+message+"\n", "\n"+line+"\n")
		}
		if all {
			found++
		}
	}
	return found
}
