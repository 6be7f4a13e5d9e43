package fleet

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
)

const (
	// maxNodes bounds a farm.
	maxNodes = 256
	// askTime is how long one node may take.
	askTime = 3 * time.Second
	// lookTime is how long all of them may take together: nodes that are heard of one by one, and are slow, would add up.
	lookTime = 5 * time.Second
)

// errLate is what is the matter with a node that was to be asked when the time was over.
var errLate = errors.New("it has not answered in time")

// sighting is what one node says of another.
type sighting struct {
	by    string
	view  api.NodeView
	dead  bool
	leave bool
}

// Ask asks for the page of one node. Replaceable for tests.
type Ask func(ctx context.Context, addr string) (*api.Node, error)

// Node reads all of one node.
func (c *Client) Node(ctx context.Context, addr string) (*api.Node, error) {
	n := new(api.Node)
	if err := c.Get(ctx, addr, "node", n); err != nil {
		return nil, err
	}
	return n, nil
}

// Farm asks the nodes at these addresses, and all that they tell of, and returns the picture. It does not fail: nodes that cannot be asked have an error. Those
// asked first come first. It takes lookTime at most.
func (c *Client) Farm(ctx context.Context, addrs ...string) *api.Nodes {
	return Survey(ctx, c.Node, nil, addrs...)
}

// Look is Farm that tells what is known so far after each answer: whoever wants to begin with those that answer need not wait for the others.
func (c *Client) Look(ctx context.Context, tell func(*api.Nodes), addrs ...string) *api.Nodes {
	s := newSurvey(c.Node)
	s.tell = tell
	return s.run(ctx, addrs)
}

// Survey is Farm by another way of asking. self, if not nil, is a node that need not be asked.
func Survey(ctx context.Context, ask Ask, self *api.Node, addrs ...string) *api.Nodes {
	s := newSurvey(ask)
	if self != nil {
		s.met(answer{addr: self.Status.Admin, node: self})
		s.first = append(s.first, idOf(self))
		s.nodes[idOf(self)].Self = true
	}
	return s.run(ctx, addrs)
}

func newSurvey(ask Ask) *survey {
	return &survey{ask: ask, answers: make(chan answer, maxNodes), asked: map[string]bool{}, pending: map[string]answer{}, nodes: map[string]*api.NodeView{}}
}

// run asks until nobody is left to be asked, or its time is over.
func (s *survey) run(ctx context.Context, addrs []string) *api.Nodes {
	ctx, cancel := context.WithTimeoutCause(ctx, lookTime, errLate)
	defer cancel()
	for _, addr := range addrs {
		s.begin(ctx, addr, "")
	}
	s.spread(ctx)
	for len(s.pending) > 0 {
		select {
		case a := <-s.answers:
			delete(s.pending, a.addr+a.want)
			if a.err != nil && ctx.Err() != nil {
				a.err = context.Cause(ctx)
			}
			s.met(a)
			s.spread(ctx)
			if s.tell != nil && len(s.pending) > 0 {
				s.tell(s.picture())
			}
		case <-ctx.Done():
			for _, a := range s.pending { // what they say later, nobody reads
				a.err = context.Cause(ctx)
				s.met(a)
			}
			return s.picture()
		}
	}
	return s.picture()
}

// survey is the asking of a farm.
type survey struct {
	ask       Ask
	tell      func(*api.Nodes) // takes what is known so far; nil if nobody wants it
	answers   chan answer
	pending   map[string]answer        // those that have not answered yet, by address and id
	asked     map[string]bool          // by address
	nodes     map[string]*api.NodeView // by id
	sightings []sighting
	first     []string       // ids of those that were asked because the caller said so
	failed    []api.NodeView // addresses of the caller's that did not answer
}

type answer struct {
	addr, want string // want is the id that the node should have; empty: any
	node       *api.Node
	err        error
	began      time.Time
	took       time.Duration
}

// idOf is the id of a node; one without a farm is known by its address.
func idOf(n *api.Node) string { return cmp.Or(n.Status.Node, n.Status.Admin) }

// begin asks the node at an address, once.
func (s *survey) begin(ctx context.Context, addr, want string) {
	if addr == "" || s.asked[addr+want] || len(s.asked) >= maxNodes {
		return
	}
	s.asked[addr+want] = true
	s.pending[addr+want] = answer{addr: addr, want: want}
	go func() {
		ctx, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		began := time.Now()
		n, err := s.ask(ctx, addr)
		s.answers <- answer{addr, want, n, err, began, time.Since(began)}
	}()
}

