//go:build linux

package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/proc"
)

// patience is how long anything may take that has no limit of its own.
const patience = 30 * time.Second

// setup describes a farm of nodes on this machine.
type setup struct {
	nodes int
	args  []string
	// via is the address under which node from reaches node to, whose peer port is at addr. If from is to, it is what the node advertises. Nil: addr.
	via func(from, to int, addr string) string
	// at is where node i listens and how it is started. Nil: on this machine's loopback interface, as any process.
	at func(i int) place
	// descriptors limit node i's open files; 0 = as they are.
	descriptors func(i int) uint64
	// gossip lets the nodes find each other and declare each other dead, instead of being told whom to dial.
	gossip bool
}

// place is where a node is.
type place struct {
	host  string
	start func(*exec.Cmd) error
}

func here(int) place { return place{"127.0.0.1", (*exec.Cmd).Start} }

// cluster is a farm whose nodes keep copies.
type cluster struct {
	t     *testing.T
	nodes []*node
	once  sync.Once // the end
}

// node is one farmstate. Stopped and started again it is at the same addresses.
type node struct {
	i                          int
	state, peer, admin, gossip string // addresses
	args                       []string
	place                      place
	log                        *os.File // of all its runs
	http                       http.Client
	descriptors                uint64

	mu    sync.Mutex
	child *child // nil when it is stopped; guarded by mu
}

