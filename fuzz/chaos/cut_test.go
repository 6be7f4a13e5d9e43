//go:build linux

package chaos

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/farm"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// wires are what is between nodes: cut(from, to) lets nothing through any more that from sends to to, in silence, until it is mended.
type wires interface {
	cut(from, to int, off bool) error
}

// way is what one node sends to another.
type way struct{ from, to int }

func both(a, b int) []way { return []way{{a, b}, {b, a}} }

// cutCase is what is cut.
type cutCase struct {
	name  string
	off   []way
	sides [][]int // nodes that can say nothing, or hear nothing, of each other: each side goes on by itself. Nil: all nodes have a way to all
	hears int     // the side that hears the other, counted from 1; 0 = none
}

var (
	allButOne = [][]int{{0, 1}, {2}}
	cutCases  = []cutCase{
		{"a pair, both ways", both(0, 2), nil, 0},
		{"a pair, one way", []way{{0, 2}}, nil, 0},
		{"a node, both ways", append(both(0, 2), both(1, 2)...), allButOne, 0},
		{"a node that is not heard", []way{{2, 0}, {2, 1}}, allButOne, 2},
		{"a node that hears nothing", []way{{0, 2}, {1, 2}}, allButOne, 1},
	}
)

// relays are wires that any machine has: each node reaches each other one through a relay of its own.
type relays map[way]*relay

func (r relays) cut(from, to int, off bool) error {
	r[way{from, to}].hold(0, off) // what from has dialled
	r[way{to, from}].hold(1, off) // what to has dialled
	return nil
}

// TestCut cuts links between nodes whose processes live, with relays between them.
func TestCut(t *testing.T) {
	for i, cc := range cutCases {
		if !*longFlag && i%2 == 1 {
			continue
		}
		t.Run(cc.name, func(t *testing.T) {
			t.Parallel()
			lines := relays{}
			c := startCluster(t, setup{nodes: 3, via: func(from, to int, addr string) string {
				if from == to {
					return addr
				}
				r := newRelay(t, addr)
				lines[way{from, to}] = r
				return r.addr
			}})
			c.playCut(cc, lines)
		})
	}
}

// cutFor is how long a cut lasts: longer than it takes until those who are silent count as dead.
const cutFor = 13 * time.Second

// playCut lets clients work while links are cut, and after they have been mended.
func (c *cluster) playCut(cc cutCase, w wires) {
	t := c.t
	seed := seeds(t)
	l := load{clients: 6, sessions: 25, shared: 5, body: 400, think: long(30*time.Millisecond, 10*time.Millisecond), limit: 4 * time.Second, seed: seed, late: true}
	if cc.sides != nil {
		// Whoever goes to one side in the meantime stays there. Sessions that are used on both sides are another matter; see conflicts.
		l.shared = 0
		l.reach = func(client int) []int {
			side := cc.sides[client%len(cc.sides)]
			return append(append([]int{}, side[client/2%len(side):]...), side[:client/2%len(side)]...)
		}
	}
	tr := startTraffic(t, c, l)
	clash := c.newConflicts(cc)
	c.await("copies of all sessions", func() error { return c.whole(tr.live() + len(clash.targets)) })
	tr.work()
	pass(t.Context(), 300*time.Millisecond)
	begun := time.Now()
	for _, x := range cc.off {
		if err := w.cut(x.from, x.to, true); err != nil {
			t.Fatal(err)
		}
	}
	clash.save()
	pass(t.Context(), cutFor-time.Since(begun))
	said := c.eventsSince(begun, 0, 1, 2)
	mended := time.Now()
	for _, x := range cc.off {
		if err := w.cut(x.from, x.to, false); err != nil {
			t.Fatal(err)
		}
	}
	pass(t.Context(), time.Second)
	c.await("links between all nodes", c.linked)
	tr.stop()
	clash.settle()
	tr.finish()
	t.Logf("during the cut the nodes said %v; afterwards %v", said, c.eventsSince(mended, 0, 1, 2))
	if said["peer_down"] == 0 {
		t.Error("nobody has noticed")
	}
}

// conflicts are sessions that are saved on both sides of a cut.
type conflicts struct {
	c       *cluster
	sides   [][]int
	hears   int
	clients []*farm.Client
	targets [][]byte
}

