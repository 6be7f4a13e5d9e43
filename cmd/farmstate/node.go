package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/gops/agent"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/admin"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/machine"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/notice"
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll"
	"github.com/farmstate/farmstate/peer"
)

// node is a running farmstate: the engine, the ports in front of it, and what
// looks after them.
type node struct {
	// Static after construction.

	cfg     *config.Config
	logger  *slog.Logger
	started time.Time
	clock   *netpoll.Clock
	engine  *engine.Engine
	farm    *peer.Farm // nil without one
	server  *netpoll.Server
	admin   *admin.Server // nil when it is off
	closers []func()      // what the node is made of, but for the server, in the order of the start

	snapshots *snapshots // nil without a directory for them

	events    *event.Hub
	level     *slog.LevelVar // of the log
	token     string         // of the admin pages
	tokenMade bool           // by the node itself
	fleet     fleetView

	served   atomic.Pointer[netpoll.Server] // server, for who may look while it starts
	stopping atomic.Bool
}

// keptEvents is how many of the latest events a node remembers.
const keptEvents = 1000

// startNode starts a node; when it returns without an error, everything
// listens. On an error nothing is left running.
func startNode(cfg *config.Config, logger *slog.Logger, environ []string) (_ *node, err error) {
	n := &node{cfg: cfg, started: time.Now(), clock: netpoll.NewClock(), events: event.NewHub(keptEvents), level: new(slog.LevelVar)}
	n.level.Set(cfg.LogLevel)
	n.logger = slog.New(n.events.Handler(levelled{logger.Handler(), n.level}))
	defer func() {
		if err != nil {
			n.abandon()
		}
	}()
	n.logSettings(environ)
	if err := n.startGops(); err != nil {
		return nil, err
	}
	notices := notice.Listen(n.logger, n.clientName)
	n.onClose(notices.Close)
	if err := n.startEngine(notices.Events()); err != nil {
		return nil, err
	}
	keeper := startGCKeeper(environ, func() uint64 { return uint64(n.engine.Stats().Bytes) })
	n.onClose(keeper.close)
	if err := n.startFarm(); err != nil { // Must come before the state port: a session that is elsewhere is not missing.
		return nil, err
	}
	if err := n.openSnapshots(); err != nil {
		return nil, err
	}
	if err := n.restore(); err != nil {
		return nil, err
	}
	if err := n.listen(); err != nil {
		return nil, err
	}
	n.tellStateAddr()
	if err := n.startAdmin(notices); err != nil {
		return nil, err
	}
	if n.snapshots != nil {
		n.snapshots.start() // Must be last: node.stop ends it.
	}
	n.logger.Info("ready", "event", "ready", "version", buildInfo().Version, "state", n.server.Addr().String(), "peer", n.peerAddr(), "gossip", n.gossipAddr(), "admin", n.adminAddr(), "max_memory", n.engine.Stats().MaxMemory)
	return n, nil
}

func (n *node) onClose(f func()) {
	n.closers = append(n.closers, f)
}

// close ends everything but the state port, the last that was started first.
func (n *node) close() {
	for _, f := range slices.Backward(n.closers) {
		f()
	}
}

// abandon undoes a start that has failed.
func (n *node) abandon() {
	if n.server != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // Nobody has been served yet.
		_ = n.server.Shutdown(ctx)
	}
	n.close()
}

// logSettings logs the settings that somebody chose, and what looks like a
// mistake in the environment.
func (n *node) logSettings(environ []string) {
	var settings []any
	for i := range config.Table {
		o := &config.Table[i]
		if n.cfg.IsSet(o.Name) {
			settings = append(settings, o.Name, strings.Join(o.Values(n.cfg), ",")+" ("+n.cfg.Origin(o.Name).String()+")")
		}
	}
	if len(n.cfg.Aliases) > 0 {
		settings = append(settings, "aliases", len(n.cfg.Aliases))
	}
	if len(n.cfg.LegacyPeers) > 0 {
		settings = append(settings, "legacy_peers", len(n.cfg.LegacyPeers))
	}
	if len(settings) > 0 {
		n.logger.Info("settings other than the defaults", append([]any{"event", "settings"}, settings...)...)
	}
	for _, warning := range n.cfg.Warnings {
		n.logger.Warn(warning, "event", "configuration_warning")
	}
	for name, meant := range config.Misspelt(environ) {
		n.logger.Warn("an environment variable is no option and has no effect", "event", "unknown_variable", "variable", name, "did_you_mean", meant)
	}
}

