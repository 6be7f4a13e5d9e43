package netpoll

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// transport moves bytes between sockets and connections.
type transport interface {
	// serve takes over an accepted connection: it sets c.lane and c.link and calls c.event from then on, until it calls c.closed. On an error it
	// has closed nc and will not call anything.
	serve(nc *net.TCPConn, c *conn) error
	// ready reports whether the lane is one of this transport's event loops, on which queued work of the engine can be done; if so, it is done after the present
	// batch of events. Never blocks.
	ready(lane int) bool
	// tick lets every lane look after its connections: all of them, or only the watched. Never blocks.
	tick(all bool)
	// stop closes all connections, and returns when no callback will be made any more.
	stop() error
}

// Server serves the state port.
type Server struct {
	// Static after construction.

	opt         Options
	engine      *engine.Engine
	format      *wire.Format
	limits      wire.Limits
	window      int   // bytes of one request that may have to be seen at once
	intakeShare int64 // see intake.begin
	maxConns    int
	clock       *Clock
	listener    *net.TCPListener
	transport   transport
	latencies   []*latencies // as many as there are event loops; a lane's is that of its id modulo their number

	stopping atomic.Bool
	refusing atomic.Bool // no further connection is accepted
	ticks    atomic.Int64
	conns    atomic.Int64
	output   atomic.Int64 // bytes of answers that clients have not taken
	intakes  atomic.Int64 // bytes of bodies on their way in
	clients  clients
	counts

	work  chan struct{} // the engine has work that no event loop will do, or a connection goes on later
	quit  chan struct{} // closed to end ticker and worker
	fault chan error
	tasks sync.WaitGroup
	once  sync.Once

	closeErr error // of the listener; written once, by who has set refusing

	mu       sync.Mutex
	deferred []*conn // guarded by mu: they go on after others have had their turn
}

// tickEvery is how often waiters' deadlines, expiry and watched connections are looked at. §8.7 allows 100 ms.
const tickEvery = 20 * time.Millisecond

// Listen serves e's sessions on the state port. When it returns, clients can connect. See Shutdown for the end.
func Listen(opt Options, e *engine.Engine) (*Server, error) {
	opt.setDefaults()
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	format, err := wire.NewFormat(opt.ASPNetVersion, opt.HTTPStatusLine)
	if err != nil {
		return nil, err
	}
	s := &Server{
		opt: opt, engine: e, format: format,
		limits:   wire.Limits{MaxHead: opt.MaxHead, MaxBody: opt.MaxBody},
		window:   opt.MaxHead + wholeBody,
		maxConns: connLimit(opt.MaxConns, opt.OtherDescriptors),
		clock:    opt.Clock,
		work:     make(chan struct{}, 1), quit: make(chan struct{}), fault: make(chan error, 1),
	}
	for range opt.Loops {
		s.latencies = append(s.latencies, new(latencies))
	}
	s.intakeShare = 256 << 20
	if m := e.Stats().MaxMemory; m > 0 {
		s.intakeShare = min(s.intakeShare, m/8)
	}
	if s.maxConns < opt.MaxConns {
		opt.Logger.Warn("fewer connections than max_connections fit the process's limit of open files; raise it (ulimit -n, LimitNOFILE=)",
			"max_connections", opt.MaxConns, "possible", s.maxConns)
	}
	ln, err := listen(opt.Addr)
	if err != nil {
		return nil, err
	}
	s.listener = ln
	if s.transport, err = newTransport(s); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	e.SetReady(s.ready)
	s.tasks.Go(s.accept)
	s.tasks.Go(s.tick)
	s.tasks.Go(s.drain)
	return s, nil
}

// newTransport chooses the transport.
func newTransport(s *Server) (transport, error) {
	switch {
	case s.opt.Transport == TransportStd, s.opt.Transport == TransportAuto && !gnetForProduction:
		return newStd(s), nil
	default:
		return newGnet(s)
	}
}

// Addr is the address the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Now reads the clock that the engine is given.
func (s *Server) Now() engine.Time { return s.clock.now() }

// Ticks counts how often the engine has been told the time. As long as it grows, waiters are let go and sessions expire.
func (s *Server) Ticks() int64 { return s.ticks.Load() }

// Err reports a fault that ended the serving although nobody asked for it. The engine's sessions are unharmed.
func (s *Server) Err() <-chan error { return s.fault }

