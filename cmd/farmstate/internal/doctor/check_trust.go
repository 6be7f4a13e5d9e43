package doctor

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// secretMeans is what a wrong secret does.
const secretMeans = "The two do not form one farm: a session of the one is missing at the other, so users lose theirs when they change the web server, and neither keeps copies for the other."

// secretDo is what to do about one.
func secretDo(files ...string) []string {
	file := "FILE"
	for _, name := range files {
		if name != "" {
			file = name
		}
	}
	return []string{
		"compare the files of peer_secret_file on both machines without showing them: `sha256sum " + file + "`, on Windows `certutil -hashfile " + file + " SHA256` (white space at the ends does not count for farmstate, but does for these)",
		"copy the right file to the other machine, and start that node again: the secret is read at the start",
		"if the address is none of yours: somebody tries to get in; keep it out with peer_allow",
	}
}

// maybeSecret reports whether a failure to join looks like another secret.
func maybeSecret(err string) bool { return strings.Contains(err, "peer secret") }

func checkSecret(p *Picture, f *findings) {
	marks := map[string][]string{}
	file := ""
	for _, n := range p.told() {
		file = cmp.Or(file, n.Facts.SecretFile)
		if n.Facts.SecretMark != "" {
			marks[n.Facts.SecretMark] = append(marks[n.Facts.SecretMark], n.label())
		}
	}
	if len(marks) > 1 {
		var groups []string
		for _, mark := range sortedKeys(marks) {
			groups = append(groups, list(marks[mark])+" (mark "+mark+")")
		}
		f.add(Problem, "", "These nodes have different secrets: "+strings.Join(groups, "; ")+".", secretMeans, secretDo(file)...)
	}
	for _, n := range p.told() {
		secretsAt(p, n, f)
	}
}

// secretsAt tells what a node says of wrong secrets.
func secretsAt(p *Picture, n *Node, f *findings) {
	own := cmp.Or(n.ends(), "no port for other nodes")
	do := secretDo(n.Facts.SecretFile)
	mine := "its secret is in " + n.Facts.SecretFile
	if n.Facts.SecretFile == "" {
		mine = "it has no peer_secret_file"
	}
	told := false
	for _, e := range lastByHost(n, "peer_refused", "wrong_secret") {
		told = true
		who := "a node at " + e.Attrs["addr"] + " that dialled"
		if e.Attrs["how"] == "dialled" {
			who = "the node at " + e.Attrs["addr"] + " when it dialled it"
		}
		s, when := currency(n, e)
		f.add(s, n.label(), fmt.Sprintf("The secrets of two nodes differ: this one (%s; %s) refused %s, because it could not prove the same secret (%s).", own, mine, who, when), secretMeans, do...)
	}
	for _, e := range lastByHost(n, "gossip_wrong_secret", "") {
		told = true
		s, when := currency(n, e)
		f.add(s, n.label(), fmt.Sprintf("The secrets of two nodes differ: this one (%s; %s) got gossip from %s that another secret protects, or none (%s).",
			own, mine, cmp.Or(term.Clean(e.Attrs["addr"]), "an address that is not known"), when), secretMeans, do...)
	}
	if e := n.latest("gossip_join_failed"); e != nil && maybeSecret(e.Attrs["err"]) && n.Node.Farm.Gossip != nil && !n.knowsGossip(e.Attrs["addr"]) {
		told = true
		joinSecret(p, n, e, own, mine, do, f)
	}
	if refused := n.Facts.GossipRefused["wrong_secret"] + n.Facts.PeerCloses["wrong_secret"]; refused > 0 && !told {
		f.add(Note, n.label(), fmt.Sprintf("%s refused for a wrong secret since the start; the events of it are gone.", term.Plural(refused, "packet or connection was", "packets and connections were")),
			"If that goes on, a node has another secret, or a stranger knocks.", "`farmstate trace` shows it when it happens")
	}
}

