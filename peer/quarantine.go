package peer

import (
	"sync"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
)

// quarantine keeps states of sessions that have given way to others, because two parts of the farm have served them without each other: nothing is thrown away
// that somebody may have saved. When it is full the oldest go, and that is told and counted.
type quarantine struct {
	most int64 // bytes. Static after construction

	mu sync.Mutex

	// Guarded by mu.

	list    []Quarantined
	bytes   int64
	next    int64
	dropped int64
}

// Quarantined is one state in the quarantine.
type Quarantined struct {
	ID      int64         `json:"id"`
	Session string        `json:"session"` // shortened: the whole is a secret
	Date    int64         `json:"date"`    // ticks; see engine.Time
	Gen     uint32        `json:"epoch"`
	Version uint32        `json:"version"`
	Newer   uint32        `json:"newer_epoch"` // of the state that stayed; 0 if not known
	NewerV  uint32        `json:"newer_version"`
	Bytes   int           `json:"bytes"`
	Parcel  engine.Parcel `json:"-"`
}

const quarantineCost = 256

// add takes a state, under an id, and returns those that have had to go for it; it may be one of them itself.
func (q *quarantine) add(now engine.Time, a core.Quarantine) (id int64, dropped []Quarantined) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next++
	p := *a.Parcel
	q.list = append(q.list, Quarantined{
		ID: q.next, Session: short(p.Key), Date: now.Date, Gen: p.Gen, Version: p.Version, Newer: a.Gen, NewerV: a.Version, Bytes: len(p.Body), Parcel: p,
	})
	q.bytes += int64(len(p.Body)+len(p.Key)) + quarantineCost
	for q.bytes > q.most && len(q.list) > 0 {
		old := &q.list[0].Parcel
		q.bytes -= int64(len(old.Body)+len(old.Key)) + quarantineCost
		gone := q.list[0]
		gone.Parcel = engine.Parcel{}
		dropped = append(dropped, gone)
		q.list[0] = Quarantined{}
		q.list = q.list[1:]
		q.dropped++
	}
	return q.next, dropped
}

// stateDropped is an event that the core does not name: it does not know how much room there is.
const stateDropped core.Event = "quarantine_dropped"

// setAside takes a state that has given way into the quarantine, and tells of it and of those that have to go for it. Called by the driver.
func (f *Farm) setAside(a core.Quarantine) {
	p := a.Parcel
	id, dropped := f.quarantine.add(f.opt.Now(), a)
	f.tellOf(core.Notice{
		What: core.SessionConflict, Key: p.Key, Node: a.Node, Gen: p.Gen, Version: p.Version, NewerGen: a.Gen, NewerVersion: a.Version,
	}, id)
	for i := range dropped {
		d := &dropped[i]
		f.loggerFor(stateDropped).Warn("a state of a session has been dropped from the quarantine, which is full: it is lost. Raise quarantine_size, and export what is wanted of the others",
			"event", "quarantine_dropped", "quarantine", d.ID, "session", d.Session, "epoch", d.Gen, "version", d.Version, "bytes", d.Bytes)
	}
}

func (q *quarantine) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list)
}

func (q *quarantine) gone() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// QuarantineList is what is in the quarantine.
type QuarantineList struct {
	States  []Quarantined `json:"states"`
	Bytes   int64         `json:"bytes"`
	Dropped int64         `json:"dropped"` // the oldest that had to go, for want of room
}

// Quarantine lists the states that have given way to others, the oldest first.
func (f *Farm) Quarantine() QuarantineList {
	f.quarantine.mu.Lock()
	defer f.quarantine.mu.Unlock()
	return QuarantineList{append([]Quarantined{}, f.quarantine.list...), f.quarantine.bytes, f.quarantine.dropped}
}

// Quarantined returns one of them, with its content.
func (f *Farm) Quarantined(id int64) (q Quarantined, ok bool) {
	f.quarantine.mu.Lock()
	defer f.quarantine.mu.Unlock()
	for _, q := range f.quarantine.list {
		if q.ID == id {
			return q, true
		}
	}
	return q, false
}
