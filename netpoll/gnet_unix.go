//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package netpoll

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

const gnetForProduction = true

// gnetTransport serves connections on gnet's event loops.
//
// The loops are those of a gnet client, and get connections that we have accepted ourselves: gnet's own acceptor ends the server when the process
// is out of descriptors, and cannot stop accepting while requests are finished.
type gnetTransport struct {
	gnet.BuiltinEventEngine
	srv      *Server
	client   *gnet.Client
	stopping atomic.Bool // the loops are about to close all connections

	mu    sync.Mutex
	lanes []*gnetLane // index = lane id; append only
	view  atomic.Pointer[[]*gnetLane]
}

// gnetLane is the lane of one event loop.
type gnetLane struct {
	*lane
	loop gnet.EventLoop
	todo atomic.Uint32 // what Run has to do; not 0 while it is scheduled

	mu   sync.Mutex
	mail []*conn // that have been answered on another lane; guarded by mu
	read []*conn // empty; takes turns with mail. Owned by the loop
}

const (
	todoDrain = 1 << iota
	todoTick
	todoTickAll
	todoMail
)

func newGnet(s *Server) (transport, error) {
	t := &gnetTransport{srv: s}
	t.view.Store(new([]*gnetLane))
	client, err := gnet.NewClient(t,
		gnet.WithNumEventLoop(s.opt.Loops), // gnet itself would count processors, not what a container may use of them
		// net has switched Nagle's algorithm off, and admit keep-alive on. gnet, when it fails to, forgets to close its copy of the descriptor.
		gnet.WithTCPNoDelay(gnet.TCPDelay),
		gnet.WithLogger(gnetLogger{s.opt.Logger}),
	)
	if err != nil {
		return nil, fmt.Errorf("cannot make the event loops: %w", err)
	}
	t.client = client
	if err := client.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the event loops: %w", err)
	}
	return t, nil
}

func (t *gnetTransport) serve(nc *net.TCPConn, c *conn) error {
	ownZone(nc.LocalAddr())
	ownZone(nc.RemoteAddr())
	l := &gnetLink{conn: c}
	c.link = l
	if _, err := t.client.EnrollContext(nc, l); err != nil {
		return err
	}
	if l.gc == nil { // the loop could not watch it, and has closed it without a word
		return fmt.Errorf("the event loop did not take the connection")
	}
	return nil
}

// ownZone gives a link-local address a zone of its own: gnet recycles the memory of the zone's name when the connection ends, and the standard
// library shares one name among all addresses.
func ownZone(addr net.Addr) {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		tcp.Zone = strings.Clone(tcp.Zone)
	}
}

// OnOpen implements gnet.EventHandler.
func (t *gnetTransport) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	l := gc.Context().(*gnetLink)
	l.gc = gc
	l.lane = t.laneOf(gc.EventLoop())
	l.conn.lane = l.lane.lane
	l.conn.lane.conns[l.conn] = struct{}{}
	return nil, gnet.None
}

