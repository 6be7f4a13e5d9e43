package config

import (
	"net"
)

// gossipPort is the usual one.
const gossipPort = "42426"

func parseGossip(text string) (string, error) {
	if text == autoWord {
		return text, nil
	}
	return parseListenOrOff(text)
}

// GossipAddr is the address to listen on for gossip; empty when there is none.
func (c *Config) GossipAddr() string {
	switch {
	case c.Standalone:
		return ""
	case c.GossipListen != autoWord:
		return c.GossipListen
	case len(c.Join) == 0:
		return ""
	}
	host, _, err := net.SplitHostPort(c.PeerListen)
	if err != nil || c.PeerListen == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, gossipPort)
}

// UngossipedAdvice is what to do about gossip that others can reach while it is
// plain. It goes on after "…, and ".
const UngossipedAdvice = "gossip is not encrypted; give all nodes one secret with peer_secret_file (--peer-secret-file FILE), " +
	"which certificates (peer_cert) do not replace here, or allow plain gossip with insecure = true (--insecure)"

// gossip judges how nodes find each other.
func (l *loader) gossip() {
	c := l.config
	if c.Standalone {
		return // Others have judged that.
	}
	addr := c.GossipAddr()
	if addr == "" {
		if len(c.Join) > 0 {
			l.problem(c.Place("gossip_listen"), `"off" means that there is no gossip, but join names other nodes (`+c.Origin("join").String()+"); remove one of the two")
		}
		if c.GossipAdvertise != "" {
			l.problem(c.Place("gossip_advertise"), "is given, but there is no gossip; name a node with join, or an address with gossip_listen, or take it out")
		}
		return
	}
	place := c.Place("gossip_listen")
	if !c.IsSet("gossip_listen") {
		place = c.Place("join")
	}
	if c.PeerSecretFile == "" && !c.Insecure {
		if Exposed(addr) {
			l.problem(place, `gossip listens on "`+addr+`", which can be reached from other machines, and `+UngossipedAdvice)
			return // The nodes to join need nothing else.
		}
		for _, to := range c.Join {
			if elsewhere(to) {
				l.problem(c.Place("join"), `"`+to+`" is on another machine, and `+UngossipedAdvice)
				return // The others need nothing else.
			}
		}
	}
	if c.GossipAdvertise != "" || Exposed(addr) || elsewhere(addr) {
		return
	}
	for _, to := range c.Join {
		if elsewhere(to) {
			l.problem(c.Place("join"), `"`+to+`" is on another machine, from which gossip on "`+addr+`" cannot be reached; `+
				"give peer_listen an address that others can reach (--peer-listen :42425), and name their networks with peer_allow or allow")
			return // The others are told the same.
		}
	}
}
