package proc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Links of a farm: for each node those that it dials. A node that is to be started again must dial at least one other, or it would take itself for alone.

// Ring links each of n nodes to the next.
func Ring(n int) [][]int {
	links := make([][]int, n)
	for i := range links {
		links[i] = []int{(i + 1) % n}
	}
	return links
}

// Line links n nodes one behind the other, towards the middle.
func Line(n int) [][]int {
	links := make([][]int, n)
	for i := range n - 1 {
		if i < n/2 {
			links[i] = append(links[i], i+1)
		} else {
			links[i+1] = append(links[i+1], i)
		}
	}
	return links
}

// Star links n-1 nodes to the first.
func Star(n int) [][]int {
	links := make([][]int, n)
	for i := 1; i < n; i++ {
		links[i] = []int{0}
	}
	return links
}

// Mesh links each of n nodes to each other.
func Mesh(n int) [][]int {
	links := make([][]int, n)
	for i := range n {
		for j := range n {
			if i != j {
				links[i] = append(links[i], j)
			}
		}
	}
	return links
}

// FarmOptions describe a farm of nodes on this machine. They recognise each other by a secret.
type FarmOptions struct {
	Program string  // path of farmstate
	Dir     string  // for the secret
	Links   [][]int // whom each node dials; as many as there are nodes
	Args    []string
	// Via, if set, is the address under which node from reaches node to, whose peer port is at addr. If from is to, it is what the node advertises.
	Via func(from, to int, addr string) string
}

// Farm is several farmstate processes that are linked to each other. Different nodes may be started and stopped at the same time.
type Farm struct {
	Nodes []*FarmNode
}

// FarmNode is one node of a farm. Stopped and started again it is at the same addresses.
type FarmNode struct {
	State, Peer, Admin string // addresses

	name    string
	program string
	args    []string

	mu    sync.Mutex
	child *Child // nil when it is stopped; guarded by mu
}

// NewFarm chooses addresses for the nodes of a farm, and starts none.
func NewFarm(o FarmOptions) (*Farm, error) {
	secret := filepath.Join(o.Dir, "secret")
	if err := os.WriteFile(secret, []byte("a secret for nodes under test, long enough\n"), 0o600); err != nil {
		return nil, err
	}
	f := &Farm{}
	for i := range o.Links {
		n := &FarmNode{name: fmt.Sprintf("node %d", i), program: o.Program}
		for _, addr := range []*string{&n.State, &n.Peer, &n.Admin} {
			port, err := LastingPort()
			if err != nil {
				return nil, err
			}
			*addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		}
		f.Nodes = append(f.Nodes, n)
	}
	via := o.Via
	if via == nil {
		via = func(_, _ int, addr string) string { return addr }
	}
	for i, n := range f.Nodes {
		n.args = []string{
			"serve", "--listen=" + n.State, "--peer-listen=" + n.Peer, "--admin=" + n.Admin, "--peer-secret-file=" + secret, "--log-level=warn",
		}
		if a := via(i, i, n.Peer); a != n.Peer {
			n.args = append(n.args, "--peer-advertise="+a)
		}
		for _, to := range o.Links[i] {
			n.args = append(n.args, "--peer="+via(i, to, f.Nodes[to].Peer))
		}
		n.args = append(n.args, o.Args...)
	}
	return f, nil
}

// lasting has the ports that LastingPort has returned.
var lasting sync.Map

// LastingPort returns a loopback port that is free and below those that the kernel gives to connections, so that it is likely to be free again when a node
// that was stopped is started.
func LastingPort() (int, error) {
	var err error
	for range 100 {
		port := 10000 + rand.IntN(20000)
		if _, taken := lasting.LoadOrStore(port, true); taken {
			continue
		}
		var ln net.Listener
		if ln, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, ln.Close()
		}
	}
	return 0, errors.Join(errors.New("no port found"), err)
}

