package member

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/farmstate/farmstate/peer/message"
)

// memberlist ends the goroutines that it has begun itself in its own time: a probe or an exchange that is under way runs to its timeout.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probe"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).pushPull"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).gossip"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).handleConn"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).triggerFunc"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).pushPullTrigger"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode.func7"),
	)
}

var testSecret = []byte("a secret of the tests, long enough")

// testNode is a node of a test: a group and what it has heard.
type testNode struct {
	*Group
	*ear
	node message.Node
	port *testPort
	mu   sync.Mutex
	meta Member // guarded by mu
	log  *logText
}

type logText struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logText) has(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), part)
}

// start starts a node on a network of the test. It is closed at the end of the test.
func start(t testing.TB, n *testNet, number byte, join []string, change ...func(*Options)) *testNode {
	t.Helper()
	d := &testNode{ear: newEar(), node: message.Node{number, 0xff}, log: new(logText)}
	d.meta = Member{Name: fmt.Sprintf("node %d", number), PeerAddr: ":42425", Free: 1 << 30, Program: "farmstate test"}
	opt := Options{
		Listen: "127.0.0.1:0", Join: join, Secret: testSecret, Node: d.node, Logger: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Meta: func() Member {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.meta
		},
	}
	if n != nil {
		d.port = n.port()
		opt.carrier = d.port
	}
	for _, f := range change {
		f(&opt)
	}
	var err error
	if d.Group, err = Start(opt, handler{d.ear}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s:\n%.3000s", d.meta.Name, d.log.b.String())
		}
	})
	return d
}

func (d *testNode) at() string { return d.carrier.addr().String() }

func (d *testNode) say(change func(*Member)) {
	d.mu.Lock()
	change(&d.meta)
	d.mu.Unlock()
	d.Update()
}

// bubble runs a test on a fake clock.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) }) // probes of memberlist that are under way run out
		test(t)
	})
}

// farm starts nodes that know the first one's address, and waits until all know each other.
func farm(t *testing.T, n *testNet, size int, change ...func(*Options)) []*testNode {
	t.Helper()
	var all []*testNode
	for i := range size {
		var join []string
		if i > 0 {
			join = []string{all[0].at()}
		}
		all = append(all, start(t, n, byte(i+1), join, change...))
	}
	for _, d := range all {
		for _, other := range all {
			if d != other {
				d.await(t, 2*time.Minute, about("joined", other.node))
			}
		}
	}
	return all
}

// TestJoin: nodes that know one address find each other, hear what the others say about themselves, and what they say later.
func TestJoin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		all := farm(t, newNet(), 4)
		got := all[3].await(t, time.Minute, about("joined", all[1].node))
		if got.PeerAddr != all[1].port.at.Addr().String()+":42425" || got.Name != "node 2" || got.Free != 1<<30 || got.Leaving {
			t.Errorf("%+v", got)
		}
		for _, d := range all {
			if n, ok := d.Joined(); n != 3 || !ok {
				t.Errorf("%d others, %v", n, ok)
			}
			if s := d.Stats(); s.Members["alive"] != 3 || s.Health != 0 {
				t.Errorf("%+v", s)
			}
		}
		all[1].say(func(m *Member) { m.Leaving = true })
		all[3].await(t, 5*time.Second, func(e event) bool { return e.what == "changed" && e.Node == all[1].node && e.Leaving })
		if s := all[3].Stats(); s.Members["leaving"] != 1 || s.Members["alive"] != 2 {
			t.Errorf("%+v", s)
		}
		all[3].forget()
		all[1].say(func(m *Member) { m.Free -= 100 }) // is not worth telling
		time.Sleep(20 * time.Second)
		if all[3].heard("changed") != 0 {
			t.Error("a little less memory is told")
		}
		all[1].say(func(m *Member) { m.Free /= 2 })
		all[3].await(t, 5*time.Second, func(e event) bool { return e.what == "changed" && e.Free < 1<<30 })
	})
}

// TestAlone: a node that finds only itself goes on, and is found.
func TestAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNet()
		first := start(t, n, 1, []string{"127.0.1.1:42426", "127.0.1.2:42426"}) // its own address, and one at which nobody is yet
		time.Sleep(time.Minute)
		if others, ok := first.Joined(); ok || others != -1 {
			t.Errorf("%d others, %v", others, ok)
		}
		second := start(t, n, 2, nil)
		first.await(t, maxBackoff+DefaultStreamTimeout+time.Second, about("joined", second.node))
		second.await(t, time.Second, about("joined", first.node))
		if _, ok := second.Joined(); !ok {
			t.Error("a node that joins nobody does not know who is there")
		}
	})
}

