//go:build linux

package chaos

import (
	"fmt"
	"testing"
	"time"
)

// TestRollingKill kills each node in turn, with many sessions, the next one when each session has its copy again.
func TestRollingKill(t *testing.T) {
	t.Parallel()
	seed := seeds(t)
	c := startCluster(t, setup{nodes: 3})
	const clients = 6
	tr := startTraffic(t, c, load{clients: clients, sessions: *sessionsFlag / clients, body: 500, think: 3 * time.Millisecond, limit: 10 * time.Second, seed: seed})
	tr.mended("copies of all sessions")
	tr.work()
	for _, n := range c.nodes {
		pass(t.Context(), 300*time.Millisecond)
		n.kill()
		pass(t.Context(), 200*time.Millisecond)
		begun := time.Now()
		if err := n.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		tr.mended(fmt.Sprintf("copies of all sessions, after the death of node %d", n.i))
		t.Logf("node %d: %d sessions have their copies again %v after its start", n.i, tr.live(), time.Since(begun).Round(time.Millisecond))
	}
	tr.finish()
}
