package member

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// Member is what a node says about itself.
type Member struct {
	Node      message.Node
	Name      string // for people, such as the machine's
	PeerAddr  string // where it takes links; empty if nowhere. Without a host: the one at which it takes gossip
	StateAddr string // where it takes web servers, likewise
	AdminAddr string // where it shows its admin pages, likewise
	Program   string // for people
	Free      int64  // memory that it has for sessions, in bytes; -1 = not known
	Leaving   bool   // it hands its sessions over
}

// Handler is told who is in the farm. Its methods are called by one goroutine, one after the other, and must not block, and must not call Leave or Close.
type Handler interface {
	// Joined says that a node is there, for the first time or again. Its addresses have hosts, if it has addresses.
	Joined(Member)
	// Changed says that a node says something else about itself.
	Changed(Member)
	// Dead says that a node does not answer, neither to us nor to those whom we have asked to try it. It may have ended, be cut off, or stand still.
	Dead(message.Node)
	// Left says that a node has gone, by its own word.
	Left(message.Node)
}

// Defaults of the options. How long it takes until a node is declared dead follows from the first three; see docs/topologies.md.
const (
	DefaultProbeInterval    = time.Second
	DefaultProbeTimeout     = 500 * time.Millisecond
	DefaultSuspicionMult    = 4
	DefaultGossipInterval   = 200 * time.Millisecond
	DefaultPushPullInterval = 10 * time.Second // a farm whose nodes all start at once is complete after that
	DefaultStreamTimeout    = 5 * time.Second
	DefaultRejoinInterval   = 10 * time.Second
	DefaultRefreshInterval  = 5 * time.Second
	DefaultDeadLife         = time.Hour
	DefaultMaxMembers       = 1024
	DefaultMaxStreams       = 128
)

// Options configure a Group. Those that are zero have a default, where there is one.
type Options struct {
	// Listen is the address to listen on, with TCP and with UDP: an IP address or nothing, and a port; port 0 takes a free one.
	Listen string
	// Advertise is the host:port that is told to other nodes. Empty: the listener's address if that is a specific one, otherwise the address that this machine
	// has on the way to the first address of Join, otherwise one of its addresses.
	Advertise string
	// Join are host:port of nodes, one of which is enough to find all. Names are looked up anew each time. This node itself may be among them.
	Join []string
	// Secret is the farm's; the gossip's key is made from it. Nil: gossip is plain.
	Secret []byte
	// Insecure allows plain gossip beyond the loopback interface.
	Insecure bool
	// Allow lists the networks from which gossip is taken, besides the loopback interface.
	Allow []netip.Prefix
	// Node is this node. It must be random, and new for each process.
	Node message.Node
	// Meta is asked for what the others are told; Node in it is ignored. It must not block.
	Meta func() Member
	// Logger gets what an operator should know. Nil discards it.
	Logger *slog.Logger

	// ProbeInterval is how often each node probes one other, and how long a probe may take in all; a node that has reason to doubt itself takes longer.
	ProbeInterval time.Duration
	// ProbeTimeout is how long the first try of a probe, by UDP, may take before TCP and other nodes are tried.
	ProbeTimeout time.Duration
	// SuspicionMult is how many ProbeIntervals a node that did not answer has to say that it lives; in farms of more than 10 nodes it is
	// multiplied by the decimal logarithm of their number.
	SuspicionMult int
	// GossipInterval is how often news are passed on.
	GossipInterval time.Duration
	// PushPullInterval is how often everything that is known is exchanged with another node.
	PushPullInterval time.Duration
	// StreamTimeout bounds a TCP connection.
	StreamTimeout time.Duration
	// RejoinInterval is how often addresses at which no member is known are tried, by a node that knows others. One that is alone tries more often.
	RejoinInterval time.Duration
	// RefreshInterval is how often it is looked whether the free memory is worth telling.
	RefreshInterval time.Duration
	// DeadLife is for how long the addresses of dead members are tried.
	DeadLife time.Duration
	// MaxMembers is how many others there may be. What comes above is ignored.
	MaxMembers int
	// MaxStreams is how many accepted TCP connections may be open.
	MaxStreams int

	// Tests have other networks and names.

	lookUp  func(ctx context.Context, host string) ([]netip.Addr, error)
	jitter  func() float64 // 0 to 1
	carrier carrier
}

func (o *Options) setDefaults() {
	setDefault(&o.ProbeInterval, DefaultProbeInterval)
	setDefault(&o.ProbeTimeout, min(DefaultProbeTimeout, o.ProbeInterval/2))
	setDefault(&o.SuspicionMult, DefaultSuspicionMult)
	setDefault(&o.GossipInterval, DefaultGossipInterval)
	setDefault(&o.PushPullInterval, DefaultPushPullInterval)
	setDefault(&o.StreamTimeout, DefaultStreamTimeout)
	setDefault(&o.RejoinInterval, DefaultRejoinInterval)
	setDefault(&o.RefreshInterval, DefaultRefreshInterval)
	setDefault(&o.DeadLife, DefaultDeadLife)
	setDefault(&o.MaxMembers, DefaultMaxMembers)
	setDefault(&o.MaxStreams, DefaultMaxStreams)
	if o.Meta == nil {
		o.Meta = func() Member { return Member{Free: -1} }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.lookUp == nil {
		o.lookUp = lookUp
	}
	if o.jitter == nil {
		o.jitter = rand.Float64
	}
}

func setDefault[T int | time.Duration](p *T, d T) { *p = cmp.Or(*p, d) }

// Validate reports everything that is wrong with the options.
func (o *Options) Validate() error {
	var errs []error
	if o.Node == (message.Node{}) {
		errs = append(errs, errors.New("member: Node is not set"))
	}
	for _, addr := range o.Join {
		errs = append(errs, validAddr("address to join", addr))
	}
	if o.Advertise != "" {
		errs = append(errs, validAddr("advertised gossip address", o.Advertise))
	}
	if o.Secret == nil && !o.Insecure {
		const why = "gossip is not encrypted, so whoever reaches it can bring nodes into the farm and declare others dead. " +
			"Give all nodes the same secret (--peer-secret-file FILE; certificates do not protect gossip)"
		if !onLoopback(o.Listen) {
			errs = append(errs, fmt.Errorf("the gossip port %s can be reached by other machines, and %s, listen on 127.0.0.1, or write insecure = true if the network is trusted",
				o.Listen, why))
		}
		for _, addr := range o.Join {
			if !onLoopback(addr) {
				errs = append(errs, fmt.Errorf("the address to join %s is on another machine, and %s, or write insecure = true if the network is trusted", addr, why))
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
