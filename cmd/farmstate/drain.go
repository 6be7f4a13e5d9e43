package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/admin"
	"github.com/farmstate/farmstate/peer"
)

// drainCmd is farmstate drain.
type drainCmd struct {
	Admin   string        `help:"Address of the node's admin pages." default:"127.0.0.1:42480" placeholder:"ADDR"`
	Stop    bool          `help:"Let the node take sessions again."`
	Timeout time.Duration `help:"Give up after this time; 0 waits as long as it takes." default:"0" placeholder:"DURATION"`
	JSON    bool          `help:"Write one JSON object a line instead of a progress bar." name:"json"`
}

// Help is shown below the summary of the command.
func (*drainCmd) Help() string {
	return "The node hands its sessions to the other nodes of the farm, also those that nobody asks for, and takes no more. It goes on serving: a session that a web " +
		"server asks it for comes back, and is handed over again afterwards. When it is empty it can be stopped without a loss; until then, or with --stop, nothing is final.\n\n" +
		"It must be run on the node's own machine. The exit status is 0 when the node is empty, 1 if it is not."
}

// drainPoll is how often the node is asked how far it is.
const drainPoll = 250 * time.Millisecond

// Run starts the drain and shows how far it is.
func (d *drainCmd) Run(a *app) error {
	ctx := context.Background()
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	signals, ignore := watchSignals()
	defer ignore()
	p, err := d.call(ctx)
	if err != nil {
		return err
	}
	if d.Stop {
		_, err := fmt.Fprintln(a.stdout, "the node takes sessions again")
		return err
	}
	return d.follow(ctx, a.stdout, p, signals)
}

// follow shows the progress until the node is empty.
func (d *drainCmd) follow(ctx context.Context, out io.Writer, p peer.Progress, signals <-chan os.Signal) error {
	bar := drainBar{out: out, json: d.JSON, terminal: !d.JSON && terminal(out), began: time.Now(), first: p}
	poll := time.NewTicker(drainPoll)
	defer poll.Stop()
	stuck := time.Now()
	for last := p; ; {
		bar.show(p)
		if p.Sessions == 0 {
			return bar.end("the node is empty; it can be stopped")
		}
		if p.Sessions < last.Sessions || p.Takers {
			stuck = time.Now()
		}
		if time.Since(stuck) > drainStuck {
			return errors.Join(bar.end(""), fmt.Errorf("%d sessions are left: no other node takes them; link the node to one, or see the log of those that it is linked to", p.Sessions))
		}
		last = p
		select {
		case <-poll.C:
		case <-ctx.Done():
			return errors.Join(bar.end(""), fmt.Errorf("%d sessions are left after %s; the node goes on handing them over", p.Sessions, d.Timeout))
		case <-signals:
			return errors.Join(bar.end(""), fmt.Errorf("%d sessions are left; the node goes on handing them over (farmstate drain --stop ends that)", p.Sessions))
		}
		switch now, err := d.call(ctx); {
		case err == nil:
			p = now
		case ctx.Err() == nil:
			return errors.Join(bar.end(""), err)
		}
	}
}

// drainStuck is how long the node may go without anybody to hand sessions to.
const drainStuck = 10 * time.Second

// call tells the node to drain, or to stop doing so, which it may be told more than once, and returns how far it is.
func (d *drainCmd) call(ctx context.Context) (p peer.Progress, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	url := "http://" + d.Admin + "/api/v1/drain"
	if d.Stop {
		url += "?stop=true"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return p, usageError(fmt.Errorf("--admin: %w", err))
	}
	req.Header.Set(admin.ActionHeader, "drain")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return p, fmt.Errorf("the node cannot be reached: %w; its admin pages are at the address of its option admin", err)
	}
	defer func() { _ = resp.Body.Close() }() // it has been read
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return p, err
	}
	if resp.StatusCode != http.StatusOK {
		return p, fmt.Errorf("the node at %s says: %s", d.Admin, strings.TrimSpace(string(text)))
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("what answers at %s is no farmstate of this version: %w", d.Admin, err)
	}
	return p, nil
}

// drainBar shows how far a drain is.
type drainBar struct {
	out      io.Writer
	json     bool
	terminal bool
	began    time.Time
	first    peer.Progress
	shown    time.Time
}

func (b *drainBar) show(p peer.Progress) {
	if b.json {
		line, _ := json.Marshal(p) // numbers and flags
		_, _ = fmt.Fprintf(b.out, "%s\n", line)
		return
	}
	if !b.terminal && time.Since(b.shown) < time.Second && p.Sessions > 0 {
		return
	}
	b.shown = time.Now()
	text := drainText(b.first, p, time.Since(b.began))
	if b.terminal {
		_, _ = fmt.Fprint(b.out, "\r\x1b[K"+text)
	} else {
		_, _ = fmt.Fprintln(b.out, text)
	}
}

// drainText is one line of at most 80 columns.
func drainText(first, p peer.Progress, elapsed time.Duration) string {
	const width = 20
	total := max(first.Sessions, p.Sessions)
	done := total - p.Sessions
	share := 1.0
	if total > 0 {
		share = float64(done) / float64(total)
	}
	full := int(share * width)
	text := fmt.Sprintf("[%s%s] %3.0f %%  %d left", strings.Repeat("#", full), strings.Repeat(".", width-full), share*100, p.Sessions)
	if rate := float64(p.Handed-first.Handed) / max(elapsed.Seconds(), 0.001); rate >= 1 {
		text += fmt.Sprintf("  %.0f/s", rate)
		if p.Sessions > 0 {
			text += "  " + time.Duration(float64(p.Sessions)/rate*float64(time.Second)).Round(time.Second).String() + " to go"
		}
	}
	if !p.Takers && p.Sessions > 0 {
		text += "  (no node takes them)"
	}
	return text
}

func (b *drainBar) end(text string) error {
	if b.terminal {
		_, _ = fmt.Fprintln(b.out)
	}
	if text == "" || b.json {
		return nil
	}
	_, err := fmt.Fprintln(b.out, text)
	return err
}
