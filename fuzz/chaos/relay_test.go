//go:build linux

package chaos

import (
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/farmstate/farmstate/bench/proc"
)

// relay stands in front of a node's peer port, for one other node or for all that deliver to it. What is held does not go on until it is let go: to both
// sides the other is silent, as it is behind a cable that somebody has pulled.
type relay struct {
	addr   string // its own
	target string
	ln     net.Listener

	mu    sync.Mutex
	free  sync.Cond // of mu: something has been let go, or the relay is closed
	held  [2]bool   // towards the target, and back
	conns map[net.Conn]bool
	over  bool
	tasks sync.WaitGroup
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	port, err := proc.LastingPort()
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), target: target, conns: map[net.Conn]bool{}}
	r.free.L = &r.mu
	if r.ln, err = net.Listen("tcp", r.addr); err != nil {
		t.Fatal(err)
	}
	r.tasks.Go(r.accept)
	t.Cleanup(r.close)
	return r
}

func (r *relay) close() {
	r.mu.Lock()
	r.over = true
	for nc := range r.conns {
		_ = nc.Close()
	}
	r.mu.Unlock()
	_ = r.ln.Close()
	r.free.Broadcast()
	r.tasks.Wait()
}

func (r *relay) accept() {
	for {
		nc, err := r.ln.Accept()
		if err != nil {
			return
		}
		r.tasks.Go(func() { r.join(nc) })
	}
}

// hold holds what goes to the target (0) or comes from it (1), or lets it go.
func (r *relay) hold(direction int, held bool) {
	r.mu.Lock()
	r.held[direction] = held
	r.mu.Unlock()
	r.free.Broadcast()
}

// await waits until a direction is free, and reports whether the relay goes on.
func (r *relay) await(direction int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.held[direction] && !r.over {
		r.free.Wait()
	}
	return !r.over
}

// keep notes a connection that is to be closed with the relay. It reports false if that is closed.
func (r *relay) keep(nc net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[nc] = true
	return !r.over
}

func (r *relay) forget(nc net.Conn) {
	_ = nc.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, nc)
}

// join connects an accepted connection with the target.
func (r *relay) join(from net.Conn) {
	defer r.forget(from)
	if !r.keep(from) || !r.await(0) {
		return
	}
	to, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	defer r.forget(to)
	if !r.keep(to) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { r.pump(to, from, 0) })
	both.Go(func() { r.pump(from, to, 1) })
	both.Wait()
}

// pump passes on what comes, until one of both connections is closed.
func (r *relay) pump(dst, src net.Conn, direction int) {
	defer dst.(*net.TCPConn).CloseWrite()
	buf := make([]byte, 16<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			if !r.await(direction) {
				return
			}
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