func (n *node) startGops() error {
	if !n.cfg.Gops {
		return nil
	}
	addr, err := startGops()
	if err != nil {
		return usageError(fmt.Errorf("the gops agent cannot start: %w; put that right, or leave --gops out", err))
	}
	n.onClose(agent.Close)
	n.logger.Info("the gops agent listens", "event", "gops", "address", addr)
	return nil
}

// memoryShare is how much of the memory sessions may take when nobody says, in
// percent.
const memoryShare = 75

// maxMemory is the memory that sessions may take, in bytes; 0 is no cap.
func (n *node) maxMemory() int64 {
	if n.cfg.MaxMemory > 0 {
		return n.cfg.MaxMemory
	}
	total, err := machine.Memory()
	if err != nil {
		n.logger.Warn("the memory of this machine is not known, so sessions may take any amount; set max_memory", "event", "no_memory_limit", "err", err)
		return 0
	}
	return total / 100 * memoryShare
}

func (n *node) startEngine(events engine.Events) (err error) {
	n.engine, err = engine.New(engine.Options{
		MaxMemory:     n.maxMemory(),
		LockWait:      n.cfg.LockWait,
		LockQueue:     int(n.cfg.LockQueue),
		SessionQueue:  int(n.cfg.SessionQueue),
		FarmWait:      n.farmWait(),
		TransferQueue: int(n.cfg.TransferQueue),
		StaleLock:     n.cfg.StaleLock,
		Seed:          rand.Uint64(),
		Events:        events,
	}, n.clock.Now())
	return err
}

// clientName is the address of a client by the number that tickets have; empty if it is not known, as in the very first moments.
func (n *node) clientName(number uint16) string {
	s := n.served.Load()
	if s == nil {
		return ""
	}
	addr := s.ClientAddr(number)
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// listen opens the state port.
func (n *node) listen() error {
	addr, err := n.address("listen", n.cfg.Listen)
	if err != nil {
		return err
	}
	n.server, err = netpoll.Listen(netpoll.Options{
		Addr:             addr,
		Transport:        n.cfg.Transport,
		Loops:            int(n.cfg.EventLoops),
		Allow:            n.cfg.Allow,
		MaxHead:          int(n.cfg.MaxHeader),
		MaxBody:          int(n.cfg.MaxBody),
		MaxConns:         int(n.cfg.MaxConnections),
		OtherDescriptors: n.otherDescriptors(),
		MaxOutput:        int(n.cfg.MaxOutput),
		MaxOutputTotal:   n.cfg.MaxOutputTotal,
		IdleTimeout:      n.cfg.IdleTimeout,
		HTTPStatusLine:   n.cfg.HTTPStatusLine,
		ASPNetVersion:    n.cfg.ASPNetVersion,
		Rules:            n.cfg.Rules,
		Clock:            n.clock,
		Logger:           n.logger,
	}, n.engine)
	if err != nil {
		return listenError("listen", n.cfg.Listen, err)
	}
	n.served.Store(n.server)
	return nil
}

// lookupTimeout bounds the look-up of a host name in an address.
const lookupTimeout = 5 * time.Second

// address is the address of an option with its host name looked up. What the
// name stands for may be reached from other machines, and then somebody must
// have said who may connect.
func (n *node) address(option, addr string) (string, error) {
	resolved, err := lookUp(option, addr)
	if err != nil {
		return "", err
	}
	if resolved != addr && len(n.cfg.Allow) == 0 && config.Exposed(resolved) { // an address was judged when the configuration was read
		return "", usageError(errors.New("--" + option + ": " + addr + " stands for " + resolved + ", which " + config.ExposedAdvice))
	}
	return resolved, nil
}

// lookUp is the address of an option with its host name looked up.
func lookUp(option, addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", usageError(fmt.Errorf("--%s: %w", option, err))
	}
	if _, err := netip.ParseAddr(host); host == "" || err == nil {
		return addr, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", listenError(option, addr, err)
	}
	ip := slices.MinFunc(found, func(a, b netip.Addr) int { return a.Unmap().Compare(b.Unmap()) }).Unmap() // IPv4 first, as ASP.NET prefers it
	return net.JoinHostPort(ip.String(), port), nil
}

// readyLine is what goes to standard output when everything listens.
func (n *node) readyLine() string {
	line := "farmstate ready state=" + n.server.Addr().String()
	if addr := n.peerAddr(); addr != "" {
		line += " peer=" + addr
	}
	if addr := n.gossipAddr(); addr != "" {
		line += " gossip=" + addr
	}
	if n.admin != nil {
		line += " admin=" + n.adminAddr()
	}
	return line
}