func (c *cluster) newConflicts(cc cutCase) *conflicts {
	k := &conflicts{c: c, sides: cc.sides, hears: cc.hears}
	if cc.sides == nil {
		return k
	}
	for range len(cc.sides) {
		cl := farm.NewClient(c.states())
		c.t.Cleanup(cl.Close)
		k.clients = append(k.clients, cl)
	}
	for i := range 12 {
		k.targets = append(k.targets, farm.Target(fmt.Sprintf("clash%019d", i)))
		k.put(0, i, 0)
	}
	return k
}

// put saves a session at a side, again and again until that is acknowledged.
func (k *conflicts) put(side, i int, content uint64) {
	k.c.t.Helper()
	body := binary.LittleEndian.AppendUint64(nil, content)
	err := poll(k.c.t.Context(), patience, func() error {
		node := k.sides[side][i%len(k.sides[side])]
		r, err := k.clients[side].Do(context.Background(), node, farm.Save(k.targets[i], 0), body)
		if err == nil && r.Status != wire.StatusOK {
			err = fmt.Errorf("save of session %s at node %d: %v", k.targets[i], node, r.Status)
		}
		return err
	})
	if err != nil {
		k.c.t.Error(err)
	}
}

// save saves the sessions on all sides.
func (k *conflicts) save() {
	for i := range k.targets {
		for side := range k.sides {
			k.put(side, i, uint64(side+1))
		}
	}
}

// settle waits until all nodes say the same of each session, and looks for the states that have given way.
func (k *conflicts) settle() {
	t := k.c.t
	if len(k.targets) == 0 {
		return
	}
	cl := farm.NewClient(k.c.states())
	defer cl.Close()
	won := map[uint64]int{}
	for i, target := range k.targets {
		var content uint64
		err := poll(t.Context(), patience, func() error {
			seen := map[uint64]bool{}
			for node := range k.c.nodes {
				r, err := cl.Do(context.Background(), node, farm.Get(target), nil)
				if err != nil {
					return err
				}
				if r.Status != wire.StatusOK {
					return fmt.Errorf("session %d at node %d: %v", i, node, r.Status)
				}
				content = number(r.Body)
				seen[content] = true
			}
			if len(seen) != 1 {
				return fmt.Errorf("nodes have different states of session %d", i)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if content == 0 {
			t.Errorf("session %d: what both sides have saved is lost", i)
		}
		won[content]++
	}
	// A side that hears the other may have got what that saved, before it went on by itself: then there is nothing that gives way.
	least := len(k.targets)
	if k.hears > 0 {
		least -= won[uint64(k.hears)]
	}
	states := 0
	err := poll(t.Context(), patience, func() error {
		states = 0
		for _, n := range k.c.nodes {
			list, err := n.quarantine()
			if err != nil {
				return err
			}
			for _, q := range list {
				if q.Newer != 0 && q.Newer < q.Epoch {
					t.Errorf("a state of epoch %d gave way to one of epoch %d", q.Epoch, q.Newer)
				}
				if !n.near() {
					continue
				}
				if content, err := n.export(q.ID); err != nil || len(content) == 0 {
					t.Errorf("state %d of node %d's quarantine: %d bytes, %v", q.ID, n.i, len(content), err)
				}
			}
			states += len(list)
		}
		if states < least {
			return fmt.Errorf("%d sessions were saved on both sides, %d states are in the quarantine", len(k.targets), states)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d sessions were saved on both sides; the sides' states that stay: %v; %d states in the quarantine", len(k.targets), won, states)
}

// quarantined is a state that gave way to another one.
type quarantined struct {
	ID    int64  `json:"id"`
	Epoch uint32 `json:"epoch"`
	Newer uint32 `json:"newer_epoch"`
}

func (n *node) quarantine() ([]quarantined, error) {
	var list struct {
		States []quarantined `json:"states"`
	}
	err := n.page(context.Background(), "quarantine", &list)
	return list.States, err
}

// near reports whether the node carries out actions that come from here.
func (n *node) near() bool { return strings.HasPrefix(n.admin, "127.") }

// export reads one state of the quarantine.
func (n *node) export(id int64) (content []byte, err error) {
	var q struct {
		Content []byte `json:"content"`
	}
	err = n.ask(context.Background(), http.MethodPost, fmt.Sprintf("quarantine/export?id=%d", id), &q)
	return q.Content, err
}
