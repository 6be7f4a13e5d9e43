//go:build linux

package deploy

import (
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// resolver is what the class of the document does: it takes a node by a hash of the session's id, or the next one that can be reached.
type resolver struct {
	nodes []int // places of the web server's list of sites, in the order of the configuration
	dead  []atomic.Bool
}

func (r *resolver) choose(id string) int {
	hash := uint32(2166136261)
	for _, c := range id {
		hash = (hash ^ uint32(c)) * 16777619
	}
	n := uint32(len(r.nodes))
	for i := range n {
		if at := (hash%n + i) % n; !r.dead[at].Load() {
			return r.nodes[at]
		}
	}
	return r.nodes[hash%n]
}

// probe tries once in a second whether the nodes can be reached.
func (r *resolver) probe(addrs []string, stopped <-chan struct{}) {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		for i, n := range r.nodes {
			nc, err := net.DialTimeout("tcp", addrs[n], 500*time.Millisecond)
			r.dead[i].Store(err != nil)
			if err == nil {
				_ = nc.Close() // it was only to see
			}
		}
		select {
		case <-again.C:
		case <-stopped:
			return
		}
	}
}

// configure gives a web server a list of nodes. With the real ones that is another web.config, which starts the application anew.
func configure(tr *traffic, w *webServer, addrs []string, order []int) {
	r := &resolver{nodes: order, dead: make([]atomic.Bool, len(order))}
	choose := r.choose
	w.choose.Store(&choose)
	tr.done.Go(func() { r.probe(addrs, tr.stopped) })
}

// TestResolver spreads sessions over the nodes by a partition resolver, and changes its list and the nodes under the eyes of users.
func TestResolver(t *testing.T) {
	p := newPlaces(t)
	nodes := newNodes(t, p, "toml dedicated", dedicatedHosts)
	startFarm(t, nodes)
	rnd := seeded(t)
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, n.state)
	}
	tr := newTraffic(t)
	order := []int{0, 1, 2}
	give := func(order []int) {
		for _, w := range tr.servers {
			configure(tr, w, addrs, order)
			tr.pass(50) // meanwhile the web servers have different lists
		}
	}
	for i := range 4 {
		w := newWebServer(tr, fmt.Sprintf("127.0.1.%d", i+1), addrs...)
		configure(tr, w, addrs, order)
		tr.servers = append(tr.servers, w)
	}
	tr.login(rnd, users, idleUsers)
	tr.start()
	tr.pass(300)
	quiet := func(what string) {
		t.Helper()
		if a := tr.report(what); a.errors > 0 {
			t.Errorf("%s: pages ended with errors", what)
		}
	}
	quiet("calm")

	slices.Reverse(order)
	give(slices.Clone(order))
	tr.pass(300)
	quiet("the list turned round")

	i := rnd.IntN(len(nodes))
	nodes[i].kill()
	tr.pass(500)
	tr.recovered()
	// Nobody is told of it but by his own connections, so for as long as the resolver does not know every page of a third of the users fails.
	a := tr.report("killed")
	if most := 3 * time.Second; a.longest > pageLimit/2 || a.longestReload > executionTimeout+most {
		t.Errorf("users waited for too long")
	}
	nodes[i].start()
	awaitLinks(t, nodes)
	tr.quiet(func() { awaitCopies(t, nodes, users+idleUsers) })
	tr.pass(300)
	quiet("back")

	// A node that is taken from the lists and then stopped: nobody notices.
	i = (i + 1) % len(nodes)
	give(slices.DeleteFunc(slices.Clone(order), func(n int) bool { return n == i }))
	tr.pass(300)
	quiet("a node taken from the list")
	if status := nodes[i].stop(); status != 0 {
		t.Errorf("exit status %d of a node that was stopped", status)
	}
	tr.pass(300)
	quiet("it has stopped")
	tr.stop()
}
