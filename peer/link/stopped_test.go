package link

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// TestStoppedProcess: a process that was stopped and goes on does not keep a link that the other side has closed meanwhile, whichever of the two has dialled it
// and for how long it was stopped. If the link was cut both hear of an up after it, at the latest: of a down before that only if the next link was not there when
// the last one ended, which chance decides on the side that was stopped. In the end there is one link, which works both ways.
func TestStoppedProcess(t *testing.T) {
	for _, security := range []Security{{Plain: true}, {Secret: testSecret}} {
		for _, dialler := range []string{"the one that was stopped", "the other"} {
			for _, stopped := range []time.Duration{
				500 * time.Millisecond, 3 * time.Second, 3100 * time.Millisecond, 4 * time.Second, 8500 * time.Millisecond, time.Minute, time.Hour,
			} {
				t.Run(fmt.Sprintf("plain=%v dialled by %s, %v", security.Plain, dialler, stopped), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { stopProcess(t, security, dialler == "the other", stopped) })
				})
			}
		}
	}
}

func stopProcess(t *testing.T, security Security, byOther bool, d time.Duration) {
	var frozen process
	var a, b *peer // b is stopped
	optA, optB := Options{Listen: "none", Security: security}, Options{Listen: "none", Security: security}
	if byOther {
		optA.dial = func(context.Context, string) (net.Conn, error) {
			mine, theirs := fakePipe()
			b.take(&stoppable{theirs, &frozen}) // the kernel takes it, also of a process that is stopped
			return mine, nil
		}
	} else {
		optB.dial = func(context.Context, string) (net.Conn, error) {
			frozen.runs()
			mine, theirs := fakePipe()
			a.take(theirs)
			return &stoppable{mine, &frozen}, nil
		}
	}
	a, b = start(t, optA), start(t, optB)
	if byOther {
		a.Join("127.0.0.1:1")
	} else {
		b.Join("127.0.0.1:2")
	}
	time.Sleep(10 * time.Second)
	began := time.Now()
	frozen.stop()
	for range 10 { // these are in the connection, and in the outbox, when it is cut
		a.Send(b.node, "", notHere(1))
		b.Send(a.node, "", notHere(1))
	}
	synctest.Wait()
	time.Sleep(d)
	synctest.Wait()
	cut := d > 3*time.Second // the last that came may be a second old: it is cut after 2 s to 3 s. Below 2 s it never is
	if got := a.count("down " + b.id() + " neighbour"); cut && got != 1 || d < 2*time.Second && got != 0 {
		t.Errorf("the other heard of %d ends: %s", got, a.all())
	}
	if got := b.count("down " + a.id() + " neighbour"); got != 0 {
		t.Fatalf("a process that is stopped does nothing: %s", b.all())
	}
	frozen.cont()
	synctest.Wait()
	time.Sleep(15 * time.Second) // longer than any waiting before the next dialling, and a handshake
	synctest.Wait()
	for _, way := range [][2]*peer{{a, b}, {b, a}} {
		p, other := way[0], way[1]
		before := len(p.got(message.NotHere))
		if drop := other.Send(p.node, "", notHere(2)); drop != Queued {
			t.Fatalf("%v after %v", drop, time.Since(began))
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		list := p.got(message.NotHere)
		if len(list) != before+1 || list[before].ID != id(2) {
			t.Errorf("of messages over the new link, %d came", len(list)-before)
		}
		if s := p.Stats(); s.Links != 1 || s.Neighbours != 1 || s.Handshakes != 0 {
			t.Errorf("%+v", s)
		}
		up, down := "up "+other.id()+" neighbour", "down "+other.id()+" neighbour"
		events := strings.Split(p.all(), ", ")
		for i, e := range events {
			if e != up && (e != down || events[i-1] != up) { // a down is never the first
				t.Errorf("event %d is %q: %s", i, e, p.all())
			}
		}
		if events[len(events)-1] != up {
			t.Errorf("the last word is not an up: %s", p.all())
		}
		if a.count("down "+b.id()+" neighbour") > 0 && len(events) < 2 {
			t.Errorf("one side has heard of an end, the other has not: %s; %s", a.all(), b.all())
		}
		t.Logf("%d events, %d messages of before arrived", len(events), before)
	}
	a.stop(t)
	b.stop(t)
}
