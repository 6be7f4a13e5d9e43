package doctor

import (
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/webconfig"
)

// TestHealthy: where nothing is wrong nothing is said.
func TestHealthy(t *testing.T) {
	for _, count := range []int{1, 2, 5} {
		p := healthy(count)
		p.web("a/web.config", goodState+"\n"+goodKey)
		p.web("b/web.config", goodKey+"\n"+goodState)
		r := Examine(p)
		for _, f := range r.Findings {
			if f.Severity != OK {
				t.Errorf("%d nodes: %+v", count, f)
			}
		}
		if !r.Healthy() || r.Passed != len(r.Findings) {
			t.Errorf("%d nodes: %+v", count, r)
		}
	}
}

// one is what is wrong in a farm of two, and what is to be found.
type one struct {
	check    string
	severity Severity
	says     string // words of what was found, of what it means or of what to do, with | between them
	wrong    func(p *Picture, n *Node)
}

var wrongs = []one{
	{"node", Warning, "Nobody answers|farmstate serve", down(nil)},
	{"node", Problem, "held by farmstate (process 7)|--admin", down([]PortTry{{Option: "listen", Addr: "127.0.0.1:42424", Err: "x", Taken: true, Owner: "farmstate (process 7)"}})},
	{"token", Note, "--token-file", func(p *Picture, _ *Node) { p.Whole = false }},
	{"config", Problem, "max_memory is bad|does not start", func(p *Picture, _ *Node) { p.Problems = []string{"max_memory is bad"} }},
	{"config", Warning, "weak password", func(p *Picture, _ *Node) { p.Config = &config.Config{Warnings: []string{"weak password"}} }},
	{"port-open", Problem, "42424 is taken by redis (process 9)", down([]PortTry{{Option: "listen", Addr: "127.0.0.1:42424", Err: "x", Taken: true, Owner: "redis (process 9)"}})},
	{"port-open", Problem, "ss -ltnp sport = :42424", down([]PortTry{{Option: "listen", Addr: "127.0.0.1:42424", Err: "x", Taken: true}})},
	{"port-open", Problem, "sc stop aspnet_state", down([]PortTry{{Option: "listen", Addr: "127.0.0.1:42424", Err: "x", Taken: true, Owner: "aspnet_state.exe (process 9)"}})},
	{"port-open", Problem, "no such address", down([]PortTry{{Option: "listen", Addr: "10.9.9.9:42424", Err: "no such address"}})},
	{"port-open", Problem, "without a farm|in use", func(_ *Picture, n *Node) { n.tell(happened(hour, "farm_off", "err", "in use")) }},
	{"port-reserved", Note, "42480|ip_local_reserved_ports=42424-42426,42480", func(_ *Picture, n *Node) { n.Facts.Host.ReservedPorts = []string{"42424-42426"} }},
	{"port-reserved", Note, "42424-42426, 42480|ip_local_reserved_ports=9,42424-42426,42480", func(_ *Picture, n *Node) { n.Facts.Host.ReservedPorts = []string{"9"} }},
	{"port-reserved", Note, "netsh int ipv4 add excludedportrange protocol=tcp startport=50000", func(_ *Picture, n *Node) {
		n.Facts.Host = api.Host{System: "windows/amd64", MemoryLimit: 8 << 30, GoMemoryLimit: -1}
		n.Facts.Listeners[0].Bound, n.Facts.Listeners[0].Configured = "10.1.0.1:50000", "10.1.0.1:50000"
	}},

	{"peer-secret", Problem, "peer 10.1.0.1:42425|10.9.0.1:5001 that dialled|prove the same secret|sha256sum", func(_ *Picture, n *Node) {
		n.tell(happened(time.Minute, "peer_refused", "reason", "wrong_secret", "addr", "10.9.0.1:5000", "how", "accepted"))
		n.tell(happened(time.Second, "peer_refused", "reason", "wrong_secret", "addr", "10.9.0.1:5001", "how", "accepted"))
	}},
	{"peer-secret", Problem, "refused the node at 10.9.0.1:42425 when it dialled it", func(_ *Picture, n *Node) {
		n.tell(happened(0, "peer_refused", "reason", "wrong_secret", "addr", "10.9.0.1:42425", "how", "dialled"))
	}},
	{"peer-secret", Note, "and not since", func(_ *Picture, n *Node) {
		n.tell(happened(hour, "peer_refused", "reason", "wrong_secret", "addr", "10.9.0.1:42425", "how", "dialled"))
	}},
	{"peer-secret", Problem, "gossip 10.1.0.1:42426|gossip from 10.9.0.1:7946", func(_ *Picture, n *Node) { n.tell(happened(0, "gossip_wrong_secret", "addr", "10.9.0.1:7946")) }},
	{"peer-secret", Problem, "10.1.0.1:42426|shall join|10.9.0.1:42426|secrets of the two differ", func(p *Picture, n *Node) {
		n.Facts.Join, n.Node.Farm.Gossip.Members = []string{"10.9.0.1:42426"}, nil
		n.tell(happened(hour, "gossip_join_failed", "addr", "10.9.0.1:42426", "err", "it has closed the connection: another peer secret, or"))
		p.Probes = append(p.Probes, Probe{Node: n.label(), Port: "join", Addr: "10.9.0.1:42426"})
	}},
	{"peer-secret", Problem, "before it has read anything|peer_allow", func(p *Picture, n *Node) {
		n.Facts.Join, n.Node.Farm.Gossip.Members = []string{"10.9.0.1:42426"}, nil
		n.tell(happened(hour, "gossip_join_failed", "addr", "10.9.0.1:42426", "err", "it has closed the connection: another peer secret, or"))
		p.Probes = append(p.Probes, Probe{Node: n.label(), Port: "join", Addr: "10.9.0.1:42426", Shut: true})
	}},
	{"peer-secret", Problem, "different secrets|web1|web2|mark 9999", func(_ *Picture, n *Node) { n.Facts.SecretMark = "9999" }},
	{"peer-secret", Note, "7 packets and connections", func(_ *Picture, n *Node) { n.Facts.GossipRefused["wrong_secret"] = 7 }},
	{"peer-refused", Problem, "bad_certificate|from 10.9.0.1:5000|expired yesterday|farmstate cert show", func(_ *Picture, n *Node) {
		n.tell(happened(0, "peer_refused", "reason", "bad_certificate", "addr", "10.9.0.1:5000", "how", "accepted", "err", "expired yesterday"))
	}},
	{"peer-refused", Warning, "stranger", func(_ *Picture, n *Node) {
		n.tell(happened(0, "peer_refused", "reason", "stranger", "addr", "10.9.0.1:5000", "how", "accepted"))
	}},
	{"peer-refused", Note, "refused, just now", func(_ *Picture, n *Node) {
		n.Node.Farm.Gossip.Members = append(n.Node.Farm.Gossip.Members, api.Member{Node: "0009", State: "dead", Peer: "10.1.0.9:42425"})
		n.tell(happened(0, "peer_refused", "reason", "refused", "addr", "10.1.0.9:42425", "how", "dialled"))
	}},
	{"peer-allow", Warning, "10.1.1.7|peer port|neighbour of 10.1.0.0/24", func(_ *Picture, n *Node) {
		n.tell(happened(0, "peer_refused", "reason", "not_allowed", "addr", "10.1.1.7:5000", "how", "accepted"))
	}},
	{"peer-allow", Warning, "192.0.2.1|gossip port|10.1.0.0/24", func(_ *Picture, n *Node) { n.tell(happened(0, "gossip_not_allowed", "addr", "192.0.2.1")) }},
	{"peer-allow", Note, "3 packets and connections", func(_ *Picture, n *Node) { n.Facts.PeerCloses["not_allowed"] = 3 }},
	{"allow", Warning, "192.0.2.1|5 times|--allow", func(_ *Picture, n *Node) {
		n.Facts.Clients = append(n.Facts.Clients, api.Client{Addr: "192.0.2.1", Refused: 5, LastSeen: noon})
	}},
	{"allow", Note, "and not since", func(_ *Picture, n *Node) {
		n.Facts.Clients = append(n.Facts.Clients, api.Client{Addr: "192.0.2.1", Refused: 5, LastSeen: noon.Add(-2 * hour)})
	}},
	{"allow", Problem, "10.1.1.9|neighbour of 10.1.0.0/24", func(_ *Picture, n *Node) {
		n.Facts.Clients = append(n.Facts.Clients, api.Client{Addr: "10.1.1.9", Refused: 5, LastSeen: noon})
	}},
	{"allow", Problem, "one network with 10.7.0.5", func(_ *Picture, n *Node) {
		n.Facts.Clients = append(n.Facts.Clients, api.Client{Addr: "10.7.0.5", Opened: 3, LastSeen: noon}, api.Client{Addr: "10.7.0.9", Refused: 5, LastSeen: noon})
	}},
	{"version", Warning, "farmstate 1.0|farmstate 0.9", func(_ *Picture, n *Node) { n.Program = "farmstate 0.9" }},
	{"version", Warning, "commit abcdef: web2|commit 012345: web1", func(_ *Picture, n *Node) { n.Node.Status.Build.Commit = "012345" }},
	{"settings", Problem, "alias is not the same|2 rules", func(_ *Picture, n *Node) { n.Facts.Settings["alias"] = "2 rules" }},
	{"settings", Warning, "max_forwards|9 at web1", func(_ *Picture, n *Node) { n.Facts.Settings["max_forwards"] = "9" }},
	{"settings", Note, "lock_wait", func(_ *Picture, n *Node) { n.Facts.Settings["lock_wait"] = "0" }},
	{"settings", Problem, "protected in different ways|certificates at web1", func(_ *Picture, n *Node) { n.Facts.Security = "certificates" }},

	{"node-readable", Warning, "cannot be reached", func(_ *Picture, n *Node) {
		n.NodeView.Node, n.Facts, n.Health, n.Error = nil, nil, api.HealthSilent, "it cannot be reached"
	}},
	{"node-readable", Note, "does not tell its settings|update it", func(_ *Picture, n *Node) { n.Facts, n.FactsBad = nil, "It does not tell its settings and events." }},
	{"port-reachable", Warning, "peer port 10.1.0.9:1|timed out|peer_advertise", func(p *Picture, n *Node) {
		p.Probes = append(p.Probes, Probe{Node: n.label(), Port: "peer", Option: "peer_listen", Addr: "10.1.0.9:1", Err: "timed out"})
	}},
	{"port-reachable", Problem, "Nobody answers at 10.1.0.9:1|does not find its farm", func(p *Picture, n *Node) {
		p.Probes = append(p.Probes, Probe{Node: n.label(), Port: "join", Addr: "10.1.0.9:1", Err: "refused", Alone: true})
	}},
	{"port-reachable", Note, "Nobody answers at 10.1.0.9:1|is started again", func(p *Picture, n *Node) {
		p.Probes = append(p.Probes, Probe{Node: n.label(), Port: "join", Addr: "10.1.0.9:1", Err: "refused"})
	}},
	{"port-reachable", Note, "closes it at once", func(p *Picture, n *Node) {
		p.Probes = append(p.Probes, Probe{Node: n.label(), Port: "peer", Addr: "a:1", Shut: true})
	}},
	{"port-reachable", Note, "Not tried from here: state of web1", func(p *Picture, n *Node) {
		p.Probes = append(p.Probes, Probe{Node: n.label(), Port: "state", Addr: "a:1", Skipped: "Why."})
	}},
	{"links", Warning, "web2 (10.1.0.2:42480) has a link to this node", func(_ *Picture, n *Node) { n.Node.Farm.Links = nil }},
	{"links", Problem, "not linked|peer 10.1.0.1:42425|peer 10.1.0.2:42425", func(p *Picture, n *Node) { n.Node.Farm.Links, p.Nodes[1].Node.Farm.Links = nil, nil }},
	{"links", Warning, "2000 messages|10.1.0.2:42425", func(_ *Picture, n *Node) { n.Node.Farm.Links[0].QueuedMessages = 2000 }},
	{"links", Problem, "no link at all", func(p *Picture, n *Node) {
		p.Nodes = p.Nodes[:1]
		n.Node.Farm.Links, n.Node.Farm.Gossip, n.Facts.Peers = nil, nil, []string{"10.1.0.2:42425"}
	}},
	{"members", Warning, "web9 (gossip 10.1.0.9:42426) counts as dead since 2026-03-04 11:00:00", func(_ *Picture, n *Node) {
		n.Node.Farm.Gossip.Members = append(n.Node.Farm.Gossip.Members, api.Member{Node: "0009", Name: "web9", State: "dead", Gossip: "10.1.0.9:42426", Since: noon.Add(-hour)})
	}},
	{"members", Problem, "counts as dead at web1", func(_ *Picture, n *Node) { n.Node.Farm.Gossip.Members[0].State = "dead" }},
	{"members", Warning, "knows this node, and this node does not know", func(_ *Picture, n *Node) { n.Node.Farm.Gossip.Members = nil }},
	{"members", Warning, "suspects a member", func(_ *Picture, n *Node) { n.tell(happened(0, "member_suspected", "detail", "web2")) }},
	{"peers", Problem, "10.1.0.7:42425 cannot be reached: no route", func(_ *Picture, n *Node) {
		n.Facts.Peers = []string{"10.1.0.7:42425"}
		n.tell(happened(hour, "peer_unreachable", "addr", "10.1.0.7:42425", "err", "no route"))
	}},
	{"peers", Warning, "the node itself", func(_ *Picture, n *Node) {
		n.Facts.Peers = []string{"10.1.0.1:42425"}
		n.tell(happened(hour, "peer_self", "addr", "10.1.0.1:42425"))
	}},
	{"peers", Problem, "shall join web9:42426 and cannot: no such host", func(_ *Picture, n *Node) {
		n.Node.Farm.Gossip.Members = nil
		n.tell(happened(hour, "gossip_join_failed", "addr", "web9:42426", "err", "no such host"))
	}},
	{"peers", Warning, "shall join 10.1.0.9:42426, and knows no other", func(_ *Picture, n *Node) {
		n.Node.Farm.Gossip.Members, n.Facts.Join = nil, []string{"10.1.0.9:42426"}
	}},
	{"gossip-udp", Warning, "by TCP and not by UDP|web2", func(_ *Picture, n *Node) { n.tell(happened(0, "gossip_no_udp", "detail", "web2")) }},
	{"gossip-udp", Note, "Push/Pull", func(_ *Picture, n *Node) { n.tell(happened(0, "gossip_trouble", "detail", "Push/Pull with")) }},
	{"gossip-health", Warning, "gossip health 3", func(_ *Picture, n *Node) { n.Node.Farm.Gossip.Health = 3 }},
	{"gossip-health", Note, "gossip health 2", func(_ *Picture, n *Node) {
		n.Node.Farm.Gossip.Health = 2
		n.Node.Farm.Gossip.Members = append(n.Node.Farm.Gossip.Members, api.Member{Node: "0009", State: "dead", Since: noon})
	}},
	{"gossip-health", Warning, "took it for dead", func(_ *Picture, n *Node) { n.tell(happened(time.Minute, "member_refuted")) }},
	{"advertised-loopback", Problem, "peer port at 127.0.0.1:42425|peer_advertise", func(_ *Picture, n *Node) { n.Facts.Listeners[1].Advertised = "127.0.0.1:42425" }},
	{"clock", Warning, "web1 (10.1.0.1:42480) and web2|5.0s ahead", func(_ *Picture, n *Node) { n.Skew = 5 }},
	{"clock", Warning, "behind that of this machine", func(p *Picture, n *Node) { n.Skew, p.Nodes[1].Skew = -5, -5.5 }},

	{"descriptors", Note, "1024 files|900 connections|400 are open|max_connections is 16384|LimitNOFILE", func(_ *Picture, n *Node) {
		n.Node.Status.Process.MaxFiles, n.Node.Status.Connections = 1024, api.Connections{Open: 400, Max: 900}
	}},
	{"descriptors", Warning, "room for 100", func(_ *Picture, n *Node) { n.Node.Status.Connections.Max = 100 }},
	{"descriptors", Problem, "too many open files|50 of 32768", func(_ *Picture, n *Node) { n.tell(happened(0, "accept_failed", "err", "too many open files")) }},
	{"connections", Warning, "14000 of 16384|10.1.0.1 (3)", func(_ *Picture, n *Node) { n.Node.Status.Connections.Open = 14000 }},
	{"connections", Problem, "turned away", func(_ *Picture, n *Node) { n.tell(happened(0, "too_many_connections")) }},
	{"memory-limit", Warning, "max_memory is not set", func(_ *Picture, n *Node) { n.Node.Status.Sessions.MaxMemory = 0 }},
	{"memory-limit", Warning, "7.5GiB|8.5GiB|8.0GiB", func(_ *Picture, n *Node) { n.Node.Status.Sessions.MaxMemory = 15 << 29 }},
	{"memory-limit", Note, "7.5GiB", func(_ *Picture, n *Node) {
		n.Node.Status.Sessions.MaxMemory, n.Facts.Settings["max_memory"] = 15<<29, "auto"
	}},
	{"memory-limit", Warning, "GOMEMLIMIT is 3.0GiB", func(_ *Picture, n *Node) { n.Facts.Host.GoMemoryLimit = 3 << 30 }},
	{"memory-limit", Note, "Together|10GiB|8.0GiB", func(p *Picture, n *Node) {
		n.Name = "web2"
		n.Node.Status.Sessions.MaxMemory, p.Nodes[1].Node.Status.Sessions.MaxMemory = 5<<30, 5<<30
	}},
	{"memory-full", Warning, "2.9GiB of 3.0GiB", func(_ *Picture, n *Node) { n.Node.Status.Sessions.Bytes = 29 << 30 / 10 }},
	{"memory-full", Problem, "4 saves were refused", func(_ *Picture, n *Node) {
		n.Node.Status.Operations["set"] = map[string]int64{"refused": 4}
		n.tell(happened(0, "save_refused"))
	}},
	{"memory-full", Note, "1 save was refused", func(_ *Picture, n *Node) { n.Node.Status.Operations["set"] = map[string]int64{"refused": 1} }},
	{"swap", Warning, "100MiB of the node are swapped out", func(_ *Picture, n *Node) { n.Facts.Host.Swapped = 100 << 20 }},

	{"copies", Note, "copies = 1", func(_ *Picture, n *Node) { n.Node.Farm.Copies = api.Copies{Copies: 1} }},
	{"copies", Problem, "none of the 1 other node takes any", func(_ *Picture, n *Node) { n.Node.Farm.Copies.Mirroring = false }},
	{"copies", Warning, "knows of no other", func(_ *Picture, n *Node) {
		n.Node.Farm.Copies.Mirroring, n.Node.Farm.Links, n.Node.Farm.Gossip = false, nil, nil
	}},
	{"copies", Warning, "3 copies, and there are 2 nodes", func(_ *Picture, n *Node) { n.Node.Farm.Copies.Copies = 3 }},
	{"copies", Warning, "600 of 1000 sessions have fewer than 2 copies.", func(_ *Picture, n *Node) { n.short(600, 0) }},
	{"copies", Warning, "1 of 1000 sessions have fewer than 2 copies, and 1 other node has no room for more", func(_ *Picture, n *Node) {
		n.short(1, 1)
		n.Node.Farm.Copies.Repair.Running = true // it is tried again
	}},
	{"copies", Warning, "5 updates", func(_ *Picture, n *Node) {
		n.Node.Farm.Copies.Mirrors = []api.Mirror{{Node: "000000000000", Updates: 5}}
	}},
	{"copies", Warning, "in doubt", func(_ *Picture, n *Node) { n.Node.Farm.Copies.Doubtful = true }},
	{"copies", Warning, "no memory for copies", func(_ *Picture, n *Node) { n.tell(happened(0, "copy_refused")) }},
	{"repair", Note, "10 of 1000 sessions looked at", func(_ *Picture, n *Node) { n.Node.Farm.Copies.Repair = api.Repair{Running: true, Looked: 10, Of: 1000} }},
	{"repair", Warning, "Nothing has happened since 5.0s ago", func(_ *Picture, n *Node) {
		n.Node.Farm.Copies.Repair = api.Repair{Running: true, Looked: 10, Of: 1000}
		earlier := *n.Node
		earlier.Status.Now = noon.Add(-5 * time.Second)
		n.Earlier = &earlier
	}},
	{"ack", Note, "none", func(_ *Picture, n *Node) { n.Node.Farm.Copies.Ack = "none" }},
	{"ack", Note, "first of 2 copies", func(_ *Picture, n *Node) { n.Node.Farm.Copies.Ack, n.Node.Farm.Copies.Copies = "one", 3 }},
	{"quarantine", Warning, "2 states of sessions", func(_ *Picture, n *Node) { n.Node.Farm.Copies.Quarantine = 2 }},
	{"snapshots", Problem, "3 failures|disk full", func(_ *Picture, n *Node) { n.Facts.Snapshots = &api.Snapshots{Failures: 3, LastError: "disk full"} }},
	{"snapshots", Note, "data is not set", func(_ *Picture, n *Node) { n.Node.Farm.Links, n.Node.Farm.Gossip = nil, nil }},
	{"snapshots", Note, "at a stop only", func(_ *Picture, n *Node) {
		n.Node.Farm.Links, n.Node.Farm.Gossip, n.Facts.Snapshots = nil, nil, &api.Snapshots{}
	}},

	{"near-miss", Problem, "Site ids differ|5 sessions|/LM/W3SVC/2/ROOT(b)|is used by 10.1.0.3|appcmd|[[alias]]", func(p *Picture, n *Node) {
		miss := api.NearMiss{Asked: "/LM/W3SVC/2/ROOT(b)", Found: "/LM/W3SVC/1/ROOT(aaaa)", Cause: "site_id", Explanation: "site ids differ", Advice: "do this", Count: 2, Last: noon}
		n.Facts.NearMisses = []api.NearMiss{miss}
		miss.Asked, miss.Found, miss.Count = miss.Found, miss.Asked, 3
		p.Nodes[1].Facts.NearMisses = []api.NearMiss{miss}
		n.Node.Survey.Locks = []api.Lock{{Session: api.Session{App: "/LM/W3SVC/1/ROOT", Hash: "aaaa", ID: "abcdef"}, Client: "10.1.0.3", Age: 1}}
	}},
	{"near-miss", Warning, "Path case", func(_ *Picture, n *Node) {
		n.Facts.NearMisses = []api.NearMiss{{Asked: "/a(b)", Found: "/A(b)", Cause: "path_case", Explanation: "path case differs", Count: 2, Last: noon.Add(-25 * hour)}}
	}},
	{"split-application", Problem, "Site ids differ|1 session id is under both, such as qwerty|seen at web1|seen at web2|whose web servers are 10.1.0.2", func(p *Picture, n *Node) {
		id := api.Session{App: "/LM/W3SVC/1/ROOT", Hash: "aaaa", ID: "qwerty"}
		n.Node.Survey.Largest = []api.Sized{{Session: id}}
		p.Nodes[1].Node.Survey.Apps[0].App, id.App = "/LM/W3SVC/2/ROOT", "/LM/W3SVC/2/ROOT"
		p.Nodes[1].Node.Survey.Largest = []api.Sized{{Session: id}}
	}},
	{"split-application", Note, "If they are two sites, all is well", func(p *Picture, _ *Node) { p.Nodes[1].Node.Survey.Apps[0].App = "/LM/W3SVC/2/ROOT" }},
	{"split-application", Warning, "machineKey or .NET level|--web-config", func(_ *Picture, n *Node) { n.Node.Survey.Apps[0].Hash = "bbbb" }},
	{"split-application", Warning, "/LM/W3SVC/1/Root", func(_ *Picture, n *Node) { n.Node.Survey.Apps[0].App = "/LM/W3SVC/1/Root" }},
	{"never-read", Warning, "of 560 sessions|SameSite|monitoring", func(_ *Picture, n *Node) {
		n.Node.Survey.Apps[0] = api.App{App: "/LM/W3SVC/1/ROOT/shop", Hash: "aaaa", Sessions: 600, Old: 560, NeverRead: 550, MinMinutes: 20, MaxMinutes: 20}
	}},
	{"session-timeout", Warning, "20 minutes to ever", func(_ *Picture, n *Node) { n.Node.Survey.Apps[0].MaxMinutes = 0 }},
	{"session-timeout", Note, "1 minute to 20 minutes", func(_ *Picture, n *Node) { n.Node.Survey.Apps[0].MinMinutes = 1 }},
	{"session-timeout", Note, "2000 minutes", func(_ *Picture, n *Node) { n.Node.Survey.Apps[0].MaxMinutes = 2000 }},
	{"session-timeout", Note, "20 minutes to 40 minutes", func(_ *Picture, n *Node) { n.Node.Survey.Apps[0].MaxMinutes = 40 }},
	{"locks-left", Warning, "1 lock is older than 2m00s|10.1.0.3|5 requests|farmstate unlock", func(_ *Picture, n *Node) {
		n.Node.Survey.Locks = []api.Lock{{Session: api.Session{App: "/LM/W3SVC/1/ROOT", Hash: "aaaa", ID: "abcdefghij"}, Client: "10.1.0.3", Age: 300, Waiting: 5}, {Age: 3}}
	}},
	{"locks-left", Warning, "not known", func(_ *Picture, n *Node) { n.Node.Survey.Locks = []api.Lock{{Age: 45, Waiting: 1}} }},
	{"lock-waits", Warning, "Of 200 requests|100|ReadOnly|700ms", func(_ *Picture, n *Node) { n.Facts.Waits = api.Waits{Granted: 100, TimedOut: 100} }},
	{"lock-waits", Warning, "25 requests wait", func(_ *Picture, n *Node) { n.Node.Status.Sessions.LockWaiters = 25 }},
	{"lock-waits", Note, "50 %", func(_ *Picture, n *Node) {
		n.Node.Status.Operations["acquire"] = map[string]int64{"ok": 1000, "locked": 1000}
	}},
	{"lock-waits", Note, "hammers", func(_ *Picture, n *Node) {
		n.Node.Status.Operations["acquire"] = map[string]int64{"ok": 1000, "cut": 100}
	}},
	{"latency", Warning, "get takes longer than 500ms", func(_ *Picture, n *Node) {
		n.Node.Status.Latency["get"] = api.Latency{Count: 1000, P50: 0.001, P99: 0.5}
	}},
	{"malformed", Note, "bad_uri 3", func(_ *Picture, n *Node) { n.Node.Status.Malformed = map[string]int64{"bad_uri": 3, "other": 0} }},
	{"malformed", Warning, "came from 10.1.0.3", func(_ *Picture, n *Node) {
		n.Node.Status.Malformed = map[string]int64{"bad_uri": 3}
		n.tell(happened(0, "malformed", "client", "10.1.0.3"))
	}},

	{"ready", Note, "draining: it drains|farmstate drain --stop --admin 10.1.0.1:42480", func(_ *Picture, n *Node) { n.Node.Status.NotReady = []string{"draining: it drains", "copies: few"} }},
	{"originals", Note, "1 original peer-to-peer state server|2.5s", func(_ *Picture, n *Node) {
		n.Node.Farm.Originals = []api.Original{{Addr: "10.1.0.8:42425", Live: true}}
	}},
	{"originals", Warning, "10.1.0.8:42425 is not linked: wrong password", func(_ *Picture, n *Node) {
		n.Node.Farm.Originals = []api.Original{{Addr: "10.1.0.8:42425", LastError: "wrong password"}}
	}},
	{"log-level", Note, "debug|farmstate log-level info --admin 10.1.0.1:42480|log_level", func(_ *Picture, n *Node) { n.Node.Status.LogLevel = "debug" }},
	{"events-lost", Note, "3 events", func(_ *Picture, n *Node) { n.Facts.Lost.Notices = 3 }},
	{"events-lost", Note, "standard error", func(_ *Picture, n *Node) { n.Facts.EventCounts["log_dropped"] = 1 }},
	{"events-lost", Warning, "Faults", func(_ *Picture, n *Node) { n.Facts.EventCounts["farm_fault"] = 1 }},

	{"web-file", Problem, "is not well-formed", func(p *Picture, _ *Node) {
		p.WebBad = []webconfig.SyntaxError{{Name: "web.config", Line: 7, Text: "is not well-formed"}}
	}},
	{"web-file", Note, "configSource", web(`<sessionState configSource="other.config" />` + goodKey)},
	{"web-mode", Problem, "no <sessionState>", web(goodKey)},
	{"web-mode", Problem, "mode is InProc|own process|StateServer", web(`<sessionState />`)},
	{"web-mode", Problem, "SQLServer", web(`<sessionState mode="SQLServer" sqlConnectionString="secret" />`)},
	{"web-mode", Warning, "provider \"redis\"", web(`<sessionState mode="Custom" customProvider="redis" />`)},
	{"web-mode", Note, "Off", web(`<sessionState mode="Off" />`)},
	{"web-mode", Problem, "it is spelt StateServer", web(`<sessionState mode="stateserver" />`)},
	{"web-connection", Problem, "tcpip=HOST:PORT", web(`<sessionState mode="StateServer" stateConnectionString="web1" />`)},
	{"web-connection", Note, "tcpip=loopback:42424", web(`<sessionState mode="StateServer" />`)},
	{"web-connection", Problem, "no node takes web servers on port 42425", web(`<sessionState mode="StateServer" stateConnectionString="tcpip=10.1.0.1:42425" />`)},
	{"web-connection", Warning, "address of no node", web(`<sessionState mode="StateServer" stateConnectionString="tcpip=10.1.0.77:42424" />`)},
	{"web-connection", Problem, "their own machines can connect to|tcpip=127.0.0.1:42424", func(p *Picture, n *Node) {
		n.State, p.Nodes[1].State = "127.0.0.1:42424", "127.0.0.1:42424"
		p.web("web.config", goodState+goodKey)
	}},
	{"web-connection", Warning, "web9:42424, a host name that is not known", func(p *Picture, _ *Node) {
		p.Resolved["web9"] = nil
		p.web("web.config", strings.Replace(goodState, "10.1.0.1", "web9", 1)+goodKey)
	}},
	{"web-connection", Warning, "no node that is known", func(p *Picture, _ *Node) {
		p.Resolved["web9"] = []netip.Addr{netip.MustParseAddr("10.1.0.9")}
		p.web("web.config", strings.Replace(goodState, "10.1.0.1", "web9", 1)+goodKey)
	}},
	{"web-connection", Note, "this machine (desk) has no node", func(p *Picture, n *Node) {
		n.State = ":42424"
		p.web("web.config", strings.Replace(goodState, "10.1.0.1", "localhost", 1)+goodKey)
	}},
	{"web-network-timeout", Problem, "3s|2.5s|700ms", web(`<sessionState mode="StateServer" stateConnectionString="tcpip=10.1.0.1:42424" stateNetworkTimeout="3" />`)},
	{"web-network-timeout", Warning, "5s|query_timeout", web(`<sessionState mode="StateServer" stateConnectionString="tcpip=10.1.0.1:42424" stateNetworkTimeout="5" />`)},
	{"web-network-timeout", Problem, "no number", web(`<sessionState mode="StateServer" stateNetworkTimeout="long" />`)},
	{"web-timeout", Problem, "1 to 525600", web(`<sessionState mode="StateServer" timeout="0" />`)},
	{"web-timeout", Note, "memory for long", web(`<sessionState mode="StateServer" timeout="86400" />`)},
	{"web-timeout", Note, "seconds or hours", web(`<sessionState mode="StateServer" timeout="1" />`)},
	{"web-cookie", Warning, "in the address", web(`<sessionState mode="StateServer" cookieless="true" />`)},
	{"web-cookie", Warning, "AutoDetect", web(`<sessionState mode="StateServer" cookieless="AutoDetect" />`)},
	{"web-cookie", Note, "Strict", web(`<sessionState mode="StateServer" cookieSameSite="Strict" />`)},
	{"web-cookie", Note, "requireSSL", web(goodState + `<httpCookies requireSSL="true" />`)},
	{"web-cookie", Note, "example.org", web(goodState + `<httpCookies domain="example.org" />`)},
	{"web-leftovers", Warning, "partitionResolverType \"Mine\"", web(`<sessionState mode="StateServer" partitionResolverType="Mine" />`)},
	{"web-leftovers", Note, "sqlConnectionString has no effect", web(`<sessionState mode="StateServer" sqlConnectionString="hush" />`)},
	{"web-leftovers", Note, "compressionEnabled", web(`<sessionState mode="StateServer" compressionEnabled="true" />`)},
	{"web-execution-timeout", Note, "300 seconds|2m00s", web(goodState + `<httpRuntime executionTimeout="300" />`)},
	{"web-execution-timeout", Problem, "no number", web(goodState + `<httpRuntime executionTimeout="soon" />`)},
	{"web-execution-timeout", Warning, "debug", web(goodState + `<compilation debug="true" />`)},
	{"web-machine-key", Warning, "no <machineKey>|lost the log-in|before 4.5.2", web(goodState)},
	{"web-machine-key", Warning, "Generated by each machine|: validationKey.", web(goodState + `<machineKey validationKey="AutoGenerate,IsolateApps" decryptionKey="000102030405060708090a0b0c0d0e0f" />`)},
	{"web-machine-key", Warning, "Generated by each machine|: decryptionKey.", web(goodState + `<machineKey validationKey="000102030405060708090a0b0c0d0e0f10111213" />`)},
	{"web-machine-key", Problem, "not hexadecimal", web(goodState + `<machineKey validationKey="xyz" decryptionKey="000102030405060708090a0b0c0d0e0f" />`)},
	{"web-machine-key", Warning, "2 bytes", web(goodState + `<machineKey validationKey="abcd" decryptionKey="000102030405060708090a0b0c0d0e0f" />`)},
	{"web-differ", Warning, "validationKey differs|a/web.config:4|b/web.config:4|digest|lost the log-in|before 4.5.2", webs(goodState+"\n"+goodKey, goodState+"\n"+strings.Replace(goodKey, "1213", "1214", 1))},
	{"web-differ", Warning, "validationKey differs|digest|,IsolateApps in b/web.config:4", webs(goodState+"\n"+goodKey, goodState+"\n"+strings.Replace(goodKey, "1213", "1213,IsolateApps", 1))},
	{"web-differ", Warning, "decryptionKey differs|AutoGenerate in a|AutoGenerate,IsolateByAppId in b", webs(goodState+`<machineKey decryptionKey="AutoGenerate" />`, goodState+`<machineKey decryptionKey="AutoGenerate, isolateByAppId" />`)},
	{"web-differ", Warning, "validationKey differs|none in b/web.config", webs(goodState+"\n"+goodKey, goodState)},
	{"web-differ", Warning, "algorithm of validation|SHA1", webs(goodState+goodKey, goodState+strings.Replace(goodKey, "/>", `validation="SHA1" />`, 1))},
	{"web-differ", Problem, "validationKey differs|/LM/W3SVC/1/ROOT|lost the session", keyed(webs(goodState+"\n"+goodKey, goodState))},
	{"web-machine-key", Problem, "no <machineKey>|lost the session", keyed(web(goodState))},
	{"web-differ", Warning, "decryptionKey differs|lost the log-in", webs(goodState+goodKey, goodState+strings.Replace(goodKey, "0f\" />", "0e\" />", 1))},
	{"web-differ", Note, "stateConnectionString differs|web9", webs(goodState+goodKey, strings.Replace(goodState, "10.1.0.1", "web9", 1)+goodKey)},
	{"web-differ", Problem, "cookieName|Mine", webs(goodState+goodKey, strings.Replace(goodState, "/>", `cookieName="Mine" />`, 1)+goodKey)},
	{"web-differ", Warning, "timeout differs|\"20\" in a/web.config:3|\"30\" in b/web.config:3", webs(goodState+goodKey, strings.Replace(goodState, "/>", `timeout="30" />`, 1)+goodKey)},
}

