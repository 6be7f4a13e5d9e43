package wire

// Status is the first line of an answer. See docs/protocol.md §5.2.
//
// The zero value is the refusal: to the real client every other status means that a save was stored (§6.5), so an Answer that
// nobody filled in must not say that.
type Status uint8

// The statuses.
const (
	StatusBadRequest Status = iota
	StatusOK
	StatusNotFound
	StatusLocked
	numStatuses
)

var statusNames = [numStatuses]string{"400 Bad Request", "200 OK", "404 Not Found", "423 Locked"}

// String returns the status line without its end.
func (s Status) String() string {
	if s >= numStatuses {
		return "unknown"
	}
	return statusNames[s]
}

// Answer is the head of one answer. Which fields are written depends on the status: see docs/protocol.md §5.5.
type Answer struct {
	Status        Status
	ActionFlags   bool   // this request used the flag up; on 200 and 400 only
	HasCookie     bool   // on 200; a 423 always has one
	HasTimeout    bool   // on 200
	Cookie        uint32 // the lock's, 0 to 2147483646
	Timeout       uint32 // minutes, 0 to 525600
	LockDate      int64  // on 423: 100 ns ticks since year 1, local time
	LockAge       int64  // on 423: whole seconds
	ContentLength int    // bytes of body that follow. AppendHead: on 200 only, the others have none (§5.7)
}
