//go:build unix

package docs

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCommands does what the documents tell the reader to do, in a copy of the tree.
//
// The first word behind a fence names the shell; after it, "test" makes the block a test, and "server" says that what it starts stays until the end
// of the document: the next block runs when it is ready. A block "text output" is what the block before it has to write. The addresses of the
// documents are replaced by free ones.
func TestCommands(t *testing.T) {
	ran := 0
	for _, m := range documents(t) {
		if !slices.ContainsFunc(m.blocks, block.tested) {
			continue
		}
		ran++
		t.Run(strings.ReplaceAll(m.path, "/", "_"), func(t *testing.T) {
			follow(t, m)
		})
	}
	if ran == 0 {
		t.Error("no document has a tested block")
	}
}

func (b block) has(flag string) bool { return slices.Contains(strings.Fields(b.info), flag) }
func (b block) tested() bool         { return b.has("test") }

// commandLimit bounds one block; a build is part of some.
const commandLimit = 5 * time.Minute

// follow runs the tested blocks of a document.
func follow(t *testing.T, m markdown) {
	dir := copyTree(t)
	ports, free := freePorts(t, m)
	// Each copy of the tree has another path: without it in what is compiled, the second copy need not be compiled again.
	env := append(os.Environ(), "GOFLAGS=-trimpath", "FARMSTATE_LISTEN="+free("42424"), "FARMSTATE_PEER_LISTEN="+free("42425"), "FARMSTATE_ADMIN="+free("42480"))
	out := ""
	for _, b := range m.blocks {
		if b.info == "text output" {
			if want := ports.Replace(b.text); strings.TrimSpace(out) != strings.TrimSpace(want) {
				t.Errorf("%s:%d: the commands above write:\n%s", m.path, b.line, out)
			}
		}
		if !b.tested() {
			continue
		}
		shell := strings.Fields(b.info)[0]
		if _, err := exec.LookPath(shell); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s:%d: %v", m.path, b.line, err)
			}
			t.Skipf("%s:%d: %v", m.path, b.line, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
		defer cancel()
		cmd := exec.CommandContext(ctx, shell, "-euc", ports.Replace(b.text))
		cmd.Dir, cmd.Env = dir, env
		if b.has("server") {
			startServer(t, cmd)
			continue
		}
		cmd.Stderr = t.Output()
		text, err := cmd.Output()
		out = strings.ReplaceAll(string(text), "\r", "")
		if err != nil {
			t.Fatalf("%s:%d: %v\n%s", m.path, b.line, err, out)
		}
	}
}

// docPort is how a port of a node is written in a document.
var docPort = regexp.MustCompile(`\b424\d\d\b`)

// freePorts puts free ports in place of those of a document: the defaults, which the environment of its commands names, and all others that its tested blocks name.
func freePorts(t *testing.T, m markdown) (replace *strings.Replacer, free func(port string) (addr string)) {
	t.Helper()
	addrs := map[string]string{"42424": freeAddr(t), "42425": freeAddr(t), "42480": freeAddr(t)}
	for _, b := range m.blocks {
		for _, port := range docPort.FindAllString(b.text, -1) {
			if b.tested() && addrs[port] == "" {
				addrs[port] = freeAddr(t)
			}
		}
	}
	var pairs []string
	for port, addr := range addrs {
		_, number, _ := net.SplitHostPort(addr) // it is one
		pairs = append(pairs, port, number)
	}
	return strings.NewReplacer(pairs...), func(port string) string { return addrs[port] }
}

// startServer returns when the node says that it is ready, and stops it at the end of the test.
func startServer(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = t.Output()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		told := false
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "farmstate ready ") && !told {
				told = true
				close(ready)
			}
		}
		_ = cmd.Wait() // sessions are lost with it, which it reports as a failure
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // it may have ended
		select {
		case <-ended:
		case <-time.After(time.Minute):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
			t.Error("the server did not stop within a minute of SIGINT")
		}
	})
	select {
	case <-ready:
	case <-ended:
		t.Fatal("the server ended before it was ready")
	case <-time.After(commandLimit):
		t.Fatal("the server was not ready in time")
	}
}

// copyTree copies what belongs to the project to a folder of the test's own.
func copyTree(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	for _, f := range tree(t) {
		name := filepath.Join(to, filepath.FromSlash(f.path))
		info, err := os.Stat(filepath.Join("..", filepath.FromSlash(f.path)))
		if err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(f.text), info.Mode().Perm()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// freeAddr is a loopback address that nobody listens on. It lies below the range from which the system picks ports by itself, so that nobody gets
// it by chance.
func freeAddr(t *testing.T) string {
	t.Helper()
	for port := 20000 + os.Getpid()%5000; port < 32000; port++ {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if taken[addr] {
			continue
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		taken[addr] = true
		return addr
	}
	t.Fatal("no free port")
	return ""
}

var taken = map[string]bool{}
