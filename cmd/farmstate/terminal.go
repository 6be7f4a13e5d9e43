package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/top"
)

// screen is standard output and what it can show.
func (a *app) screen() term.Screen { return term.Of(a.stdout, a.env) }

// tell tells the user something that is no result of the command.
func (a *app) tell(text string) {
	_, _ = fmt.Fprintln(a.stderr, "farmstate: "+term.Clean(text)) // where would its failure be reported?
}

// writeJSON writes a value for programs.
func writeJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}

// orSignal is a context that ends when the user wants no more. stop has to be called.
func orSignal() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := cancelOnSignal(ctx, cancel)
	return ctx, func() {
		cancel()
		<-ended
	}
}

// farm asks the node of --admin and all that it tells of. It fails if that node cannot be read.
func (f *adminFlags) farm(ctx context.Context, c *fleet.Client) (*api.Nodes, error) {
	nodes := c.Farm(ctx, f.Admin)
	if err := c.Refusal(); err != nil {
		return nil, err
	}
	for i := range nodes.Nodes {
		if nodes.Nodes[i].Node != nil {
			return nodes, nil
		}
	}
	for i := range nodes.Nodes {
		if text := nodes.Nodes[i].Error; text != "" {
			return nil, errors.New(text)
		}
	}
	return nil, errors.New("the node at " + f.Admin + " does not answer")
}

const (
	// surveyTime is how long nodes that nobody has looked at of late may take to walk round their sessions.
	surveyTime = 5 * time.Second
	surveyPoll = 200 * time.Millisecond
)

// surveyed is farm, after all nodes that answer have walked round their sessions.
func (f *adminFlags) surveyed(ctx context.Context, c *fleet.Client) (*api.Nodes, error) {
	for end := time.Now().Add(surveyTime); ; {
		nodes, err := f.farm(ctx, c)
		if err != nil || surveysReady(nodes) || time.Now().After(end) {
			return nodes, err
		}
		select {
		case <-time.After(surveyPoll):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func surveysReady(nodes *api.Nodes) bool {
	for i := range nodes.Nodes {
		if n := nodes.Nodes[i].Node; n != nil && !n.Survey.Ready {
			return false
		}
	}
	return true
}

// nodeNamed is the one node that a text of the command line means.
func nodeNamed(nodes *api.Nodes, text string) (*api.NodeView, error) {
	found := top.Find(nodes.Nodes, text)
	if len(found) == 1 {
		return found[0], nil
	}
	var known []string
	all := found
	if len(all) == 0 {
		for i := range nodes.Nodes {
			all = append(all, &nodes.Nodes[i])
		}
	}
	names := top.Names(nodes.Nodes)
	for _, n := range all {
		if n.ID != "" {
			known = append(known, names[n.ID]+" ("+n.ID+")")
		}
	}
	if len(found) > 1 {
		return nil, usageError(errors.New("--node=" + text + " may be " + strings.Join(known, " or ") + "; give the id"))
	}
	return nil, usageError(errors.New("--node=" + text + " is not in the farm, which has " + strings.Join(known, ", ")))
}

// nodeID is the id of the node that --node names; empty if it names none, which stands for the one that is asked.
func (f *adminFlags) nodeID(ctx context.Context, c *fleet.Client, text string) (id string, err error) {
	if text == "" {
		return "", nil
	}
	nodes, err := f.farm(ctx, c)
	if err != nil {
		return "", err
	}
	n, err := nodeNamed(nodes, text)
	if err != nil {
		return "", err
	}
	return n.ID, nil
}
