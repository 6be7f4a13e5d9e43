package link

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// fakePipe is a connection within a test, like one over loopback: what is written waits to be read, however much it is and whether or not the reader still runs.
// It works in a bubble of synctest.
func fakePipe() (a, b *fakeConn) {
	there, back := newStream(), newStream()
	return &fakeConn{in: back, out: there}, &fakeConn{in: there, out: back}
}

// stream is one direction.
type stream struct {
	mu       sync.Mutex // guards all that follows
	buf      bytes.Buffer
	finished bool          // nothing more will be written
	gone     bool          // the reading end was closed
	deadline time.Time     // of reading
	changed  chan struct{} // closed at every change
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

func (s *stream) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) read(p []byte) (int, error) {
	for {
		s.mu.Lock()
		n, _ := s.buf.Read(p) // it ends when it is empty
		finished, gone, deadline, changed := s.finished, s.gone, s.deadline, s.changed
		s.mu.Unlock()
		left := time.Until(deadline)
		switch {
		case n > 0:
			return n, nil
		case gone:
			return 0, net.ErrClosed
		case finished:
			return 0, io.EOF
		case deadline.IsZero():
			<-changed
			continue
		case left <= 0:
			return 0, os.ErrDeadlineExceeded
		}
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// fakeConn is one end.
type fakeConn struct{ in, out *stream }

func (c *fakeConn) Read(p []byte) (int, error) { return c.in.read(p) }

func (c *fakeConn) Write(p []byte) (n int, err error) {
	c.out.change(func() {
		switch {
		case c.out.finished:
			err = net.ErrClosed
		case c.out.gone:
			err = &net.OpError{Op: "write", Err: syscall.EPIPE}
		default:
			n, _ = c.out.buf.Write(p)
		}
	})
	return n, err
}

func (c *fakeConn) CloseWrite() error {
	c.out.change(func() { c.out.finished = true })
	return nil
}

func (c *fakeConn) Close() error {
	c.in.change(func() { c.in.gone = true })
	return c.CloseWrite()
}

func (c *fakeConn) SetReadDeadline(t time.Time) error {
	c.in.change(func() { c.in.deadline = t })
	return nil
}

func (*fakeConn) SetWriteDeadline(time.Time) error { return nil } // writing does not wait
func (c *fakeConn) SetDeadline(t time.Time) error  { return c.SetReadDeadline(t) }
func (*fakeConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (*fakeConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }

// process is one that can be stopped, as SIGSTOP does, and be continued: all calls of its connections wait meanwhile, also those that have begun. What others do
// to the connections happens.
type process struct {
	mu      sync.Mutex
	stopped chan struct{} // guarded by mu: nil while it runs, closed when it runs again
}

func (p *process) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = make(chan struct{})
}

func (p *process) cont() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.stopped)
	p.stopped = nil
}

// runs waits until it does.
func (p *process) runs() {
	p.mu.Lock()
	stopped := p.stopped
	p.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
}

// stoppable is a connection of a process.
type stoppable struct {
	*fakeConn
	p *process
}

func (c *stoppable) Read(b []byte) (int, error) {
	defer c.p.runs()
	c.p.runs()
	return c.fakeConn.Read(b)
}

func (c *stoppable) Write(b []byte) (int, error) { c.p.runs(); return c.fakeConn.Write(b) }
func (c *stoppable) CloseWrite() error           { c.p.runs(); return c.fakeConn.CloseWrite() }
func (c *stoppable) Close() error                { c.p.runs(); return c.fakeConn.Close() }

func (c *stoppable) SetReadDeadline(t time.Time) error {
	c.p.runs()
	return c.fakeConn.SetReadDeadline(t)
}

func (c *stoppable) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }
