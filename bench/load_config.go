package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Mode says what a page is.
type Mode string

// The modes. All but ModePages are for measuring one operation; a web server never does only that.
const (
	ModePages Mode = "pages" // what web servers send, in the shares of LoadConfig.Mix
	ModeGet   Mode = "get"   // one plain GET
	ModePut   Mode = "put"   // one PUT without a cookie
	ModeCycle Mode = "cycle" // acquire, then PUT with the cookie
)

// Placement says which target a page goes to.
type Placement string

// The placements.
const (
	PlaceByHash Placement = "hash"   // a session always goes to the same target, as with a partition resolver
	PlaceRandom Placement = "random" // every page goes anywhere, as in a farm without sticky sessions
)

// LoadConfig says what Load does. The zero value with Targets set is usable: 50 connections for 10 seconds, as fast as the
// server answers, the mix of DefaultMix, 10,000 sessions of 1 KB.
type LoadConfig struct {
	// Targets are the state servers, host:port. At least one. Names are resolved when a connection is opened.
	Targets []string `json:"targets"`

	// Placement chooses among Targets; default PlaceByHash. Without effect for one target.
	Placement Placement `json:"placement"`

	// Conns is how many pages run at the same time, 1 to 100000, default 50. Each has at most one connection to a target, opened
	// when it is first needed. More raise throughput until the server is busy, then only latency.
	Conns int `json:"connections"`

	// Rate is how many pages become due each second, evenly spaced. Latency then counts from the moment a page was due, so that
	// a server that stalls is not excused the pages that had to wait behind the stall. A due page that finds all Conns busy
	// waits its turn; it is counted as late.
	//
	// 0 is the closed loop: each of Conns begins a page when it has ended the one before, and rested for Think.
	Rate float64 `json:"rate_per_s"`

	// Think is the rest between two pages of a closed loop, default 0. It is not part of any latency.
	Think time.Duration `json:"think_ns"`

	// Hold is how long a page works on the session between having it and giving it back, default 0: the time its lock is held.
	// It is part of the latency of the page, not of a request.
	Hold time.Duration `json:"hold_ns"`

	// Mode is what a page is, default ModePages.
	Mode Mode `json:"mode"`

	// Mix is the share of each kind of page in ModePages. The zero value is DefaultMix.
	Mix Mix `json:"mix"`

	// Sessions is how many sessions pages choose from, 1 to 1e9, default 10000. Their ids follow from Seed, so a second run with
	// the same Seed, AppID and AppHash meets the sessions of the first.
	Sessions int `json:"sessions"`

	// HotShare is the percentage of pages, 0 to 100, that choose only among the first HotSessions sessions (default 1); the rest
	// choose evenly among all. To have P pages at a time on one session, use HotShare 100 and HotSessions = Conns/P.
	HotShare    int `json:"hot_share_percent"`
	HotSessions int `json:"hot_sessions"`

	// BodyMin and BodyMax are the size of a session in bytes, default 1024 and BodyMin. A session keeps its size; sizes are spread
	// evenly over the range. At least 1, with Verify at least MinVerifyBody; at most 1 GiB.
	BodyMin int `json:"body_min_bytes"`
	BodyMax int `json:"body_max_bytes"`

	// Preload creates all sessions before the first page. Without it a page that finds nothing creates its session, as ASP.NET
	// does in ModePages, and the raw modes meet 404.
	Preload bool `json:"preload"`

	// Timeout is the sliding life of sessions in whole minutes, 1 to 525600, default 20. Sessions are left behind when the run is
	// over, and take up the server's memory for that long.
	Timeout int `json:"timeout_min"`

	// AppID is the application id in front of every session id; default /LM/W3SVC/1/ROOT. AppHash is the text in parentheses
	// behind it; default is what .NET 4.5.2 and later compute from AppID. Two generators with different ids do not meet.
	AppID   string `json:"app_id"`
	AppHash string `json:"app_hash"`

	// Seed makes two runs choose the same pages in the same order. Any value.
	Seed uint64 `json:"seed"`

	// Duration is for how long pages become due, or begin in a closed loop, the warm-up not included. Pages is how many there
	// are, the warm-up included. Whichever is reached first ends the run; default 10 s if both are 0. Pages that have begun are
	// waited for.
	Duration time.Duration `json:"duration_ns"`
	Pages    int64         `json:"pages"`

	// WarmUp is for how long pages are driven before measuring begins, default 0.
	WarmUp time.Duration `json:"warm_up_ns"`

	// Poll is the interval at which a page asks again for a locked session, default 500 ms as in ASP.NET.
	Poll time.Duration `json:"poll_ns"`

	// NetTimeout is how long an exchange may take, default 10 s as in ASP.NET (stateNetworkTimeout). It is kept to within an
	// eighth.
	NetTimeout time.Duration `json:"net_timeout_ns"`

	// BreakAfter is the age from which a lock is taken for a dead one and released by whoever waits for it, default 110 s as
	// in ASP.NET (executionTimeout). Whole seconds count.
	BreakAfter time.Duration `json:"break_after_ns"`

	// Verify puts the session's id, a counter and a checksum in every body and looks at every body that comes back: it must be
	// whole, of the right session, and not older than the last save that was acknowledged before it was asked for; of two saves
	// that followed from the same read not both may be acknowledged. It costs 32 bytes of memory a session here, and is not for
	// ModePut, whose saves overwrite each other by intention.
	Verify bool `json:"verify"`

	// Progress, if not nil, is called about once a second from a goroutine of Load, never at the same time as itself.
	Progress func(Progress) `json:"-"`

	// Dial, if not nil, opens the connections instead of net.Dialer.
	Dial func(ctx context.Context, addr string) (net.Conn, error) `json:"-"`

	// fine waits a short time with more care than time.Sleep; tests that run on a fake clock replace it.
	fine sleeper
}

