package netpoll

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// TestStdStopBetweenWrites: a shutdown that falls between two writes of one answer ends the second, though each gets new time.
func TestStdStopBetweenWrites(t *testing.T) {
	s, _ := fakeServer(t, Options{}, engine.Options{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { _ = ln.Close() }()
	deaf, err := net.Dial("tcp", ln.Addr().String())
	check(t, err)
	defer func() { _ = deaf.Close() }()
	nc, err := ln.Accept()
	check(t, err)

	c, _ := fakeConn(t, s, newLane(s, 0))
	l := &stdLink{t: newStd(s), nc: nc.(*net.TCPConn), conn: c}
	l.changed.L = &l.mu
	c.link = l
	check(t, l.write([]byte("a part of an answer"), nil))
	l.t.links[l] = struct{}{}
	check(t, l.t.stop())
	began := time.Now()
	if err := l.write(make([]byte, 64<<20), nil); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want %v", err, os.ErrDeadlineExceeded)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if !l.ended || c.reason != CloseShutdown {
		t.Errorf("ended: %v, because of %v", l.ended, c.reason)
	}
}
