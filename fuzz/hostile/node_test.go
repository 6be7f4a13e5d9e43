package hostile

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer"
	"github.com/farmstate/farmstate/peer/link"
	"github.com/farmstate/farmstate/peer/message"
)

const (
	queryTimeout = 500 * time.Millisecond
	// patience is how long the machine may take for what is to happen at once.
	patience = 20 * time.Second
	maxLinks = 32
	maxMem   = 64 << 20
)

var security = link.Security{Secret: []byte("a secret for hostile nodes")}

// node is a node of a farm within this process, without a state port. Its clock can be moved.
type node struct {
	engine *engine.Engine
	farm   *peer.Farm
	began  time.Time
	ahead  atomic.Int64 // of the real clock, ns
	work   chan struct{}
	quit   chan struct{}
	ended  chan struct{}
}

func (n *node) now() engine.Time {
	return engine.Time{Mono: int64(time.Since(n.began)) + n.ahead.Load(), Date: 1 << 59}
}

func startNode(tb testing.TB, peers ...string) *node {
	tb.Helper()
	n := &node{began: time.Now(), work: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{})}
	var err error
	n.engine, err = engine.New(engine.Options{MaxMemory: maxMem, FarmWait: queryTimeout + 100*time.Millisecond, Ready: func(int) {
		select {
		case n.work <- struct{}{}:
		default:
		}
	}}, n.now())
	if err != nil {
		tb.Fatal(err)
	}
	n.farm, err = peer.New(peer.Options{
		Engine: n.engine, Now: n.now, MaxForwards: 5, QueryTimeout: queryTimeout, Slack: 100 * time.Millisecond,
		KeyOf: func(target string) string { return target },
		Link:  link.Options{Listen: "127.0.0.1:0", Peers: peers, Security: security, MaxBody: 1 << 20, MaxLinks: maxLinks},
	})
	if err != nil {
		tb.Fatal(err)
	}
	n.engine.SetElsewhere(n.farm)
	go n.run()
	return n
}

func (n *node) run() {
	defer close(n.ended)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-n.quit:
			return
		case <-n.work:
			for n.engine.Run(n.now(), engine.NoLane, 16) {
			}
		case <-tick.C:
			n.engine.Tick(n.now())
		}
	}
}

// close ends the farm, and then the engine's goroutine.
func (n *node) close() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n.farm.Close(ctx)
	close(n.quit)
	<-n.ended
}

func (n *node) addr() string { return n.farm.Addr().String() }

// pass moves the clock, and lets the driver see it.
func (n *node) pass(d time.Duration) {
	n.ahead.Add(int64(d))
	n.farm.StopDrain() // it was not drained: this does nothing but wake the driver
}

type request struct {
	ticket engine.Ticket
	body   []byte
	done   chan struct{}
}

func (*request) Park(*engine.Ticket) {}

func (r *request) Answer(t *engine.Ticket, _ int) bool {
	r.body = bytes.Clone(t.Out.Body)
	close(r.done)
	return true
}

// do carries out one request, and reports how long that took.
func (n *node) do(tb testing.TB, op engine.Op, key, body string, cookie uint32) (engine.Outcome, string, time.Duration) {
	tb.Helper()
	r := &request{done: make(chan struct{})}
	r.ticket = engine.Ticket{Op: op, Key: []byte(key), Body: []byte(body), Cookie: cookie, HasCookie: cookie != 0, Caller: r}
	r.ticket.Hash = n.engine.Hash(r.ticket.Key)
	began := time.Now()
	n.engine.Do(n.now(), engine.NoLane, &r.ticket)
	select {
	case <-r.done:
	case <-time.After(patience):
		tb.Fatalf("%s of %.40s is not answered", op, key)
	}
	return r.ticket.Out, string(r.body), time.Since(began)
}

func eventually(tb testing.TB, what func() string) {
	tb.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for wrong := what(); wrong != ""; wrong = what() {
		select {
		case <-deadline:
			tb.Fatal(wrong)
		case <-tick.C:
		}
	}
}

// evil is the hostile node: links of its own, and no farm behind them.
type evil struct {
	*link.Net
	id      message.Node
	linked  chan struct{}
	once    sync.Once
	mu      sync.Mutex
	queries []message.ID       // seen
	moves   []*message.Message // Transfers seen, without their bodies
	answer  byte               // how it answers a query, and a Transfer
	victim  message.Node
}

func startEvil(tb testing.TB, id message.Node, victim *node) *evil {
	tb.Helper()
	e := &evil{id: id, linked: make(chan struct{}), victim: victim.farm.Node()}
	if err := e.start(victim); err != nil {
		tb.Fatal(err)
	}
	select {
	case <-e.linked:
	case <-time.After(patience):
		tb.Fatal("the hostile node is not linked")
	}
	return e
}

func (e *evil) start(victim *node) (err error) {
	e.mu.Lock() // Messages needs Net
	defer e.mu.Unlock()
	e.Net, err = link.Listen(link.Options{Listen: "127.0.0.1:0", Node: e.id, Peers: []string{victim.addr()}, Security: security}, e)
	return err
}

func (e *evil) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = e.Close(ctx) // what it has queued may be cut off
}

func (e *evil) LinkUp(message.Node, string, message.Purpose) { e.once.Do(func() { close(e.linked) }) }
func (*evil) LinkDown(message.Node, message.Purpose)         {}
func (*evil) Gone(message.Node, string)                      {}
func (*evil) Unreachable(message.Node, string)               {}

// committing is the bit of answer that lets those have the sessions that they hold.
const committing = 0x40

// Messages answers as it was told to: honestly, unless it was told otherwise.
func (e *evil) Messages(from message.Node, batch []*message.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range batch {
		switch m.Kind {
		case message.Query:
			e.queries = append(e.queries, m.ID)
			switch e.answer % 4 {
			case 0:
				e.Send(from, "", &message.Message{Kind: message.NotHere, ID: m.ID})
			case 1:
				e.Send(from, "", &message.Message{Kind: message.Found, ID: m.ID})
			case 2:
				e.Send(from, "", &message.Message{Kind: message.NotHere, ID: m.ID, Undecided: true, Original: true, Lost: []message.Node{{1}, e.id}, Seen: []message.Node{{2}}})
			}
		case message.Held:
			if e.answer&committing != 0 {
				e.Send(from, "", &message.Message{Kind: message.Commit, ID: m.ID, Key: m.Key, Gen: m.Gen})
			}
		case message.Transfer:
			m.Parcel.Body = nil
			e.moves = append(e.moves, m)
			reply := message.Message{ID: m.ID, Key: m.Key, Gen: m.Gen}
			switch e.answer / 4 % 4 {
			case 0:
				reply.Kind = message.Held
			case 1:
				reply.Kind, reply.Reason = message.Refused, message.Busy
			case 2:
				reply.Kind, reply.Reason, reply.Theirs = message.Refused, message.NoRoom, 0
			default:
				continue
			}
			e.Send(from, "", &reply)
		}
	}
}

func (e *evil) answers(how byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = how
}

// canary is an address that notes who connects.
type canary struct {
	net.Listener
	calls atomic.Int64
	tasks sync.WaitGroup
}

func startCanary(tb testing.TB) *canary {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	c := &canary{Listener: l}
	c.tasks.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			c.calls.Add(1)
			_ = nc.Close() // nothing was sent
		}
	})
	return c
}

func (c *canary) stop() {
	_ = c.Close() // nothing was sent
	c.tasks.Wait()
}
