package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/top"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/trace"
)

// traceCmd is farmstate trace.
type traceCmd struct {
	adminFlags
	Level       trace.Level   `help:"Show events that are at least so grave: debug, info, warn or error, or a level of StateMirror (default ${default})." default:"info" placeholder:"LEVEL" complete:"debug,info,warn,error,1,2,3,4,5,10" group:"Which events"`
	Application string        `help:"Show events of applications whose id or hash contains this." placeholder:"TEXT" group:"Which events"`
	Session     string        `help:"Show events of the session whose id begins so; the whole id will do." placeholder:"ID" group:"Which events"`
	Kind        []string      `help:"Show events of this name; with * at the end, those that begin so. May be repeated." placeholder:"NAME" group:"Which events"`
	Node        string        `help:"Follow this node alone, by its name or id." placeholder:"NODE" group:"Which events"`
	Recent      int           `help:"Begin with so many past events of each node, at most 1000 (default ${default})." default:"0" placeholder:"N" group:"How long"`
	For         time.Duration `help:"End after this time; 0 goes on until Ctrl+C (default ${default})." default:"0" placeholder:"DURATION" group:"How long"`
	JSON        bool          `name:"json" help:"Write each event as a line of JSON." group:"Result"`
	Out         string        `help:"Write lines of JSON to this file, and nothing to standard output." placeholder:"FILE" group:"Result"`
	RotateSize  sizeText      `help:"Put the file aside, as FILE.1, when it would grow beyond this (default ${default})." default:"10MB" placeholder:"SIZE" group:"Result"`
	RotateKeep  int           `help:"How many files that were put aside are kept (default ${default})." default:"5" placeholder:"N" group:"Result"`
}

// Help is shown below the summary of the command.
func (*traceCmd) Help() string {
	return "The events of all nodes of the farm in one stream. Nodes that come later are followed as well. A node that is away delays nobody: standard error says so, and when it " +
		"is back its events are shown from where they broke off, as far as it still has them. Events are kept back for half a second to be put in order by time; that is as exact " +
		"as the machines' clocks.\n\n" +
		"StateMirror's levels: 1 (unexpected errors) and 2 (errors of logic and connectivity) are error, 3 (warnings) is warn, 4 (major events) is info, 5 (regular events) and 10 " +
		"(verbose) are debug.\n\n" +
		"A full disk does not end --out: events that cannot be written are counted, and standard error says how many are missing."
}

// maxRotateKeep bounds the files that are renamed each time.
const maxRotateKeep = 1000

// Run follows the farm.
func (t *traceCmd) Run(a *app) error {
	switch {
	case t.Recent < 0 || t.Recent > trace.MaxPast:
		return usageError(errors.New("--recent is a number from 0 to 1000"))
	case t.For < 0:
		return usageError(errors.New("--for is a time from 0 on, such as 10m"))
	case t.RotateSize < 1<<10:
		return usageError(errors.New("--rotate-size is a size from 1KiB on, such as 10MB"))
	case t.RotateKeep < 0 || t.RotateKeep > maxRotateKeep:
		return usageError(errors.New("--rotate-keep is a number from 0 to 1000"))
	}
	c, err := t.client(a)
	if err != nil {
		return err
	}
	ctx, stop := orSignal()
	defer stop()
	defer fleet.CloseIdle()
	only, err := t.meet(ctx, c)
	if err != nil {
		return err
	}
	s := farmSource{c: c, level: event.Level(t.Level), only: only, addrs: []string{t.Admin}}
	out, closeOut, err := t.output(a)
	if err != nil {
		return err
	}
	if t.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.For)
		defer cancel()
	}
	follow := trace.Trace{
		Source: trace.Source{Nodes: s.targets, State: s.state, Alive: s.alive, Follow: s.follow},
		Filter: trace.Filter{Level: event.Level(t.Level), Application: t.Application, Session: t.Session, Kinds: t.Kind},
		Past:   t.Recent, Out: out, Say: a.tell,
	}
	return errors.Join(follow.Run(ctx), closeOut())
}

// meet waits until the node of --admin has answered, which it has to, and with --node until it is clear which node that is; only is its id then. It does not wait for
// nodes that are away: those that answer are followed meanwhile.
func (t *traceCmd) meet(ctx context.Context, c *fleet.Client) (only string, err error) {
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	nodes := c.Look(ctx, func(nodes *api.Nodes) {
		if anyAnswers(nodes) == nil && (t.Node == "" || len(top.Find(nodes.Nodes, t.Node)) == 1 && allNamed(nodes)) {
			enough()
		}
	}, t.Admin)
	if err := c.Refusal(); err != nil {
		return "", err
	}
	if err := anyAnswers(nodes); err != nil || t.Node == "" {
		return "", err
	}
	n, err := nodeNamed(nodes, t.Node)
	if err != nil {
		return "", err
	}
	return n.ID, nil
}

