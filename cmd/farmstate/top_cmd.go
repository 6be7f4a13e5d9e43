package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/top"
)

// topCmd is farmstate top.
type topCmd struct {
	adminFlags
	Interval time.Duration `help:"Pause between two looks at the farm (default ${default})." default:"2s" placeholder:"DURATION"`
	Once     bool          `help:"Look twice, write one picture as plain text, and end."`
	JSON     bool          `name:"json" help:"With --once, write one JSON object: that of status --farm --sample."`
}

// Help is shown below the summary of the command.
func (*topCmd) Help() string {
	return "A live picture of the whole farm: the nodes with their requests and latency since the last look, the longest locks, the busiest applications and sessions, and the " +
		"latest events.\n\n" +
		"Keys: q ends it. Tab, the arrows left and right, or 1 to 5 choose a panel, which then gets the most room; the arrows up and down scroll in it. s sorts it by the next " +
		"column, r turns the order round. p lets the picture stand still."
}

// shortestLook keeps a slip of the finger from asking all nodes without a pause.
const shortestLook = 100 * time.Millisecond

// Run shows the picture until the user has seen enough.
func (t *topCmd) Run(a *app) error {
	if t.Interval < shortestLook {
		return usageError(errors.New("--interval is a time from 100ms on, such as 2s"))
	}
	if t.JSON && !t.Once {
		return usageError(errors.New("--json writes one picture: give --once, too"))
	}
	out, ok := a.stdout.(*os.File)
	if !t.Once && (!ok || !term.IsTerminal(out) || !term.IsTerminal(os.Stdin)) {
		return usageError(errors.New("top needs a terminal; `farmstate top --once` writes one picture as text, `farmstate status --farm --json` the same for programs"))
	}
	c, err := t.client(a)
	if err != nil {
		return err
	}
	defer fleet.CloseIdle()
	ctx, stop := orSignal()
	defer stop()
	if t.Once {
		return t.once(ctx, a, c)
	}
	if _, err := t.farm(ctx, c); err != nil { // better said before the screen is taken
		return err
	}
	model := top.New(top.Options{Ask: func() *api.Nodes { return c.Farm(ctx, t.Admin) }, Interval: t.Interval, Colours: a.screen().Colours})
	_, err = tea.NewProgram(model, tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithInput(os.Stdin), tea.WithOutput(out), tea.WithEnvironment(a.environ)).Run()
	if ctx.Err() != nil { // a signal
		return nil
	}
	return err
}

// once writes one picture.
func (t *topCmd) once(ctx context.Context, a *app, c *fleet.Client) error {
	before, err := t.farm(ctx, c)
	if err != nil {
		return err
	}
	select {
	case <-time.After(t.Interval):
	case <-ctx.Done():
		return errors.New("interrupted")
	}
	after, err := t.farm(ctx, c)
	if err != nil {
		return err
	}
	if t.JSON {
		return writeJSON(a.stdout, reportOf(after, top.Sampled(before, after), top.Findings(after.Nodes)))
	}
	screen := a.screen()
	frame := top.New(top.Options{Colours: screen.Colours}).With(before).With(after).Frame(screen.Width, 0)
	_, err = screen.Write([]byte(strings.Join(frame, "\n") + "\n"))
	return err
}
