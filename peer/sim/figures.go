package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// Figures tell what a topology costs. The first ones follow from its shape, the others are measured in a simulation without faults.
type Figures struct {
	Topology Topology
	Nodes    int

	Diameter int     // hops between the two nodes that are farthest from each other
	Hops     float64 // between two nodes, in the mean
	Cut      float64 // nodes that are cut off from most others when one node dies, in the mean
	CutWorst int
	Reach    float64 // share of the others that a question reaches with max_forwards = 5

	MissMessages float64       // to find out that a session is nowhere
	MissTime     time.Duration // the same
	MoveMessages float64       // to find a session and to move it
	MoveTime     time.Duration // until the request is answered
}

// HopTime is how long a message takes from a node to the next, in figures.
const HopTime = 100 * time.Microsecond

// DefaultForwards is max_forwards as it is without being configured.
const DefaultForwards = 5

// Measure tells what a topology costs with so many nodes. Each figure that is measured is the mean of so many tries.
func Measure(t Topology, nodes, tries int) Figures {
	f := Figures{Topology: t, Nodes: nodes}
	s := New(Options{
		Seed: 1, Topology: t, Nodes: nodes, MaxForwards: 255, QueryTimeout: 2500 * time.Millisecond, Latency: int64(HopTime), Steady: true,
	})
	f.shape(s.graph)
	s.Until(s.now + int64(time.Second)) // what they tell each other first
	r := rand.New(rand.NewPCG(1, uint64(nodes)))
	for i := range tries {
		at := r.IntN(nodes)
		miss, missTime := s.cost(fmt.Sprintf("/nowhere/%d", i), engine.Get, at)
		f.MissMessages += float64(miss) / float64(tries)
		f.MissTime += missTime / time.Duration(tries)

		key := fmt.Sprintf("/app/%d", i)
		s.cost(key, engine.Set, at)
		to := (at + 1 + r.IntN(nodes-1)) % nodes
		move, moveTime := s.cost(key, engine.Get, to)
		f.MoveMessages += float64(move) / float64(tries)
		f.MoveTime += moveTime / time.Duration(tries)
	}
	if s.err != nil {
		panic(s.err) // there are no faults
	}
	return f
}

// cost is how many messages a request takes, and how long it takes.
func (s *Sim) cost(key string, op engine.Op, at int) (messages int64, took time.Duration) {
	sent, begun := s.sent, s.now
	s.requestAt(s.places[at], op, key, 0, func(answer) {})
	r := s.places[at].requests[len(s.places[at].requests)-1]
	for !r.answered && s.err == nil {
		f, ok := s.next(s.now + int64(time.Minute))
		if !ok {
			break
		}
		f()
	}
	took = time.Duration(s.now - begun)
	s.Until(s.now + int64(200*time.Millisecond)) // what is still under way counts, what is repeated does not occur
	messages = s.sent - sent
	s.Until(s.now + int64(time.Minute))
	return messages, took
}

// shape fills in what follows from who is linked to whom.
func (f *Figures) shape(g graph) {
	n := len(g)
	reached, hops := 0, 0
	for i := range g {
		for j, d := range g.distances(i, nil) {
			if i == j {
				continue
			}
			hops += d
			f.Diameter = max(f.Diameter, d)
			if d <= DefaultForwards+1 { // who is asked first has not been forwarded to
				reached++
			}
		}
	}
	f.Hops = float64(hops) / float64(n*(n-1))
	f.Reach = float64(reached) / float64(n*(n-1))
	for i := range g {
		cut := n - 1 - g.largest(func(x int) bool { return x == i })
		f.Cut += float64(cut) / float64(n)
		f.CutWorst = max(f.CutWorst, cut)
	}
}

// largest is the size of the largest part that is connected.
func (g graph) largest(without func(int) bool) (most int) {
	seen := make([]bool, len(g))
	for i := range g {
		if seen[i] || without(i) {
			continue
		}
		size := 0
		for j, d := range g.distances(i, without) {
			if d >= 0 {
				seen[j] = true
				size++
			}
		}
		most = max(most, size)
	}
	return most
}

// WriteFigures writes a table in Markdown.
func WriteFigures(w io.Writer, sizes []int, tries int) error {
	_, err := fmt.Fprint(w, "| topology | nodes | diameter | hops, mean | messages for a miss | time for a miss | messages for a move | time for a move |"+
		" cut off by a death, mean | worst | reached with max_forwards 5 |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for t := range NumTopologies {
		for _, n := range sizes {
			f := Measure(t, n, tries)
			_, err = fmt.Fprintf(w, "| %s | %d | %d | %.1f | %.0f | %.1f ms | %.0f | %.1f ms | %.1f | %d | %.0f %% |\n", f.Topology, f.Nodes, f.Diameter, f.Hops,
				f.MissMessages, ms(f.MissTime), f.MoveMessages, ms(f.MoveTime), f.Cut, f.CutWorst, 100*f.Reach)
		}
	}
	return err
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