// joinSecret tells of a node that cannot join because the other side closes the connection without a word, which is what a gossip port does that cannot read what it is sent.
func joinSecret(p *Picture, n *Node, e *event.Event, own, mine string, do []string, f *findings) {
	addr := term.Clean(e.Attrs["addr"])
	s := Problem
	if n.fellow() != nil {
		s = Warning // others could be joined
	}
	what := fmt.Sprintf("The node at %s, which this one (%s; %s) shall join, closes the connection as soon as it has read what it is sent", addr, own, mine)
	for _, t := range p.Probes {
		if t.Port != "join" || t.Addr != addr || t.Skipped != "" {
			continue
		}
		if t.Shut {
			f.add(s, n.label(), what+". It closes connections from here before it has read anything, too: it may not allow these addresses (or has another secret).", secretMeans,
				append([]string{"on the node at " + addr + " put the address of this one into peer_allow or allow"}, do...)...)
			return
		}
		if t.Err == "" {
			what += ". A connection from here that sends nothing is kept open, so the address is allowed"
		}
	}
	f.add(s, n.label(), what+": the secrets of the two differ.", secretMeans,
		append(slices.Clone(do[:2]), "if they are the same: is that a gossip port (42426 by default, and not 42425)? `farmstate doctor` at the other node says what it refuses")...)
}

// knowsGossip reports whether a living member has an address for gossip.
func (n *Node) knowsGossip(addr string) bool {
	return slices.ContainsFunc(n.Node.Farm.Gossip.Members, func(m api.Member) bool { return m.Gossip == addr && m.State != "dead" })
}

// currency says how much an event of a node matters now: its reason is as good as there while it is fresh.
func currency(n *Node, e *event.Event) (Severity, string) {
	when := n.ago(e.Time)
	if n.now().Sub(e.Time) <= fresh {
		return Problem, when
	}
	return Note, when + ", and not since"
}

// lastByHost are the last events of a node with a name, and with a reason if one is given, one for each host that they are about.
func lastByHost(n *Node, name, reason string) []*event.Event {
	last := map[string]*event.Event{}
	for i := range n.Facts.Events {
		e := &n.Facts.Events[i]
		if e.Name == name && (reason == "" || e.Attrs["reason"] == reason) {
			key := e.Attrs["addr"]
			if e.Attrs["how"] != "dialled" {
				key = cmp.Or(hostOf(key), key) // its port is another each time
			}
			last[e.Attrs["how"]+" "+key] = e
		}
	}
	var all []*event.Event
	for _, key := range sortedKeys(last) {
		all = append(all, last[key])
	}
	return all
}

// refusals says what a reason of peer_refused means and what to do, for those that have no check of their own.
var refusals = map[string]struct{ what, do string }{
	"bad_certificate":     {"a certificate was refused: it is not of the CA of this farm, has expired, or is not for this use", "`farmstate cert show FILE` on both machines; both need certificates of one CA"},
	"plain_refused":       {"the other node speaks without encryption, and this one wants it", "give both the same peer_secret_file, or certificates"},
	"tls_refused":         {"the other node wants encryption, and links of this one are plain", "give this node the secret file or the certificates of the others"},
	"tls_failed":          {"the TLS handshake failed", "look for something between the two that changes what is sent; is it the peer port of a farmstate?"},
	"protocol":            {"the other node speaks a version of the protocol that this one does not know", "update the older of the two"},
	"handshake_timeout":   {"the handshake took too long", "look at the load of both machines and at the network"},
	"stranger":            {"something that is no node has connected", "if it is a health check, let it connect without sending anything; if it is not yours, keep it out with peer_allow"},
	"too_many_handshakes": {"too many connections had not said who they are", "keep strangers out with peer_allow"},
	"too_many_links":      {"there were max_peers links already", "raise max_peers"},
	"node_taken":          {"a node calls itself by the name of another that is linked", "look for who uses the certificate of another node"},
	"wrong_node":          {"another node answers at the address of one that has ended", "nothing, if it was started again"},
	"refused":             {"the other node ended the handshake", "its log and `farmstate doctor` there say why; are both encrypted in the same way?"},
	"malformed":           {"a node has sent what is no message", "update both nodes to the same version"},
	"no_hello":            {"a node has not introduced itself", "update both nodes to the same version"},
}

