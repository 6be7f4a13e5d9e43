package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/top"
)

// statusCmd is farmstate status.
type statusCmd struct {
	adminFlags
	Farm   bool          `help:"Show all nodes of the farm: the one that is asked tells where the others are."`
	Sample time.Duration `help:"Look twice, so long apart, and show what happened in between: requests a second and their latency." placeholder:"DURATION"`
	JSON   bool          `name:"json" help:"Write one JSON object."`
	Quiet  bool          `short:"q" help:"Write nothing; the exit status says all."`
	Check  string        `help:"Ask one node one thing, for health checks: live or ready. One line says the answer." enum:",live,ready" default:"" placeholder:"live|ready"`
}

// Help is shown below the summary of the command.
func (*statusCmd) Help() string {
	return "One line for each node, and below what is wrong with it and what to do. P99 is the time in which 99 of 100 requests were answered, since the node was started or, " +
		"with --sample, of late. MEMORY is what the sessions take, and how much of max_memory that is. COPIES is the number of copies that each session shall have, with ok, none " +
		"(there is no node to take any), on N (there are fewer nodes), -N (so many sessions have fewer), late, or how far missing ones are made.\n\n" +
		"What counts as wrong: a node that is dead, cannot be read, is not ready (but for a drain that goes on), has no link to the others, or is nearly at a limit; copies that are " +
		"missing; a lock that is held for more than two minutes.\n\n" +
		"--check needs no shell, so it serves containers without one: farmstate status --check ready."
}

// statusTime bounds the asking of one node.
const statusTime = 10 * time.Second

// statusReport is the status for programs.
type statusReport struct {
	OK       bool           `json:"ok"` // nothing is wrong
	Now      time.Time      `json:"now"`
	Findings []top.Finding  `json:"findings"`
	Rates    []nodeRate     `json:"rates,omitempty"` // with --sample
	Nodes    []api.NodeView `json:"nodes"`           // the one that was asked first
}

// nodeRate is what a node did between two looks.
type nodeRate struct {
	Node      string   `json:"node"`
	PerSecond *float64 `json:"requests_per_second"` // null = not known
	P50       *float64 `json:"p50_seconds"`         // null = there were no requests
	P99       *float64 `json:"p99_seconds"`
}

// Run shows the status.
func (s *statusCmd) Run(a *app) error {
	if s.Quiet && s.JSON {
		return usageError(errors.New("--quiet and --json contradict each other"))
	}
	if s.Sample < 0 {
		return usageError(errors.New("--sample is a time from 0 on, such as 2s"))
	}
	if s.Quiet { // errors, too, are told by the exit status alone, unless the command line is wrong
		quiet := *a
		quiet.stdout = io.Discard
		if err := s.run(&quiet); exitStatus(err) == exitFailed {
			return errQuiet
		} else { //nolint:revive // the error belongs to the condition
			return err
		}
	}
	return s.run(a)
}

func (s *statusCmd) run(a *app) error {
	ctx, stop := orSignal()
	defer stop()
	defer fleet.CloseIdle()
	if s.Check != "" {
		return s.check(ctx, a)
	}
	c, err := s.client(a)
	if err != nil {
		return err
	}
	nodes, err := s.look(ctx, c)
	if err != nil {
		return err
	}
	var figures map[string]top.Figures
	if s.Sample > 0 {
		select {
		case <-time.After(s.Sample):
		case <-ctx.Done():
			return errors.New("interrupted")
		}
		before := nodes
		if nodes, err = s.look(ctx, c); err != nil {
			return err
		}
		figures = top.Sampled(before, nodes)
	}
	found := top.Findings(nodes.Nodes)
	if s.JSON {
		err = writeJSON(a.stdout, reportOf(nodes, figures, found))
	} else {
		err = writeStatus(a.screen(), nodes, figures, found)
	}
	if err == nil && top.Wrong(found) {
		err = errQuiet
	}
	return err
}

