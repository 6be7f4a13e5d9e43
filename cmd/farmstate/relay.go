package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/relay"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
	"github.com/farmstate/farmstate/netpoll"
)

// relayCmd is farmstate relay.
type relayCmd struct {
	Run    relayRunCmd    `cmd:"" default:"withargs" help:"Pass requests and answers on; this is what farmstate relay does without another word."`
	Replay relayReplayCmd `cmd:"" help:"Play a recording against a server, and compare the answers."`
}

// relayRunCmd is farmstate relay without another word.
type relayRunCmd struct {
	Listen string        `help:"Address that web servers connect to (default ${default})." default:"127.0.0.1:42423" placeholder:"ADDR" group:"Where"`
	Target []string      `help:"State server (default ${default}); with more than one, sessions are divided among them." default:"127.0.0.1:42424" placeholder:"ADDR" group:"Where"`
	Allow  []networkText `help:"Network that may connect besides this machine; may be repeated." placeholder:"NET" group:"Where"`

	Quiet  bool   `help:"Show no traffic." group:"What is shown"`
	JSON   bool   `name:"json" help:"Write one JSON object for each message." group:"What is shown"`
	Whole  bool   `help:"Show session ids whole, and digests of contents: whoever sees a whole id can take the session over." group:"What is shown"`
	Bytes  bool   `help:"Show contents as bytes, too; needs --whole." group:"What is shown"`
	Record string `help:"Write everything that passes to a new file, which farmstate relay replay reads. It has session ids and contents." placeholder:"FILE" group:"What is shown"`

	Rule []string `sep:"none" help:"Bend what passes, such as drop-header=Exclusive or answer:delay=200ms,verb=PUT; may be repeated (docs/relay.md)." placeholder:"RULE" group:"What is bent"`
	Seed uint64   `help:"Two runs with the same seed have the same chances (prob)." placeholder:"N" group:"What is bent"`

	WarmUp time.Duration `help:"How long a target that was down has to be healthy before it gets requests again (default ${default})." default:"10s" placeholder:"DURATION" group:"Several targets"`
	Probe  time.Duration `help:"How often each target is looked at (default ${default})." default:"1s" placeholder:"DURATION" group:"Several targets"`

	MaxConnections int           `help:"Connections that may be open at a time (default ${default})." default:"1024" placeholder:"N" group:"Limits"`
	IdleTimeout    time.Duration `help:"Silence after which a connection is closed (default ${default})." default:"5m" placeholder:"DURATION" group:"Limits"`
	MaxHead        sizeText      `help:"Longest head that is understood (default ${default})." default:"16KiB" placeholder:"SIZE" group:"Limits"`
}

// Help is shown below the summary of the command.
func (*relayRunCmd) Help() string {
	return "Stands between web servers and a state server, any that speaks the protocol, and shows what they say to each other. Point the web server's stateConnectionString at it. " +
		"Without rules every byte passes as it is; what is not the protocol, too. What --record wrote is played by farmstate relay replay.\n\n" +
		"The line farmstate relay ready comes on standard error when it can be connected to; the traffic, and a summary at the end, on standard output."
}

// options is what the flags say.
func (c *relayRunCmd) options(a *app) (relay.Options, error) {
	opt := relay.Options{
		Targets: c.Target, Seed: c.Seed, MaxConns: c.MaxConnections, IdleTimeout: c.IdleTimeout, MaxHead: int(c.MaxHead), WarmUp: c.WarmUp, Probe: c.Probe,
	}
	var errs []error
	for _, text := range c.Rule {
		r, err := relay.ParseRule(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--rule: %w", err))
			continue
		}
		opt.Rules = append(opt.Rules, r)
	}
	for _, n := range c.Allow {
		opt.Allow = append(opt.Allow, netip.Prefix(n))
	}
	if c.Bytes && !c.Whole {
		errs = append(errs, errors.New("--bytes: shows session ids and contents, which only --whole allows; give both"))
	}
	if c.Quiet && (c.JSON || c.Whole || c.Bytes) {
		errs = append(errs, errors.New("--quiet: shows nothing, so --json, --whole and --bytes have no effect; leave one out"))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("--listen: %q is not HOST:PORT, such as 127.0.0.1:42423", c.Listen))
	} else if config.Exposed(c.Listen) && len(c.Allow) == 0 {
		errs = append(errs, exposedRelay(c.Listen))
	}
	for _, target := range c.Target {
		if relay.SameAddr(c.Listen, target) {
			errs = append(errs, fmt.Errorf("--target: %q is the address that the relay itself listens on; name that of a state server", target))
		}
	}
	if !c.Quiet {
		opt.Display = relay.NewDisplay(a.stdout, relay.DisplayOptions{
			Color: !c.JSON && terminal(a.stdout) && !slices.ContainsFunc(a.environ, noColor), Whole: c.Whole, Bytes: c.Bytes, JSON: c.JSON,
		})
	}
	var mu sync.Mutex // lines stay whole
	opt.Log = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = fmt.Fprintln(a.stderr, "farmstate: "+text) // where would its failure be reported?
	}
	return opt, errors.Join(errs...)
}

