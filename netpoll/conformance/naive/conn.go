package naive

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"time"
)

// maxHead is the limit of a header block. See docs/protocol.md §2.6.
const maxHead = 16384

// conn serves one connection, in one goroutine.
type conn struct {
	srv *Server
	nc  *net.TCPConn
	in  *bufio.Reader
	// waits stops the idle timeout, and is only set while nothing reads.
	waits bool
}

func newConn(s *Server, nc *net.TCPConn) *conn {
	c := &conn{srv: s, nc: nc}
	c.in = bufio.NewReader(idleReader{c})
	return c
}

// idleReader starts the idle time again before each read.
type idleReader struct{ c *conn }

func (r idleReader) Read(b []byte) (int, error) {
	if idle := r.c.srv.opt.IdleTimeout; idle > 0 && !r.c.waits {
		if err := r.c.nc.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return 0, err
		}
	}
	return r.c.nc.Read(b)
}

// errMalformed asks for a 400 and the end of the connection.
var errMalformed = errors.New("naive: malformed request")

// serve answers requests until the connection ends.
func (c *conn) serve() {
	for {
		r, body, err := c.read()
		if errors.Is(err, errMalformed) {
			c.refuse()
			return
		}
		if err != nil {
			return
		}
		answer, w := c.srv.store.do(r, body)
		if w != nil {
			answer = c.wait(r, w)
		}
		if answer == nil {
			return
		}
		if _, err := c.nc.Write(answer); err != nil || r.close {
			return
		}
	}
}

// read reads one request with its body.
func (c *conn) read() (*request, []byte, error) {
	var block []byte
	for !bytes.HasSuffix(block, []byte("\r\n\r\n")) {
		b, err := c.in.ReadByte()
		if err != nil {
			return nil, nil, err
		}
		block = append(block, b)
		if len(block) > maxHead || badByte(block) || bytes.Equal(block, []byte("\r\n")) {
			return nil, nil, errMalformed
		}
	}
	r, ok := parse(block, c.srv.opt.MaxBody)
	if !ok {
		return nil, nil, errMalformed
	}
	body := make([]byte, r.length)
	_, err := io.ReadFull(c.in, body)
	return r, body, err
}

// refuse answers 400 and closes so that the answer arrives.
// See docs/protocol.md §2.12.
func (c *conn) refuse() {
	if _, err := c.nc.Write(response("400 Bad Request", nil, nil)); err != nil {
		return
	}
	if err := c.nc.CloseWrite(); err != nil {
		return
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return
	}
	io.CopyN(io.Discard, c.nc, 1<<20) //nolint:errcheck // the end is the end, whatever ends it
}

// wait holds an acquire until it has an answer; nil means that the client has
// gone. See docs/protocol.md §8.
func (c *conn) wait(r *request, w *waiter) []byte {
	gone, stop := c.watch()
	defer stop()
	deadline := time.NewTimer(c.srv.opt.LockWait)
	defer deadline.Stop()
	select {
	case answer := <-w.answer:
		return answer
	case <-deadline.C:
		return c.srv.store.refuse(r.key, w)
	case <-gone:
	case <-c.srv.down.Done():
	}
	c.srv.store.forget(r.key, w)
	return nil
}

// watch reads ahead, as far as the buffer goes, to notice the end of the
// stream. gone is closed when it has come; stop must be called before the next
// read.
func (c *conn) watch() (gone chan struct{}, stop func()) {
	gone = make(chan struct{})
	ended := make(chan struct{})
	c.waits = true
	c.nc.SetReadDeadline(time.Time{}) //nolint:errcheck // a dead connection shows below
	go func() {
		defer close(ended)
		for {
			_, err := c.in.Peek(c.in.Buffered() + 1)
			var timeout net.Error
			if errors.Is(err, bufio.ErrBufferFull) || errors.As(err, &timeout) && timeout.Timeout() {
				return
			}
			if err != nil {
				close(gone)
				return
			}
		}
	}()
	return gone, func() {
		c.nc.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // as above
		<-ended
		c.waits = false
		c.nc.SetReadDeadline(time.Time{}) //nolint:errcheck // as above
	}
}
