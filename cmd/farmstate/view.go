package main

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/admin"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/metrics"
)

const (
	// shownEvents is how many of the latest events the page of a node has.
	shownEvents = 100
	// viewAge is how old the picture of the farm may be that is shown: however many look at it, the other nodes are asked so often at most.
	viewAge = time.Second
)

// view is the page /api/v1/node.
func (n *node) view(whole bool) *api.Node {
	return &api.Node{Status: n.status(), Farm: n.farmStatus(), Survey: n.survey(whole), Events: n.events.Recent(0, event.Info, shownEvents)}
}

// eventCounts counts the events for the metrics.
func (n *node) eventCounts() map[metrics.EventKey]int64 {
	all := map[metrics.EventKey]int64{}
	for key, count := range n.events.Counts() {
		all[metrics.EventKey{Event: key.Name, Level: string(key.Level)}] = count
	}
	return all
}

// fleetView is the latest picture of the farm, one for callers with the token and one for those without.
type fleetView struct {
	mu     sync.Mutex
	latest [2]*api.Nodes
}

// nodes is the page /api/v1/nodes: this node, and what the others say of themselves when they are asked with the caller's token.
func (n *node) nodes(ctx context.Context, r admin.Request) any {
	i := 0
	if r.Whole() {
		i = 1
	}
	c := n.fleetClient(r)
	n.fleet.mu.Lock() // held while others are asked: whoever comes meanwhile gets the same picture
	defer n.fleet.mu.Unlock()
	if p := n.fleet.latest[i]; p != nil && time.Since(p.Now) < viewAge {
		return p
	}
	n.fleet.latest[i] = fleet.Survey(context.WithoutCancel(ctx), c.Node, n.view(r.Whole())) // it is for those who come meanwhile, too
	return n.fleet.latest[i]
}

// fleetClient asks other nodes on behalf of a caller, with the caller's token, unless this node has made that: it opens no other, and is none of their business.
func (n *node) fleetClient(r admin.Request) *fleet.Client {
	if !r.Whole() || n.tokenMade {
		return &fleet.Client{}
	}
	return &fleet.Client{Tokens: []string{r.Token}}
}

// there is an action that is carried out by the node of the farm that node= names, or by this one if nothing does.
func (n *node) there(name string, act func(url.Values) (any, error), takes ...admin.Parameter) admin.Action {
	node := admin.Text("node", "the id of a node of the farm that shall do it")
	node.Need = false
	return admin.Action{Takes: append(takes, node), Do: func(ctx context.Context, r admin.Request) (any, error) {
		id := r.Query.Get("node")
		if id == "" || id == n.nodeID() {
			return act(r.Query)
		}
		ctx, cancel := context.WithTimeout(ctx, forwardTime)
		defer cancel()
		addr, known := "", false
		for _, view := range n.nodes(ctx, r).(*api.Nodes).Nodes {
			if view.ID == id {
				known = true
				if view.Node != nil {
					addr = view.Admin
				}
			}
		}
		switch {
		case !known:
			return nil, errNoSuchNode
		case n.tokenMade:
			return nil, errOwnToken
		case addr == "":
			return nil, errNoAdminThere
		}
		query := url.Values{}
		for key, values := range r.Query {
			if key != "node" {
				query[key] = values
			}
		}
		var result any
		err := n.fleetClient(r).Act(ctx, addr, name, query, &result)
		return result, err
	}}
}

var errNoSuchNode = errors.New("there is no node of that id in the farm as it looks from here: /api/v1/nodes lists them")

var errOwnToken = errors.New("that node does not know the token of this one, which has made it for itself: act at that node itself, or give all nodes the same (admin_token_file)")

// forwardTime is how long another node may take to be found and for an action; less than an answer of the admin pages may.
const forwardTime = 25 * time.Second

// nodeID is what this node is called in the farm; without one, by the address of its admin pages.
func (n *node) nodeID() string {
	if n.farm == nil {
		return n.adminAddr()
	}
	return cmp.Or(n.farm.ID(), n.adminAddr())
}
