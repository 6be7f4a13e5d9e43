//go:build linux

package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/farmstate/farmstate/bench/farm"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// load says how many clients there are and what they do.
type load struct {
	clients  int
	sessions int           // of each client's own
	shared   int           // sessions that all use, at a time
	body     int           // bytes of a session of one's own
	think    time.Duration // of a client between two requests, at most
	limit    time.Duration // of one request, before the client gives up and tries elsewhere
	seed     uint64
	// late says that a request of which its client has not heard may be executed at any time later: nodes stand still or are cut off, and go on.
	late bool
	// loyal clients go on sending to the node that they prefer while it does not answer.
	loyal bool
	// reach says which nodes a client can go to, the one that it prefers first. Nil: all, beginning with its number.
	reach func(client int) []int
}

// traffic is clients at work, and what they have been told.
type traffic struct {
	load
	t     *testing.T
	c     *cluster
	addrs []string
	began time.Time
	gate  sync.RWMutex // held by a client during a request, and by whoever wants nobody to work
	over  atomic.Bool
	tasks sync.WaitGroup

	clientList []*client
	bodies     atomic.Int64
	names      atomic.Int64
	lost       atomic.Int64 // acquires of unknown outcome, numbered

	mu     sync.Mutex
	shared []*history // guarded by mu, as are the following
	old    []*history // that are full
	wrong  []string
	counts map[string]int
	worst  time.Duration // that a client waited for one page
	whose  string        // and which
}

// history is what was asked about one shared session.
type history struct {
	name    string
	target  []byte
	ops     []porcupine.Operation
	unknown int
	asking  int // requests that are under way
}

const (
	historyMost    = 250 // operations
	historyUnknown = 7
)

// startTraffic makes clients, and their sessions.
func startTraffic(t *testing.T, c *cluster, l load) *traffic {
	t.Helper()
	tr := &traffic{load: l, t: t, c: c, addrs: c.states(), began: time.Now(), counts: map[string]int{}}
	for range l.shared {
		tr.shared = append(tr.shared, tr.newHistory())
	}
	for i := range l.clients {
		tr.clientList = append(tr.clientList, tr.newClient(i))
	}
	for _, cl := range tr.clientList {
		tr.tasks.Go(func() {
			for i := 0; i < len(cl.mine) && !tr.bad(); i++ {
				cl.visit(cl.mine[i], pageSave)
			}
		})
	}
	tr.tasks.Wait()
	if tr.bad() {
		t.Fatal(tr.wrong[0])
	}
	return tr
}

// work lets the clients work until stop.
func (tr *traffic) work() {
	tr.over.Store(false)
	for _, cl := range tr.clientList {
		tr.tasks.Go(cl.work)
	}
}

func (tr *traffic) stop() {
	tr.over.Store(true)
	tr.tasks.Wait()
}

// quiet does something while no request is under way.
func (tr *traffic) quiet(do func()) {
	tr.gate.Lock()
	defer tr.gate.Unlock()
	do()
}

func (tr *traffic) now() time.Duration { return time.Since(tr.began) }

// fault takes note of something that must not be.
func (tr *traffic) fault(format string, args ...any) {
	text := fmt.Sprintf("%v: ", time.Now().Format("15:04:05.000000")) + fmt.Sprintf(format, args...)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.wrong = append(tr.wrong, text)
}

func (tr *traffic) count(what string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.counts[what]++
}

// bad reports whether something was wrong.
func (tr *traffic) bad() bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return len(tr.wrong) > 0
}

func (tr *traffic) newHistory() *history {
	name := fmt.Sprintf("shared%05d", tr.names.Add(1))
	return &history{name: name, target: farm.Target(name)}
}

// judge checks the histories that are full, or all.
func (tr *traffic) judge(all bool) {
	tr.mu.Lock()
	var ready, rest []*history
	for _, h := range tr.old {
		if h.asking == 0 {
			ready = append(ready, h)
		} else {
			rest = append(rest, h)
		}
	}
	tr.old = rest
	if all {
		ready = append(append(ready, rest...), tr.shared...)
		tr.old, tr.shared = nil, nil
	}
	tr.mu.Unlock()
	for _, h := range ready {
		why, decided := check(h.ops, 30*time.Second)
		switch {
		case !decided:
			tr.count("histories not decided")
		case why != "":
			tr.fault("session %s, times since %v: %s", h.name, tr.began.Format("15:04:05.000000"), why)
			h.keep(tr.t)
		}
		tr.mu.Lock()
		tr.counts["histories"]++
		tr.counts["operations in histories"] += len(h.ops)
		tr.counts["of unknown outcome"] += h.unknown
		tr.mu.Unlock()
	}
}

// keep writes a history to the folder for logs, if there is one.
func (h *history) keep(t *testing.T) {
	if *keepFlag == "" {
		return
	}
	var b strings.Builder
	slices.SortFunc(h.ops, func(x, y porcupine.Operation) int { return cmp.Compare(x.Call, y.Call) })
	for _, op := range h.ops {
		describe(&b, op)
	}
	if err := os.WriteFile(filepath.Join(*keepFlag, h.name+".txt"), []byte(b.String()), 0o600); err != nil {
		t.Error(err)
	}
}

