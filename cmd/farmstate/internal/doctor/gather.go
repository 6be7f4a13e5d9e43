package doctor

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/webconfig"
)

const (
	// askTime is how long one page of one node may take.
	askTime = 3 * time.Second
	// lookTime is how long a node may take for its first survey, and lookEvery how often it is asked whether it has one.
	lookTime, lookEvery = 6 * time.Second, 500 * time.Millisecond
	// oldSurvey is the age in seconds from which a survey is one that was not made for us.
	oldSurvey = 5.0
	// dialTime is how long a connection may take, and quietTime how long one that was made is watched: who is not allowed is cut off at once.
	dialTime, quietTime = 2 * time.Second, 250 * time.Millisecond
	// nameTime is how long the look-up of a host name may take.
	nameTime = 2 * time.Second
	// maxNames is how many names are looked up.
	maxNames = 20
	// atOnce is how many are asked or dialled at a time.
	atOnce = 32
)

// Options say what to gather.
type Options struct {
	Client   *fleet.Client
	Admin    string // address of the admin pages to ask first
	ThisNode bool   // leave out what the other nodes say
	Config   *config.Config
	Problems []string // why Config is nil
	Web      []string // names of web.configs
	Host     api.Host // this machine
	// ListenAdvice says what to do about an address of the configuration that cannot be opened, and whether somebody else has it.
	ListenAdvice func(option, addr string, err error) (text string, taken bool)
}

// Gather asks for all that can be known. It takes a few seconds: as long as the nodes take for a survey of their sessions, at most lookTime and twice askTime. It does not
// fail: what cannot be known is said in the picture.
func Gather(ctx context.Context, o Options) *Picture {
	p := &Picture{Now: time.Now(), Admin: o.Admin, Farm: !o.ThisNode, System: runtime.GOOS, Host: o.Host, Config: o.Config, Problems: o.Problems, Resolved: map[string][]netip.Addr{}}
	p.Name, _ = os.Hostname() // without one it has none
	for _, name := range o.Web {
		p.readWeb(name)
	}
	p.ask(ctx, &o)
	p.resolve(ctx)
	if p.Down != "" {
		p.tryPorts(ctx, &o)
		return p
	}
	p.probe(ctx)
	return p
}

func (p *Picture) readWeb(name string) {
	w, err := webconfig.Open(name)
	if bad, ok := errors.AsType[*webconfig.SyntaxError](err); ok {
		p.WebBad = append(p.WebBad, *bad)
		return
	}
	p.Web = append(p.Web, w)
}

// resolve looks up the host names of connection strings and of peers.
func (p *Picture) resolve(ctx context.Context) {
	p.sessions(func(_ *webconfig.File, _ *webconfig.Scope, x *webconfig.Section) {
		if host, _, err := webconfig.Connection(x.Get("stateConnectionString", webconfig.DefaultConnection)); err == nil && !isLocalHost(host) {
			p.lookUp(ctx, host)
		}
	})
	for _, n := range p.told() {
		for _, addr := range n.Facts.Peers {
			p.lookUp(ctx, hostOf(addr))
		}
	}
}

// lookUp looks up a host name, once.
func (p *Picture) lookUp(ctx context.Context, host string) {
	_, err := netip.ParseAddr(host)
	if _, done := p.Resolved[host]; host == "" || err == nil || done || len(p.Resolved) >= maxNames {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, nameTime)
	defer cancel()
	p.Resolved[host], _ = net.DefaultResolver.LookupNetIP(ctx, "ip", host) // nil says that it is not known
}

// each calls do for 0 to n-1, some at a time, and waits for all.
func each(n int, do func(int)) {
	places := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range n {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			do(i)
		})
	}
	all.Wait()
}

// ask asks the node, and all that it tells of.
func (p *Picture) ask(ctx context.Context, o *Options) {
	var views []api.NodeView
	if o.ThisNode {
		views = fleet.Survey(ctx, func(ctx context.Context, addr string) (*api.Node, error) {
			if addr != o.Admin {
				return nil, errOthers
			}
			return o.Client.Node(ctx, addr)
		}, nil, o.Admin).Nodes
	} else {
		views = o.Client.Farm(ctx, o.Admin).Nodes
	}
	first := slices.IndexFunc(views, func(v api.NodeView) bool { return v.Node != nil && v.Admin == o.Admin })
	if first < 0 {
		p.Down = "nobody answers at " + o.Admin
		if i := slices.IndexFunc(views, func(v api.NodeView) bool { return v.Admin == o.Admin }); i >= 0 {
			p.Down = cmp.Or(views[i].Error, p.Down)
		}
		p.Down, _, _ = strings.Cut(p.Down, "; they are at") // what to do is said by the check
		return
	}
	if o.ThisNode {
		views = views[first : first+1]
	} else {
		views[0], views[first] = views[first], views[0]
	}
	p.Nodes = make([]Node, len(views))
	for i, view := range views {
		p.Nodes[i].NodeView = view
	}
	each(len(p.Nodes), func(i int) { p.Nodes[i].askMore(ctx, o.Client) })
	if facts := p.Nodes[0].Facts; facts != nil {
		p.Whole = facts.Whole
	}
}

var errOthers = errors.New("other nodes are left out")