// laneOf finds the lane of a loop, or makes it.
func (t *gnetTransport) laneOf(loop gnet.EventLoop) *gnetLane {
	for _, l := range *t.view.Load() {
		if l.loop == loop {
			return l
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &gnetLane{lane: newLane(t.srv, len(t.lanes)), loop: loop}
	t.lanes = append(t.lanes, l)
	view := append([]*gnetLane(nil), t.lanes...)
	t.view.Store(&view)
	return l
}

// OnTraffic implements gnet.EventHandler: bytes have arrived, or somebody has called wake.
func (t *gnetTransport) OnTraffic(gc gnet.Conn) (action gnet.Action) {
	l, ok := gc.Context().(*gnetLink)
	if !ok {
		return gnet.Close
	}
	c := l.conn
	c.lane.begin()
	defer c.lane.end()
	defer c.recover()
	if c.event() {
		return gnet.Close
	}
	return gnet.None
}

// OnClose implements gnet.EventHandler. gnet may call it inside a Write of ours.
func (t *gnetTransport) OnClose(gc gnet.Conn, _ error) gnet.Action {
	l, ok := gc.Context().(*gnetLink)
	if !ok {
		return gnet.None
	}
	c := l.conn
	c.lane.begin()
	defer c.lane.end()
	defer c.recover()
	defer func() { l.ended = true }()
	if c.reason == CloseClient && t.stopping.Load() {
		c.reason = CloseShutdown
	}
	c.closed()
	return gnet.None
}

func (t *gnetTransport) ready(lane int) bool {
	lanes := *t.view.Load()
	if lane < 0 || lane >= len(lanes) {
		return false
	}
	lanes[lane].schedule(todoDrain)
	return true
}

func (t *gnetTransport) tick(all bool) {
	todo := uint32(todoTick)
	if all {
		todo = todoTickAll
	}
	for _, l := range *t.view.Load() {
		if all || l.watching.Load() {
			l.schedule(todo)
		}
	}
}

func (t *gnetTransport) stop() error {
	t.stopping.Store(true)
	return t.client.Stop()
}

// schedule makes the loop call Run after the present batch of events. Never blocks.
func (l *gnetLane) schedule(todo uint32) {
	if l.todo.Or(todo) == 0 {
		_ = l.loop.Execute(context.Background(), l) // fails only when the loops have been stopped
	}
}

// Run implements gnet.Runnable.
func (l *gnetLane) Run(context.Context) error {
	todo := l.todo.Swap(0)
	l.begin()
	defer l.end()
	if todo&todoMail != 0 {
		l.deliver()
	}
	if todo&todoDrain != 0 && l.srv.run(l.id, loopTurns) {
		// There is more. To schedule it here would be to do it before the next batch of events; the worker shares it with us instead.
		l.srv.poke()
	}
	if todo&(todoTick|todoTickAll) != 0 {
		l.tick(l.srv.clock.now(), todo&todoTickAll != 0)
	}
	return nil
}

// post has a connection looked at that has been answered on another lane. Many take one waking of the loop: answers to changes that mirrors have confirmed come in
// groups. Never blocks.
func (l *gnetLane) post(c *conn) {
	l.mu.Lock()
	l.mail = append(l.mail, c)
	l.mu.Unlock()
	l.schedule(todoMail)
}

// deliver looks at the connections that have been answered on another lane. They may have ended meanwhile.
func (l *gnetLane) deliver() {
	l.mu.Lock()
	l.mail, l.read = l.read, l.mail
	l.mu.Unlock()
	for i, c := range l.read {
		l.read[i] = nil
		c.resume()
	}
	l.read = l.read[:0]
	if cap(l.read) > keepMail {
		l.read = nil
	}
}

// keepMail is how many connections a lane has kept room for.
const keepMail = 1 << 12

// loopTurns is how many queued requests a loop serves between two batches of events: about as many as a batch has.
const loopTurns = 256

// gnetLink is a connection's side of gnet. After the end of the connection the number of its descriptor may belong to another, and gnet does not
// check that in all its methods: so nothing is called any more once ended is set.
type gnetLink struct {
	conn  *conn
	gc    gnet.Conn
	lane  *gnetLane
	ended bool
	iov   [2][]byte
}

func (l *gnetLink) inbound() int {
	if l.ended {
		return 0
	}
	return l.gc.InboundBuffered()
}

func (l *gnetLink) peek(n int) []byte {
	b, _ := l.gc.Peek(n) // cannot fail: 0 < n <= inbound()
	return b
}

func (l *gnetLink) discard(n int) {
	if n > 0 { // gnet takes 0 for everything
		_, _ = l.gc.Discard(n)
	}
}

func (l *gnetLink) write(head, body []byte) error {
	if l.ended {
		return net.ErrClosed
	}
	var err error
	if body == nil {
		_, err = l.gc.Write(head)
	} else {
		l.iov = [2][]byte{head, body}
		_, err = l.gc.Writev(l.iov[:])
		l.iov = [2][]byte{}
	}
	if err == nil && l.ended {
		err = net.ErrClosed
	}
	return err
}

func (l *gnetLink) outbound() int {
	if l.ended {
		return 0
	}
	return l.gc.OutboundBuffered()
}

func (l *gnetLink) gone() bool { return l.ended || hungUp(l.gc.Fd()) }

func (l *gnetLink) closeWrite() {
	if !l.ended {
		_ = unix.Shutdown(l.gc.Fd(), unix.SHUT_WR) // fails if the client has gone: then there is nobody to tell
	}
}

func (l *gnetLink) close() {
	if !l.ended {
		_ = l.lane.loop.Close(l.gc) // calls OnClose
	}
}

func (l *gnetLink) wake() { l.lane.post(l.conn) }

// gnetLogger passes gnet's log lines on.
type gnetLogger struct{ *slog.Logger }

func (l gnetLogger) Debugf(format string, args ...any) {
	l.Debug("gnet: " + fmt.Sprintf(format, args...))
}
func (l gnetLogger) Infof(format string, args ...any) {
	l.Debug("gnet: " + fmt.Sprintf(format, args...))
}
func (l gnetLogger) Warnf(format string, args ...any) {
	l.Warn("gnet: " + fmt.Sprintf(format, args...))
}
func (l gnetLogger) Errorf(format string, args ...any) {
	l.Error("gnet: " + fmt.Sprintf(format, args...))
}
func (l gnetLogger) Fatalf(format string, args ...any) {
	l.Error("gnet: " + fmt.Sprintf(format, args...))
}
