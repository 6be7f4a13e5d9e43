package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/farmstate/farmstate/bench"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// loadCmd is farmstate load. Its flags are the fields of bench.LoadConfig,
// where each is described at length; a flag that is left out is the zero
// value, for which LoadConfig has a default.
type loadCmd struct {
	Target    []string      `help:"State server to drive; may be repeated." placeholder:"ADDR" default:"127.0.0.1:42424" group:"Where"`
	Placement string        `help:"Which target a page goes to: hash (a session always to the same one) or random (default hash)." placeholder:"NAME" group:"Where"`
	Conns     int           `name:"connections" help:"Pages that run at the same time (default 50)." placeholder:"N" group:"How fast"`
	Rate      float64       `help:"Pages that become due each second; 0 is a closed loop, where each connection goes on when it has its answer (default 0)." placeholder:"PAGES" group:"How fast"`
	Think     time.Duration `help:"Rest between two pages of a closed loop (default 0)." placeholder:"DURATION" group:"How fast"`
	Hold      time.Duration `help:"How long a page works on its session, and holds its lock (default 0)." placeholder:"DURATION" group:"How fast"`
	Duration  time.Duration `help:"How long pages are begun, without the warm-up (default 10s, unless --pages is given)." placeholder:"DURATION" group:"How long"`
	Pages     int64         `help:"How many pages are begun, with the warm-up; 0 is no limit (default 0)." placeholder:"N" group:"How long"`
	WarmUp    time.Duration `help:"How long pages are driven before measuring begins (default 0)." placeholder:"DURATION" group:"How long"`
	Mode      string        `help:"What a page is: pages (as web servers send them), get, put or cycle (acquire and save) (default pages)." placeholder:"NAME" group:"What"`
	Mix       bench.Mix     `help:"Share of each kind of page in percent, such as write=70,read=30 (default ${mix})." placeholder:"KIND=N,..." group:"What"`
	Sessions  int           `help:"Sessions that pages choose from (default 10000)." placeholder:"N" group:"What"`
	HotShare  int           `help:"Percentage of pages that choose only among the first sessions (default 0)." placeholder:"N" group:"What"`
	HotCount  int           `name:"hot-sessions" help:"How many sessions those are (default 1)." placeholder:"N" group:"What"`
	BodyMin   sizeText      `help:"Smallest size of a session (default 1KiB)." placeholder:"SIZE" group:"What"`
	BodyMax   sizeText      `help:"Largest size of a session (default the smallest)." placeholder:"SIZE" group:"What"`
	Preload   bool          `help:"Create all sessions before the first page." group:"What"`
	Verify    bool          `help:"Check every session that comes back: whole, the right one, and no save lost." group:"What"`
	Timeout   int           `help:"Life of sessions after their last use, in minutes (default 20)." placeholder:"MINUTES" group:"What"`
	AppID     string        `name:"app-id" help:"Application id in the keys of the sessions (default /LM/W3SVC/1/ROOT)." placeholder:"ID" group:"What"`
	AppHash   string        `help:"Hash behind it (default that of .NET 4.5.2 and later)." placeholder:"TEXT" group:"What"`
	Seed      uint64        `help:"Two runs with the same seed choose the same pages and sessions (default 0)." placeholder:"N" group:"What"`

	Poll       time.Duration `help:"How often a page asks again for a locked session (default 500ms, as ASP.NET)." placeholder:"DURATION" group:"As a client"`
	NetTimeout time.Duration `help:"How long an exchange may take (default 10s, as ASP.NET)." placeholder:"DURATION" group:"As a client"`
	BreakAfter time.Duration `help:"Age from which a waiting page takes a lock for a dead one and breaks it (default 110s, as ASP.NET)." placeholder:"DURATION" group:"As a client"`

	JSON bool `name:"json" help:"Write the result as JSON instead of a table." group:"Result"`
}

// Help is shown below the summary of the command.
func (*loadCmd) Help() string {
	return "Drives a state server with the requests that ASP.NET sends, and reports pages and requests a second and how long they took. " +
		"With --rate latency counts from the moment a page was due, so that a stall is not hidden. The sessions that it makes stay until they expire. " +
		"The result is written unless the flags are wrong."
}

// loadConfig is what the flags say.
func (l *loadCmd) loadConfig() bench.LoadConfig {
	return bench.LoadConfig{
		Targets: l.Target, Placement: bench.Placement(l.Placement),
		Conns: l.Conns, Rate: l.Rate, Think: l.Think, Hold: l.Hold,
		Duration: l.Duration, Pages: l.Pages, WarmUp: l.WarmUp,
		Mode: bench.Mode(l.Mode), Mix: l.Mix, Sessions: l.Sessions, HotShare: l.HotShare, HotSessions: l.HotCount,
		BodyMin: int(l.BodyMin), BodyMax: int(l.BodyMax), Preload: l.Preload, Verify: l.Verify,
		Timeout: l.Timeout, AppID: l.AppID, AppHash: l.AppHash, Seed: l.Seed,
		Poll: l.Poll, NetTimeout: l.NetTimeout, BreakAfter: l.BreakAfter,
	}
}

// Run drives the load. A signal ends it early; what was measured until then is
// reported.
func (l *loadCmd) Run(a *app) error {
	cfg := l.loadConfig()
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return usageError(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals, ignore := watchSignals()
	defer ignore()
	go func() {
		select {
		case <-signals:
			ignore() // A second one ends the program as usual.
			cancel()
		case <-ctx.Done():
		}
	}()
	wipe := func() {}
	if terminal(a.stderr) {
		cfg.Progress = func(p bench.Progress) { _, _ = fmt.Fprint(a.stderr, "\r\x1b[K"+progressLine(p)) }
		wipe = func() { _, _ = fmt.Fprint(a.stderr, "\r\x1b[K") }
	}
	result, err := bench.Load(ctx, cfg)
	wipe()
	if result == nil {
		return err
	}
	if err := l.report(a.stdout, result); err != nil {
		return err
	}
	switch {
	case err != nil:
		return fmt.Errorf("the run was interrupted: %w", err)
	case result.PagesFailed > 0 || result.Verify != nil && result.Verify.Faults > 0:
		return errQuiet
	}
	return nil
}

func (l *loadCmd) report(w io.Writer, result *bench.LoadResult) error {
	if !l.JSON {
		return result.WriteTable(w)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(result)
}

// progressLine is the state of a run on one line.
func progressLine(p bench.Progress) string {
	line := fmt.Sprintf("%s %s: %d", p.Phase, p.Elapsed.Round(time.Second), p.Done)
	if p.Total > 0 {
		line += fmt.Sprintf(" of %d", p.Total)
	}
	line += fmt.Sprintf(", %.0f/s", p.PerS)
	if p.Behind > 0 {
		line += fmt.Sprintf(", %d behind", p.Behind)
	}
	if p.Failed > 0 {
		line += fmt.Sprintf(", %d failed", p.Failed)
	}
	return line
}

// terminal reports whether somebody watches w.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(f)
}

// sizeText is a flag for a size.
type sizeText int

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *sizeText) UnmarshalText(text []byte) error {
	n, err := config.ParseSize(string(text))
	if err == nil && n > math.MaxInt32 {
		err = fmt.Errorf("%q is above 1GiB, the largest session", text)
	}
	*s = sizeText(n)
	return err
}
