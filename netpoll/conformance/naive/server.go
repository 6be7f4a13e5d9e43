package naive

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Options of a server. The zero value holds no acquire and never closes an idle
// connection.
type Options struct {
	LockWait    time.Duration // how long an acquire is held; 0: not at all
	IdleTimeout time.Duration // 0: for ever
	MaxBody     int           // bytes; 0 means 64 MiB
	Fault       Fault
}

// Fault makes a server wrong on purpose.
type Fault uint8

// The faults. Each breaks one promise and nothing else.
const (
	NoFault      Fault = iota
	SharedLock         // every acquire succeeds, also of a locked session
	StickyFlag         // ActionFlags is told to every reader
	LostCounter        // a save that changes Timeout starts the cookies again
	LateSave           // a save is stored whoever holds the lock
	DeafRelease        // a release is answered 200 and does nothing
	EagerTouch         // HEAD creates what is missing
	BlindRemove        // DELETE unlocks and removes nothing
	OldRead            // a plain read gives what was there before the last save
	LooseHeaders       // LockCookie and Timeout in the other order
)

// Server is a running naive server.
type Server struct {
	opt      Options
	listener net.Listener
	store    *store

	wg    sync.WaitGroup // the accept loop and the connections
	mu    sync.Mutex     // guards conns
	conns map[net.Conn]bool
	down  context.Context // ended by Close
	close context.CancelFunc
}

// Listen starts a server on a port of this machine that is free.
func Listen(opt Options) (*Server, error) {
	if opt.MaxBody == 0 {
		opt.MaxBody = 64 << 20
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{opt: opt, listener: listener, store: newStore(opt), conns: make(map[net.Conn]bool)}
	s.down, s.close = context.WithCancel(context.Background())
	s.wg.Go(s.accept)
	return s, nil
}

// Addr returns the address to connect to.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close ends the server and its connections, and waits for its goroutines.
func (s *Server) Close() error {
	err := s.listener.Close()
	s.close()
	s.mu.Lock()
	for nc := range s.conns {
		err = errors.Join(err, nc.Close())
	}
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

func (s *Server) accept() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[nc] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			newConn(s, nc.(*net.TCPConn)).serve()
			s.mu.Lock()
			delete(s.conns, nc)
			s.mu.Unlock()
			nc.Close() //nolint:errcheck // it may have been closed by Close
		})
	}
}
