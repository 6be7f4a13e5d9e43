package sim

import (
	"math/rand/v2"
	"slices"
)

// Topology says which nodes are neighbours.
type Topology uint8

// The topologies.
const (
	Line Topology = iota
	Ring
	Star
	Tree // each node has two below it
	Full
	Partial // a random tree, and as many links again
	NumTopologies
)

var topologyNames = [...]string{"line", "ring", "star", "tree", "full mesh", "partial mesh"}

// String returns the topology's name.
func (t Topology) String() string { return topologyNames[t] }

// graph lists the neighbours of each node.
type graph [][]int

func newGraph(t Topology, n int, r *rand.Rand) graph {
	g := make(graph, n)
	for i := 1; i < n; i++ {
		switch t {
		case Line, Ring:
			g.link(i-1, i)
		case Star:
			g.link(0, i)
		case Tree:
			g.link((i-1)/2, i)
		case Full:
			for j := range i {
				g.link(j, i)
			}
		default:
			g.link(r.IntN(i), i)
		}
	}
	switch {
	case t == Ring && n > 2:
		g.link(n-1, 0)
	case t == Partial && n > 2:
		for range n {
			if a, b := r.IntN(n), r.IntN(n); a != b && !g.linked(a, b) {
				g.link(a, b)
			}
		}
	}
	return g
}

func (g graph) link(a, b int) { g[a], g[b] = append(g[a], b), append(g[b], a) }

func (g graph) linked(a, b int) bool { return slices.Contains(g[a], b) }

// distances tells how many hops each node is away from one; -1 if it cannot be reached. Nodes for which without is true do not count.
func (g graph) distances(from int, without func(int) bool) []int {
	d := make([]int, len(g))
	for i := range d {
		d[i] = -1
	}
	if without != nil && without(from) {
		return d
	}
	d[from] = 0
	queue := []int{from}
	for len(queue) > 0 {
		a := queue[0]
		queue = queue[1:]
		for _, b := range g[a] {
			if d[b] < 0 && (without == nil || !without(b)) {
				d[b] = d[a] + 1
				queue = append(queue, b)
			}
		}
	}
	return d
}

// connected reports whether all nodes that count reach each other.
func (g graph) connected(without func(int) bool) bool {
	for i := range g {
		if without(i) {
			continue
		}
		for j, d := range g.distances(i, without) {
			if d < 0 && !without(j) {
				return false
			}
		}
		return true
	}
	return true
}