// child is one run of a node.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// startCluster starts a farm that is ended with the test, and waits until all nodes have links to all.
func startCluster(t *testing.T, o setup) *cluster {
	t.Helper()
	c := &cluster{t: t}
	dir := t.TempDir()
	if *keepFlag != "" {
		dir = filepath.Join(*keepFlag, strings.ReplaceAll(t.Name(), "/", "-"))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("a secret for nodes under test, long enough\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if o.at == nil {
		o.at = here
	}
	if o.via == nil {
		o.via = func(_, _ int, addr string) string { return addr }
	}
	for i := range o.nodes {
		c.nodes = append(c.nodes, newNode(t, i, o.at(i), dir))
	}
	for i, n := range c.nodes {
		n.args = c.arguments(i, secret, &o)
		if o.descriptors != nil {
			n.descriptors = o.descriptors(i)
		}
	}
	t.Cleanup(c.end)
	var all sync.WaitGroup
	errs := make([]error, o.nodes)
	for i, n := range c.nodes {
		all.Go(func() { errs[i] = n.start(t.Context()) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	c.await("links between all nodes", c.linked)
	return c
}

func (c *cluster) arguments(i int, secret string, o *setup) []string {
	n := c.nodes[i]
	args := []string{
		"serve", "--listen=" + n.state, "--peer-listen=" + n.peer, "--admin=" + n.admin, "--peer-secret-file=" + secret,
		"--log-level=" + *logFlag, "--log-format=json", "--copies=2", "--ack=all", "--lock-wait=100ms",
	}
	if o.gossip {
		args = append(args, "--gossip-listen="+n.gossip)
		for j, other := range c.nodes {
			if j != i {
				args = append(args, "--join="+other.gossip)
			}
		}
	} else {
		for j, other := range c.nodes {
			if j != i {
				args = append(args, "--peer="+o.via(i, j, other.peer))
			}
		}
	}
	if a := o.via(i, i, n.peer); a != n.peer {
		args = append(args, "--peer-advertise="+a)
	}
	return append(args, o.args...)
}

func newNode(t *testing.T, i int, p place, dir string) *node {
	t.Helper()
	n := &node{i: i, place: p}
	n.http = http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, addr := range []*string{&n.state, &n.peer, &n.admin, &n.gossip} {
		port, err := proc.LastingPort()
		if err != nil {
			t.Fatal(err)
		}
		*addr = net.JoinHostPort(p.host, strconv.Itoa(port))
	}
	log, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("node%d.log", i)), os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	n.log = log
	return n
}

// end kills what runs, and shows what the nodes have said if the test has failed.
func (c *cluster) end() { c.once.Do(c.finish) }

func (c *cluster) finish() {
	for _, n := range c.nodes {
		n.kill()
		for _, e := range n.events() {
			if e.Event == "farm_fault" || e.Event == "panic" {
				c.t.Errorf("node %d: %s: %s", n.i, e.Event, e.line)
			}
		}
		if trouble := n.trouble(); trouble != "" {
			c.t.Errorf("node %d: %s", n.i, trouble)
		}
		if c.t.Failed() {
			c.t.Logf("node %d (state port %s) has said at last:\n%s", n.i, n.state, n.tail(3000))
		}
		_ = n.log.Close() // only read here
	}
}

// start starts a node that is stopped, and returns when it is ready.
func (n *node) start(ctx context.Context) error {
	name, args := program, n.args
	if n.descriptors > 0 {
		name, args = "/bin/sh", append([]string{"-c", fmt.Sprintf("ulimit -n %d; exec \"$0\" \"$@\"", n.descriptors), program}, args...)
	}
	c := &child{cmd: exec.Command(name, args...), done: make(chan struct{})}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.cmd.Stderr = n.log
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.place.start(c.cmd); err != nil {
		return err
	}
	ready := make(chan string, 1)
	go func() {
		defer close(c.done)
		line, _ := bufio.NewReader(out).ReadString('\n') // empty if it did not start
		ready <- line
		_ = c.cmd.Wait() // nodes are killed here
	}()
	n.mu.Lock()
	n.child = c
	n.mu.Unlock()
	select {
	case line := <-ready:
		if !strings.HasPrefix(line, "farmstate ready ") {
			return fmt.Errorf("node %d is not ready: %q; it said: %s", n.i, line, n.tail(2000))
		}
		return nil
	case <-time.After(patience):
		return fmt.Errorf("node %d is not ready after %v; it said: %s", n.i, patience, n.tail(2000))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// kill ends a node at once, and returns when its process is no more. It is harmless if the node does not run.
func (n *node) kill() {
	n.mu.Lock()
	c := n.child
	n.child = nil
	n.mu.Unlock()
	if c != nil {
		_ = c.cmd.Process.Kill() // it may have ended by itself
		<-c.done
	}
}

// signal sends a signal to a node that runs.
func (n *node) signal(s syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.child == nil {
		return fmt.Errorf("node %d does not run", n.i)
	}
	return n.child.cmd.Process.Signal(s)
}

// tail is the end of what the node has said.
func (n *node) tail(most int64) string {
	info, err := n.log.Stat()
	if err != nil {
		return err.Error()
	}
	from := max(0, info.Size()-most)
	b, err := io.ReadAll(io.NewSectionReader(n.log, from, most))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// event is a line of a node's log.
type event struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"`
	Event   string    `json:"event"`
	Session string    `json:"session"`
	Node    string    `json:"node"`
	line    string
}

// events are what the node has said in all its runs.
func (n *node) events() (all []event) {
	lines := bufio.NewScanner(io.NewSectionReader(n.log, 0, 1<<62))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		e := event{line: lines.Text()}
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			all = append(all, e)
		}
	}
	return all
}

// eventsSince counts what nodes have said since a time, by event.
func (c *cluster) eventsSince(at time.Time, nodes ...int) map[string]int {
	count := map[string]int{}
	for _, i := range nodes {
		for _, e := range c.nodes[i].events() {
			if !e.Time.Before(at) {
				count[e.Event]++
			}
		}
	}
	return count
}

// trouble finds what no process may ever say.
func (n *node) trouble() string {
	text := n.tail(1 << 30)
	for _, bad := range []string{"DATA RACE", "fatal error: ", "panic:"} {
		if i := strings.Index(text, bad); i >= 0 {
			return text[i:min(len(text), i+4000)]
		}
	}
	return ""
}

// page reads a JSON page of the node.
func (n *node) page(ctx context.Context, name string, into any) error {
	return n.ask(ctx, http.MethodGet, name, into)
}

func (n *node) ask(ctx context.Context, method, name string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+n.admin+"/api/v1/"+name, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("X-Farmstate-Action", "test")
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := n.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", name, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// farmView is the page farm, as far as tests look at it.
type farmView struct {
	Links []struct {
		Node    string `json:"node"`
		Purpose string `json:"purpose"`
		Up      bool   `json:"up"`
	} `json:"links"`
	Copies struct {
		Copies     int   `json:"copies"`
		Mirroring  bool  `json:"mirroring"`
		Doubtful   bool  `json:"doubtful"`
		Copied     int   `json:"copied"`
		Waiting    int   `json:"waiting"`
		Shelf      int   `json:"kept"`
		ShelfBytes int64 `json:"kept_bytes"`
		Repair     struct {
			Running bool    `json:"running"`
			Seconds float64 `json:"seconds"`
		} `json:"repair"`
		Mirrors []struct {
			Updates int `json:"updates"`
		} `json:"mirrors"`
		Quarantine int `json:"quarantine"`
	} `json:"copies"`
}

// neighbours counts the nodes to which there is a link for queries.
func (v *farmView) neighbours() int {
	seen := map[string]bool{}
	for _, l := range v.Links {
		if l.Up && l.Purpose == "neighbour" {
			seen[l.Node] = true
		}
	}
	return len(seen)
}

func (n *node) view() (v farmView, err error) {
	err = n.page(context.Background(), "farm", &v)
	return v, err
}

// sessions is how many sessions the node serves.
func (n *node) sessions() (int, error) {
	var s struct {
		Sessions struct {
			Count int `json:"count"`
		} `json:"sessions"`
	}
	err := n.page(context.Background(), "status", &s)
	return s.Sessions.Count, err
}

// linked reports why not all nodes have links to all others; nil if they have.
func (c *cluster) linked() error {
	for _, n := range c.nodes {
		v, err := n.view()
		if err != nil {
			return err
		}
		if got := v.neighbours(); got != len(c.nodes)-1 {
			return fmt.Errorf("node %d has links to %d others", n.i, got)
		}
	}
	return nil
}

// whole reports why not each of so many sessions has its copy. Nobody must be working.
func (c *cluster) whole(sessions int) error {
	if err := c.linked(); err != nil {
		return err
	}
	served, kept, text := 0, 0, ""
	for _, n := range c.nodes {
		v, err := n.view()
		if err != nil {
			return err
		}
		for _, m := range v.Copies.Mirrors {
			if m.Updates > 0 {
				return fmt.Errorf("node %d has %d updates for a mirror", n.i, m.Updates)
			}
		}
		if v.Copies.Copies != 2 || !v.Copies.Mirroring || v.Copies.Repair.Running || v.Copies.Waiting > 0 {
			return fmt.Errorf("node %d: %+v", n.i, v.Copies)
		}
		count, err := n.sessions()
		if err != nil {
			return err
		}
		served += count
		kept += v.Copies.Shelf
		text += fmt.Sprintf(" node %d has %d sessions, %d of them copied, and keeps %d copies;", n.i, count, v.Copies.Copied, v.Copies.Shelf)
		if v.Copies.Copied < count {
			return fmt.Errorf("some of a node's sessions have no copies:%s", text)
		}
	}
	if served+kept < 2*sessions {
		return fmt.Errorf("%d sessions should be there twice; there are %d and %d copies:%s", sessions, served, kept, text)
	}
	return nil
}

// await waits until a condition holds.
func (c *cluster) await(what string, why func() error) {
	c.t.Helper()
	if err := poll(c.t.Context(), patience*raceFactor, why); err != nil {
		c.t.Fatalf("waited in vain for %s: %v", what, err)
	}
}

func poll(ctx context.Context, limit time.Duration, why func() error) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for deadline := time.After(limit); ; {
		err := why()
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-deadline:
			return err
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// states are the addresses of the state ports.
func (c *cluster) states() []string {
	var all []string
	for _, n := range c.nodes {
		all = append(all, n.state)
	}
	return all
}
