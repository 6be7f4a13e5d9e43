package engine

import "github.com/farmstate/farmstate/engine/appkey"

// Events are callbacks for what a person may have to understand later. They are called on the goroutine that noticed, maybe with a gate held: they
// must be quick, must not block and must not call the engine. Limiting the rate of what is logged is the listener's work; all of it is counted in
// Stats.
type Events struct {
	// NearMiss: a session was asked for under one application while it lives under another.
	NearMiss func(NearMiss)
	// LockLeft: a lock has been held for longer than Options.StaleLock. Once for each lock.
	LockLeft func(StaleLock)
	// Refused: a save was not stored for want of memory.
	Refused func(Refusal)
}

func (v *Events) setDefaults() {
	if v.NearMiss == nil {
		v.NearMiss = func(NearMiss) {}
	}
	if v.LockLeft == nil {
		v.LockLeft = func(StaleLock) {}
	}
	if v.Refused == nil {
		v.Refused = func(Refusal) {}
	}
}

// NearMiss says that a session id was asked for under one application key while it lives under another, and why that probably is.
type NearMiss struct {
	Asked, Found string // complete keys
	Cause        appkey.Cause
	Client       uint16 // Ticket.Client of who asked; 0 = not known
}

// Refusal is a save that the memory cap kept out.
type Refusal struct {
	Key       string
	Bytes     int   // of the body
	Used, Max int64 // of the memory account
}
