package config

import (
	"slices"
	"strings"
)

// farmless finds options that have no effect because this node has no farm. Somebody who asks for two copies, and is not told that there are none, finds out when the
// sessions are gone.
//
// What a file says of the farm is left alone, but for copies: it may be that of all nodes, or come from an import. So is what is overruled: a flag that makes
// a node stand alone for once needs no other file.
func (l *loader) farmless() {
	off, why := l.noFarm()
	if off == "" {
		return
	}
	c := l.config
	for i := range Table {
		o := &Table[i]
		own := []string{"standalone", "peer_listen", "peer", "join"} // have been judged, or say nothing about a farm
		if off != "standalone" {
			own = append(own, "gossip_advertise")
		}
		if o.Group != groupFarm && o.Group != groupCopies || slices.Contains(own, o.Name) {
			continue
		}
		from, value := c.Origin(o.Name).Source, strings.Join(o.Values(c), ",")
		switch {
		case from == SourceDefault, value == o.Default, value == "off":
		case o.Name == "copies" && c.Copies < 2:
		case o.Name == "copies" && from < c.Origin(off).Source: // there are none, so that what config print shows can be read again
			c.Copies = 0
			delete(c.origins, o.Name)
		case from < c.Origin(off).Source:
		case from == SourceFile && o.Name != "copies":
		default:
			l.problem(c.Place(o.Name), `"`+value+`" has no effect: `+why+"; take one of the two out")
		}
	}
}

// noFarm is the option by which this node has no farm, and that in words; empty if it may have one.
func (l *loader) noFarm() (option, why string) {
	c := l.config
	switch {
	case c.Standalone:
		return "standalone", "there is no farm, because standalone is true (" + c.Origin("standalone").String() + ")"
	case c.PeerListen == "" && c.GossipAddr() == "" && len(c.Peers)+len(c.Join)+len(c.LegacyPeers) == 0:
		return "peer_listen", "there is no farm, because peer_listen is off (" + c.Origin("peer_listen").String() + ") and no other node is named with join or peer"
	}
	return "", ""
}
