package top

import (
	"cmp"
	"net"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
)

// Names is what people call the nodes, by id: the name of the machine; with the port of the admin pages if several nodes that live have the same; with the
// beginning of the id if that is still not enough, as for a node that is dead and the one that was started in its place.
func Names(nodes []api.NodeView) map[string]string {
	living, names, count := map[string]int{}, map[string]string{}, map[string]int{}
	for i := range nodes {
		if nodes[i].Health != api.HealthDead {
			living[nodes[i].Name]++
		}
	}
	for i := range nodes {
		n := &nodes[i]
		name := cmp.Or(n.Name, n.Admin, n.Peer, short(n.ID))
		if n.Name != "" && living[n.Name] > 1 {
			if _, port, err := net.SplitHostPort(n.Admin); err == nil {
				name += ":" + port
			}
		}
		if n.Health == api.HealthDead && living[n.Name] > 0 {
			name += "/" + short(n.ID)
		}
		names[n.ID] = name
		count[name]++
	}
	for id, name := range names {
		if count[name] > 1 && id != "" {
			names[id] = name + "/" + short(id)
		}
	}
	return names
}

// short is the beginning of an id.
func short(id string) string { return id[:min(len(id), 8)] }

// Find returns the nodes that a text may mean: by id, name, as Names calls them, or the address of the admin pages; or else by the beginning of the id.
func Find(nodes []api.NodeView, text string) []*api.NodeView {
	var exact, begin []*api.NodeView
	names := Names(nodes)
	for i := range nodes {
		switch n := &nodes[i]; {
		case text == "" || n.ID == "" && n.Admin != text:
		case n.ID == text || strings.EqualFold(n.Name, text) || strings.EqualFold(names[n.ID], text) || n.Admin == text:
			exact = append(exact, n)
		case strings.HasPrefix(n.ID, text):
			begin = append(begin, n)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return begin
}
