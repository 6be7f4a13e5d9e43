package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll"
	"github.com/farmstate/farmstate/netpoll/wire"
	"github.com/farmstate/farmstate/peer"
	"github.com/farmstate/farmstate/peer/legacy"
	"github.com/farmstate/farmstate/peer/link"
	"github.com/farmstate/farmstate/peer/member"
)

// farmSlack is how much longer than query_timeout the engine lets a request wait for the farm: a search that has run its whole time has an answer of its own, and a
// machine that is busy may need a while to give it.
const farmSlack = 250 * time.Millisecond

// startFarm opens the peer port and begins to link up. When nobody asked for the port's address and nobody else is to be linked to, a node without
// a farm is better than none.
func (n *node) startFarm() error {
	c := n.cfg
	if c.Standalone || c.PeerListen == "" && c.GossipAddr() == "" && len(c.Peers)+len(c.LegacyPeers) == 0 {
		return nil
	}
	options, err := n.farmOptions()
	if err != nil {
		return err
	}
	f, err := peer.New(options)
	if gossip, ok := errors.AsType[*peer.GossipError](err); ok {
		return listenError("gossip-listen", c.GossipAddr(), gossip.Err)
	}
	if err != nil {
		err = listenError("peer-listen", c.PeerListen, err)
		if c.IsSet("peer_listen") || c.GossipAddr() != "" || len(c.Peers) > 0 || len(c.LegacyPeers) > 0 {
			return err
		}
		n.logger.Warn("this node runs without a farm: the peer port is taken or forbidden; choose another with --peer-listen, or switch it off with --peer-listen off",
			"event", "farm_off", "err", err)
		return nil
	}
	n.farm = f
	n.engine.SetElsewhere(f)
	n.onClose(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		f.Close(ctx)
	})
	return nil
}

// closeTime is how long the end of a farm may take: what is queued for other nodes goes, and they are told that this one does.
const closeTime = 2 * time.Second

// farmOptions makes the options of the farm of the configuration.
func (n *node) farmOptions() (peer.Options, error) {
	c := n.cfg
	security, err := n.security()
	if err != nil {
		return peer.Options{}, err
	}
	listen := c.PeerListen
	if listen != "" {
		if listen, err = n.peerAddress(listen, !security.Plain); err != nil {
			return peer.Options{}, err
		}
	}
	copies, err := n.copies(security)
	if err != nil {
		return peer.Options{}, err
	}
	gossip, err := n.gossip()
	if err != nil {
		return peer.Options{}, err
	}
	originals := make([]legacy.Peer, len(c.LegacyPeers))
	for i, p := range c.LegacyPeers {
		originals[i] = legacy.Peer{Addr: p.Address, Authenticate: p.Authenticate, Encrypt: p.Encrypt, Password: p.Password}
	}
	return peer.Options{
		Engine: n.engine, Now: n.clock.Now, Logger: n.logger, Events: slog.New(n.events.Handler(slog.DiscardHandler)),
		MaxForwards: uint8(c.MaxForwards), QueryTimeout: c.QueryTimeout, Slack: n.farmWait() - c.QueryTimeout,
		KeyOf: n.keyOf, Copies: copies, Member: gossip, Name: machineName(),
		Link: link.Options{
			Listen: listen, Advertise: c.PeerAdvertise, Peers: c.Peers, Program: "farmstate " + buildInfo().Version,
			Security: security, Insecure: c.Insecure, Allow: c.PeerNetworks(),
			MaxBody: int(c.MaxBody), MaxLinks: int(c.MaxPeers),
		},
		Originals: legacy.Options{Peers: originals, QueryTimeout: c.QueryTimeout, MaxBody: int(min(c.MaxBody, 20<<20))},
	}, nil
}

// gossip makes the options of the membership; nil if there is none.
func (n *node) gossip() (*member.Options, error) {
	c := n.cfg
	addr := c.GossipAddr()
	if addr == "" {
		return nil, nil
	}
	o := &member.Options{Advertise: c.GossipAdvertise, Join: c.Join, Insecure: c.Insecure, Allow: c.PeerNetworks()}
	var err error
	if c.PeerSecretFile != "" {
		var warning string
		if o.Secret, warning, err = config.ReadSecret(c.PeerSecretFile); err != nil {
			return nil, usageError(c.OfFile("peer_secret_file", err))
		}
		if warning != "" && c.PeerCert != "" { // otherwise links have warned already
			n.logger.Warn(warning, "event", "configuration_warning")
		}
	}
	if o.Listen, err = lookUp("gossip-listen", addr); err != nil {
		return nil, err
	}
	if o.Secret == nil && !c.Insecure && config.Exposed(o.Listen) {
		return nil, usageError(errors.New("--gossip-listen: " + addr + " stands for " + o.Listen + ", which can be reached from other machines, and " + config.UngossipedAdvice))
	}
	return o, nil
}

// machineName is what other nodes call this machine, for people.
func machineName() string {
	name, _ := os.Hostname() // without one it has none
	return name
}

// security says how the nodes of this farm recognise each other.
func (n *node) security() (link.Security, error) {
	c := n.cfg
	switch {
	case c.PeerCert != "": // a secret beside it is the gossip's
		for _, option := range []string{"peer_ca", "peer_cert", "peer_key"} {
			if err := readable(config.Lookup(option).Values(c)[0]); err != nil {
				return link.Security{}, usageError(c.OfFile(option, err))
			}
		}
		return link.Security{Certificates: &link.Certificates{CA: c.PeerCA, Cert: c.PeerCert, Key: c.PeerKey}}, nil
	case c.PeerSecretFile != "":
		secret, warning, err := config.ReadSecret(c.PeerSecretFile)
		if err != nil {
			return link.Security{}, usageError(c.OfFile("peer_secret_file", err))
		}
		if warning != "" {
			n.logger.Warn(warning, "event", "configuration_warning")
		}
		return link.Security{Secret: secret}, nil
	}
	return link.Security{Plain: true}, nil
}

