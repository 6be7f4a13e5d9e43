//go:build linux

package chaos

import (
	"fmt"
	"net"
	"testing"
	"time"
)

// TestDescriptors lets strangers take all descriptors of a node that they can get, while another node dies and comes back: the node must find one for the links
// that it needs, or say that it has none, and nothing that was acknowledged may be lost.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	seed := seeds(t)
	const descriptors = 256
	c := startCluster(t, setup{nodes: 3, descriptors: func(i int) uint64 {
		if i == 0 {
			return descriptors
		}
		return 0
	}})
	tr := startTraffic(t, c, load{clients: 6, sessions: 25, shared: 4, body: 500, think: 10 * time.Millisecond, limit: 10 * time.Second, seed: seed})
	tr.mended("copies of all sessions")
	tr.work()
	begun := time.Now()
	var strangers []net.Conn
	for _, addr := range []string{c.nodes[0].state, c.nodes[0].peer, c.nodes[0].admin} {
		for range descriptors + 50 {
			nc, err := net.DialTimeout("tcp", addr, time.Second)
			if err != nil {
				break
			}
			strangers = append(strangers, nc)
		}
	}
	pass(t.Context(), 500*time.Millisecond)
	c.nodes[1].kill()
	pass(t.Context(), 300*time.Millisecond)
	if err := c.nodes[1].start(t.Context()); err != nil {
		t.Fatal(err)
	}
	pass(t.Context(), 2*time.Second)
	said := c.eventsSince(begun, 0)
	for _, nc := range strangers {
		_ = nc.Close() // it may have been closed at the other end
	}
	tr.mended(fmt.Sprintf("copies of all sessions, after %d strangers have gone", len(strangers)))
	tr.finish()
	t.Logf("with %d strangers node 0 said %v", len(strangers), said)
}
