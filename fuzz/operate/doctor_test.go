//go:build unix

package operate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wantFinding has doctor look, until it says all of that, and shows its exit status to be 1.
func wantFinding(t *testing.T, n *node, want ...string) {
	t.Helper()
	missing, last := "", ""
	n.await("doctor has found it", func() bool {
		status, out, errs := command(t, "doctor", "--admin", n.admin)
		last = out + errs
		if status != 1 {
			missing = "the exit status 1"
			return false
		}
		flat := strings.Join(strings.Fields(out), " ") // lines are broken where they are full
		for _, text := range want {
			if !strings.Contains(flat, text) {
				missing = text
				if t.Failed() {
					break
				}
				return false
			}
		}
		return true
	})
	if t.Failed() {
		t.Logf("missing: %s\n%s", missing, last)
	}
}

// TestWrongSecret is a drill: a node was set up with a wrong secret. Asked at either end, doctor leads to the cause.
func TestWrongSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	a, b := newNode(t, "a", "--peer-secret-file", secret("a", "the secret of the farm, long enough")), newNode(t, "b", "--peer-secret-file", secret("b", "another secret, by mistake a wrong one"))
	a.args = append(a.args, "--peer", b.peer)
	a.start()
	b.start()
	wantFinding(t, a, "The secrets of two nodes differ", b.peer, "peer_secret_file")
	wantFinding(t, b, "The secrets of two nodes differ", "peer_secret_file")
}

// TestSiteIDs is a drill: the same site has another id on one of two web servers, each with a node beside it, so that users who come to the other one lose their sessions.
func TestSiteIDs(t *testing.T) {
	t.Parallel()
	nodes := newFarm(t, []string{"a", "b"})
	startAll(nodes)
	for i := range 30 {
		if got := dial(t, nodes[0].state, "127.0.0.2").do(put(key(1, newID(i)), "x")); got.status != 200 {
			t.Fatalf("%+v", got)
		}
		c := dial(t, nodes[1].state, "127.0.0.3") // the user's next page, on the other server
		if got := c.do(acquire(key(2, newID(i)))); got.status != 404 {
			t.Fatalf("%+v", got)
		}
		c.do(put(key(2, newID(i)), "y"))
	}
	wantFinding(t, nodes[1], "W3SVC/1/ROOT", "W3SVC/2/ROOT", "site")
	wantFinding(t, nodes[0], "W3SVC/1/ROOT", "W3SVC/2/ROOT", "site")
}
