package message

var kindNames = [numKinds]string{
	Hello: "hello", Ping: "ping", Query: "query", NotHere: "not_here", Found: "found", Transfer: "transfer", Held: "held", Refused: "refused",
	Commit: "commit", Abort: "abort", Around: "around", Part: "part",
	Copy: "copy", Copied: "copied", Claim: "claim", Ceded: "ceded", Shelved: "shelved",
}

// String returns the name under which messages of this kind are counted.
func (k Kind) String() string {
	if k == 0 || k >= numKinds {
		return "unknown"
	}
	return kindNames[k]
}

var reasonNames = [numReasons]string{Newer: "newer", Busy: "busy", NoRoom: "no-room", Leaving: "leaving", Lacking: "lacking"}

// String returns the reason as it stands in messages, and under which it is counted.
func (r Reason) String() string {
	if r == 0 || r >= numReasons {
		return "unknown"
	}
	return reasonNames[r]
}

var changeNames = [numChanges]string{Content: "content", State: "state", Drop: "drop", Touch: "touch", Nothing: "nothing", Taken: "taken", Buried: "buried"}

// String returns the change as it stands in messages, and under which updates are counted.
func (c Change) String() string {
	if c == 0 || c >= numChanges {
		return "unknown"
	}
	return changeNames[c]
}

var purposeNames = [...]string{Neighbour: "neighbour", Delivery: "delivery"}

// String returns the purpose as it stands in messages.
func (p Purpose) String() string {
	if p == 0 || int(p) >= len(purposeNames) {
		return "unknown"
	}
	return purposeNames[p]
}