// look asks the node, or the farm.
func (s *statusCmd) look(ctx context.Context, c *fleet.Client) (*api.Nodes, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	if s.Farm {
		return s.farm(ctx, c)
	}
	return s.alone(ctx, c)
}

// alone is the picture of a farm with the one node in it that is asked.
func (s *statusCmd) alone(ctx context.Context, c *fleet.Client) (*api.Nodes, error) {
	ask := func(ctx context.Context, addr string) (*api.Node, error) {
		if addr != s.Admin {
			return nil, errors.New("not asked")
		}
		return c.Node(ctx, addr)
	}
	nodes := fleet.Survey(ctx, ask, nil, s.Admin)
	for i := range nodes.Nodes {
		if nodes.Nodes[i].Node != nil {
			nodes.Nodes = nodes.Nodes[i : i+1]
			return nodes, nil
		}
	}
	if err := c.Refusal(); err != nil {
		return nil, err
	}
	return nil, errors.New(nodes.Nodes[0].Error)
}

func reportOf(nodes *api.Nodes, figures map[string]top.Figures, found []top.Finding) statusReport {
	r := statusReport{OK: !top.Wrong(found), Now: nodes.Now, Findings: found, Nodes: nodes.Nodes}
	if found == nil {
		r.Findings = []top.Finding{}
	}
	for i := range nodes.Nodes {
		if f, ok := figures[nodes.Nodes[i].ID]; ok {
			r.Rates = append(r.Rates, nodeRate{nodes.Nodes[i].ID, orNull(f.PerSecond), orNull(f.P50), orNull(f.P99)})
		}
	}
	return r
}

// orNull is a number for JSON, which has none for what is not known.
func orNull(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

func writeStatus(w term.Screen, nodes *api.Nodes, figures map[string]top.Figures, found []top.Finding) error {
	if err := top.NodeTable(nodes.Nodes, figures).Write(w); err != nil {
		return err
	}
	text := strings.Builder{}
	text.WriteString("\n")
	if len(nodes.Nodes) == 1 && nodes.Nodes[0].Node != nil {
		s := &nodes.Nodes[0].Node.Status
		text.WriteString(term.Wrap(fmt.Sprintf("farmstate %s, up for %s. Web servers connect to %s.", term.Clean(s.Build.Version), term.Seconds(s.Uptime), term.Clean(s.State)), w.Width, "") + "\n")
	}
	if !top.Wrong(found) {
		text.WriteString(w.Paint(term.Green, "All is well.") + "\n")
	}
	for _, f := range found {
		mark, colour := "- ", term.Plain
		if f.Wrong {
			mark, colour = "! ", term.Red
		}
		text.WriteString(w.Paint(colour, mark) + term.Wrap(term.Clean(f.String()), w.Width-2, "  ") + "\n")
	}
	_, err := w.Write([]byte(text.String()))
	return err
}

// check asks the page that load balancers ask, and writes its answer as one line.
func (s *statusCmd) check(ctx context.Context, a *app) error {
	if s.Farm || s.JSON || s.Sample > 0 {
		return usageError(errors.New("--check asks one node one thing; leave --farm, --json and --sample out"))
	}
	if _, err := s.client(a); err != nil { // the address
		return err
	}
	page := map[string]string{"live": "/healthz", "ready": "/readyz"}[s.Check]
	ctx, cancel := context.WithTimeout(ctx, statusTime/2)
	defer cancel()
	u := url.URL{Scheme: "http", Host: s.Admin, Path: page}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return usageError(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the address, which is said here
		}
		return fmt.Errorf("the admin pages at %s cannot be reached: %w; they are at the address of the node's option admin", s.Admin, err)
	}
	defer func() { _ = resp.Body.Close() }() // it has been read
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("the answer of the node at %s broke off: %w", s.Admin, err)
	}
	line := strings.Join(strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	if resp.StatusCode != http.StatusOK {
		line = "not " + s.Check + ": " + line
	}
	if _, err := fmt.Fprintln(a.stdout, term.Clean(line)); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errQuiet
	}
	return nil
}
