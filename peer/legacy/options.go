package legacy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// Peer is one original that this node is linked to.
type Peer struct {
	// Addr is host:port of its peer port. It is dialled for the live link; connections from its host are taken for this original's.
	Addr string
	// Authenticate has to be its AuthenticatePeers.
	Authenticate bool
	// Encrypt has to be its EncryptPeerData. As there, it means nothing without Authenticate.
	Encrypt bool
	// Password has to be its PeerPassword. Without Authenticate it is used only to answer an original that authenticates itself all the same.
	Password string
}

// encrypts reports whether the bodies of transfers are encrypted.
func (p Peer) encrypts() bool { return p.Authenticate && p.Encrypt }

// Options configure a Net.
type Options struct {
	// Peers are the originals.
	Peers []Peer
	// Advertise returns host:port where originals are to deliver sessions to us, given our side of the link that the query goes over. The host is
	// an IPv4 address or a name. Nil means the address of the link, with PeerPort.
	Advertise func(local netip.AddrPort) string
	// PeerPort is the port that stands for the one that is missing in an original's Host. 0 means DefaultPeerPort.
	PeerPort int
	// MachineName is ours, for user name and realm. Empty means the system's.
	MachineName string
	// QueryTimeout is NetworkQueryTimeout: it bounds each of the three steps of a delivery (to connect and authenticate, to send, to be answered),
	// and how long a query may wait to be sent. 0 means DefaultQueryTimeout.
	QueryTimeout time.Duration
	// MaxBody is the largest body that is accepted. 0 means the original's limit, 20 971 520 bytes; a larger value than that means it too.
	MaxBody int
	// MaxConns is how many accepted connections one address may have. 0 means DefaultMaxConns.
	MaxConns int
	// MaxDeliveries is how many sessions may be on their way to originals at a time; sixteen times as many may wait. 0 means DefaultMaxDeliveries.
	MaxDeliveries int
	// AllowHosts are networks to which sessions may be delivered besides the addresses of Peers. See docs/peer-protocol.md §8.4.
	AllowHosts []netip.Prefix
	// Reserve asks for n bytes for a body on its way in, and Unreserve gives them back, at the latest when the answer to its transfer has been
	// given. Nil means that there is always enough.
	Reserve   func(n int) bool
	Unreserve func(n int)
	// Logger gets what an operator should know. Nil discards it.
	Logger *slog.Logger
	// Dial opens a connection, Lookup finds the addresses of a host, Random is where nonces and ids come from. Nil means those of the system.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	Random io.Reader

	newNonce func() (string, error) // tests replay nonces
	newID    func() (ID, error)     // and ids
}

// Defaults of the options.
const (
	DefaultPeerPort      = 42425
	DefaultQueryTimeout  = 2500 * time.Millisecond
	DefaultMaxConns      = 64
	DefaultMaxDeliveries = 64
)

func (o *Options) setDefaults() {
	set := func(p *int, d int) {
		if *p == 0 {
			*p = d
		}
	}
	set(&o.PeerPort, DefaultPeerPort)
	set(&o.MaxBody, maxBody)
	set(&o.MaxConns, DefaultMaxConns)
	set(&o.MaxDeliveries, DefaultMaxDeliveries)
	o.MaxBody = min(o.MaxBody, maxBody)
	if o.QueryTimeout == 0 {
		o.QueryTimeout = DefaultQueryTimeout
	}
	if o.MachineName == "" {
		o.MachineName, _ = os.Hostname() // Validate has something to say about an empty one
	}
	if o.Advertise == nil {
		o.Advertise = func(local netip.AddrPort) string {
			return netip.AddrPortFrom(local.Addr(), uint16(o.PeerPort)).String()
		}
	}
	if o.Reserve == nil || o.Unreserve == nil {
		o.Reserve, o.Unreserve = func(int) bool { return true }, func(int) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Lookup == nil {
		o.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
}

// validate reports every option that is out of range. Defaults have been set.
func (o *Options) validate() error {
	var errs []error
	within := func(name string, v, hi int) {
		if v < 1 || v > hi {
			errs = append(errs, fmt.Errorf("legacy: %s is %d: want 1 to %d", name, v, hi))
		}
	}
	within("PeerPort", o.PeerPort, 65535)
	within("QueryTimeout in ms", int(o.QueryTimeout/time.Millisecond), 3_600_000)
	within("MaxBody", o.MaxBody, maxBody)
	within("MaxConns", o.MaxConns, 1<<20)
	within("MaxDeliveries", o.MaxDeliveries, 1<<16)
	if !isName(o.MachineName) {
		errs = append(errs, fmt.Errorf("legacy: MachineName is %q: want 1 to 255 letters, digits, dots, hyphens and underscores", o.MachineName))
	}
	seen := map[string]bool{}
	for i, p := range o.Peers {
		if _, err := parseHost(p.Addr, 0); err != nil {
			errs = append(errs, fmt.Errorf("legacy: the address of peer %d is %q: want host:port", i, p.Addr))
		}
		if p.Authenticate && p.Password == "" {
			errs = append(errs, fmt.Errorf("legacy: peer %s authenticates and has no password: set the PeerPassword that it has", p.Addr))
		}
		if addr := strings.ToLower(p.Addr); seen[addr] {
			errs = append(errs, fmt.Errorf("legacy: peer %s is there twice", p.Addr))
		} else {
			seen[addr] = true
		}
	}
	return errors.Join(errs...)
}

// isName reports whether s can be the name of a machine. What goes between quotes in a header must have neither quotes nor commas.
func isName(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '.' && c != '-' && c != '_'
	})
}

// host is where a session is to be delivered.
type host struct {
	name string // an address or a name
	port uint16
}

var errHost = errors.New("not a host that can be dialled")

// parseHost reads host:port, or host alone if there is a default port. Nothing that it refuses is ever dialled. See docs/peer-protocol.md §8.4.
func parseHost(s string, port int) (h host, err error) {
	if name, p, err := net.SplitHostPort(s); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return h, errHost
		}
		s, port = name, int(n)
	}
	if port == 0 {
		return h, errHost
	}
	h = host{s, uint16(port)}
	if addr, err := netip.ParseAddr(s); err == nil {
		if addr.IsUnspecified() || addr.IsMulticast() || addr.Zone() != "" {
			return h, errHost
		}
		return h, nil
	}
	if !isName(s) || s[0] == '-' {
		return h, errHost
	}
	return h, nil
}
