// Package proc starts the servers that the benchmarks measure, as processes of their own, and asks the kernel what they take.
package proc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startLimit = 20 * time.Second
	stopLimit  = 5 * time.Second
)

// Child is a server that has been started here.
type Child struct {
	name string
	cmd  *exec.Cmd
	out  *tail
	done chan struct{} // closed when the process has ended
}

// Spawn starts a server. If ready is not empty it waits for a line of standard output that begins with it, and returns what
// follows in that line.
func Spawn(ctx context.Context, name, ready, path string, args ...string) (*Child, string, error) {
	c := &Child{name: name, cmd: exec.Command(path, args...), out: new(tail), done: make(chan struct{})}
	endWithParent(c.cmd)
	c.cmd.Stderr = c.out
	pipe, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, "", err
	}
	found := make(chan string, 1)
	go func() { // ends when the process does; Stop waits for it
		defer close(c.done)
		lines := bufio.NewScanner(io.TeeReader(pipe, c.out))
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), ready); ok && ready != "" {
				select {
				case found <- rest:
				default:
				}
			}
		}
		_ = c.cmd.Wait() // a server that is stopped may well say that it was
	}()
	if ready == "" {
		return c, "", nil
	}
	select {
	case rest := <-found:
		return c, rest, nil
	case <-c.done:
		return nil, "", fmt.Errorf("ended before it was ready; it said:\n%s", c.out)
	case <-time.After(startLimit):
		err = fmt.Errorf("was not ready after %v; it said:\n%s", startLimit, c.out)
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, "", errors.Join(err, c.Stop())
}

// AwaitPort waits until something answers at addr, for servers that do not say when they are ready.
func (c *Child) AwaitPort(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		var d net.Dialer
		nc, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			return nc.Close()
		}
		select {
		case <-retry.C:
		case <-c.done:
			return fmt.Errorf("ended before it was ready; it said:\n%s", c.out)
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("nothing answers at %s", addr), c.Stop())
		}
	}
}

// PID is the process's id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Stop asks the server to end, and makes it end if it does not. It is harmless on a server that has ended.
func (c *Child) Stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
		return nil
	case <-time.After(stopLimit):
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	<-c.done
	return nil
}

// freePort returns a loopback port that is free now, for servers that cannot choose one themselves.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return port, errors.Join(err, ln.Close())
}

// portTries is how often a server is started on another port when somebody took the one that was free.
const portTries = 3

// SpawnOnPort starts a server that has to be told its port, and returns its address.
func SpawnOnPort(ctx context.Context, name, path string, args func(port string) []string) (*Child, string, error) {
	var errs []error
	for range portTries {
		port, err := freePort()
		if err != nil {
			return nil, "", err
		}
		c, _, err := Spawn(ctx, name, "", path, args(port)...)
		if err != nil {
			return nil, "", err
		}
		addr := net.JoinHostPort("127.0.0.1", port)
		if err = c.AwaitPort(ctx, addr); err == nil {
			return c, addr, nil
		}
		errs = append(errs, err)
	}
	return nil, "", errors.Join(errs...)
}

// tail keeps the last that a child has said. Safe for concurrent use.
type tail struct {
	mu sync.Mutex
	b  []byte // guarded by mu
}

const tailSize = 4096 // bytes

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if len(t.b) > tailSize {
		t.b = append(t.b[:0], t.b[len(t.b)-tailSize:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}