// accept takes in connections until the listener is closed. Running out of descriptors only makes it wait: unlike gnet's own acceptor it never
// takes the server down with it.
func (s *Server) accept() {
	var wait time.Duration
	for {
		nc, err := s.listener.AcceptTCP()
		switch {
		case err == nil:
			wait = 0
			s.admit(nc)
			continue
		case errors.Is(err, net.ErrClosed):
			if !s.refusing.Load() {
				s.fault <- fmt.Errorf("the state port's listener has ended: %w", err)
			}
			return
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		s.acceptErrors.Add(1)
		if s.throttled(throttleAccept) {
			s.opt.Logger.Error("cannot accept a connection; trying again. If the process is out of descriptors, raise its limit of open files or lower max_connections",
				"event", "accept_failed", "err", err)
		}
		select {
		case <-time.After(wait):
		case <-s.quit:
		}
	}
}

// admit starts serving a connection, if it may be served.
func (s *Server) admit(nc *net.TCPConn) {
	c := &conn{srv: s, peer: peerAddr(nc.RemoteAddr())}
	switch {
	case !s.mayConnect(nc.RemoteAddr()):
		s.noteRefused(c.peer)
		_ = nc.Close() // nothing was sent, nothing can be lost
		return
	case s.conns.Load() >= int64(s.maxConns):
		s.closes[ClosePolicy].Add(1)
		if s.throttled(throttleConns) {
			s.opt.Logger.Warn("a connection was turned away: there are max_connections already; raise it, or see who has so many", "event", "too_many_connections", "max_connections", s.maxConns)
		}
		_ = nc.Close()
		return
	}
	_ = nc.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: keepAlive}) // fails if the client has gone
	s.conns.Add(1)
	s.opened.Add(1)
	c.active = s.clock.now().Mono
	c.ticket.Caller = c
	if c.from = s.clients.enter(c.peer, time.Now()); c.from != nil {
		c.ticket.Client = c.from.number
	}
	if err := s.transport.serve(nc, c); err != nil {
		c.from.leave(time.Now())
		s.connClosed(CloseFault)
		if s.throttled(throttleServe) {
			s.opt.Logger.Error("a connection could not be served and was closed; if it goes on, see whether the process is short of descriptors", "event", "serve_failed", "client", c.peer, "err", err)
		}
	}
}

// keepAlive is the silence after which TCP asks whether the client's machine is still there. A request that waits has no idle timeout.
const keepAlive = time.Minute

func (s *Server) connClosed(why CloseReason) {
	s.conns.Add(-1)
	s.closes[why].Add(1)
}

// tick drives everything that happens by time.
func (s *Server) tick() {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-s.quit:
			return
		case <-ticker.C:
		}
		s.guard(func() { s.engine.Tick(s.clock.now()) })
		s.ticks.Add(1)
		all := n%int(time.Second/tickEvery) == 0
		if all {
			s.clock.refresh()
		}
		s.transport.tick(all || s.stopping.Load())
	}
}

// ready is told by the engine that it has queued work.
func (s *Server) ready(lane int) {
	if !s.transport.ready(lane) {
		s.poke()
	}
}

// poke makes the worker look after the engine's queued work. Never blocks.
func (s *Server) poke() {
	select {
	case s.work <- struct{}{}:
	default:
	}
}

// drain does the engine's queued work that no event loop does.
func (s *Server) drain() {
	for {
		select {
		case <-s.quit:
			return
		case <-s.work:
		}
		for s.run(engine.NoLane, drainTurns) {
		}
		s.wakeDeferred()
	}
}

// run does queued work of the engine, and reports whether there is more.
func (s *Server) run(lane, turns int) (more bool) {
	more = true // if it panics: the request that did it is out of the queue
	s.guard(func() { more = s.engine.Run(s.clock.now(), lane, turns) })
	return more
}

// guard is conn.guard for what is done on behalf of no connection in particular.
func (s *Server) guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(p)
		}
	}()
	f()
}

// panicked notes a fault of ours that has been survived.
func (s *Server) panicked(p any) {
	s.panics.Add(1)
	s.opt.Logger.Error("a request has ended in a fault of farmstate; please report this", "event", "fault", "panic", p, "stack", string(debug.Stack()))
}

// later makes a connection's next event come after those that are waiting now: the worker asks for it, and not the lane itself, which would get to
// it before it looks for other events. Never blocks.
func (s *Server) later(c *conn) {
	s.mu.Lock()
	s.deferred = append(s.deferred, c)
	s.mu.Unlock()
	s.poke()
}

// wakeDeferred asks for the events of the connections that were put off.
func (s *Server) wakeDeferred() {
	s.mu.Lock()
	list := s.deferred
	s.deferred = nil
	s.mu.Unlock()
	for _, c := range list {
		c.link.wake()
	}
}

// drainTurns is how many turns of the engine's run list are taken for one reading of the clock.
const drainTurns = 64

// StopAccepting closes the listener, so that new clients and load balancers turn to other nodes. Connections that are open are served as before.
func (s *Server) StopAccepting() {
	if !s.refusing.Swap(true) {
		s.closeErr = s.listener.Close()
	}
}

// Shutdown ends the serving, in this order: no further connection is accepted; connections without a request are closed; those with one, and those
// whose answer is still on its way, get until ctx ends; then everything is closed. It waits for all goroutines of the server. The engine keeps its sessions.
func (s *Server) Shutdown(ctx context.Context) error {
	var err error
	s.once.Do(func() {
		s.stopping.Store(true)
		s.StopAccepting()
		err = s.closeErr
		poll := time.NewTicker(tickEvery)
		defer poll.Stop()
		for s.conns.Load() > 0 && ctx.Err() == nil {
			select {
			case <-poll.C:
			case <-ctx.Done():
			}
		}
		close(s.quit)
		s.tasks.Wait() // the acceptor has handed over its last connection
		err = errors.Join(err, s.transport.stop())
	})
	return err
}
