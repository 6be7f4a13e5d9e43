package main

import (
	"fmt"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/admin"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
	"github.com/farmstate/farmstate/peer"
)

// The reasons why a node is not ready. See docs/operations.md.
const (
	reasonStopping = "stopping"
	reasonDraining = "draining"
	reasonJoining  = "joining"
	reasonCopies   = "copies"
)

// joinPatience is how long a node that shall join others counts as joining if it meets nobody: then it is the first, or alone.
const joinPatience = 10 * time.Second

// notReady says why the node takes no requests, or should not be relied on: it leaves, joins, or sessions have fewer copies than they shall have.
func (n *node) notReady() []admin.Reason {
	var all []admin.Reason
	switch {
	case n.stopping.Load():
		all = append(all, admin.Reason{Name: reasonStopping, Text: "it was told to stop, and hands its sessions to other nodes"})
	case n.farm != nil && n.farm.Progress().Draining:
		all = append(all, admin.Reason{Name: reasonDraining, Text: "it was told to drain: its sessions go to other nodes"})
	}
	if n.farm == nil {
		return all
	}
	if len(n.cfg.Join) > 0 && time.Since(n.started) < joinPatience && !n.farm.HasMet() {
		all = append(all, admin.Reason{Name: reasonJoining, Text: "it has not met any of the nodes of join yet"})
	}
	c := n.farm.CopiesStatus()
	if r := lacking(&c, n.engine.Stats().Sessions, n.farm.HasMet()); r.Text != "" {
		all = append(all, r)
	}
	return all
}

// lacking says which copies are missing, and why; without text if none are. met says that the node has had company: one that waits for the first other node is the first of its
// farm.
func lacking(c *peer.CopiesStatus, sessions int64, met bool) admin.Reason {
	short := c.ShortFor >= api.Moment
	switch {
	case c.Copies < 2:
	case !c.Mirroring, met && c.Nodes < 2:
		return admin.Reason{Name: reasonCopies, Text: fmt.Sprintf("sessions shall have %d copies, and there is no other node to take any", c.Copies)}
	case met && c.Nodes < c.Copies:
		return admin.Reason{Name: reasonCopies, Text: fmt.Sprintf("sessions shall have %d copies, and only %d nodes are there", c.Copies, c.Nodes)}
	case short && c.Full > 0:
		return admin.Reason{Name: reasonCopies, Text: fmt.Sprintf("%d of %d sessions have fewer than %d copies: %s no room for more", c.Short, sessions, c.Copies, term.Plural(c.Full, "other node has", "other nodes have"))}
	case short && c.Repair.Running:
		return admin.Reason{Name: reasonCopies, Text: fmt.Sprintf("%d of %d sessions have fewer than %d copies, and missing ones are being made: %d of %d sessions looked at", c.Short, sessions, c.Copies, c.Repair.Looked, c.Repair.Of)}
	case short:
		return admin.Reason{Name: reasonCopies, Text: fmt.Sprintf("%d of %d sessions have fewer than %d copies", c.Short, sessions, c.Copies)}
	case c.Repair.Running:
		return admin.Reason{Name: reasonCopies, Text: fmt.Sprintf("missing copies are being made: %d of %d sessions looked at", c.Repair.Looked, c.Repair.Of)}
	}
	return admin.Reason{}
}

// notReadyNames is notReady for machines.
func (n *node) notReadyNames() []string {
	names := []string{}
	for _, r := range n.notReady() {
		names = append(names, r.Name)
	}
	return names
}