func exposedRelay(addr string) error {
	return fmt.Errorf("--listen: %q %s", addr, config.ExposedAdvice)
}

// noColor reports whether a variable of the environment asks for no colours.
func noColor(entry string) bool {
	value, ok := strings.CutPrefix(entry, "NO_COLOR=")
	return ok && value != ""
}

// Run relays until a signal.
func (c *relayRunCmd) Run(a *app) error {
	surviveClosedPipes()
	opt, err := c.options(a)
	if err != nil {
		return usageError(err)
	}
	if _, err := relay.New(opt); err != nil { // before anything is made
		return usageError(err)
	}
	l, err := net.Listen(netpoll.Network(c.Listen), c.Listen)
	if err != nil {
		return listenError("listen", c.Listen, err)
	}
	defer func() { _ = l.Close() }() // Serve closes it
	if addr, err := netip.ParseAddrPort(l.Addr().String()); err == nil && !addr.Addr().Unmap().IsLoopback() && len(c.Allow) == 0 {
		return usageError(exposedRelay(c.Listen))
	}
	if c.Record != "" {
		if opt.Recorder, err = relay.Create(c.Record, time.Now()); err != nil {
			if path, ok := errors.AsType[*fs.PathError](err); ok {
				err = fmt.Errorf("%s: cannot be made: %w; name a file in a directory that is there and in which this account may write", c.Record, path.Err)
			}
			return usageError(fmt.Errorf("--record: %w", err))
		}
		opt.Log("warning: " + c.Record + " gets whole session ids and contents; keep it as safe as the sessions themselves, and remove it when it has served")
	}
	r, err := relay.New(opt)
	if err != nil {
		return usageError(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := cancelOnSignal(ctx, cancel)
	err = r.Serve(ctx, l, func() {
		_, _ = fmt.Fprintf(a.stderr, "farmstate relay ready listen=%s\n", l.Addr()) // whoever waits for it is gone
	})
	cancel()
	<-ended
	return errors.Join(err, c.summary(a.stdout, r, opt.Display))
}

// cancelOnSignal calls cancel at the first signal; a second one ends the program as usual. The channel is closed when nobody waits for signals any more.
func cancelOnSignal(ctx context.Context, cancel func()) <-chan struct{} {
	signals, ignore := watchSignals()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer ignore()
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ended
}

func (c *relayRunCmd) summary(w io.Writer, r *relay.Relay, d *relay.Display) error {
	s := r.Summary()
	if d != nil {
		s.NotShown = d.Missed()
	}
	if !c.JSON {
		return s.Write(w)
	}
	return json.NewEncoder(w).Encode(struct {
		Kind string `json:"kind"`
		relay.Summary
	}{"summary", s})
}

// networkText is a flag for a network or an address.
type networkText netip.Prefix

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *networkText) UnmarshalText(text []byte) error {
	p, err := config.ParseNetwork(string(text))
	if err != nil {
		return fmt.Errorf("%q %w; accepted: such as 10.1.0.0/16 or 192.168.7.12", text, err)
	}
	*n = networkText(p)
	return nil
}

// relayReplayCmd is farmstate relay replay.
type relayReplayCmd struct {
	File    string        `arg:"" help:"Recording that farmstate relay --record made."`
	Target  string        `help:"State server to play it against (default ${default})." default:"127.0.0.1:42424" placeholder:"ADDR"`
	Strict  bool          `help:"Compare every byte of the answers."`
	Timeout time.Duration `help:"How long an answer may take (default ${default})." default:"10s" placeholder:"DURATION"`
	Whole   bool          `help:"Show session ids whole: whoever sees one can take the session over."`
	JSON    bool          `name:"json" help:"Write one JSON object for each difference, and one for the result."`

	MaxDifferences int64 `help:"End after so many differences; 0 goes on to the end (default ${default})." default:"100" placeholder:"N"`
}

// Help is shown below the summary of the command.
func (*relayReplayCmd) Help() string {
	return "Sends the requests of a recording to a state server, each when the answers that came before it are in, and shows which answers are others. " +
		"The server should have none of the sessions: play against one that was just started. Compared are the status, ActionFlags, Timeout, LockCookie and the body; " +
		"cookies may be other numbers as long as they mean the same locks, and dates and ages of locks are not compared."
}

// Run plays the recording.
func (c *relayReplayCmd) Run(a *app) error {
	if err := relay.CheckTarget(c.Target); err != nil {
		return usageError(err)
	}
	if c.MaxDifferences < 0 {
		return usageError(fmt.Errorf("--max-differences: %d is below 0; 0 is no bound, the default is 100", c.MaxDifferences))
	}
	if c.Timeout <= 0 {
		return usageError(fmt.Errorf("--timeout: %s is not above 0; the default is 10s", c.Timeout))
	}
	f, err := os.Open(c.File)
	if err != nil {
		return usageError(config.OpenProblem(c.File, err))
	}
	defer func() { _ = f.Close() }() // it was only read
	rec, err := relay.NewRecording(f)
	if err != nil {
		return usageError(fmt.Errorf("%s: %w", c.File, err))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := cancelOnSignal(ctx, cancel)
	progress := replayProgress{screen: term.Of(a.stderr, a.env), began: time.Now(), shown: time.Now()}
	var werr error
	keep := func(err error) {
		if werr == nil {
			werr = err
		}
	}
	result, err := relay.Replay(ctx, rec, relay.ReplayOptions{
		Target: c.Target, Timeout: c.Timeout, Strict: c.Strict, Whole: c.Whole,
		MaxDifferences: c.MaxDifferences, Progress: progress.show,
		Present: func() {
			progress.wipe()
			_, _ = fmt.Fprintln(a.stderr, "farmstate: warning: the server has sessions of the recording already: answers differ, and requests wait for locks that are held there; "+
				"play against a server that was just started") // as elsewhere
		},
		Differs: func(d relay.Difference) {
			progress.wipe()
			keep(c.difference(a.stdout, d))
		},
	})
	cancel()
	<-ended
	progress.wipe()
	keep(c.result(a.stdout, result))
	switch {
	case errors.Is(err, context.Canceled):
		return errors.Join(errors.New("the replay was interrupted"), werr)
	case err != nil:
		return usageError(errors.Join(fmt.Errorf("%s: %w", c.File, err), werr))
	case werr != nil:
		return werr
	case result.CutOff:
		_, _ = fmt.Fprintf(a.stderr, "farmstate: warning: %s has no end: the relay still runs or was killed; what is there was played\n", c.File) // as elsewhere
	}
	if result.Different > 0 {
		return errQuiet
	}
	return nil
}

func (c *relayReplayCmd) difference(w io.Writer, d relay.Difference) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(struct {
			Kind string `json:"kind"`
			relay.Difference
		}{"difference", d})
	}
	text := fmt.Sprintf("connection %d", d.Connection)
	if d.Exchange > 0 {
		text = fmt.Sprintf("exchange %d (%s): %s %s", d.Exchange, text, d.Operation, d.Session)
	}
	for _, f := range d.Fields {
		text += fmt.Sprintf("\n    %s\n        recorded  %s\n        live      %s", f.Name, f.Recorded, f.Live)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

func (c *relayReplayCmd) result(w io.Writer, r relay.ReplayResult) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(struct {
			Kind string `json:"kind"`
			relay.ReplayResult
		}{"result", r})
	}
	text := fmt.Sprintf("%d the same, %d different", r.Same, r.Different)
	if r.Skipped > 0 {
		text += fmt.Sprintf(", %d without a recorded answer", r.Skipped)
	}
	if r.Stopped {
		text += "; the rest was not played (--max-differences)"
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