// askMore asks for what the page of a node does not have, and for that page again if it had not all yet.
func (n *Node) askMore(ctx context.Context, c *fleet.Client) {
	if n.Node == nil {
		return
	}
	facts := new(api.Facts)
	err := get(ctx, c, n.Admin, "facts", facts)
	switch refused, ok := errors.AsType[*fleet.StatusError](err); {
	case err == nil:
		n.Facts = facts
	case ok && refused.Code == 404:
		n.FactsBad = "It does not tell its settings and events."
	default:
		n.FactsBad = "Its settings and events cannot be read: " + err.Error() + "."
	}
	first := n.Node
	for deadline := time.Now().Add(lookTime); n.wantsMore(first) && time.Now().Before(deadline); {
		timer := time.NewTimer(lookEvery)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		again := new(api.Node)
		if get(ctx, c, n.Admin, "node", again) != nil {
			return // what is known stays
		}
		n.Earlier, n.Node = first, again
	}
}

// wantsMore reports whether a node should be asked again: it has no survey yet, or what is going on can be judged by two readings only.
func (n *Node) wantsMore(first *api.Node) bool {
	s, c := &n.Node.Survey, &n.Node.Farm.Copies
	if n.Node.Status.Sessions.Count > 0 && (!s.Ready || s.Age > oldSurvey) {
		return true
	}
	return c.Repair.Running && n.Node.Status.Now.Sub(first.Status.Now) < 2*time.Second
}

func get(ctx context.Context, c *fleet.Client, addr, page string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return c.Get(ctx, addr, page, into)
}

// tryPorts looks whether a node with the configuration could open its ports here.
func (p *Picture) tryPorts(ctx context.Context, o *Options) {
	c := o.Config
	if c == nil {
		return
	}
	ports := []PortTry{{Option: "listen", Addr: c.Listen}}
	if !c.Standalone && c.PeerListen != "" {
		ports = append(ports, PortTry{Option: "peer_listen", Addr: c.PeerListen})
	}
	if addr := c.GossipAddr(); addr != "" {
		ports = append(ports, PortTry{Option: "gossip_listen", Addr: addr})
	}
	if c.Admin != "" {
		ports = append(ports, PortTry{Option: "admin", Addr: c.Admin})
	}
	for i := range ports {
		t := &ports[i]
		err := tryPort(ctx, t.Addr, t.Option == "gossip_listen")
		if err == nil {
			continue
		}
		t.Err, t.Taken = o.ListenAdvice(strings.ReplaceAll(t.Option, "_", "-"), t.Addr, err)
		if t.Taken && runtime.GOOS == "linux" {
			t.Owner = ownerOf(os.DirFS("/"), portOf(t.Addr))
		}
	}
	p.Ports = ports
}

// tryPort opens a port and closes it.
func tryPort(ctx context.Context, addr string, udp bool) error {
	ctx, cancel := context.WithTimeout(ctx, nameTime)
	defer cancel()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	_ = l.Close() // nobody has used it
	if !udp {
		return nil
	}
	pc, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", addr)
	if err != nil {
		return err
	}
	_ = pc.Close() // likewise
	return nil
}

// probe dials the ports of the nodes.
func (p *Picture) probe(ctx context.Context) {
	for _, n := range p.told() {
		here := n.Name == p.Name || isLoopback(n.Admin)
		for _, l := range n.Facts.Listeners {
			addr := l.Advertised
			if hostOf(addr) == "" {
				addr = net.JoinHostPort(hostOf(n.Admin), portText(addr))
			}
			switch {
			case l.Name == "admin": // it has just been asked
			case isLoopback(addr) && !here: // its own machine's; checkLoopback says whether that is right
			case l.Name == "state" && here: // it listens, or would not have started; and this machine would count as a web server
			default:
				p.Probes = append(p.Probes, Probe{Node: n.label(), Port: l.Name, Option: l.Option, Addr: addr, Skipped: n.keepsOut(l.Name, addr)})
			}
		}
		if !here || n.Node.Farm.Gossip == nil {
			continue // where it shall join is seen from its own machine only
		}
		for _, addr := range n.Facts.Join {
			if !n.knowsGossip(addr) {
				p.Probes = append(p.Probes, Probe{Node: n.label(), Port: "join", Option: "join", Addr: addr, Alone: n.alone()})
			}
		}
	}
	each(len(p.Probes), func(i int) {
		if t := &p.Probes[i]; t.Skipped == "" {
			t.dial(ctx)
		}
	})
}

func portText(addr string) string {
	_, port, _ := net.SplitHostPort(addr) // a node has said it; without a port it cannot be dialled, which is said then
	return port
}

// keepsOut says why a port is not to be dialled from here: to dial a port that does not allow this machine makes a warning in the node's log, and is no news.
func (n *Node) keepsOut(port, addr string) string {
	nets := n.Facts.PeerAllow
	if port == "state" {
		nets = n.Facts.Allow
	}
	c, err := net.Dial("udp", addr) // sends nothing: the system only says from which address it would
	if err != nil {
		return ""
	}
	defer func() { _ = c.Close() }() // nothing was sent
	from, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil || allowed(nets, from.Addr()) {
		return ""
	}
	return "This machine (" + from.Addr().String() + ") is not in their allow or peer_allow, which is well unless it is a web server or a node."
}

// dial connects, and looks whether the connection is cut off at once.
func (t *Probe) dial(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		t.Err = err.Error()
		return
	}
	defer func() { _ = c.Close() }() // nothing was sent
	if c.SetReadDeadline(time.Now().Add(quietTime)) != nil {
		return
	}
	_, err = c.Read(make([]byte, 1))
	t.Shut = err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}
