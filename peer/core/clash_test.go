package core

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// quarantined are the versions of the states that have been put into the quarantine since the last want.
func (r *rig) quarantined() (versions []uint32) {
	for _, a := range r.acts {
		if q, ok := a.(Quarantine); ok {
			versions = append(versions, q.Parcel.Version)
		}
	}
	return versions
}

func (r *rig) wantQuarantined(want ...uint32) {
	r.t.Helper()
	got := r.quarantined()
	if len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
		r.t.Errorf("in the quarantine: versions %v, want %v", got, want)
	}
}

// TestBeatenMove: a session that is handed to a node that serves a newer state of it goes to the quarantine, and not to the shelf: there it would come before the newer one,
// because its generation has been raised for the move.
func TestBeatenMove(t *testing.T) {
	r := copyRig(t, 2, "B")
	r.offers(1, 1)
	m := r.refusal(message.Newer)
	m.Theirs, m.Parcel.Version = 0, 2
	r.gets('B', m)
	r.wantQuarantined(1)
	r.want("left", "quarantined")
	if r.c.Keeps(key) {
		t.Error("it is on the shelf")
	}
	r.update('B', 1, message.Content, 0, 2, false)
	if p, _, _, ok := r.c.Shelved(key); !ok || p.Version != 2 {
		t.Errorf("the copy that is here is %d.%d", p.Gen, p.Version)
	}
}

// TestUpdateMeetsMove: a mirror that is just handing the session over learns that its owner serves a newer state. The move says nothing about which is newer.
func TestUpdateMeetsMove(t *testing.T) {
	for _, c := range []struct {
		name         string
		gen, version uint32
		stays        bool
	}{
		{"more saves", 0, 2, false},
		{"fewer saves", 0, 1, true},
		{"later generation", 9, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := copyRig(t, 2, "BC")
			r.gets('C', ask('C', 1, 1))
			r.taken(TakenOK, 1, 1)
			r.acts = nil
			if c.stays {
				r.c.items[key].move.parcel.Version = 2
			}
			r.update('B', 1, message.Content, c.gen, c.version, false)
			r.c.Flush()
			r.collect()
			answer := r.sent[message.Copied]
			if answer == nil || len(answer.Msg.Refusals) != 1 {
				t.Fatalf("the update is answered with %+v", answer)
			}
			refusal := answer.Msg.Refusals[0]
			if c.stays {
				r.wantQuarantined()
				if refusal.Reason != message.Newer || refusal.Gen != 0 || refusal.Version != 2 {
					t.Errorf("refused with %+v", refusal)
				}
				return
			}
			r.wantQuarantined(1)
			r.want("left", "C<-abort", "quarantined", "B<-copied")
			if refusal.Reason != message.Busy {
				t.Errorf("refused with %+v", refusal)
			}
			r.gets('C', r.reply(message.Held)) // it was on its way
			r.want("C<-abort")
			r.update('B', 2, message.Content, c.gen, c.version, false)
			if p, _, _, _ := r.c.Shelved(key); p.Gen != c.gen || p.Version != c.version {
				t.Errorf("the copy that is here is %d.%d", p.Gen, p.Version)
			}
		})
	}
}

// TestTwoMoveHere: whoever asks for a session that is served twice is sent both. Both have been moved, so that does not count.
func TestTwoMoveHere(t *testing.T) {
	r := copyRig(t, 2, "HB")
	r.holds(1, 1)
	r.gets('H', about(message.Commit, 9, 1))
	r.want("arrived 1.1")
	r.settled(1)
	here := engine.Sight{State: engine.SightHere, Gen: 1, Version: 1}
	r.acts = nil
	r.sees('B', transfer(8, 'B', 1, 2), here)
	r.want("B<-held")
	r.gets('B', about(message.Commit, 8, 1))
	r.want("arrived 1.2 unasked")
	if r.arrived.Rank != 1 {
		t.Errorf("it is compared as of generation %d", r.arrived.Rank)
	}
	r.settled(1)
	r.wait(time.Minute)
	here.Gen, here.Version = 1, 2
	r.acts = nil
	r.sees('B', transfer(7, 'B', 1, 3), here) // nobody knows any more
	if a := r.sent[message.Refused]; a == nil || a.Msg.Reason != message.Newer {
		t.Errorf("it is answered with %+v", a)
	}
}

// TestClash: what gives way when a session has come is put into the quarantine, unless it is the same. If the one that was here stays, mirrors have been told of the other.
func TestClash(t *testing.T) {
	for _, c := range []struct {
		name  string
		clash engine.Clash
		lost  []uint32
	}{
		{"replaced", engine.Clash{Gen: 1, Lost: &engine.Parcel{Key: key, Version: 5}}, []uint32{5}},
		{"the same", engine.Clash{Gen: 1}, nil},
		{"kept", engine.Clash{Kept: true, Gen: 2, Lost: &engine.Parcel{Key: key, Version: 1}}, []uint32{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := copyRig(t, 2, "HB")
			r.find()
			m := transfer(9, 'H', 1, 1)
			m.Holders = []message.Node{node('H')}
			r.gets('H', m)
			r.gets('H', about(message.Commit, 9, 1))
			if _, cur := r.c.Mirrors(key); len(cur) != 1 {
				t.Fatalf("%d current copies", len(cur))
			}
			r.c.Wants()
			r.acts = nil
			r.c.Settled(r.now, key, 0, &c.clash)
			r.collect()
			r.wantQuarantined(c.lost...)
			if c.lost != nil {
				r.want("quarantined")
			} else {
				r.want("!session_conflict")
			}
			_, cur := r.c.Mirrors(key)
			if wants := r.c.Wants(); c.clash.Kept != (len(cur) == 0) || c.clash.Kept != (len(wants) == 1) {
				t.Errorf("%d copies count as current, %d sessions are looked at", len(cur), len(wants))
			}
		})
	}
}

// TestSwallowed: an older state that is taken out of the farm is not thrown away unseen.
func TestSwallowed(t *testing.T) {
	r := newRig(t, "HB")
	r.holds(4, 7)
	r.c.Gone(r.now, node('H'))
	r.collect()
	r.acts = nil
	same := transfer(8, 'B', 3, 9)
	r.gets('B', same)
	r.wantQuarantined()
	r.want("!session_conflict", "B<-held")
	other := transfer(7, 'B', 3, 9)
	other.Parcel.Body = []byte("other")
	r.gets('B', other)
	r.wantQuarantined(9)
	r.want("quarantined", "B<-held")
	full := transfer(6, 'B', 3, 9)
	full.NoRoom, full.Parcel.Body = true, nil
	r.gets('B', full)
	r.want("B<-refused no-room")
}

// TestDeclined: whoever leaves may end with all that is in its quarantine, so what it hands over and gives way is kept where it was to go. Once.
func TestDeclined(t *testing.T) {
	here := engine.Sight{State: engine.SightHere, Gen: 4, Version: 7}
	for _, leave := range []bool{false, true} {
		r := newRig(t, "B")
		m := transfer(8, 'B', 5, 6)
		m.Leave = leave
		r.sees('B', m, here)
		if leave {
			r.wantQuarantined(6)
			r.want("quarantined", "B<-refused newer")
		} else {
			r.wantQuarantined()
			r.want("B<-refused newer")
		}
		r.sees('B', m, here)
		r.wantQuarantined()
	}
}