// TestLeave: who leaves says so first, and is not taken for dead.
func TestLeave(t *testing.T) {
	bubble(t, func(t *testing.T) {
		all := farm(t, newNet(), 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := all[2].Leave(ctx); err != nil {
			t.Log(err) // the word may be out all the same
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
		for _, d := range all[:2] {
			d.await(t, 5*time.Second, about("left", all[2].node))
			if d.heard("dead") != 0 || len(d.Members()) != 1 {
				t.Errorf("%v", d.Members())
			}
		}
		if err := all[2].Leave(ctx); err != nil {
			t.Errorf("the second time: %v", err)
		}
	})
}

// deaths has one of so many nodes fall silent, and returns how long it takes until the first and the last of the others know.
func deaths(t *testing.T, size int) (first, last time.Duration) {
	n := newNet()
	all := farm(t, n, size)
	time.Sleep(time.Minute)
	victim := all[size-1]
	began := time.Now()
	n.separate(func(a netip.AddrPort) bool { return a == victim.port.at })
	first = time.Hour
	for _, d := range all[:size-1] {
		took := d.await(t, 2*time.Minute, about("dead", victim.node)).at.Sub(began)
		first, last = min(first, took), max(last, took)
	}
	for _, d := range all[:size-1] {
		if d.heard("dead") != 1 {
			t.Error("others have been declared dead")
		}
		if s := d.Stats(); s.Members["dead"] != 1 || s.Members["alive"] != int64(size-2) {
			t.Errorf("%+v", s)
		}
	}
	return first, last
}

// TestDeaths has the times that docs/topologies.md tells.
func TestDeaths(t *testing.T) {
	for size, limits := range map[int][2]time.Duration{
		2: {4 * time.Second, 7 * time.Second}, 3: {4 * time.Second, 9 * time.Second}, 10: {4 * time.Second, 14 * time.Second}, 50: {6 * time.Second, 20 * time.Second},
	} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				first, last := deaths(t, size)
				t.Logf("%d nodes: first %v, last %v", size, first, last)
				if first < limits[0] || last > limits[1] {
					t.Errorf("known after %v to %v, want %v to %v", first, last, limits[0], limits[1])
				}
			})
		})
	}
}

// TestRefute: who is silent for a while is not declared dead, and who was comes back.
func TestRefute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNet()
		all := farm(t, n, 3)
		victim := all[2]
		alone := func(a netip.AddrPort) bool { return a == victim.port.at }
		n.separate(alone)
		time.Sleep(1500 * time.Millisecond)
		n.separate(nil)
		time.Sleep(time.Minute)
		for _, d := range all {
			if d.heard("dead") != 0 {
				t.Fatal("a moment of silence is taken for death")
			}
		}
		n.separate(alone)
		for _, d := range all[:2] {
			d.await(t, time.Minute, about("dead", victim.node))
			d.forget()
		}
		n.separate(nil)
		for _, d := range all[:2] {
			d.await(t, time.Minute, about("joined", victim.node))
		}
	})
}

// TestHealing: two halves of a farm that have lost each other, and forgotten, find each other when they can, even if nobody lives at the address that all were
// given.
func TestHealing(t *testing.T) {
	for name, firstDies := range map[string]bool{"the first lives": false, "the first has died": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := newNet()
				all := farm(t, n, 5)
				left := func(a netip.AddrPort) bool { return a == all[1].port.at || a == all[2].port.at }
				n.separate(left)
				time.Sleep(10 * time.Minute) // memberlist has forgotten
				for i, d := range all {
					if s := d.Stats(); s.Members["alive"]+s.Members["dead"] != 4 || (i == 1 || i == 2) != (s.Members["alive"] == 1) {
						t.Fatalf("node %d: %+v", i, s)
					}
					d.forget()
				}
				alive := all
				if firstDies {
					_ = all[0].Close()
					alive = all[1:]
				}
				n.separate(nil)
				for _, d := range alive {
					for _, other := range alive {
						if d != other && left(d.port.at) != left(other.port.at) {
							d.await(t, 2*time.Minute, about("joined", other.node))
						}
					}
				}
			})
		})
	}
}

// TestReplaced: a process that takes another's place is known by its own name, and the address of the old one is not tried any more.
func TestReplaced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNet()
		all := farm(t, n, 2)
		_ = all[1].Close()
		all[0].await(t, time.Minute, about("dead", all[1].node))
		n.mu.Lock()
		n.next--
		n.mu.Unlock()
		again := start(t, n, 9, []string{all[0].at()})
		all[0].await(t, time.Minute, about("joined", again.node))
		synctest.Wait()
		if m := all[0].Members(); len(m) != 1 || m[0].Node != again.node {
			t.Errorf("%v", m)
		}
	})
}

// TestOtherSecret: nodes with different secrets, or of which one has none, are not of one farm, and say so.
func TestOtherSecret(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"another": func(o *Options) { o.Secret = []byte("another secret of the tests") },
		"none":    func(o *Options) { o.Secret = nil },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := newNet()
				all := farm(t, n, 2)
				other := start(t, n, 7, []string{all[0].at()}, change)
				time.Sleep(time.Minute)
				if len(other.Members()) != 0 || len(all[0].Members()) != 1 || len(all[1].Members()) != 1 {
					t.Error("they have met")
				}
				if !all[0].log.has("event=gossip_wrong_secret") || all[0].Stats().WrongSecret == 0 || !other.log.has("event=gossip_join_failed") || !other.log.has("another peer secret") {
					t.Error("it is not in the log")
				}
				if strings.Count(all[0].log.b.String(), "event=gossip_wrong_secret") > 8 {
					t.Error("it floods the log")
				}
			})
		})
	}
}