func checkRefused(p *Picture, f *findings) {
	for _, n := range p.told() {
		for _, reason := range sortedKeys(refusals) {
			for _, e := range lastByHost(n, "peer_refused", reason) {
				s, when := currency(n, e)
				if s == Problem && (reason == "stranger" || reason == "too_many_handshakes" || reason == "wrong_node" || n.hasLink(e.Attrs["addr"])) {
					s = Warning
				}
				if reason == "refused" && n.buried(e.Attrs["addr"]) {
					s = Note // it broke off because it died
				}
				how := "from " + e.Attrs["addr"]
				if e.Attrs["how"] == "dialled" {
					how = "to " + e.Attrs["addr"]
				}
				what := fmt.Sprintf("A link %s was refused (%s, %s): %s", how, reason, when, refusals[reason].what)
				if text := term.Clean(e.Attrs["err"]); text != "" {
					what += ": " + text
				}
				f.add(s, n.label(), what+". This node's ports: "+cmp.Or(n.ends(), "none")+".", "If that is a node of this farm, sessions do not pass between the two.", refusals[reason].do)
			}
		}
	}
}

// buried reports whether an address is that of a member that is dead.
func (n *Node) buried(addr string) bool {
	return n.Node.Farm.Gossip != nil && slices.ContainsFunc(n.Node.Farm.Gossip.Members, func(m api.Member) bool { return m.Peer == addr && m.State == "dead" })
}

func checkPeerAllow(p *Picture, f *findings) {
	for _, n := range p.told() {
		events := append(lastByHost(n, "peer_refused", "not_allowed"), lastByHost(n, "gossip_not_allowed", "")...)
		for _, e := range events {
			s, when := currency(n, e)
			if s == Problem {
				s = Warning
			}
			addr := cmp.Or(hostOf(e.Attrs["addr"]), e.Attrs["addr"])
			port := map[bool]string{true: "gossip", false: "peer"}[e.Name == "gossip_not_allowed"]
			near := ""
			if net := nearMiss(n.Facts.PeerAllow, addr); net != "" {
				near, s = " It is a neighbour of "+net+", which is allowed: maybe the network was meant to be wider.", max2(s, Warning)
			}
			f.add(s, n.label(), fmt.Sprintf("%s was kept out of the %s port (%s). Allowed are: %s.%s", term.Clean(addr), port, when, cmp.Or(list(n.Facts.PeerAllow), "this machine alone"), near),
				"If it is a node of this farm, the two do not work together.", "if it is one, add its network to peer_allow (--peer-allow)")
		}
		if len(events) > 0 {
			continue
		}
		if count := n.Facts.GossipRefused["not_allowed"] + n.Facts.PeerCloses["not_allowed"]; count > 0 {
			f.add(Note, n.label(), fmt.Sprintf("%s kept out of the ports for other nodes since the start; the events of it are gone.", term.Plural(count, "packet or connection was", "packets and connections were")), "")
		}
	}
}

// max2 is the graver of two severities.
func max2(a, b Severity) Severity {
	if slices.Index(order, a) <= slices.Index(order, b) {
		return a
	}
	return b
}

// nearMiss finds a network of a list that an address just misses: it would be in it if it were a little wider. Empty if there is none.
func nearMiss(nets []string, addr string) string {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	for _, text := range nets {
		net, err := netip.ParsePrefix(text)
		if err != nil || net.Addr().Is4() != ip.Is4() || net.Contains(ip) {
			continue
		}
		around := 24
		if !ip.Is4() {
			around = 64
		}
		bits := min(net.Bits(), around)
		if net.Bits() <= around {
			bits = net.Bits() - 2 // a network four times as large
		}
		if bits < 8 {
			continue
		}
		if wider, err := net.Addr().Prefix(bits); err == nil && wider.Contains(ip) {
			return text
		}
	}
	return ""
}

func checkAllow(p *Picture, f *findings) {
	for _, n := range p.told() {
		for _, c := range n.Facts.Clients {
			if c.Refused == 0 {
				continue
			}
			s, near := Warning, ""
			if net := nearMiss(n.Facts.Allow, c.Addr); net != "" {
				s, near = Problem, " It is a neighbour of "+net+", which is allowed: it is most probably a web server of yours."
			} else if served := neighbourOf(n.Facts.Clients, c.Addr); served != "" {
				s, near = Problem, " It is in one network with "+served+", which is served: it is most probably a web server of yours."
			}
			when := n.ago(c.LastSeen)
			if n.now().Sub(c.LastSeen) > hour {
				s, when = Note, when+", and not since"
			}
			f.add(s, n.label(), fmt.Sprintf("%s was kept out of the state port %s (%s). Allowed are: %s.%s", c.Addr, term.Plural(c.Refused, "time", "times"), when, cmp.Or(list(n.Facts.Allow), "this machine alone"), near),
				"If it is a web server, all its pages with sessions show errors.", "if it is one, add it to allow: --allow "+c.Addr+", beside what is there")
		}
	}
}