// Start starts all nodes at the same time, and returns when they are ready. They may not be linked yet; see Linked.
func (f *Farm) Start(ctx context.Context) error {
	errs := make([]error, len(f.Nodes))
	var all sync.WaitGroup
	for i, n := range f.Nodes {
		all.Go(func() { errs[i] = n.Start(ctx) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, f.Kill())
	}
	return nil
}

// Kill ends what is running of the farm, at once: its sessions are not handed over.
func (f *Farm) Kill() error {
	var errs []error
	for _, n := range f.Nodes {
		errs = append(errs, n.Kill())
	}
	return errors.Join(errs...)
}

// Linked waits until node i has links to so many[i] neighbours that it knows by name.
func (f *Farm) Linked(ctx context.Context, many ...int) error {
	for i, n := range f.Nodes {
		err := poll(ctx, func() error {
			s, err := n.Status(ctx)
			if err == nil && s.Neighbours() < many[i] {
				err = fmt.Errorf("node %d has links to %d others, not to %d", i, s.Neighbours(), many[i])
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// poll calls f until it succeeds.
func poll(ctx context.Context, f func() error) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// Start starts a node that is stopped, and returns when it is ready.
func (n *FarmNode) Start(ctx context.Context) error {
	child, _, err := Spawn(ctx, n.name, "farmstate ready ", n.program, n.args...)
	if err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.child = child
	return nil
}

// Stop sends a node SIGTERM, as whoever stops it orderly does, and returns when the process has ended. It is an error if the node says that it has lost
// sessions, or takes longer than limit.
func (n *FarmNode) Stop(limit time.Duration) error {
	child := n.take()
	if child == nil {
		return nil
	}
	_ = child.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-child.done:
		if !child.cmd.ProcessState.Success() {
			return fmt.Errorf("%s: %s; it said:\n%s", n.name, child.cmd.ProcessState, child.out)
		}
		return nil
	case <-time.After(limit):
		err := fmt.Errorf("%s had not ended %v after SIGTERM; it said:\n%s", n.name, limit, child.out)
		return errors.Join(err, child.kill())
	}
}

// Kill ends a node at once.
func (n *FarmNode) Kill() error {
	if child := n.take(); child != nil {
		return child.kill()
	}
	return nil
}

func (n *FarmNode) take() *Child {
	n.mu.Lock()
	defer n.mu.Unlock()
	child := n.child
	n.child = nil
	return child
}

func (c *Child) kill() error {
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	<-c.done
	return nil
}

// PID is the id of the node's process; 0 if it is stopped.
func (n *FarmNode) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.child == nil {
		return 0
	}
	return n.child.PID()
}

// Said is the end of what the node has written; empty if it is stopped.
func (n *FarmNode) Said() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.child == nil {
		return ""
	}
	return n.child.out.String()
}

// CPUTime is the processor time that the nodes have used.
func (f *Farm) CPUTime() (sum time.Duration, err error) {
	for _, n := range f.Nodes {
		d, err := CPUTime(n.PID())
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// FarmStatus is what a node says of its farm: the page /api/v1/farm.
type FarmStatus struct {
	Links []struct {
		Node    string `json:"node"`
		Purpose string `json:"purpose"`
		Up      bool   `json:"up"`
	} `json:"links"`
	Drain struct {
		Sessions int64 `json:"sessions"`
		Handed   int64 `json:"handed_over"`
	} `json:"drain"`
	Copies struct {
		Copied int `json:"copied"` // of the node's own sessions
		Kept   int `json:"kept"`   // copies of others'
		Repair struct {
			Running bool    `json:"running"`
			Made    int64   `json:"made"`
			Seconds float64 `json:"seconds"`
		} `json:"repair"`
	} `json:"copies"`
}

// Neighbours counts the nodes to which there is a link for queries.
func (s *FarmStatus) Neighbours() int {
	seen := map[string]bool{}
	for _, l := range s.Links {
		if l.Up && l.Purpose == "neighbour" {
			seen[l.Node] = true
		}
	}
	return len(seen)
}

// Status asks a node about its farm.
func (n *FarmNode) Status(ctx context.Context) (s FarmStatus, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Admin+"/api/v1/farm", http.NoBody)
	if err != nil {
		return s, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close() //nolint:errcheck // it has been read
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// Metric reads one of the node's metrics by its name and labels, spelt as the node spells them.
func (n *FarmNode) Metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Admin+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, fmt.Errorf("%s: no metric %s", n.name, name)
}