// anyAnswers is nil if a node has answered; else it says why not.
func anyAnswers(nodes *api.Nodes) error {
	err := errors.New("no node answers")
	for i := range nodes.Nodes {
		if nodes.Nodes[i].Node != nil {
			return nil
		}
		if text := nodes.Nodes[i].Error; text != "" {
			err = errors.New(text)
		}
	}
	return err
}

// allNamed reports whether the names of all nodes are known: links alone do not tell them.
func allNamed(nodes *api.Nodes) bool {
	return !slices.ContainsFunc(nodes.Nodes, func(n api.NodeView) bool { return n.Name == "" })
}

// output is where events go.
func (t *traceCmd) output(a *app) (out func(*trace.Line) error, closeOut func() error, err error) {
	switch {
	case t.Out != "":
		f := &trace.File{Name: t.Out, Size: int64(t.RotateSize), Keep: t.RotateKeep, Say: a.tell}
		if err := f.Open(); err != nil {
			return nil, nil, usageError(err)
		}
		out = func(l *trace.Line) error {
			f.Write(time.Now(), l.JSON())
			return nil
		}
		return out, f.Close, nil
	case t.JSON:
		out = func(l *trace.Line) error {
			_, err := a.stdout.Write(l.JSON())
			return err
		}
	default:
		p := &trace.Printer{Screen: a.screen()}
		out = p.Print
	}
	return out, func() error { return nil }, nil
}

// farmSource has the events of a farm for a trace.
type farmSource struct {
	c     *fleet.Client
	level event.Level
	only  string // the id of the node that is followed alone; empty: all

	// Owned by the discovery of the trace.
	addrs []string // where nodes have answered: if the first is away the others tell of the farm
}

// targets tells of the nodes that live, or may, as they answer or are named.
func (s *farmSource) targets(ctx context.Context, tell func([]trace.Target)) {
	nodes := s.c.Look(ctx, func(nodes *api.Nodes) { tell(s.among(nodes, false)) }, s.addrs...)
	tell(s.among(nodes, true))
	answered := s.addrs[:1:1]
	for i := range nodes.Nodes {
		if n := &nodes.Nodes[i]; n.Node != nil && n.ID != "" && n.Admin != s.addrs[0] {
			answered = append(answered, n.Admin)
		}
	}
	if len(answered) > 1 || len(s.addrs) == 1 {
		s.addrs = answered
	}
}

// among are the nodes of a picture that are to be followed. In one that is not the last, those without a name are left out: they tell it when they answer.
func (s *farmSource) among(nodes *api.Nodes, last bool) (all []trace.Target) {
	names := top.Names(nodes.Nodes)
	for i := range nodes.Nodes {
		n := &nodes.Nodes[i]
		if n.ID == "" || n.Admin == "" || n.Health == api.HealthDead || n.Name == "" && !last {
			continue
		}
		if s.only == "" || n.ID == s.only {
			all = append(all, trace.Target{ID: n.ID, Name: names[n.ID], Addr: n.Admin})
		}
	}
	return all
}

// stateTime bounds the question when a node was started: one that hangs is told of after that.
const stateTime = 3 * time.Second

// state says when a node was started, and the id of its latest event.
func (s *farmSource) state(ctx context.Context, t trace.Target) (started time.Time, latest uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, stateTime)
	defer cancel()
	n, err := s.c.Node(ctx, t.Addr)
	if err != nil {
		return time.Time{}, 0, err
	}
	if id := n.Status.Node; id != "" && id != t.ID {
		return time.Time{}, 0, errors.New("another node answers at " + t.Addr)
	}
	if len(n.Events) > 0 {
		latest = n.Events[len(n.Events)-1].ID
	}
	return n.Status.Started, latest, nil
}

func (s *farmSource) alive(ctx context.Context, t trace.Target) error { return s.c.Alive(ctx, t.Addr) }

func (s *farmSource) follow(ctx context.Context, t trace.Target, after uint64, past int, take func(event.Event), dropped func(int)) error {
	return s.c.Follow(ctx, t.Addr, s.level, after, past, take, dropped)
}
