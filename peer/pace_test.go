package peer

import (
	"testing"
	"time"
)

const (
	us   = int64(time.Microsecond)
	msec = int64(time.Millisecond)
)

// turns lets a driver work for a while every so often, and counts the turns that repair has in a second. A turn of repair takes 200 us, and as much follows from it.
func (p *pace) turns(from, every, work int64, request bool) (n int) {
	follows := int64(0)
	for now := from; now < from+int64(time.Second); now += every {
		p.wake(now)
		if request {
			p.need(now)
		}
		at := now + work + follows
		follows = 0
		if p.due(at) {
			p.begin(at)
			at += 200 * us
			follows = 200 * us
			n++
		}
		p.sleep(at)
	}
	return n
}

// TestPace: repair takes no more than its share of the driver while there are requests, far more when there are none, and some however much the driver has to do.
func TestPace(t *testing.T) {
	busy, calm, full := pace{}, pace{}, pace{}
	n := busy.turns(int64(time.Minute), msec, 50*us, true)
	if share := float64(n) * 400e-6; share < 0.05 || share > 0.17 {
		t.Errorf("%d turns, %.2f of the driver's time, while there are requests", n, share)
	}
	if n := calm.turns(int64(time.Minute), msec, 0, false); n < 900 {
		t.Errorf("%d turns without requests", n)
	}
	if n := full.turns(int64(time.Minute), msec, 900*us, true); n < 80 || n > 101 {
		t.Errorf("%d turns of a driver that is always busy", n)
	}
}

// TestPaceHolds: repair leaves the processors alone when changes wait for much longer than they usually do.
func TestPaceHolds(t *testing.T) {
	now := int64(time.Minute)
	for _, c := range []struct {
		usual, took int64
		held        bool
	}{
		{msec, 4 * msec, false},
		{msec, 6 * msec, true},
		{10 * msec, 25 * msec, false}, // the network is slow
		{10 * msec, 35 * msec, true},
	} {
		var p pace
		for range 10 * usualOf {
			p.waited(now, c.usual, false)
		}
		p.begin(now)
		p.waited(now+restMost, c.took, true)
		if held := !p.due(now + restMost); held != c.held {
			t.Errorf("usual %v, now %v: held=%v", time.Duration(c.usual), time.Duration(c.took), held)
		}
		p.waited(now+holdTime, c.took, true)
		if !p.due(now + holdTime) {
			t.Error("it is held for as long as changes are slow")
		}
	}
}
