//go:build unix

package farm

import (
	"testing"
	"time"
)

// joining makes nodes of which all know the gossip port of the first.
func joining(t *testing.T, n int, m mode, args ...string) *farm {
	t.Helper()
	f := newFarm(t, make(shape, n), m, args...)
	first := freeAddr(t)
	for i, d := range f.nodes {
		gossip := first
		if i > 0 {
			gossip = freeAddr(t)
		}
		d.args = append(d.args, "--gossip-listen", gossip, "--join", first)
	}
	return f
}

// TestMembership: nodes that know one address, for the first its own, are all linked, and a session moves between any two. One that comes later belongs to them, one
// that leaves loses nothing, and one with another secret does not belong to them and says so, as they do.
func TestMembership(t *testing.T) {
	t.Parallel()
	inModes(t, func(t *testing.T, m mode) {
		f := joining(t, 4, m)
		together(3, func(i int) { f.nodes[i].start() })
		all := newKeys(10)
		f.nodes[0].save(t, 1000, all...)
		for _, n := range f.nodes[:3] {
			n.awaitNeighbours(2, patience)
		}
		for _, i := range []int{1, 2, 0, 2, 1, 0} {
			f.nodes[i].wantAll(t, 1, 1000, all...)
		}
		late := f.nodes[3]
		late.start()
		late.wantAll(t, 1, 1000, all...) // at once: a node that joins does not take what it does not have for lost
		late.awaitNeighbours(3, patience)
		late.stop(0, 10*time.Second)
		for _, n := range f.nodes[:3] {
			n.awaitNeighbours(2, patience)
			n.logs("event=member_left")
			n.wantAll(t, 1, 1000, all...)
		}

		other := newNode(t, "other", "--gossip-listen", freeAddr(t), "--join", f.nodes[0].args[len(f.nodes[0].args)-1], "--peer-secret-file", f.secretFile("another"))
		other.start()
		other.logs("event=gossip_join_failed", "another peer secret")
		f.nodes[0].logs("event=gossip_wrong_secret")
		if n := other.neighbours(); n != 0 {
			t.Errorf("the node with another secret has %d neighbours", n)
		}
		f.nodes[0].wantAll(t, 1, 1000, all...)
	}, secret, plain)
}

// TestMemberKilled: a node that is killed is out of the farm in a moment, and whoever takes its place is in.
func TestMemberKilled(t *testing.T) {
	t.Parallel()
	f := joining(t, 3, secret)
	together(3, func(i int) { f.nodes[i].start() })
	for _, n := range f.nodes {
		n.awaitNeighbours(2, patience)
	}
	f.nodes[2].kill()
	for _, n := range f.nodes[:2] {
		n.logs("event=member_dead")
		n.awaitNeighbours(1, patience)
	}
	f.nodes[2].start()
	for _, n := range f.nodes {
		n.awaitNeighbours(2, patience)
	}
}
