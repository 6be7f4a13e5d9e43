//go:build unix

package operate

import (
	"testing"
)

// TestRollingRestart: each of three nodes is drained, stopped and started again, as docs/upgrade.md says, while pages are opened. No page fails.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	nodes := newFarm(t, []string{"a", "b", "c"})
	startAll(nodes)
	b := balance(nodes)
	defer b.close()
	u := browse(t, b, 20)
	for i, n := range nodes {
		before := u.pages.Load()
		n.await("pages are opened", func() bool { return u.pages.Load() > before+100 })
		if status, out, errs := command(t, "drain", "--admin", n.admin, "--timeout", "40s"); status != 0 {
			t.Errorf("drain of %s: exit status %d\n%s%s", n.name, status, out, errs)
		}
		n.await("no page goes there", func() bool { return !b.ready[i].Load() })
		before = u.pages.Load()
		n.await("the pages that had begun are done", func() bool { return u.pages.Load() > before+100 })
		if status := n.stop(); status != 0 {
			t.Errorf("%s ended with status %d:\n%s", n.name, status, n.said())
		}
		n.start()
		n.awaitReady()
		n.await("pages go there again", func() bool { return b.ready[i].Load() })
	}
	u.end()
}
