//go:build linux

package deploy

import (
	"fmt"
	"testing"
	"time"
)

// TestBeside has a node beside each of three web servers, which know no other. One of them is killed and started again.
func TestBeside(t *testing.T) {
	p := newPlaces(t)
	hosts := []string{"10.1.0.21", "10.1.0.22", "10.1.0.23"}
	nodes := newNodes(t, p, "toml beside", hosts)
	startFarm(t, nodes)
	rnd := seeded(t)
	tr := newTraffic(t)
	for i, n := range nodes {
		tr.servers = append(tr.servers, newWebServer(tr, fmt.Sprintf("127.0.1.%d", i+1), n.state))
	}
	tr.login(rnd, users, idleUsers)
	dead := rnd.IntN(len(nodes))
	// Of those at the web server whose node will be killed, half stay there, and half are sent elsewhere when they see an error.
	var here, fled, others []*user
	for i, u := range tr.users {
		u.habit = stays
		switch {
		case u.at != dead:
			others = append(others, u)
		case i/len(nodes)%2 == 0:
			here = append(here, u)
		default:
			u.habit = flees
			fled = append(fled, u)
		}
	}
	tr.start()
	tr.pass(500)
	if a := tr.report("calm"); a.errors > 0 {
		t.Error("pages end with errors although nothing has happened")
	}

	nodes[dead].kill()
	tr.pass(1000)
	await(t, "those who are elsewhere now to see pages again", func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		for _, u := range fled {
			if u.failed > 0 || u.errors == 0 {
				return false
			}
		}
		return true
	})
	tr.report("killed")
	for _, u := range others {
		if n := tr.errors(u); n > 0 {
			t.Errorf("%d pages of a user of another web server ended with errors", n)
		}
	}
	for _, u := range fled {
		if n := tr.errors(u); n > 2 {
			t.Errorf("%d pages of a user who was sent to another web server ended with errors", n)
		}
	}
	for _, u := range here {
		if tr.errors(u) == 0 {
			t.Error("a user saw pages at a web server whose node is dead")
		}
	}

	began := time.Now()
	nodes[dead].start()
	tr.recovered()
	t.Logf("everybody saw pages again %v after the start", time.Since(began).Round(time.Millisecond))
	awaitLinks(t, nodes)
	before := tr.report("started again")
	tr.pass(500)
	if a := tr.report("all is well"); a.errors > 0 {
		t.Error("pages end with errors although the node is there again")
	}
	if before.longestReload > patience {
		t.Error("users waited for too long")
	}
	tr.stop()
}
