//go:build unix

package farm

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// shape says which node dials which: shape[i] are those that node i has as peers.
type shape [][]int

func single() shape { return shape{{}} }

// pair is B→A.
func pair() shape { return shape{{}, {0}} }

// line is A→B→C and so on.
func line(n int) shape {
	s := make(shape, n)
	for i := range n - 1 {
		s[i] = []int{i + 1}
	}
	return s
}

// ring is a line whose last node dials the first.
func ring(n int) shape {
	s := line(n)
	s[n-1] = []int{0}
	return s
}

// star has A in its middle, whom all others dial.
func star(n int) shape {
	s := make(shape, n)
	for i := 1; i < n; i++ {
		s[i] = []int{0}
	}
	return s
}

// mesh has each dial each.
func mesh(n int) shape {
	s := make(shape, n)
	for i := range n {
		for j := range n {
			if i != j {
				s[i] = append(s[i], j)
			}
		}
	}
	return s
}

// degree is how many neighbours a node of the shape has.
func (s shape) degree(i int) int {
	n := 0
	for j := range s {
		if slices.Contains(s[i], j) || slices.Contains(s[j], i) {
			n++
		}
	}
	return n
}

// mode is how the links of a farm are protected.
type mode string

const (
	plain  mode = "plain"
	secret mode = "secret"
	certs  mode = "certificates"
)

// farm is some nodes, the first of which is called A.
type farm struct {
	t     testing.TB
	nodes []*node
	shape shape
	mode  mode
	dir   string // of its secret or certificates
}

// newFarm makes the nodes of a farm without starting them.
func newFarm(t testing.TB, s shape, m mode, args ...string) *farm {
	t.Helper()
	f := &farm{t: t, shape: s, mode: m, dir: t.TempDir()}
	for i := range s {
		f.nodes = append(f.nodes, newNode(t, string(rune('A'+i)), args...))
	}
	f.protect()
	return f
}

// relay puts a relay in front of the peer port of a node, for all others. To be called before the start.
func (f *farm) relay(i int) *relay {
	f.t.Helper()
	r := newRelay(f.t, f.nodes[i].peer)
	f.nodes[i].door = r.addr
	f.nodes[i].args = append(f.nodes[i].args, "--peer-advertise", r.addr)
	return r
}

// startFarm starts a farm and returns when all its links are made.
func startFarm(t testing.TB, s shape, m mode, args ...string) *farm {
	t.Helper()
	f := newFarm(t, s, m, args...)
	f.start()
	return f
}

func (f *farm) start() {
	f.t.Helper()
	f.startAll()
	f.awaitLinks(patience)
}

// startAll starts all nodes at once.
func (f *farm) startAll() {
	f.t.Helper()
	for i, peers := range f.shape {
		for _, j := range peers {
			f.nodes[i].args = append(f.nodes[i].args, "--peer", f.nodes[j].door)
		}
	}
	together(len(f.nodes), func(i int) { f.nodes[i].start() })
}

// awaitLinks waits until all links are made.
func (f *farm) awaitLinks(within time.Duration) {
	f.t.Helper()
	for i, n := range f.nodes {
		n.awaitNeighbours(f.shape.degree(i), within)
	}
}

// protect gives the nodes what protects their links.
func (f *farm) protect() {
	f.t.Helper()
	switch f.mode {
	case secret:
		for _, n := range f.nodes {
			n.args = append(n.args, "--peer-secret-file", f.secretFile("secret"))
		}
	case certs:
		runOK(f.t, "cert", "ca", "--dir", f.dir)
		for _, n := range f.nodes {
			n.args = append(n.args, f.certArgs(n.name)...)
		}
	}
}

// secretFile is the file of a secret, made when it is first asked for.
func (f *farm) secretFile(name string) string {
	f.t.Helper()
	file := filepath.Join(f.dir, name)
	if _, err := os.Stat(file); err == nil {
		return file
	}
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	if err := os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(b)+"\n"), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return file
}

// certArgs makes a certificate.
func (f *farm) certArgs(name string) []string {
	f.t.Helper()
	runOK(f.t, "cert", "node", "--dir", f.dir, name)
	at := func(file string) string { return filepath.Join(f.dir, file) }
	return []string{"--peer-ca", at("ca.pem"), "--peer-cert", at(name + ".pem"), "--peer-key", at(name + ".key")}
}

func runOK(t testing.TB, args ...string) string {
	t.Helper()
	status, stdout, stderr := run(t, args...)
	if status != 0 {
		t.Fatalf("farmstate %q: exit status %d\n%s%s", args, status, stdout, stderr)
	}
	return stdout
}

// sessions is how many sessions the nodes have together; those that have ended have none.
func (f *farm) sessions() (n int64) {
	f.t.Helper()
	for _, node := range f.nodes {
		if node.process != nil && node.running() {
			n += node.sessions()
		}
	}
	return n
}

// together does something n times at the same time.
func together(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

var keys struct {
	mu sync.Mutex
	n  int // guarded by mu
}

// newKey returns a key that nobody has used.
func newKey() string {
	keys.mu.Lock()
	defer keys.mu.Unlock()
	keys.n++
	return fmt.Sprintf("/farm/%d", keys.n)
}

func newKeys(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = newKey()
	}
	return all
}