// met takes an answer in.
func (s *survey) met(a answer) {
	if a.err != nil {
		if view := s.nodes[a.want]; a.want != "" && view != nil {
			view.Error = a.err.Error()
		} else {
			s.failed = append(s.failed, api.NodeView{Admin: a.addr, Health: api.HealthSilent, Error: a.err.Error()})
		}
		return
	}
	id := idOf(a.node)
	if a.want != "" && a.want != id {
		if view := s.nodes[a.want]; view != nil {
			view.Error = "another node answers at " + a.addr + ": its admin pages are at an address that leads elsewhere from here"
		}
		return
	}
	if a.want == "" && !a.began.IsZero() {
		s.first = append(s.first, id)
	}
	st := &a.node.Status
	view := s.nodes[id]
	if view == nil {
		view = &api.NodeView{ID: id}
		s.nodes[id] = view
	}
	view.Name, view.Admin, view.State, view.Peer, view.Program = st.Name, cmp.Or(a.addr, st.Admin), st.State, st.Peer, "farmstate "+st.Build.Version
	view.Node, view.Error = a.node, ""
	if !a.began.IsZero() {
		view.Skew = st.Now.Sub(a.began.Add(a.took / 2)).Seconds()
	}
	s.note(id, a.node)
}

// note takes down what a node says of others.
func (s *survey) note(by string, n *api.Node) {
	if g := n.Farm.Gossip; g != nil {
		for _, m := range g.Members {
			s.saw(sighting{by: by, dead: m.State == "dead", leave: m.State == "leaving", view: api.NodeView{
				ID: m.Node, Name: m.Name, Admin: m.Admin, State: m.Web, Peer: m.Peer, Program: m.Program,
			}})
		}
	}
	for _, l := range n.Farm.Links {
		if !l.Up || l.Node == "" || strings.Trim(l.Node, "0") == "" {
			continue
		}
		s.saw(sighting{by: by, leave: l.Leaving, view: api.NodeView{ID: l.Node, Admin: l.Admin, Peer: l.Addr, Program: l.Program}})
	}
}

func (s *survey) saw(g sighting) {
	s.sightings = append(s.sightings, g)
	view := s.nodes[g.view.ID]
	if view == nil {
		if len(s.nodes) >= maxNodes {
			return
		}
		copied := g.view
		s.nodes[g.view.ID] = &copied
		return
	}
	if view.Node == nil { // what it says itself is better
		view.Name, view.Admin = cmp.Or(view.Name, g.view.Name), cmp.Or(view.Admin, g.view.Admin)
		view.State, view.Peer, view.Program = cmp.Or(view.State, g.view.State), cmp.Or(view.Peer, g.view.Peer), cmp.Or(view.Program, g.view.Program)
	}
}

// spread asks those that were heard of.
func (s *survey) spread(ctx context.Context) {
	for id, view := range s.nodes {
		if view.Node == nil {
			s.begin(ctx, view.Admin, id)
		}
	}
}

// picture puts together what is known.
func (s *survey) picture() *api.Nodes {
	p := &api.Nodes{Now: time.Now(), Nodes: slices.Clone(s.failed)}
	for _, view := range s.nodes {
		s.judge(view)
		p.Nodes = append(p.Nodes, *view)
	}
	rank := func(v *api.NodeView) int {
		if i := slices.Index(s.first, v.ID); i >= 0 && v.ID != "" {
			return i
		}
		return len(s.first)
	}
	slices.SortFunc(p.Nodes, func(a, b api.NodeView) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(a.Name, b.Name), cmp.Compare(portOf(a.Admin), portOf(b.Admin)), cmp.Compare(a.ID, b.ID))
	})
	return p
}

func portOf(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return port
}

// judge says how a node is.
func (s *survey) judge(view *api.NodeView) {
	alive, dead, leaving := false, false, false
	for _, g := range s.sightings {
		if g.view.ID != view.ID {
			continue
		}
		leaving = leaving || g.leave && !g.dead
		dead = dead || g.dead
		if !g.dead {
			alive = true
			if !slices.Contains(view.Seen, g.by) {
				view.Seen = append(view.Seen, g.by)
			}
		}
	}
	slices.Sort(view.Seen)
	n := view.Node
	switch {
	case n == nil && dead && !alive:
		view.Health = api.HealthDead
	case n == nil && leaving, n != nil && n.Farm.Drain.Draining:
		view.Health = api.HealthLeaving
	case n == nil:
		view.Health = api.HealthSilent
		view.Error = cmp.Or(view.Error, "it has not told where its admin pages are")
	case !n.Status.Ready:
		view.Health = api.HealthWarning
	default:
		view.Health = api.HealthOK
	}
}
