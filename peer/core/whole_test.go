package core

import (
	"testing"

	"github.com/farmstate/farmstate/peer/message"
)

// whole checks how many sessions count as having all their copies.
func (r *rig) whole(what string, want int) {
	r.t.Helper()
	if got, _ := r.c.Whole(); got != want {
		r.t.Errorf("%s: %d sessions have all their copies, want %d", what, got, want)
	}
	if wrong := r.c.Wrong(); wrong != "" {
		r.t.Errorf("%s: %s", what, wrong)
	}
}

// TestWhole: the count of sessions that have all their copies follows refusals, deaths, arrivals and removals.
func TestWhole(t *testing.T) {
	r := copyRig(t, 3, "AB")
	answer := func(from byte, m *message.Message, refusals ...message.Refusal) {
		r.gets(from, message.Message{Kind: message.Copied, Stream: m.Stream, Update: m.Update, Refusals: refusals})
	}
	r.changes(3, 1, false)
	a, b := r.copiesTo('A'), r.copiesTo('B')
	r.whole("a new session", 1)
	answer('A', a[0])
	answer('B', b[0], message.Refusal{Update: b[0].Update, Reason: message.NoRoom})
	r.whole("a mirror is full", 0)
	if there, full := r.c.Nodes(r.now); there != 3 || full != 1 {
		t.Errorf("%d nodes are there, and %d are full", there, full)
	}
	r.acts = nil
	r.c.Up(r.now, node('C'), "C")
	p := r.changes(3, 2, false).Parcel
	for _, from := range "AC" {
		for _, m := range r.copiesTo(byte(from)) {
			answer(byte(from), m)
		}
	}
	r.whole("another one has come", 1)
	r.c.Gone(r.now, node('A'))
	r.whole("a node has died", 0)
	if there, _ := r.c.Nodes(r.now); there != 3 {
		t.Errorf("%d nodes are there", there)
	}
	r.now += fullTime
	r.c.Tick(r.now)
	if r.c.Supply(r.now, &p) == 0 {
		t.Error("nothing is copied")
	}
	r.whole("it is repaired", 1)
	r.collect()
	r.acts = nil
	r.changes(3, 2, true)
	r.whole("it is being removed", 0)
	if _, going := r.c.Whole(); going != 1 {
		t.Errorf("%d sessions are on their way out", going)
	}
	for _, from := range "BC" {
		for _, m := range r.copiesTo(byte(from)) {
			answer(byte(from), m)
		}
	}
	if _, going := r.c.Whole(); going != 0 {
		t.Errorf("%d sessions are on their way out when it has gone", going)
	}
	r.whole("it is removed", 0)
}

// TestWholeOnOne: with one copy of each session none is short of any, and none has all.
func TestWholeOnOne(t *testing.T) {
	r := copyRig(t, 1, "A")
	r.changes(3, 1, false)
	r.whole("no copies are wanted", 0)
	if there, full := r.c.Nodes(r.now); there != 2 || full != 0 {
		t.Errorf("%d nodes are there, and %d are full", there, full)
	}
}
