//go:build linux

package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/proc"
	"github.com/farmstate/farmstate/netpoll/pages"
)

// adminToken is that of all nodes.
const adminToken = "a-token-for-browsers-0123456789abcdef"

// node is a farmstate that is at the same addresses whenever it is started.
type node struct {
	t                          testing.TB
	name                       string
	state, peer, gossip, admin string // addresses
	program                    string
	args                       []string
	child                      *proc.Child // nil while it does not run
}

// options of a farm.
type options struct {
	nodes int
	args  []string // of all nodes
	named bool     // each node runs on a machine of its own by name, as far as it can see
}

// newFarm starts nodes that know each other by gossip, share a secret and keep each session twice, and waits until all see all.
func newFarm(t testing.TB, o options) []*node {
	t.Helper()
	secret, token := filepath.Join(t.TempDir(), "secret"), filepath.Join(t.TempDir(), "token")
	for file, text := range map[string]string{secret: "a secret for nodes under test, long enough\n", token: adminToken + "\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	farm := make([]*node, o.nodes)
	for i := range farm {
		n := &node{t: t, name: "web" + strconv.Itoa(i+1), program: program}
		for _, addr := range []*string{&n.state, &n.peer, &n.gossip, &n.admin} {
			port, err := proc.LastingPort()
			if err != nil {
				t.Fatal(err)
			}
			*addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		}
		n.args = append([]string{
			"serve", "--listen=" + n.state, "--peer-listen=" + n.peer, "--gossip-listen=" + n.gossip, "--admin=" + n.admin, "--copies=2",
			"--peer-secret-file=" + secret, "--admin-token-file=" + token, "--log-level=warn",
		}, o.args...)
		farm[i] = n
	}
	for _, n := range farm {
		for _, other := range farm {
			if other != n {
				n.args = append(n.args, "--join="+other.gossip)
			}
		}
		if o.named {
			n.args = append([]string{"--uts", "sh", "-c", `hostname "$0" && exec "$@"`, n.name, n.program}, n.args...)
			n.program = "unshare"
		}
	}
	var all sync.WaitGroup
	for _, n := range farm {
		all.Go(func() {
			if err := n.start(); err != nil {
				t.Error(err)
			}
		})
	}
	if all.Wait(); t.Failed() {
		t.FailNow()
	}
	for _, n := range farm {
		if o.nodes == 1 {
			break // it is not ready alone
		}
		await(t, n.name+" to be ready, and linked to all", func() bool { return n.ready() && len(n.page().Nodes) == len(farm) })
	}
	return farm
}

// start starts the node, which is killed with the test.
func (n *node) start() error {
	child, _, err := proc.Spawn(context.Background(), n.name, "farmstate ready", n.program, n.args...)
	if err != nil {
		return err
	}
	n.child = child
	n.t.Cleanup(n.kill)
	return nil
}

// kill ends the node without warning.
func (n *node) kill() {
	if n.child == nil {
		return
	}
	_ = syscall.Kill(n.child.PID(), syscall.SIGKILL) // it may have ended
	if err := n.child.Stop(); err != nil {
		n.t.Error(err)
	}
	n.child = nil
}

// farmPage is /api/v1/nodes as far as tests look at it.
type farmPage struct {
	Nodes []struct {
		ID     string
		Health string
		Node   struct {
			Status struct {
				LogLevel string `json:"log_level"`
				Sessions struct{ Count, Locked int64 }
			}
			Farm struct{ Drain struct{ Draining bool } }
		}
	}
}

var web = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// page is how the farm looks from the node; empty if it does not answer.
func (n *node) page() (p farmPage) {
	resp, err := web.Get("http://" + n.admin + "/api/v1/nodes")
	if err != nil {
		return p
	}
	defer func() { _ = resp.Body.Close() }() // it has been read
	if json.NewDecoder(resp.Body).Decode(&p) != nil {
		return farmPage{}
	}
	return p
}

func (n *node) ready() bool {
	resp, err := web.Get("http://" + n.admin + "/readyz")
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// application returns a client for an application at this node.
func (n *node) application(name string) *pages.Client {
	c := pages.NewClient(pages.Config{Addr: n.state, App: name})
	n.t.Cleanup(c.Close)
	return c
}

// fill saves so many new sessions of so many bytes each, and returns their ids.
func fill(t testing.TB, c *pages.Client, count, size int) []string {
	t.Helper()
	ids := make([]string, count)
	for i := range ids {
		ids[i] = pages.NewID()
		if err := c.SetAndReleaseItemExclusive(t.Context(), ids[i], make([]byte, size), 20, 0); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// lock takes the lock of a session.
func lock(t testing.TB, c *pages.Client, id string) pages.Item {
	t.Helper()
	item, err := c.GetItemExclusive(t.Context(), id)
	if err != nil || !item.Found {
		t.Fatalf("the lock was not taken: found %v, locked %v, %v", item.Found, item.Locked, err)
	}
	return item
}

// ask reads a session, whatever its target is, and takes any answer.
func ask(t testing.TB, n *node, target string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", n.state, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // the answer has come
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// await waits until a condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	began := time.Now()
	defer func() { t.Logf("%v: %s", time.Since(began).Round(time.Millisecond), what) }()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}
