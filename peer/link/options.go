package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// Defaults of the options.
const (
	DefaultMaxBody          = 64 << 20
	DefaultMaxLinks         = 1024
	DefaultMaxHandshakes    = 64
	DefaultHandshakeTimeout = 5 * time.Second
	DefaultPingEvery        = time.Second
	DefaultIdleDelivery     = 30 * time.Second
	DefaultQueueMessages    = 16384
	DefaultQueueBytes       = 64 << 20
	DefaultMaxAssemblies    = 16
)

// hardMaxBody is the largest body that any node can be configured to take. What is above is no message.
const hardMaxBody = 1 << 30

// Options configure a Net. Those that are zero have a default, where there is one.
type Options struct {
	// Listen is the address to listen on, host:port; port 0 takes a free one. Empty: no listener, links are dialled only.
	Listen string
	// Advertise is the host:port that is told to other nodes. Empty: the listener's address if that is a specific one, otherwise the local address of the
	// link in question, with the listener's port.
	Advertise string
	// Peers are the addresses of neighbours. They are dialled, and dialled again, for ever.
	Peers []string
	// Node is this node. It must be random, and new for each process.
	Node message.Node
	// Program is told to other nodes, for people.
	Program string
	// Security says how nodes recognise each other.
	Security Security
	// Insecure allows plain links beyond the loopback interface.
	Insecure bool
	// Allow lists the networks from which connections are taken. Those over the loopback interface always are, and those for which Match says so.
	Allow []netip.Prefix

	// MaxBody is the largest body that is taken, in bytes. A larger one is skipped and its message delivered without it; see Handler.Messages.
	MaxBody int
	// MaxLinks is how many links there may be at a time.
	MaxLinks int
	// MaxHandshakes is how many accepted connections may be on their way to becoming a link. More are closed at once.
	MaxHandshakes int
	// MaxAssemblies is how many bodies may be on their way in, in parts, on one link.
	MaxAssemblies int
	// HandshakeTimeout is how long dialling may take, and then the handshake.
	HandshakeTimeout time.Duration
	// PingEvery is how often each side of a link says that it lives. A link on which nothing comes for three times as long is closed, so it should be
	// the same on all nodes.
	PingEvery time.Duration
	// IdleDelivery is the time without a message after which whoever dialled a delivery link closes it.
	IdleDelivery time.Duration
	// QueueMessages is how many messages without a body may wait in a link's outbox, and QueueBytes how many bytes of those with one. A single body may be larger.
	QueueMessages int
	QueueBytes    int

	// Reserve takes bytes of memory for a body on its way in and reports whether there were so many, Unreserve gives them back. Nil: no limit.
	Reserve   func(int) bool
	Unreserve func(int)
	// State is asked for what Hello and Ping say about this node. Nil: not leaving, memory not known.
	State func() (leaving bool, free int64)
	// Admin is asked where this node shows its admin pages: host:port, or :port for whatever address others reach it at; empty if nowhere. Nil: nowhere.
	Admin func() string
	// Match reports whether an address may be that of an original, and Foreign is offered plain connections from there that do not begin with a Hello,
	// with what has been read of them. It returns whether it has taken it over; if so, it also closes it. It must not block. Nil: there are no originals.
	Match   func(netip.Addr) bool
	Foreign func(nc net.Conn, first []byte) bool
	// Logger gets what an operator should know. Nil discards it.
	Logger *slog.Logger

	dial   func(ctx context.Context, addr string) (net.Conn, error) // tests have other networks
	jitter func() float64                                           // 0 to 1
}

