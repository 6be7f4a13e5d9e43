package netpoll

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"github.com/farmstate/farmstate/engine/appkey"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// Defaults of the options. See docs/protocol.md §1.4.
const (
	DefaultAddr             = "127.0.0.1:42424"
	DefaultMaxHead          = 16 << 10
	DefaultMaxBody          = 64 << 20
	DefaultMaxConns         = 16384
	DefaultOtherDescriptors = 64
	DefaultMaxOutput        = 4 << 20
	DefaultMaxOutputTotal   = 1 << 30
	DefaultIdleTimeout      = 30 * time.Second
	DefaultASPNetVersion    = "4.0.30319"
)

// The transports. See Options.Transport.
const (
	TransportAuto = "auto"
	TransportGnet = "gnet"
	TransportStd  = "std"
)

// Options configure a Server. The zero value serves this machine's clients on DefaultAddr.
type Options struct {
	// Addr is the TCP address to listen on, host:port; port 0 takes a free one. Empty means DefaultAddr.
	Addr string
	// Transport is TransportGnet, TransportStd, or TransportAuto: gnet where it is for production (not on Windows). Empty means TransportAuto.
	Transport string
	// Loops is the number of gnet's event loops. 0 means half of GOMAXPROCS, at least one: the kernel needs about as much processor time for the
	// same requests as we do, and more loops than that only wake each other.
	Loops int
	// Allow lists the networks whose clients may connect. Clients that come over the loopback interface always may. The protocol has no
	// authentication: whoever may connect can read and change every session. See docs/protocol.md §2.1.
	Allow []netip.Prefix
	// MaxHead is the largest header block in bytes, at most 64 KiB. See docs/protocol.md §2.6.
	MaxHead int
	// MaxBody is the largest body in bytes, at most 1 GiB. See docs/protocol.md §2.7.
	MaxBody int
	// MaxConns is how many connections may be open at a time; one more is closed at once. It is lowered if the process's descriptor limit asks for it.
	MaxConns int
	// OtherDescriptors is how many descriptors the process keeps for all but clients: listeners, event loops, admin connections, peers, files. 0 means
	// DefaultOtherDescriptors.
	OtherDescriptors int
	// MaxOutput is how many bytes of answers may be queued for a client that does not read. While there are more, no further request of that
	// connection is executed, and if the client takes nothing at all for slowReaderGrace it is cut off. One answer may exceed it.
	MaxOutput int
	// MaxOutputTotal is the same for all clients together; when it is exceeded, the one of the event loop that has most is cut off.
	MaxOutputTotal int64
	// IdleTimeout is the silence after which a connection is closed. See docs/protocol.md §2.8.
	IdleTimeout time.Duration
	// HTTPStatusLine prefixes the status line with "HTTP/1.1 ". See docs/protocol.md §5.2.
	HTTPStatusLine bool
	// ASPNetVersion is the value of X-AspNet-Version; its major number must be 2 or more. See docs/protocol.md §5.4.
	ASPNetVersion string
	// Clock is what the engine is given as time. Nil means one of the server's own.
	Clock *Clock
	// Rules make keys of several applications one. Nil means none.
	Rules *appkey.Rules
	// Logger gets what an operator should know. Nil discards it.
	Logger *slog.Logger

	slowReader time.Duration // slowReaderGrace; tests have less patience
}

// slowReaderGrace is how long a client with more than MaxOutput bytes waiting may take nothing at all.
const slowReaderGrace = 5 * time.Second

func (o *Options) setDefaults() {
	set := func(p *int, d int) {
		if *p == 0 {
			*p = d
		}
	}
	if o.Addr == "" {
		o.Addr = DefaultAddr
	}
	if o.Transport == "" {
		o.Transport = TransportAuto
	}
	set(&o.Loops, max(1, runtime.GOMAXPROCS(0)/2))
	set(&o.MaxHead, DefaultMaxHead)
	set(&o.MaxBody, DefaultMaxBody)
	set(&o.MaxConns, DefaultMaxConns)
	set(&o.OtherDescriptors, DefaultOtherDescriptors)
	set(&o.MaxOutput, DefaultMaxOutput)
	if o.MaxOutputTotal == 0 {
		o.MaxOutputTotal = DefaultMaxOutputTotal
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = DefaultIdleTimeout
	}
	if o.slowReader == 0 {
		o.slowReader = slowReaderGrace
	}
	if o.ASPNetVersion == "" {
		o.ASPNetVersion = DefaultASPNetVersion
	}
	if o.Clock == nil {
		o.Clock = NewClock()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Validate reports every option that is out of range.
func (o *Options) Validate() error {
	var errs []error
	within := func(name string, v, lo, hi int64) {
		if v < lo || v > hi {
			errs = append(errs, fmt.Errorf("netpoll: %s is %d: want %d to %d", name, v, lo, hi))
		}
	}
	if !slices.Contains([]string{TransportAuto, TransportGnet, TransportStd}, o.Transport) {
		errs = append(errs, fmt.Errorf("netpoll: Transport is %q: want auto, gnet or std", o.Transport))
	}
	within("Loops", int64(o.Loops), 1, 255)
	within("MaxHead", int64(o.MaxHead), 256, 1<<16)
	within("MaxBody", int64(o.MaxBody), 1, 1<<30)
	within("OtherDescriptors", int64(o.OtherDescriptors), 1, 1<<20)
	within("MaxConns", int64(o.MaxConns), 1, 1<<20)
	within("MaxOutput", int64(o.MaxOutput), 1<<10, math.MaxInt32)
	within("MaxOutputTotal", o.MaxOutputTotal, 1<<20, math.MaxInt64)
	within("IdleTimeout", int64(o.IdleTimeout/time.Second), 1, 24*3600)
	if _, err := wire.NewFormat(o.ASPNetVersion, o.HTTPStatusLine); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
