package peer

import (
	"encoding/hex"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// CopiesStatus says how the copies are.
type CopiesStatus struct {
	Copies     int            `json:"copies"` // of each session, the owner's included; 0 = off
	Ack        string         `json:"ack"`
	Mirroring  bool           `json:"mirroring"` // there is somebody who takes copies
	Nodes      int            `json:"nodes"`     // that are there, and do not leave; this one among them
	Full       int            `json:"full"`      // nodes among them that had no room for a copy of late
	Doubtful   bool           `json:"doubtful"`  // a mirror has not been heard of for so long that it is asked before reads are answered
	Copied     int            `json:"copied"`    // sessions of this node of which others have copies
	Short      int64          `json:"short"`     // sessions of this node of which too few others have a copy
	ShortFor   float64        `json:"short_seconds"`
	Waiting    int            `json:"waiting"` // changes that wait for mirrors
	Shelf      int            `json:"kept"`    // copies of others' sessions here
	ShelfBytes int64          `json:"kept_bytes"`
	Repair     RepairStatus   `json:"repair"`
	Mirrors    []MirrorStatus `json:"mirrors"`
	Quarantine int            `json:"quarantine"`
}

// RepairStatus says how far the making of missing copies is.
type RepairStatus struct {
	Running bool    `json:"running"`
	Looked  int64   `json:"looked_at"` // sessions that the latest walk has looked at
	Of      int64   `json:"of"`
	Made    int64   `json:"made"` // sessions whose copies it has made
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // that it has taken so far, or in all
}

// MirrorStatus is the stream of updates to one mirror.
type MirrorStatus struct {
	Node    string `json:"node"`
	Linked  bool   `json:"linked"`
	Updates int    `json:"updates"` // that are not acknowledged
	Bytes   int    `json:"bytes"`
}

var ackNames = [...]string{"all", "one", "none"}

// readCopies reads how the copies are. sessions is how many there were before the driver was told to: what it has been told since the beginning of those is known to the
// core by now. So a session that is new, and a moment later has its copies, does not count as short of them. Called by the driver.
func (f *Farm) readCopies(now, sessions int64) CopiesStatus {
	r := &f.repair
	end := r.ended
	if r.walk.on {
		end = now
	}
	s := CopiesStatus{
		Copies: f.opt.Copies.N, Ack: ackNames[f.opt.Copies.Ack], Mirroring: f.mode >= engine.MirrorTell,
		Doubtful: f.mode == engine.MirrorAwait && now >= f.core.Lease(), Mirrors: []MirrorStatus{},
		Repair: RepairStatus{
			Running: f.mending(), Looked: r.walk.looked, Of: r.of, Made: r.made, Bytes: r.bytes,
			Seconds: (time.Duration(max(0, end-r.walk.began))).Seconds(),
		},
	}
	s.Copied, s.Waiting = f.core.Copied()
	s.Nodes, s.Full = f.core.Nodes(now)
	if f.opt.Copies.N > 1 {
		whole, going := f.core.Whole()
		s.Short = max(0, min(sessions, f.engine.Stats().Sessions)-int64(whole)-int64(going))
	}
	s.ShortFor = f.shortage.note(now, s.Short).Seconds()
	s.Shelf, s.ShelfBytes = f.core.Keeping()
	for _, b := range f.core.Backlogs() {
		s.Mirrors = append(s.Mirrors, MirrorStatus{Node: hex.EncodeToString(b.Node[:]), Linked: b.Linked, Updates: b.Updates, Bytes: b.Bytes})
	}
	return s
}

// mending reports whether copies are missing, or may be: sessions are being looked at, or are about to be, or have lost their owner. Called by the driver.
func (f *Farm) mending() bool {
	layout, _ := f.core.Layout()
	return f.repair.walk.on || f.opt.Copies.N > 1 && layout != f.repair.layout || len(f.repair.wants)+len(f.repair.later) > 0 || f.core.Mending()
}

// CopiesStatus says how the copies are.
func (f *Farm) CopiesStatus() CopiesStatus {
	sessions := f.engine.Stats().Sessions
	f.ask(func() {
		c := f.readCopies(f.now(), sessions)
		f.shared.mu.Lock()
		defer f.shared.mu.Unlock()
		f.shared.copies = c
	})
	f.shared.mu.Lock()
	s := f.shared.copies
	f.shared.mu.Unlock()
	s.Quarantine = f.quarantine.len()
	return s
}