// readable finds out whether a file can be opened, so that the option that names it can be said.
func readable(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return config.OpenProblem(name, err)
	}
	_ = f.Close() // nothing was written
	return nil
}

// keyOf is the key that a request target stands for, by the same rules as on the state port.
func (n *node) keyOf(target string) string {
	key := wire.AppendKey(nil, []byte(target))
	if n.cfg.Rules != nil {
		key = n.cfg.Rules.AppendKey(nil, key)
	}
	return string(key)
}

// peerAddress looks up the host name of the peer port's address. What it stands for may be reached from other machines; then links must be protected.
func (n *node) peerAddress(addr string, protected bool) (string, error) {
	resolved, err := lookUp("peer-listen", addr)
	if err != nil {
		return "", err
	}
	if !protected && !n.cfg.Insecure && config.Exposed(resolved) {
		return "", usageError(errors.New("--peer-listen: " + addr + " stands for " + resolved + ", which can be reached from other machines; " +
			"give the nodes a secret (--peer-secret-file) or certificates (farmstate cert), or an address of this machine alone"))
	}
	return resolved, nil
}

// peerAddr is the address of the peer port; empty if there is none.
func (n *node) peerAddr() string {
	if n.farm == nil || n.farm.Addr() == nil {
		return ""
	}
	return n.farm.Addr().String()
}

// gossipAddr is the address of the gossip port; empty if there is none.
func (n *node) gossipAddr() string {
	if n.farm == nil || n.farm.GossipAddr() == nil {
		return ""
	}
	return n.farm.GossipAddr().String()
}

// tellStateAddr tells the members of the farm where this node takes web servers.
func (n *node) tellStateAddr() {
	if n.farm == nil {
		return
	}
	addr := n.server.Addr().String()
	if config.Exposed(addr) {
		if host, port, err := net.SplitHostPort(addr); err == nil && netip.MustParseAddr(host).IsUnspecified() {
			addr = ":" + port
		}
	}
	n.farm.SetStateAddr(addr)
}

// otherDescriptors is how many descriptors are kept for all but the web servers.
func (n *node) otherDescriptors() int {
	if n.farm == nil {
		return netpoll.DefaultOtherDescriptors
	}
	return netpoll.DefaultOtherDescriptors + int(n.cfg.MaxPeers) + link.DefaultMaxHandshakes
}

// farmWait is how long a request may wait for the farm.
func (n *node) farmWait() time.Duration { return min(n.cfg.QueryTimeout+farmSlack, engine.MaxFarmWait) }

// farmStatus is the page /api/v1/farm.
func (n *node) farmStatus() api.Farm {
	if n.farm == nil {
		return api.Farm{Standalone: true, Links: []api.Link{}, Copies: api.Copies{Mirrors: []api.Mirror{}}}
	}
	return farmPage(n.farm.Status())
}

// farmStats is where the metrics of the farm are read; nil without one.
func (n *node) farmStats() func() peer.Stats {
	if n.farm == nil {
		return nil
	}
	return n.farm.Stats
}

var errGoing = errors.New("this node is about to stop, and hands its sessions over: that cannot be taken back")

// drainAction is POST /api/v1/drain: it begins to hand the sessions over, or, with stop=true, takes that back. With look=true it only says how far a drain is.
func (n *node) drainAction(query url.Values) (any, error) {
	if n.farm == nil {
		return nil, errors.New("this node has no farm: there is nobody to hand sessions to")
	}
	stop := query.Get("stop") == "true"
	switch {
	case n.stopping.Load() && stop:
		return nil, errGoing
	case n.stopping.Load(), query.Get("look") == "true": // it hands over already; or nothing is to be changed
	case stop:
		if n.farm.StopDrain(); n.farm.Progress().Draining { // the node has been told to stop in this very moment
			return nil, errGoing
		}
	case !n.farm.Progress().Draining:
		n.farm.StartDrain()
	}
	return n.farm.Progress(), nil
}

// handOver gives the sessions to other nodes until there are none, nobody can take them, or ctx ends. serving says that the state port is open.
func (n *node) handOver(ctx context.Context, serving bool) {
	if n.farm == nil {
		n.engine.Close(n.snapshots == nil) // a new session would be lost
		return
	}
	began, sessions := time.Now(), n.engine.Stats().Sessions
	if sessions > 0 {
		n.logger.Info("handing the sessions over to other nodes", "event", "drain_started", "sessions", sessions)
	}
	if !serving {
		defer n.turn()()
	}
	left := n.farm.Drain(ctx, serving)
	if sessions > 0 {
		n.logger.Info("sessions were handed over", "event", "drain_ended", "sessions_left", left, "after", time.Since(began).Round(time.Millisecond))
	}
}

// turn serves what is queued in the engine, which the state port does while it is open: a session in whose queue anything stands cannot leave before. It goes on
// until the result is called.
func (n *node) turn() (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(turnEvery)
		defer tick.Stop()
		for {
			for n.engine.Run(n.clock.Now(), engine.NoLane, 64) {
			}
			n.engine.Tick(n.clock.Now())
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

const turnEvery = 2 * time.Millisecond
