//go:build unix

package netpoll

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// child is a process that the test has started: this binary, doing one of children. It is told and tells lines of text.
type child struct {
	in  io.WriteCloser
	out *bufio.Reader
}

// startChild starts a child and, at the end of the test, sees it end without an error.
func startChild(t *testing.T, name string, env ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	check(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(append(os.Environ(), childEnv+"="+name), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the child: %v", err)
		}
	})
	return &child{in, bufio.NewReader(out)}
}

// hear reads the child's next line into values.
func (c *child) hear(t *testing.T, format string, values ...any) {
	t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the child has ended: %v", err)
	}
	if _, err := fmt.Sscanf(line, format+"\n", values...); err != nil {
		t.Fatalf("the child says %q, want %q", strings.TrimSpace(line), format)
	}
}

// tell sends the child a line.
func (c *child) tell(t *testing.T, format string, args ...any) {
	t.Helper()
	_, err := fmt.Fprintf(c.in, format+"\n", args...)
	check(t, err)
}
