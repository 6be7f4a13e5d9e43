package relay

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// Options configure a Relay.
type Options struct {
	// Targets are the state servers, host:port. With more than one the sessions are divided among them.
	Targets []string
	// Allow lists the networks that may connect, besides this machine.
	Allow []netip.Prefix
	// Rules bend what passes. Seed is that of their chances.
	Rules []*Rule
	Seed  uint64
	// MaxConns is how many clients may be connected; one more is closed at once. 0 means 1024.
	MaxConns int
	// IdleTimeout is how long a connection may be silent both ways, and how long one write may take. 0 means 5 minutes.
	IdleTimeout time.Duration
	// MaxHead is the longest head that is understood, in bytes, to 64 KiB. 0 means 16 KiB.
	MaxHead int
	// WarmUp is how long a target that was down has to be healthy before it gets requests. Probe is how often it is looked at.
	// 0 means 1 s for Probe, and no warm-up for WarmUp. Only with several targets.
	WarmUp, Probe time.Duration
	// Display shows what passes, Recorder writes it down. Nil does not.
	Display  *Display
	Recorder *Recorder
	// Log is told what an operator should know, in one line. May be called from any goroutine.
	Log func(text string)
	// Now is the time. Nil means the clock.
	Now func() time.Time
}

// Limits of the protocol that the relay keeps: a body that is longer than any server takes is no body.
const (
	defaultMaxHead = 16 << 10
	maxMaxHead     = 64 << 10
	maxBody        = math.MaxInt32
)

func (o *Options) setDefaults() {
	if o.MaxConns == 0 {
		o.MaxConns = 1024
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 5 * time.Minute
	}
	if o.MaxHead == 0 {
		o.MaxHead = defaultMaxHead
	}
	if o.Probe == 0 {
		o.Probe = time.Second
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// validate expects the defaults to be set.
func (o *Options) validate() error {
	var errs []error
	if len(o.Targets) == 0 {
		errs = append(errs, errors.New("no target; name a state server with --target ADDR"))
	}
	seen := map[string]bool{}
	for _, addr := range o.Targets {
		if err := CheckTarget(addr); err != nil {
			errs = append(errs, err)
		}
		if seen[addr] {
			errs = append(errs, fmt.Errorf("--target: %s is given twice", quote(addr)))
		}
		seen[addr] = true
	}
	if o.MaxConns < 1 || o.MaxConns > 1<<20 {
		errs = append(errs, fmt.Errorf("--max-connections: %d is not from 1 to %d", o.MaxConns, 1<<20))
	}
	if o.IdleTimeout < time.Second {
		errs = append(errs, fmt.Errorf("--idle-timeout: %s is below 1s", o.IdleTimeout))
	}
	if o.MaxHead < 256 || o.MaxHead > maxMaxHead {
		errs = append(errs, fmt.Errorf("--max-head: %d is not from 256 to %d bytes", o.MaxHead, maxMaxHead))
	}
	if o.WarmUp < 0 || o.WarmUp > time.Hour {
		errs = append(errs, fmt.Errorf("--warm-up: %s is not from 0 to 1h", o.WarmUp))
	}
	if o.Probe < time.Millisecond || o.Probe > time.Hour {
		errs = append(errs, fmt.Errorf("--probe: %s is not from 1ms to 1h", o.Probe))
	}
	return errors.Join(errs...)
}

// SameAddr reports whether a target leads to the address that is listened on, as far as their texts tell.
func SameAddr(listen, target string) bool {
	lh, lp, err1 := net.SplitHostPort(listen)
	th, tp, err2 := net.SplitHostPort(target)
	if err1 != nil || err2 != nil || lp != tp || lp == "0" {
		return false
	}
	return strings.EqualFold(lh, th) || ours(th) && (ours(lh) || lh == "")
}

// ours reports whether a host is this machine: a loopback address, or the unspecified one.
func ours(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && (ip.Unmap().IsLoopback() || ip.IsUnspecified())
}

func (o *Options) limits() wire.Limits { return wire.Limits{MaxHead: o.MaxHead, MaxBody: maxBody} }