func down(ports []PortTry) func(*Picture, *Node) {
	return func(p *Picture, _ *Node) { p.Nodes, p.Down, p.Ports = nil, "nobody answers", ports }
}

func web(content string) func(*Picture, *Node) {
	return func(p *Picture, _ *Node) { p.web("web.config", content) }
}

func webs(a, b string) func(*Picture, *Node) {
	return func(p *Picture, _ *Node) {
		p.web("a/web.config", a)
		p.web("b/web.config", b)
	}
}

// keyed lets the sessions have names that depend on the machine key, as with a .NET before 4.5.2.
func keyed(wrong func(*Picture, *Node)) func(*Picture, *Node) {
	return func(p *Picture, n *Node) {
		n.Node.Survey.Apps[0].Hash = strings.Repeat("a", 27) + "="
		wrong(p, n)
	}
}

// TestChecks: each check finds what it is for, and says what it means and what to do.
func TestChecks(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range wrongs {
		seen[w.check] = true
		p := healthy(2)
		w.wrong(p, &p.Nodes[0])
		r := Examine(p)
		var said []string
		ok := false
		for _, f := range r.Findings {
			if f.Check != w.check || f.Severity == OK {
				continue
			}
			text := f.Where + " " + f.What + " " + f.Means + " " + strings.Join(f.Do, " ")
			said = append(said, string(f.Severity)+": "+text)
			ok = ok || f.Severity == w.severity && !slices.ContainsFunc(strings.Split(w.says, "|"), func(part string) bool { return !strings.Contains(text, part) })
			if f.Severity != Note && (f.Means == "" || len(f.Do) == 0) && w.check != "config" {
				t.Errorf("%s: says neither what it means nor what to do: %+v", w.check, f)
			}
			if strings.Contains(text, "0c0d0e0f") || strings.Contains(text, "hush") {
				t.Errorf("%s: shows a key", w.check)
			}
		}
		if !ok {
			t.Errorf("%s, want %s with %q: %s", w.check, w.severity, w.says, strings.Join(said, "\n"))
		}
		if w.severity == Problem || w.severity == Warning {
			if r.Healthy() {
				t.Errorf("%s: healthy", w.check)
			}
		}
	}
	for _, c := range Checks() {
		if !seen[c.ID] {
			t.Errorf("%s: no test", c.ID)
		}
	}
}

