package main

import (
	"fmt"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/admin"
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
	switch c := n.farm.CopiesStatus(); {
	case c.Copies < 2:
	case !c.Mirroring:
		all = append(all, admin.Reason{Name: reasonCopies, Text: fmt.Sprintf("sessions shall have %d copies, and there is no other node to take any", c.Copies)})
	case c.Repair.Running:
		all = append(all, admin.Reason{Name: reasonCopies, Text: fmt.Sprintf("missing copies are being made: %d of %d sessions looked at", c.Repair.Looked, c.Repair.Of)})
	}
	return all
}

// notReadyNames is notReady for machines.
func (n *node) notReadyNames() []string {
	names := []string{}
	for _, r := range n.notReady() {
		names = append(names, r.Name)
	}
	return names
}