// TestFull: there are not more members than there may be.
func TestFull(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNet()
		first := start(t, n, 1, nil, func(o *Options) { o.MaxMembers = 2 })
		for i := range 3 {
			start(t, n, byte(i+2), []string{first.at()})
		}
		time.Sleep(time.Minute)
		if m := first.Members(); len(m) != 2 || !first.log.has("as many members as there may be") {
			t.Errorf("%d members", len(m))
		}
	})
}

// TestLaterVersion: what a later version says about itself is ignored, with a line in the log.
func TestLaterVersion(t *testing.T) {
	tab := newTable(&Options{Node: message.Node{1}, MaxMembers: 9}, func(addr string, err error) {
		if addr != "10.0.0.1:7" || err == nil {
			t.Errorf("%s: %v", addr, err)
		}
	})
	tab.NotifyJoin(listNode(message.Node{2}, []byte{2, 0, 0}))
	if len(tab.all()) != 0 {
		t.Error("it is a member")
	}
}

// TestLatest: the handler hears the latest, and nothing of what came and went in between.
func TestLatest(t *testing.T) {
	tab := newTable(&Options{Node: message.Node{1}, MaxMembers: 9, DeadLife: time.Hour}, nil)
	log := &notices{logger: slog.New(slog.DiscardHandler), last: map[string]time.Time{}}
	e := newEar()
	meta := func(c card) []byte {
		b, err := encodeMeta(&c)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	n := message.Node{2}
	expect := func(want ...string) {
		t.Helper()
		tab.tell(handler{e}, log)
		var got []string
		for _, v := range e.events {
			got = append(got, v.what)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("heard %v, want %v", got, want)
		}
		e.forget()
	}
	tab.NotifyJoin(listNode(n, meta(card{})))
	tab.NotifyLeave(listNode(n, nil))
	expect()
	tab.NotifyJoin(listNode(n, meta(card{})))
	tab.NotifyUpdate(listNode(n, meta(card{Member: Member{Free: 7}})))
	expect("joined")
	tab.NotifyLeave(listNode(n, nil))
	tab.NotifyJoin(listNode(n, meta(card{Member: Member{Free: 7}})))
	expect()
	tab.NotifyUpdate(listNode(n, meta(card{Member: Member{Free: 8}})))
	expect("changed")
	tab.NotifyLeave(listNode(n, nil))
	expect("dead")
	tab.NotifyJoin(listNode(n, meta(card{Member: Member{Free: 8}})))
	expect("joined")
	tab.NotifyUpdate(listNode(n, meta(card{Member: Member{Leaving: true}, going: true})))
	tab.NotifyLeave(listNode(n, nil))
	expect("left")
	if len(tab.entries) != 0 || tab.alive != 0 {
		t.Errorf("%d entries, %d alive", len(tab.entries), tab.alive)
	}
}

// TestManyDead: only so many dead members are remembered, the latest, and only for so long.
func TestManyDead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tab := newTable(&Options{Node: message.Node{1}, MaxMembers: 1 << 20, DeadLife: time.Hour}, nil)
		log := &notices{logger: slog.New(slog.DiscardHandler), last: map[string]time.Time{}}
		b, err := encodeMeta(&card{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range maxDead + 50 {
			n := listNode(message.Node{2, byte(i >> 8), byte(i)}, b)
			n.Port = uint16(i + 1)
			tab.NotifyJoin(n)
			tab.tell(handler{newEar()}, log)
			tab.NotifyLeave(n)
			tab.tell(handler{newEar()}, log)
			time.Sleep(time.Second)
		}
		if all := tab.all(); len(all) != maxDead || all[0].Node != (message.Node{2, 0, 50}) {
			t.Errorf("%d are remembered, the first is %v", len(all), all[0].Node)
		}
		tab.prune(time.Now().Add(2 * time.Hour))
		if len(tab.all()) != 0 {
			t.Error("they are remembered for ever")
		}
	})
}

// TestExposed: gossip that others can reach needs a secret.
func TestExposed(t *testing.T) {
	for _, o := range []Options{{Listen: ":0"}, {Listen: "0.0.0.0:0"}, {Listen: "127.0.0.1:0", Join: []string{"10.0.0.1:42426"}}} {
		o.Node = message.Node{1}
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "peer-secret-file") {
			t.Errorf("%+v: %v", o, err)
		}
		o.Insecure = true
		if err := o.Validate(); err != nil {
			t.Errorf("insecure: %v", err)
		}
		o.Insecure, o.Secret = false, testSecret
		if err := o.Validate(); err != nil {
			t.Errorf("with a secret: %v", err)
		}
	}
}