// fines are changes that look like mistakes and are none.
var fines = map[string]func(p *Picture, n *Node){
	"a link that has just been made": func(p *Picture, n *Node) {
		n.Node.Farm.Links[0].Since, p.Nodes[1].Node.Farm.Links = noon, nil
		p.unlike()
	},
	"a link for a delivery at one end": func(p *Picture, n *Node) {
		n.Node.Farm.Links[0].Purpose, p.Nodes[1].Node.Farm.Links = "delivery", nil
		p.unlike()
	},
	"a peer by a name": func(p *Picture, n *Node) {
		unreachable(n, "web2:42425")
		p.Resolved["web2"] = []netip.Addr{netip.MustParseAddr("10.1.0.2")}
	},
	"a peer by a name that others know": func(_ *Picture, n *Node) { unreachable(n, "web2:42425"); n.Node.Farm.Links[0].Dialled = true },
	"a node whose commit is not known": func(p *Picture, _ *Node) {
		p.Nodes[1].Program = "farmstate 1.0"
		p.Nodes[1].NodeView.Node.Status.Build.Commit = ""
	},
	"two sites at one node": func(_ *Picture, n *Node) {
		n.Node.Survey.Apps = append(n.Node.Survey.Apps, api.App{App: "/LM/W3SVC/2/ROOT", Hash: "bbbb", Sessions: 5, MinMinutes: 20, MaxMinutes: 20})
	},
	"another application below the site": func(_ *Picture, n *Node) {
		n.Node.Survey.Apps = append(n.Node.Survey.Apps, api.App{App: "/LM/W3SVC/1/ROOT/shop", Hash: "bbbb", Sessions: 5, MinMinutes: 20, MaxMinutes: 20})
	},
	"few sessions that were never read": func(_ *Picture, n *Node) {
		n.Node.Survey.Apps = append(n.Node.Survey.Apps, api.App{App: "/LM/W3SVC/7/ROOT/x", Hash: "b", Sessions: 49, Old: 49, NeverRead: 49, MinMinutes: 20, MaxMinutes: 20})
	},
	"clocks 2 s apart":         func(_ *Picture, n *Node) { n.Skew = 1.9 },
	"a slow acquire":           func(_ *Picture, n *Node) { n.Node.Status.Latency["acquire"] = api.Latency{Count: 1000, P99: 0.7} },
	"sessions not copied yet":  func(_ *Picture, n *Node) { n.Node.Farm.Copies.Short, n.Node.Farm.Copies.ShortFor = 995, 4 },
	"a join of the node alone": func(p *Picture, n *Node) { p.Nodes[0].Facts.Join = []string{"10.1.0.1:42426"} },
}

