package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
	"github.com/farmstate/farmstate/peer"
)

// drainCmd is farmstate drain.
type drainCmd struct {
	adminFlags
	Node    string        `help:"The node that is meant, by its name or id; the one that is asked, if left out." placeholder:"NODE"`
	Stop    bool          `help:"Let the node take sessions again."`
	Timeout time.Duration `help:"Give up after this time; 0 waits as long as it takes." default:"0" placeholder:"DURATION"`
	JSON    bool          `help:"Write one JSON object a line instead of a progress bar." name:"json"`

	id string // of the node that is meant; empty: the one that is asked
}

// Help is shown below the summary of the command.
func (*drainCmd) Help() string {
	return "The node hands its sessions to the other nodes of the farm, also those that nobody asks for, and takes no more. It goes on serving: a session that a web " +
		"server asks it for comes back, and is handed over again afterwards. When it is empty it can be stopped without a loss; until then, or with --stop, nothing is final. It needs the admin token."
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
	c, err := d.actor(a)
	if err != nil {
		return err
	}
	defer fleet.CloseIdle()
	if d.id, err = d.nodeID(ctx, c, d.Node); err != nil {
		return err
	}
	what := ""
	if d.Stop {
		what = "stop"
	}
	p, err := d.call(ctx, c, what)
	if err != nil {
		return err
	}
	if d.Stop {
		if d.JSON {
			return json.NewEncoder(a.stdout).Encode(p)
		}
		_, err := fmt.Fprintln(a.stdout, "the node takes sessions again")
		return err
	}
	return d.follow(ctx, a.screen(), c, p, signals)
}

// follow shows the progress until the node is empty.
func (d *drainCmd) follow(ctx context.Context, out term.Screen, c *fleet.Client, p peer.Progress, signals <-chan os.Signal) error {
	bar := drainBar{Progress: term.Progress{Screen: out}, json: d.JSON, began: time.Now(), first: p}
	poll := time.NewTicker(drainPoll)
	defer poll.Stop()
	stuck := time.Now()
	for last := p; ; {
		bar.show(p)
		if !p.Draining {
			return errors.Join(bar.end(""), fmt.Errorf("somebody has ended the drain (farmstate drain --stop): the node takes sessions again, and %d are left", p.Sessions))
		}
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
		switch now, err := d.call(ctx, c, "look"); {
		case err == nil:
			p = now
		case ctx.Err() == nil:
			return errors.Join(bar.end(""), err)
		}
	}
}

// drainStuck is how long the node may go without anybody to hand sessions to.
const drainStuck = 10 * time.Second

// call tells the node to drain, or with "stop" to end that, and returns how far it is; with "look" it only asks, so that it does not begin anew what somebody has ended.
func (d *drainCmd) call(ctx context.Context, c *fleet.Client, what string) (p peer.Progress, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	query := url.Values{}
	if what != "" {
		query.Set(what, "true")
	}
	if d.id != "" {
		query.Set("node", d.id)
	}
	err = c.Act(ctx, d.Admin, "drain", query, &p)
	return p, err
}

// drainBar shows how far a drain is.
type drainBar struct {
	term.Progress
	json  bool
	began time.Time
	first peer.Progress
}

func (b *drainBar) show(p peer.Progress) {
	if b.json {
		line, _ := json.Marshal(p) // numbers and flags
		_, _ = fmt.Fprintf(b.Screen, "%s\n", line)
		return
	}
	now := time.Now()
	b.Show(now, drainText(b.first, p, now.Sub(b.began)), p.Sessions == 0)
}

// drainText is one line of at most 80 columns.
func drainText(first, p peer.Progress, elapsed time.Duration) string {
	total := max(first.Sessions, p.Sessions)
	share := 1.0
	if total > 0 {
		share = float64(total-p.Sessions) / float64(total)
	}
	text := fmt.Sprintf("%s %3.0f %%  %d left", term.Bar(share, 20), share*100, p.Sessions)
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
	if b.json {
		return nil
	}
	return b.End(text)
}
