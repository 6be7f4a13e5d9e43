package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// Relay passes what clients and state servers say to each other.
type Relay struct {
	opt     Options
	limits  wire.Limits
	rules   *rules
	targets []*target
	names   []uint64 // hashes of the targets' addresses
	held    [2]waiting
	stats   stats
	refusal []byte

	conns     atomic.Int64 // numbers given out
	exchanges atomic.Int64 // numbers given out
	owed      atomic.Int64 // requests that have no answer yet

	mu      sync.Mutex
	clients map[*client]bool
}

// target is one state server.
type target struct {
	addr string
	mu   sync.Mutex
	health
}

// New returns a relay that has not begun. Its error names all options that are wrong.
func New(opt Options) (*Relay, error) {
	opt.setDefaults()
	if err := opt.validate(); err != nil {
		return nil, err
	}
	format, err := wire.NewFormat("4.0.30319", false)
	if err != nil {
		return nil, err
	}
	r := &Relay{opt: opt, limits: opt.limits(), rules: newRules(opt.Rules, opt.Seed), clients: map[*client]bool{}}
	r.refusal = format.AppendHead(nil, &wire.Answer{Status: wire.StatusBadRequest})
	for _, addr := range opt.Targets {
		t := &target{addr: addr}
		t.up = len(opt.Targets) == 1 // it is not looked at: nothing of the relay's own must reach it
		r.targets = append(r.targets, t)
		r.names = append(r.names, xxhash.Sum64String(addr))
	}
	return r, nil
}

// CheckTarget says what is wrong with the address of a state server.
func CheckTarget(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return fmt.Errorf("--target: %s is not HOST:PORT, such as 127.0.0.1:42424", quote(addr))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("--target: %s has the port %s, which is not a number from 1 to 65535", quote(addr), quote(port))
	}
	return nil
}

// several reports whether sessions are divided among targets.
func (r *Relay) several() bool { return len(r.targets) > 1 }

// stopGrace is how long requests that have no answer may take when the relay stops.
const stopGrace = 2 * time.Second

// Serve relays what connects to l until ctx ends. It calls ready when it does so. It closes l, and
// has no goroutine left when it returns; its error is that of the listener, or of the recording, whose end ends the relay.
func (r *Relay) Serve(ctx context.Context, l net.Listener, ready func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watchers, probers, clients sync.WaitGroup
	if r.opt.Display != nil {
		watchers.Go(r.opt.Display.run)
	}
	if r.opt.Recorder != nil {
		watchers.Go(func() { r.opt.Recorder.run(cancel) })
	}
	if r.several() {
		r.firstProbes(ctx)
		for _, t := range r.targets {
			probers.Go(func() { r.watch(ctx, t) })
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // which ends accept; its error is seen there
	if ctx.Err() == nil {
		ready()
	}
	err := r.accept(ctx, l, &clients)
	cancel(nil)
	stop()
	r.stop()
	clients.Wait()
	probers.Wait()
	if r.opt.Display != nil {
		r.opt.Display.end()
	}
	if r.opt.Recorder != nil {
		r.opt.Recorder.end()
	}
	watchers.Wait()
	if r.opt.Recorder != nil {
		err = errors.Join(err, r.opt.Recorder.err)
	}
	return err
}

// acceptPause is how long nothing is accepted when that has failed, as it does without descriptors.
const acceptPause = 100 * time.Millisecond

func (r *Relay) accept(ctx context.Context, l net.Listener, clients *sync.WaitGroup) error {
	defer func() { _ = l.Close() }() // it may be closed
	for {
		nc, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = nc.Close() // nobody has used it
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			r.opt.Log("a connection could not be accepted: " + err.Error())
			if pause(ctx, acceptPause) != nil {
				return nil
			}
			continue
		}
		tcp, ok := nc.(*net.TCPConn)
		if !ok || !r.admits(tcp) {
			_ = nc.Close() // nobody has used it
			continue
		}
		c := newClient(ctx, r, tcp)
		if !r.enter(c) {
			r.opt.Log(fmt.Sprintf("a connection was closed at once: %d are open, which is the most (--max-connections)", r.opt.MaxConns))
			_ = nc.Close() // nobody has used it
			continue
		}
		clients.Go(func() {
			defer r.leave(c)
			c.run()
		})
	}
}

// admits reports whether a client may connect.
func (r *Relay) admits(nc *net.TCPConn) bool {
	addr, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil || !config.Allows(r.opt.Allow, addr.Addr()) {
		r.opt.Log("a connection from " + nc.RemoteAddr().String() + " was closed: its network is not allowed (--allow)")
		return false
	}
	return true
}

func (r *Relay) enter(c *client) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.clients) >= r.opt.MaxConns {
		return false
	}
	c.id = r.conns.Add(1)
	r.clients[c] = true
	return true
}

func (r *Relay) leave(c *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.clients, c)
}

// stop closes all connections, those with open requests a little later.
func (r *Relay) stop() {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(stopGrace); r.owed.Load() > 0 && time.Now().Before(end); {
		<-poll.C
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.clients {
		c.shut("the relay stops")
	}
}

// pause waits, or returns the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *Relay) record(e event) {
	if r.opt.Recorder != nil {
		r.opt.Recorder.tell(e)
	}
}

func (r *Relay) show(s shown) {
	if r.opt.Display != nil {
		r.opt.Display.tell(s)
	}
}

// Summary is what passed until now.
func (r *Relay) Summary() Summary { return r.stats.summary(r.conns.Load()) }