// finish ends the traffic: it looks at all sessions, and says what has been found.
func (tr *traffic) finish() {
	tr.t.Helper()
	tr.stop()
	for _, cl := range tr.clientList {
		tr.tasks.Go(cl.look)
	}
	tr.tasks.Wait()
	for _, cl := range tr.clientList {
		cl.c.Close()
	}
	tr.judge(true)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for i, why := range tr.wrong {
		if i == 12 {
			tr.t.Errorf("and %d more", len(tr.wrong)-i)
			break
		}
		tr.t.Error(why)
	}
	var names []string
	for name := range tr.counts {
		names = append(names, name)
	}
	slices.Sort(names)
	text := ""
	for _, name := range names {
		text += fmt.Sprintf("; %s: %d", name, tr.counts[name])
	}
	tr.t.Logf("the longest page: %v (%s)%s", tr.worst.Round(time.Millisecond), tr.whose, text)
	if tr.counts["histories not decided"] > 0 {
		tr.t.Errorf("%d histories of %d could not be decided in time", tr.counts["histories not decided"], tr.counts["histories"])
	}
	if tr.counts["pages"] == 0 {
		tr.t.Error("nothing has happened")
	}
}

// client makes one request at a time.
type client struct {
	tr   *traffic
	id   int
	c    *farm.Client
	rnd  *rand.Rand
	mine []*visited
	down map[int]time.Time // nodes that did not answer
	held time.Duration     // how long it has been kept from working, in all; see traffic.quiet
	to   []int             // nodes, the one that it prefers first

	locks   map[*history]uint32 // those that it has of shared sessions
	noticed map[*history]uint32 // others', which it may break
}

func (tr *traffic) newClient(id int) *client {
	cl := &client{
		tr: tr, id: id, c: farm.NewClient(tr.addrs), rnd: rand.New(rand.NewPCG(tr.seed, 100+uint64(id))), down: map[int]time.Time{},
		locks: map[*history]uint32{}, noticed: map[*history]uint32{},
	}
	if tr.reach != nil {
		cl.to = tr.reach(id)
	} else {
		for i := range tr.addrs {
			cl.to = append(cl.to, (id+i)%len(tr.addrs))
		}
	}
	for range tr.sessions {
		cl.mine = append(cl.mine, cl.newVisited())
	}
	return cl
}

// downFor is how long a client keeps away from a node that did not answer.
const downFor = 200 * time.Millisecond

// node is the one that the client goes to now.
func (cl *client) node() int {
	if cl.tr.loyal {
		if cl.rnd.IntN(3) > 0 {
			return cl.to[0]
		}
		return cl.to[cl.rnd.IntN(len(cl.to))]
	}
	if cl.rnd.IntN(20) == 0 { // the balancer has other ideas, now and then
		return cl.to[cl.rnd.IntN(len(cl.to))]
	}
	for _, n := range cl.to {
		if time.Since(cl.down[n]) > downFor {
			return n
		}
	}
	return cl.to[cl.rnd.IntN(len(cl.to))]
}

// outcome is how much a client knows of what has come of its request.
type outcome int

const (
	sure   outcome = iota // it was executed, and the answer says how it ended
	unsure                // it may be executed, at once or later
	unsent                // it was certainly not
)

// do makes a request.
func (cl *client) do(node int, req *wire.Request, body []byte) (farm.Reply, outcome) {
	begun := time.Now()
	cl.tr.gate.RLock()
	defer cl.tr.gate.RUnlock()
	cl.held += time.Since(begun)
	return cl.tell(node, req, body)
}

// tell is do for whoever has the gate, or does not need it.
func (cl *client) tell(node int, req *wire.Request, body []byte) (farm.Reply, outcome) {
	ctx, cancel := context.WithTimeout(context.Background(), cl.tr.limit)
	defer cancel()
	r, err := cl.c.Do(ctx, node, req, body)
	switch {
	case errors.Is(err, farm.ErrUnsent):
		cl.down[node] = time.Now()
		cl.tr.count("not connected")
		return r, unsent
	case err != nil:
		cl.down[node] = time.Now()
		cl.tr.count("connections broken")
		return r, unsure
	case r.ComeAgain():
		cl.tr.count("told to come again")
		return r, unsure
	case r.Status == wire.StatusBadRequest && req.Verb == wire.Put:
		cl.tr.count("saves refused")
		return r, unsure
	case r.Status != wire.StatusOK && r.Status != wire.StatusLocked && r.Status != wire.StatusNotFound:
		cl.tr.fault("client %d, node %d: %s is answered %v", cl.id, node, req.Target, r.Status)
		return r, unsure
	}
	return r, sure
}

func (cl *client) think() {
	pass(cl.tr.t.Context(), time.Duration(cl.rnd.Int64N(int64(cl.tr.think)+1)))
}

// work lets the client work until it is told to stop, or something is wrong.
func (cl *client) work() {
	for !cl.tr.over.Load() && !cl.tr.bad() {
		if len(cl.tr.shared) > 0 && (len(cl.mine) == 0 || cl.rnd.IntN(100) < 45) {
			cl.share()
		} else {
			cl.visit(cl.mine[cl.rnd.IntN(len(cl.mine))], cl.kind())
		}
		cl.think()
	}
}