// EnsureDefaults replaces zero values by what their comments name.
func (c *LoadConfig) EnsureDefaults() {
	orElse(&c.Placement, PlaceByHash)
	orElse(&c.Conns, 50)
	orElse(&c.Mode, ModePages)
	orElse(&c.Mix, DefaultMix)
	orElse(&c.Sessions, 10000)
	if c.HotShare != 0 {
		orElse(&c.HotSessions, 1)
	}
	orElse(&c.BodyMin, 1024)
	orElse(&c.BodyMax, c.BodyMin)
	orElse(&c.Timeout, 20)
	orElse(&c.AppID, "/LM/W3SVC/1/ROOT")
	orElse(&c.AppHash, appHash(c.AppID))
	if c.Pages == 0 {
		orElse(&c.Duration, 10*time.Second)
	}
	orElse(&c.Poll, 500*time.Millisecond)
	orElse(&c.NetTimeout, 10*time.Second)
	orElse(&c.BreakAfter, 110*time.Second)
	if c.Dial == nil {
		var d net.Dialer
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) }
	}
}

func orElse[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// Validate joins all that is wrong with c after EnsureDefaults.
func (c *LoadConfig) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(len(c.Targets) > 0, "no target: name at least one state server as host:port")
	for _, t := range c.Targets {
		_, _, err := net.SplitHostPort(t)
		check(err == nil, "target %q: give it as host:port", t)
	}
	check(c.Placement == PlaceByHash || c.Placement == PlaceRandom, "placement %q: use %s or %s", c.Placement, PlaceByHash, PlaceRandom)
	check(inRange(c.Conns, 1, 100_000), "connections %d: use 1 to 100000", c.Conns)
	check(c.Rate >= 0 && c.Rate <= 1e7, "rate %g: use 0 (closed loop) to 10000000 pages a second", c.Rate)
	check(c.Think >= 0, "think time %v: must not be negative", c.Think)
	check(c.Think == 0 || c.Rate == 0, "think time %v: with a fixed rate pages are due by the clock and nobody rests; leave one of the two out", c.Think)
	check(c.Hold >= 0, "hold time %v: must not be negative", c.Hold)
	switch c.Mode {
	case ModePages, ModeGet, ModePut, ModeCycle:
	default:
		check(false, "mode %q: use %s, %s, %s or %s", c.Mode, ModePages, ModeGet, ModePut, ModeCycle)
	}
	if err := c.Mix.validate(); err != nil {
		errs = append(errs, err)
	}
	check(inRange(c.Sessions, 1, 1_000_000_000), "sessions %d: use 1 to 1000000000", c.Sessions)
	check(inRange(c.HotShare, 0, 100), "hot share %d: use 0 to 100 percent", c.HotShare)
	check(inRange(c.HotSessions, 0, c.Sessions), "hot sessions %d: use 0 to the number of sessions, %d", c.HotSessions, c.Sessions)
	least := 1
	if c.Verify {
		least = MinVerifyBody
	}
	check(inRange(c.BodyMin, least, 1<<30), "smallest body %d: use %d to 1073741824 bytes", c.BodyMin, least)
	check(inRange(c.BodyMax, c.BodyMin, 1<<30), "largest body %d: use %d (the smallest) to 1073741824 bytes", c.BodyMax, c.BodyMin)
	check(inRange(c.Timeout, 1, 525600), "timeout %d: use 1 to 525600 minutes", c.Timeout)
	check(c.Duration >= 0, "duration %v: must not be negative", c.Duration)
	check(c.Pages >= 0, "pages %d: must not be negative", c.Pages)
	check(c.WarmUp >= 0, "warm-up %v: must not be negative", c.WarmUp)
	check(c.Poll >= time.Millisecond, "poll interval %v: use at least 1ms", c.Poll)
	check(c.NetTimeout >= time.Millisecond, "network timeout %v: use at least 1ms", c.NetTimeout)
	check(c.BreakAfter >= time.Second, "age of a dead lock %v: use at least 1s", c.BreakAfter)
	check(!c.Verify || c.Mode != ModePut, "verify: the saves of mode %s take no lock and overwrite each other; use another mode", ModePut)
	return errors.Join(errs...)
}

func inRange(n, low, high int) bool { return low <= n && n <= high }
