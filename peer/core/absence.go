package core

import (
	"slices"

	"github.com/farmstate/farmstate/peer/message"
)

// absences are the nodes whose link has broken and who may live, in the order in which they went.
type absences struct{ list []absence }

type absence struct {
	node  message.Node
	since int64
	until int64 // then it counts as dead
}

func (a *absences) index(node message.Node) int {
	return slices.IndexFunc(a.list, func(x absence) bool { return x.node == node })
}

// put takes note that a link has broken. If there are too many the one that went first is forgotten, and returned.
func (a *absences) put(now, until int64, node message.Node) (forgotten message.Node, ok bool) {
	a.drop(node)
	if len(a.list) >= maxLost {
		forgotten, ok = a.list[0].node, true
		a.list = slices.Delete(a.list, 0, 1)
	}
	a.list = append(a.list, absence{node, now, until})
	return forgotten, ok
}

func (a *absences) drop(node message.Node) {
	if i := a.index(node); i >= 0 {
		a.list = slices.Delete(a.list, i, i+1)
	}
}

func (a *absences) has(now int64, node message.Node) bool {
	i := a.index(node)
	return i >= 0 && a.list[i].until > now
}

// since is when a node's link broke.
func (a *absences) since(node message.Node) (at int64, ok bool) {
	if i := a.index(node); i >= 0 {
		return a.list[i].since, true
	}
	return 0, false
}

// shorten lets a node count as dead earlier.
func (a *absences) shorten(node message.Node, until int64) {
	if i := a.index(node); i >= 0 {
		a.list[i].until = min(a.list[i].until, until)
	}
}

// due takes a node that counts as dead by now.
func (a *absences) due(now int64) (node message.Node, ok bool) {
	for i, x := range a.list {
		if now >= x.until {
			a.list = slices.Delete(a.list, i, i+1)
			return x.node, true
		}
	}
	return node, false
}

// next is when the next one counts as dead.
func (a *absences) next() (at int64, ok bool) {
	for _, x := range a.list {
		if !ok || x.until < at {
			at, ok = x.until, true
		}
	}
	return at, ok
}

// nodes are those who may live at a time, in the order in which they went.
func (a *absences) nodes(now int64) (all []message.Node) {
	for _, x := range a.list {
		if x.until > now {
			all = append(all, x.node)
		}
	}
	return all
}