func (o *Options) setDefaults() {
	setDefault(&o.MaxBody, DefaultMaxBody)
	setDefault(&o.MaxLinks, DefaultMaxLinks)
	setDefault(&o.MaxHandshakes, DefaultMaxHandshakes)
	setDefault(&o.MaxAssemblies, DefaultMaxAssemblies)
	setDefault(&o.HandshakeTimeout, DefaultHandshakeTimeout)
	setDefault(&o.PingEvery, DefaultPingEvery)
	setDefault(&o.IdleDelivery, DefaultIdleDelivery)
	setDefault(&o.QueueMessages, DefaultQueueMessages)
	setDefault(&o.QueueBytes, DefaultQueueBytes)
	if o.Reserve == nil || o.Unreserve == nil {
		o.Reserve, o.Unreserve = func(int) bool { return true }, func(int) {}
	}
	if o.State == nil {
		o.State = func() (bool, int64) { return false, -1 }
	}
	if o.Admin == nil {
		o.Admin = func() string { return "" }
	}
	if o.Match == nil || o.Foreign == nil {
		o.Match, o.Foreign = func(netip.Addr) bool { return false }, func(net.Conn, []byte) bool { return false }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.dial == nil {
		d := net.Dialer{Timeout: o.HandshakeTimeout}
		o.dial = func(ctx context.Context, addr string) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) }
	}
	if o.jitter == nil {
		o.jitter = randomFloat
	}
}

func setDefault[T int | time.Duration](p *T, d T) {
	if *p == 0 {
		*p = d
	}
}

// Validate reports everything that is wrong with the options.
func (o *Options) Validate() error {
	var errs []error
	within := func(name string, v, lo, hi int64) {
		if v < lo || v > hi {
			errs = append(errs, fmt.Errorf("link: %s is %d: want %d to %d", name, v, lo, hi))
		}
	}
	within("MaxBody", int64(o.MaxBody), 1, hardMaxBody)
	within("MaxLinks", int64(o.MaxLinks), 1, 1<<20)
	within("MaxHandshakes", int64(o.MaxHandshakes), 1, 1<<20)
	within("MaxAssemblies", int64(o.MaxAssemblies), maxActive, 1<<10)
	within("QueueMessages", int64(o.QueueMessages), 16, math.MaxInt32)
	within("QueueBytes", int64(o.QueueBytes), 1<<16, math.MaxInt32)
	within("HandshakeTimeout in ms", o.HandshakeTimeout.Milliseconds(), 1, 60_000)
	within("PingEvery in ms", o.PingEvery.Milliseconds(), 1, 60_000)
	within("IdleDelivery in ms", o.IdleDelivery.Milliseconds(), 1, 3_600_000)
	if o.Node == (message.Node{}) {
		errs = append(errs, errors.New("link: Node is not set"))
	}
	errs = append(errs, o.Security.validate())
	for _, addr := range o.Peers {
		errs = append(errs, validAddr("peer", addr))
	}
	if o.Advertise != "" {
		errs = append(errs, validAddr("advertised address", o.Advertise))
	}
	if o.Security.Plain && !o.Insecure {
		if o.Listen != "" && !onLoopback(o.Listen) {
			errs = append(errs, fmt.Errorf("the peer port %s can be reached by other machines, and links are not encrypted: whoever reaches it can read "+
				"and take every session. Give all nodes the same secret (--peer-secret-file FILE) or certificates (farmstate cert), listen on 127.0.0.1, "+
				"or write insecure = true if the network is trusted", o.Listen))
		}
		for _, addr := range o.Peers {
			if !onLoopback(addr) {
				errs = append(errs, fmt.Errorf("the peer %s is on another machine, and links are not encrypted: whoever stands between can read and take "+
					"every session. Give all nodes the same secret (--peer-secret-file FILE) or certificates (farmstate cert), "+
					"or write insecure = true if the network is trusted", addr))
			}
		}
	}
	return errors.Join(errs...)
}

func validAddr(what, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err == nil && host != "" && port != "" && port != "0" {
		return nil
	}
	return fmt.Errorf("the %s %q is not host:port", what, addr)
}

// onLoopback reports whether an address can be seen to be on this machine alone.
func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
