package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// together judges what only several options together can get wrong.
func (l *loader) together() {
	l.exposed()
	l.listeners()
	l.protection()
	l.farm()
	l.farmless()
	l.deliveries()
	l.gossip()
	l.snapshots()
}

// exposed finds a port that other machines can reach while nobody is allowed
// to.
func (l *loader) exposed() {
	c := l.config
	for _, name := range []string{"listen", "admin"} {
		addr := Lookup(name).Values(c)[0]
		if len(c.Allow) == 0 && Exposed(addr) {
			l.problem(c.Place(name), `"`+addr+`" `+ExposedAdvice)
		}
	}
}

// ExposedAdvice is what to do about an address that other machines can reach
// while nobody is allowed to. It goes on after the address.
const ExposedAdvice = "can be reached from other machines, and the protocol has no authentication; " +
	"name the networks that may connect with allow (--allow 10.1.0.0/16), or use an address of this machine alone, such as 127.0.0.1"

// listeners finds two ports on one address.
func (l *loader) listeners() {
	c := l.config
	all := []struct{ option, addr, port string }{
		{"listen", c.Listen, "the state port"}, {"admin", c.Admin, "the admin pages"}, {"peer_listen", c.PeerListen, "the peer port"},
		{"gossip_listen", c.GossipAddr(), "the gossip port"},
	}
	if c.Standalone {
		all = all[:2]
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if a.addr != "" && a.addr == b.addr && !strings.HasSuffix(a.addr, ":0") {
				l.problem(c.Place(a.option), `"`+a.addr+`" is the address of `+b.port+` too; give one of them another port`)
			}
		}
	}
}

// UnprotectedAdvice is what to do about an address on another machine, or one
// that other machines can reach, while links between nodes are plain. It goes
// on after "…, and ".
const UnprotectedAdvice = "links are neither authenticated nor encrypted; give all nodes one secret with peer_secret_file (--peer-secret-file FILE), " +
	"or certificates with peer_cert, peer_key and peer_ca, or allow plain links with insecure = true (--insecure)"

// protection judges how links between nodes are protected.
func (l *loader) protection() {
	c := l.config
	files := []string{"peer_cert", "peer_key", "peer_ca"}
	var given, missing []string
	for _, name := range files {
		if Lookup(name).Values(c)[0] != "" {
			given = append(given, name)
		} else {
			missing = append(missing, name)
		}
	}
	if len(given) > 0 && len(missing) > 0 {
		l.problem(c.Place(given[0]), "is given without "+strings.Join(missing, " and ")+"; certificates need all of "+strings.Join(files, ", "))
	}
	if len(given) > 0 && c.PeerSecretFile != "" && c.GossipAddr() == "" {
		l.problem(c.Place("peer_secret_file"), "is given together with "+given[0]+"; links use either a secret or certificates, so remove one of the two")
	}
	if len(given) > 0 || c.PeerSecretFile != "" || c.Insecure || c.Standalone {
		return
	}
	if c.PeerListen != "" && Exposed(c.PeerListen) {
		l.problem(c.Place("peer_listen"), `"`+c.PeerListen+`" can be reached from other machines, and `+UnprotectedAdvice)
	}
	for _, addr := range c.Peers {
		if elsewhere(addr) {
			l.problem(c.Place("peer"), `"`+addr+`" is on another machine, and `+UnprotectedAdvice)
			break // The others need nothing else.
		}
	}
}

// farm judges which other nodes are named.
func (l *loader) farm() {
	c := l.config
	if c.Standalone {
		if len(c.Peers) > 0 {
			l.problem(c.Place("standalone"), "true means that there is no farm, but peer names other nodes ("+c.Origin("peer").String()+"); remove one of the two")
		}
		if len(c.Join) > 0 {
			l.problem(c.Place("standalone"), "true means that there is no farm, but join names other nodes ("+c.Origin("join").String()+"); remove one of the two")
		}
		if len(c.LegacyPeers) > 0 {
			l.problem(c.Place("standalone"), "true means that there is no farm, but there is a [[legacy_peer]] ("+c.LegacyOrigin(0).String()+"); remove one of the two")
		}
		return
	}
	own := ""
	if !strings.HasSuffix(c.PeerListen, ":0") {
		own = sameAddress(c.PeerListen)
	}
	for _, addr := range c.Peers {
		if sameAddress(addr) == own {
			l.problem(c.Place("peer"), `"`+addr+`" is the address of this node's own peer port; name other nodes only`)
		}
		if i := c.legacyIndex(addr); i >= 0 {
			l.problem(c.Place("peer"), `"`+addr+`" is a [[legacy_peer]] too (`+c.LegacyOrigin(i).String()+`); keep peer if it runs farmstate, [[legacy_peer]] if it runs the original`)
		}
	}
	l.legacyTwice(own)
	if n := len(c.Peers) + len(c.LegacyPeers); int64(n) > c.MaxPeers {
		l.problem(c.Place("max_peers"), fmt.Sprintf("%d is less than the %d peers that are listed; raise it", c.MaxPeers, n))
	}
}

// legacyTwice finds legacy peers that are there already, own being the address
// of this node.
func (l *loader) legacyTwice(own string) {
	c := l.config
	if len(c.LegacyPeers) == 0 {
		return
	}
	items := l.reader.itemsOf(legacyPeers)
	first := make(map[string]int)
	for i, p := range c.LegacyPeers {
		if p.Address == "" {
			continue // It was reported already.
		}
		same, at := sameAddress(p.Address), items[i].at("address")
		if j, ok := first[same]; ok {
			l.reader.report(at, "legacy_peer.address", "%q is there again; the first time is in %s", p.Address, c.LegacyOrigin(j).Where)
			continue
		}
		first[same] = i
		if same == own {
			l.reader.report(at, "legacy_peer.address", "%q is the address of this node's own peer port; name other servers only", p.Address)
		}
	}
}

// deliveries warns of a peer port at which those who have something for this
// node cannot arrive.
func (l *loader) deliveries() {
	c := l.config
	if c.Standalone {
		return
	}
	if c.PeerListen != "" && Exposed(c.PeerListen) && len(c.PeerNetworks()) == 0 {
		l.warn(c.Place("peer_listen"), `"`+c.PeerListen+`" can be reached from other machines, but none of them may connect; name their networks with peer_allow (--peer-allow 10.1.0.0/16) or allow`)
	}
	if c.PeerAdvertise != "" || c.PeerListen != "" && (Exposed(c.PeerListen) || elsewhere(c.PeerListen)) {
		return
	}
	for i, p := range c.LegacyPeers {
		if elsewhere(p.Address) {
			l.warn(c.LegacyOrigin(i).Where+": legacy_peer", fmt.Sprintf("%q cannot deliver sessions to this node, because it opens connections of its own for that and peer_listen is %q; "+
				"give peer_listen an address that it can reach, and name its network with peer_allow", p.Address, formatListenOrOff(c.PeerListen)))
			break // The others are told the same.
		}
	}
}

// PeerNetworks are the networks that may connect to the peer port, besides this
// machine.
func (c *Config) PeerNetworks() []netip.Prefix {
	if len(c.PeerAllow) > 0 {
		return c.PeerAllow
	}
	return c.Allow
}

// snapshots finds settings of snapshots that nobody would write.
func (l *loader) snapshots() {
	c := l.config
	if c.Data != "" {
		return
	}
	for _, name := range []string{"snapshot_interval", "snapshot_key_file"} {
		if o := Lookup(name); o.Values(c)[0] != o.Default {
			l.problem(c.Place(name), "is given without data; name the directory for the snapshots with data (--data DIR), or take it out")
		}
	}
}