// unlike makes two nodes know each other by their links alone.
func (p *Picture) unlike() {
	for i := range p.Nodes {
		p.Nodes[i].Node.Farm.Gossip = nil
		p.Nodes[i].Node.Farm.Copies = api.Copies{}
		p.Nodes[i].Facts.Snapshots = &api.Snapshots{Interval: 300}
		p.Nodes[i].Node.Farm.Standalone = true
	}
}

func unreachable(n *Node, addr string) {
	n.Facts.Peers = []string{addr}
	n.tell(happened(hour, "peer_unreachable", "addr", addr, "err", "no route"))
}

// TestFine: what only looks like a mistake is none.
func TestFine(t *testing.T) {
	for name, change := range fines {
		p := healthy(2)
		change(p, &p.Nodes[0])
		for _, f := range Examine(p).Findings {
			if f.Severity != OK {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

// TestPartial: nodes that tell nothing, or little, make no check fail.
func TestPartial(t *testing.T) {
	for _, cut := range []func(*Node){
		func(n *Node) { n.NodeView.Node, n.Facts = nil, nil },
		func(n *Node) { n.Facts = nil },
		func(n *Node) { n.Facts = &api.Facts{} },
		func(n *Node) { n.NodeView.Node = &api.Node{} },
		func(n *Node) { n.NodeView = api.NodeView{Node: &api.Node{}}; n.Facts = nil },
	} {
		for _, w := range wrongs {
			for at := range 2 {
				p := healthy(2)
				w.wrong(p, &p.Nodes[0])
				if at < len(p.Nodes) && !(at == 0 && p.Down == "") {
					cut(&p.Nodes[at])
				} else if len(p.Nodes) > 0 && at == 0 {
					p.Nodes = append(p.Nodes[:1:1], p.Nodes...)
					cut(&p.Nodes[1])
				}
				Examine(p)
			}
		}
	}
}

// TestJoin: an address of join at which nobody answers is one finding, and a problem only of nodes that know no other.
func TestJoin(t *testing.T) {
	for _, c := range []struct {
		alone []bool // of web1 and web2, which are to join the same node
		s     Severity
		where string
	}{
		{[]bool{false, false}, Note, "web1 (10.1.0.1:42480), web2 (10.1.0.2:42480)"},
		{[]bool{false, true}, Problem, "web2 (10.1.0.2:42480)"},
		{[]bool{true, true}, Problem, "web1 (10.1.0.1:42480), web2 (10.1.0.2:42480)"},
	} {
		p := healthy(2)
		for i, alone := range c.alone {
			n := &p.Nodes[i]
			if alone {
				n.Node.Farm.Gossip.Members, n.Node.Farm.Links = nil, nil
			}
			if n.alone() != alone {
				t.Errorf("%v: %s is alone: %v", c.alone, n.label(), n.alone())
			}
			p.Probes = append(p.Probes, Probe{Node: n.label(), Port: "join", Addr: "10.1.0.9:42426", Err: "refused", Alone: n.alone()})
		}
		var f findings
		checkReachable(p, &f)
		if len(f.all) != 1 || f.all[0].Severity != c.s || f.all[0].Where != c.where {
			t.Errorf("%v: %+v", c.alone, f.all)
		}
	}
	n := &healthy(2).Nodes[0]
	n.Node.Farm.Gossip.Members[0].State, n.Node.Farm.Links[0].Up = "dead", false
	if !n.alone() {
		t.Error("a node that knows of a dead one only is not alone")
	}
}

// TestMachineKey: nothing is said of sessions that different keys do not lose: from .NET 4.5.2 on their names do not depend on the key (docs/protocol.md §3.8).
func TestMachineKey(t *testing.T) {
	for _, wrong := range []func(*Picture, *Node){web(goodState), webs(goodState+"\n"+goodKey, goodState+"\n"+strings.Replace(goodKey, "1213", "1214", 1))} {
		p := healthy(2)
		for i := range p.Nodes {
			p.Nodes[i].Node.Survey.Apps[0].Hash = strings.Repeat("a", 43) + "="
		}
		wrong(p, &p.Nodes[0])
		r := Examine(p)
		if r.Problems > 0 || r.Warnings != 1 {
			t.Errorf("%d problems and %d warnings", r.Problems, r.Warnings)
		}
		for _, f := range r.Findings {
			if f.Severity != OK && (!strings.Contains(f.Means, "log-in") || strings.Contains(f.Means, "the session") && !strings.Contains(f.Means, "before 4.5.2")) {
				t.Errorf("%+v", f)
			}
		}
	}
}

// TestReadyAdvice: what to do fits the reason; only a drain is taken back.
func TestReadyAdvice(t *testing.T) {
	for reason, want := range map[string]string{"draining: x": "drain --stop", "stopping: x": "nothing", "joining: x": "join", "other: x": "/readyz"} {
		p := healthy(2)
		p.Nodes[0].Node.Status.NotReady = []string{reason}
		var f findings
		checkReady(p, &f)
		if len(f.all) != 1 {
			t.Fatalf("%s: %+v", reason, f.all)
		}
		do := strings.Join(f.all[0].Do, " ")
		if !strings.Contains(do, want) || strings.Contains(do, "drain --stop") != (reason == "draining: x") {
			t.Errorf("%s: %s", reason, do)
		}
	}
}

// TestMany: one mistake at many nodes is told a bounded number of times.
func TestMany(t *testing.T) {
	p := healthy(100)
	for i := range p.Nodes {
		p.Nodes[i].Node.Status.LogLevel = "debug"
	}
	r := Examine(p)
	count, last := 0, ""
	for _, f := range r.Findings {
		if f.Check == "log-level" {
			count++
			last = f.What
		}
	}
	if count != maxEach || r.Notes != 100 || !strings.Contains(last, "80 more") {
		t.Errorf("%d findings of %d notes, the last: %s", count, r.Notes, last)
	}
}

func TestNearMiss(t *testing.T) {
	for _, v := range []struct {
		nets, addr string
		want       bool
	}{
		{"10.1.0.0/24", "10.1.1.5", true}, {"10.1.0.0/24", "10.1.9.5", false}, {"10.1.0.5/32", "10.1.0.77", true}, {"10.1.0.5/32", "10.1.1.5", false},
		{"10.1.0.0/24", "10.1.0.5", false}, {"fd00::1/128", "fd00::2", true}, {"fd00::1/128", "fd00:0:0:1::2", false}, {"10.0.0.0/8", "11.0.0.1", false}, {"10.1.0.0/24", "fd00::1", false},
		{"x", "10.0.0.1", false}, {"10.0.0.0/24", "x", false}, {"10.1.0.0/24", "::ffff:10.1.1.5", true},
	} {
		if got := nearMiss([]string{v.nets}, v.addr); (got != "") != v.want {
			t.Errorf("%s, %s: %q", v.nets, v.addr, got)
		}
	}
	if !allowed([]string{"10.0.0.0/8"}, netip.MustParseAddr("::ffff:10.1.1.5")) || !allowed(nil, netip.MustParseAddr("127.0.0.9")) || allowed(nil, netip.MustParseAddr("10.0.0.1")) {
		t.Error("allowed")
	}
}

// TestDocument: docs/doctor.md lists all checks, and no other.
func TestDocument(t *testing.T) {
	data, err := os.ReadFile("../../../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, groups []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|.*$|^### (.*)$").FindAllStringSubmatch(string(data), -1) {
		if row[2] != "" {
			groups = append(groups, row[2])
			continue
		}
		listed = append(listed, row[1])
	}
	var ids, want []string
	for _, c := range Checks() {
		ids = append(ids, c.ID)
		if !slices.Contains(want, c.Group) {
			want = append(want, c.Group)
		}
	}
	if !slices.Equal(listed, ids) {
		t.Errorf("the document lists\n%q,\nthe code has\n%q", listed, ids)
	}
	if !slices.Equal(groups, want) {
		t.Errorf("the document has the groups\n%q,\nthe code\n%q", groups, want)
	}
}
