package doctor

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/webconfig"
)

// noon is when all pictures of these tests are taken.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// healthy is a farm of so many nodes, each on a machine of its own, in which nothing is wrong.
func healthy(count int) *Picture {
	p := &Picture{Now: noon, Admin: "10.1.0.1:42480", Whole: true, Farm: true, Name: "desk", System: "linux", Resolved: map[string][]netip.Addr{}}
	for i := 1; i <= count; i++ {
		host, id := fmt.Sprintf("10.1.0.%d", i), fmt.Sprintf("%032x", i)
		n := Node{NodeView: api.NodeView{ID: id, Name: fmt.Sprintf("web%d", i), Admin: host + ":42480", State: host + ":42424", Peer: host + ":42425", Program: "farmstate 1.0", Health: api.HealthOK}}
		n.Node = &api.Node{Status: api.Status{
			Build: api.Build{Version: "1.0", Commit: "abcdef"}, Node: id, Name: n.Name, Now: noon, Started: noon.Add(-hour), Uptime: 3600, Ready: true, State: n.State, LogLevel: "info",
			Sessions:    api.Sessions{Count: 1000, Bytes: 10 << 20, MaxMemory: 3 << 30},
			Connections: api.Connections{Open: 20, Max: 16384}, Process: api.Process{OpenFiles: 50, MaxFiles: 32768},
			Operations: map[string]map[string]int64{"acquire": {"ok": 100000, "locked": 10}}, Latency: map[string]api.Latency{"get": {Count: 1000, P50: 0.0001, P99: 0.001}},
		}}
		f := &n.Node.Farm
		f.Node, f.Copies = id, api.Copies{Copies: min(2, count), Ack: "all", Mirroring: count > 1, Copied: 1000}
		f.Gossip = &api.Gossip{Address: host + ":42426"}
		for j := 1; j <= count; j++ {
			if j == i {
				continue
			}
			other, host := fmt.Sprintf("%032x", j), fmt.Sprintf("10.1.0.%d", j)
			f.Links = append(f.Links, api.Link{Node: other, Addr: host + ":42425", Up: true, Encrypted: true})
			f.Gossip.Members = append(f.Gossip.Members, api.Member{Node: other, Name: fmt.Sprintf("web%d", j), State: "alive", Gossip: host + ":42426", Linked: true})
		}
		n.Node.Survey = api.Survey{Ready: true, Sessions: 1000, Apps: []api.App{{App: "/LM/W3SVC/1/ROOT", Hash: "aaaa", Sessions: 1000, Old: 500, NeverRead: 50, MinMinutes: 20, MaxMinutes: 20}}}
		n.Facts = &api.Facts{
			Whole: true, Security: "secret", SecretMark: "1234", SecretFile: "/etc/farmstate/secret",
			Settings: map[string]string{"max_forwards": "5", "query_timeout": "2.5s", "lock_wait": "700ms", "stale_lock": "2m", "max_connections": "16384", "max_memory": "3GiB", "alias": "none", "copies": "2"},
			Join:     []string{"10.1.0.1:42426"}, Allow: []string{"10.1.0.0/24"}, PeerAllow: []string{"10.1.0.0/24"},
			Clients:     []api.Client{{Addr: host, Connections: 3, Opened: 40, LastSeen: noon}},
			EventCounts: map[string]int64{}, GossipRefused: map[string]int64{}, PeerCloses: map[string]int64{},
			Host: api.Host{System: "linux/amd64", MemoryLimit: 8 << 30, GoMemoryLimit: -1, OutgoingPorts: "32768-60999", ReservedPorts: []string{"42424-42426", "42480"}},
		}
		for _, l := range []struct {
			name, option string
			port         int
		}{{"state", "listen", 42424}, {"peer", "peer_listen", 42425}, {"gossip", "gossip_listen", 42426}, {"admin", "admin", 42480}} {
			addr := fmt.Sprintf("%s:%d", host, l.port)
			n.Facts.Listeners = append(n.Facts.Listeners, api.Listener{Name: l.name, Option: l.option, Configured: addr, Bound: addr, Advertised: addr})
			p.Probes = append(p.Probes, Probe{Node: n.label(), Port: l.name, Option: l.option, Addr: addr})
		}
		if count == 1 {
			n.Facts.Join, n.Facts.Snapshots = nil, &api.Snapshots{Interval: 300}
			f.Gossip = nil
		}
		p.Nodes = append(p.Nodes, n)
	}
	return p
}

// happened is an event with attributes, by names and values.
func happened(ago time.Duration, name string, attrs ...string) event.Event {
	e := event.Event{Time: noon.Add(-ago), Level: event.Warn, Name: name, Attrs: map[string]string{}}
	for i := 0; i < len(attrs); i += 2 {
		e.Attrs[attrs[i]] = attrs[i+1]
	}
	return e
}

// tell adds an event to what a node tells.
func (n *Node) tell(e event.Event) {
	n.Facts.Events = append(n.Facts.Events, e)
	n.Facts.EventCounts[e.Name]++
}

// web adds the file of that name with this content of <system.web>.
func (p *Picture) web(name, content string) {
	w, err := webconfig.Read(name, []byte("<configuration>\n<system.web>\n"+content+"\n</system.web>\n</configuration>"))
	if err != nil {
		panic(err)
	}
	p.Web = append(p.Web, w)
}

// Keys of machines that agree.
const (
	goodKey   = `<machineKey validationKey="000102030405060708090a0b0c0d0e0f10111213" decryptionKey="000102030405060708090a0b0c0d0e0f" />`
	goodState = `<sessionState mode="StateServer" stateConnectionString="tcpip=10.1.0.1:42424" />`
)

// short makes sessions short of copies, because so many nodes are full.
func (n *Node) short(sessions int64, full int) {
	c := &n.Node.Farm.Copies
	c.Short, c.ShortFor, c.Full = sessions, 60, full
}