// neighbourOf finds an address that is served and is in the same /24 or /64; empty if there is none.
func neighbourOf(clients []api.Client, addr string) string {
	for _, c := range clients {
		if c.Refused == 0 && !isLoopback(c.Addr+":1") && nearMiss([]string{c.Addr + "/" + fmt.Sprint(bitsOf(c.Addr))}, addr) != "" {
			return c.Addr
		}
	}
	return ""
}

func bitsOf(addr string) int {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return 0
	}
	return ip.BitLen()
}

func checkVersion(p *Picture, f *findings) {
	versions, commits := map[string][]string{}, map[string][]string{}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		version := term.Clean(n.Program)
		if version != "" {
			versions[version] = append(versions[version], n.label())
		}
		if n.Node != nil && n.Node.Status.Build.Commit != "" { // others do not know the commit
			version += " commit " + n.Node.Status.Build.Commit[:min(12, len(n.Node.Status.Build.Commit))]
			commits[version] = append(commits[version], n.label())
		}
	}
	if len(versions) < 2 {
		versions = commits
	}
	if len(versions) < 2 {
		return
	}
	var groups []string
	for _, version := range sortedKeys(versions) {
		groups = append(groups, version+": "+list(versions[version]))
	}
	f.add(Warning, "", "The nodes run different versions. "+strings.Join(groups, "; ")+".", "While a farm is being updated that is as it should be: neighbouring versions work together. It should not stay so.",
		"update the older nodes one after the other: drain, stop, update, start")
}

// shared are the settings that nodes should agree about, with what it means if they do not.
var shared = []struct {
	name     string
	severity Severity
	means    string
}{
	{"alias", Problem, "A session has one key at one node and another at the other: users lose their sessions when they change the node."},
	{"fold_application_case", Problem, "A session has one key at one node and another at the other: users lose their sessions when they change the node."},
	{"max_body", Warning, "A session that is larger than what a node takes cannot move there."},
	{"copies", Warning, "How many deaths a session survives depends on the node that has it."},
	{"ack", Warning, "What a death may lose depends on the node that has the session."},
	{"max_forwards", Warning, "Nodes look for sessions at different distances: a session that one finds is missing at another."},
	{"query_timeout", Warning, "Nodes reckon with different times for searches, and take each other for slow."},
	{"lock_wait", Note, "Pages wait for locks for different times."},
	{"stale_lock", Note, "Locks count as left behind at different ages."},
	{"transfer_queue", Note, "Nodes turn requests away at different numbers."},
	{"insecure", Note, "One node accepts plain links between machines, and another does not."},
	{"aspnet_version", Note, "Web servers are told different versions."},
	{"http_status_line", Note, "Answers look different."},
}

func checkSettings(p *Picture, f *findings) {
	for _, s := range shared {
		values := map[string][]string{}
		for _, n := range p.told() {
			if value, ok := n.Facts.Settings[s.name]; ok {
				values[value] = append(values[value], n.label())
			}
		}
		if len(values) < 2 {
			continue
		}
		var groups []string
		for _, value := range sortedKeys(values) {
			groups = append(groups, cmp.Or(value, "nothing")+" at "+list(values[value]))
		}
		f.add(s.severity, "", s.name+" is not the same on all nodes: "+strings.Join(groups, "; ")+".", s.means, "give all nodes the same "+s.name+", and start them again one after the other")
	}
	kinds := map[string][]string{}
	for _, n := range p.told() {
		if n.Facts.Security != "" {
			kinds[n.Facts.Security] = append(kinds[n.Facts.Security], n.label())
		}
	}
	if len(kinds) > 1 {
		var groups []string
		for _, kind := range sortedKeys(kinds) {
			groups = append(groups, kind+" at "+list(kinds[kind]))
		}
		f.add(Problem, "", "Links are protected in different ways: "+strings.Join(groups, "; ")+".", "Nodes that differ in this cannot be linked.", "give all nodes the same secret, or certificates of one CA")
	}
}
