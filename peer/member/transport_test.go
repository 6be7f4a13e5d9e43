package member

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/farmstate/farmstate/peer/message"
)

func listNode(n message.Node, meta []byte) *memberlist.Node {
	return &memberlist.Node{Name: n.String(), Addr: net.IPv4(10, 0, 0, 1), Port: 7, Meta: meta}
}

// quick makes a group on real sockets lose no time.
func quick(o *Options) {
	o.ProbeInterval, o.GossipInterval, o.RejoinInterval = 200*time.Millisecond, 20*time.Millisecond, 200*time.Millisecond
}

// TestSockets: on real sockets nodes meet, leave, die and are found again, by a name that is looked up anew each time.
func TestSockets(t *testing.T) {
	const limit = 20 * time.Second
	first := start(t, nil, 1, nil, quick)
	asked := make(chan string, 100)
	second := start(t, nil, 2, []string{net.JoinHostPort("somewhere.test", portOf(first.at()))}, quick, func(o *Options) {
		o.lookUp = func(_ context.Context, host string) ([]netip.Addr, error) {
			select {
			case asked <- host:
			default:
			}
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
	})
	first.await(t, limit, about("joined", second.node))
	second.await(t, limit, about("joined", first.node))
	if host := <-asked; host != "somewhere.test" {
		t.Errorf("asked for %s", host)
	}
	third := start(t, nil, 3, []string{second.at()}, quick)
	first.await(t, limit, about("joined", third.node))
	_ = third.Close() // without a word
	first.await(t, limit, about("dead", third.node))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_ = second.Leave(ctx) // the word may be out all the same
	first.await(t, limit, about("left", second.node))
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// TestLook: whoever only looks whether the port is open does not count as a node of another farm.
func TestLook(t *testing.T) {
	d := start(t, nil, 1, nil, quick)
	nc, err := net.DialTimeout("tcp", d.at(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.Close()
	tick, limit := time.NewTicker(5*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for !d.log.has(errProbe.Error()) {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("nobody has noticed")
		}
	}
	if n := d.Stats().WrongSecret; n != 0 {
		t.Errorf("%d with another secret", n)
	}
}

// TestStrangers: who may not send gossip is not listened to, and what there is too much of is closed.
func TestStrangers(t *testing.T) {
	d := start(t, nil, 1, nil, quick, func(o *Options) { o.MaxStreams = 1 })
	port := d.carrier.(*transport)
	open := func() net.Conn {
		nc, err := net.DialTimeout("tcp", d.at(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
		return nc
	}
	first := open()
	second := open() // accepted after the first
	if _, err := second.Read(make([]byte, 1)); err == nil || port.overflow.Load() != 1 {
		t.Errorf("one more: %v", err)
	}
	_ = first.Close()
	if !(&Options{}).allows(netip.MustParseAddr("127.0.0.9")) || (&Options{}).allows(netip.MustParseAddr("10.0.0.1")) {
		t.Error("who is allowed without a list")
	}
	o := &Options{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	if !o.allows(netip.MustParseAddr("10.0.0.1")) || o.allows(netip.MustParseAddr("11.0.0.1")) {
		t.Error("who is allowed by a list")
	}
}

// TestNotAllowed: what comes from elsewhere is dropped, counted, and logged.
func TestNotAllowed(t *testing.T) {
	opt := Options{Listen: "127.0.0.1:0", MaxStreams: 9}
	port, err := listen(&opt)
	if err != nil {
		t.Fatal(err)
	}
	port.allow = func(netip.Addr) bool { return false }
	from := make(chan netip.Addr, 2)
	port.start(func(a netip.Addr) { from <- a })
	udp, err := net.Dial("udp", port.addr().String())
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Dial("tcp", port.addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := udp.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	_ = tcp.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := tcp.Read(make([]byte, 1)); err == nil {
		t.Error("a stream was taken")
	}
	for range 2 {
		select {
		case <-from:
		case <-time.After(10 * time.Second):
			t.Fatal("it was not noticed")
		}
	}
	_, _ = udp.Close(), tcp.Close()
	if err := port.Shutdown(); err != nil {
		t.Error(err)
	}
}

// TestShutdown: streams that are open do not hold up the end.
func TestShutdown(t *testing.T) {
	d := start(t, nil, 1, nil, quick)
	nc, err := net.Dial("tcp", d.at())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }() // it is closed by the other side
	began := time.Now()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(nc); err == nil {
		t.Log("closed in order")
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestTaken: a port that is taken is an error, and a free one is free for both.
func TestTaken(t *testing.T) {
	d := start(t, nil, 1, nil, quick)
	if g, err := Start(Options{Listen: d.at(), Node: message.Node{2}}, handler{newEar()}); err == nil {
		_ = g.Close()
		t.Error("the port was shared")
	}
}

// TestAdvertised: what others are told.
func TestAdvertised(t *testing.T) {
	local := netip.MustParseAddrPort("0.0.0.0:7")
	o := &Options{lookUp: lookUp, Advertise: "10.1.2.3:42426"}
	if got, err := o.advertised(local); err != nil || got.String() != "10.1.2.3:42426" {
		t.Errorf("%v, %v", got, err)
	}
	o.Advertise = ""
	if got, err := o.advertised(netip.MustParseAddrPort("10.9.9.9:7")); err != nil || got.String() != "10.9.9.9:7" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := o.advertised(local); err == nil && (got.Addr().IsLoopback() || got.Addr().IsUnspecified() || got.Port() != 7) {
		t.Errorf("%v", got)
	}
}
