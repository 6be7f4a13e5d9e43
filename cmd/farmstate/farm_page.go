package main

import (
	"encoding/hex"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/peer"
)

// farmPage is what a node knows of its farm, as the pages show it.
func farmPage(s peer.Status) api.Farm {
	f := api.Farm{Node: s.Node, Address: s.Address, Links: []api.Link{}, Drain: api.Drain(s.Progress)}
	for i := range s.Links {
		l := &s.Links[i]
		f.Links = append(f.Links, api.Link{
			Node: hex.EncodeToString(l.Node[:]), Addr: l.Addr, Remote: l.Remote, Program: l.Program, Purpose: l.Purpose.String(), Dialled: l.Dialled, Up: l.Up,
			Encrypted: l.Encrypted, Since: l.Since, QueuedMessages: l.QueuedMessages, QueuedBytes: l.QueuedBytes, BytesIn: l.BytesIn, BytesOut: l.BytesOut,
			Leaving: l.Leaving, Admin: l.Admin,
		})
	}
	for _, o := range s.Originals {
		f.Originals = append(f.Originals, api.Original(o))
	}
	if g := s.Gossip; g != nil {
		f.Gossip = &api.Gossip{Address: g.Address, Health: g.Health, Members: []api.Member{}}
		for _, m := range g.Members {
			f.Gossip.Members = append(f.Gossip.Members, api.Member(m))
		}
	}
	c := s.Copies
	f.Copies = api.Copies{
		Copies: c.Copies, Ack: c.Ack, Mirroring: c.Mirroring, Nodes: c.Nodes, Full: c.Full, Doubtful: c.Doubtful, Copied: c.Copied, Short: c.Short, ShortFor: c.ShortFor, Waiting: c.Waiting, Shelf: c.Shelf, ShelfBytes: c.ShelfBytes,
		Repair: api.Repair(c.Repair), Mirrors: []api.Mirror{}, Quarantine: c.Quarantine,
	}
	for _, m := range c.Mirrors {
		f.Copies.Mirrors = append(f.Copies.Mirrors, api.Mirror(m))
	}
	return f
}
