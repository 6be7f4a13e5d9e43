//go:build unix

package operate

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestStuckLock is a drill: a page has died and left its lock, and nobody gets on in that session. Find who has it, from any node, and break it.
func TestStuckLock(t *testing.T) {
	t.Parallel()
	nodes := newFarm(t, []string{"a", "b", "c"})
	startAll(nodes)
	stuck, other := key(1, newID(1)), key(1, newID(2))
	page := dial(t, nodes[1].state, "127.0.0.2") // the web server whose page dies
	page.do(put(stuck, "what is there"))
	lock := page.do(acquire(stuck))
	dial(t, nodes[0].state, "127.0.0.3").do(put(other, "x"))
	if lock.status != http.StatusOK {
		t.Fatalf("%+v", lock)
	}
	if got := page.do(acquire(stuck)); got.status != http.StatusLocked {
		t.Fatalf("a second page got %+v", got)
	}
	// Any node will do to find out.
	var found struct {
		Locks []struct {
			ID, Key, Client string
			Session         string `json:"session"`
			Cookie          int    `json:"cookie"`
		} `json:"locks"`
	}
	status, out, errs := command(t, "locks", "--admin", nodes[2].admin, "--json")
	if err := json.Unmarshal([]byte(out), &found); status != 0 || err != nil || len(found.Locks) != 1 {
		t.Fatalf("locks: exit status %d, %v\n%s%s", status, err, out, errs)
	}
	if l := found.Locks[0]; l.Client != "127.0.0.2" || l.Cookie != lock.cookie || !strings.HasPrefix(newID(1), strings.TrimSuffix(l.Session, "…")) {
		t.Errorf("found %+v", l)
	}
	status, out, errs = command(t, "locks", "--admin", nodes[2].admin)
	if status != 0 || !strings.Contains(out, "127.0.0.2") {
		t.Errorf("locks: exit status %d\n%s%s", status, out, errs)
	}
	if status, out, errs := command(t, "unlock", strings.TrimSuffix(found.Locks[0].Session, "…"), "--admin", nodes[2].admin, "--yes"); status != 0 {
		t.Errorf("unlock: exit status %d\n%s%s", status, out, errs)
	}
	if got := page.do(acquire(stuck)); got.status != http.StatusOK || got.body != "what is there" {
		t.Errorf("the next page got %+v", got)
	}
	// The dead page comes back to life: it must not overwrite what others have saved since.
	if got := page.do(putLocked(stuck, "too late", lock.cookie)); got.status == http.StatusOK {
		t.Errorf("a save with the broken lock got %+v", got)
	}
}
