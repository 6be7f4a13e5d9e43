package engine

// Op is what a ticket asks for. See docs/protocol.md §4.1.
type Op uint8

// The six operations of the protocol, and the one of a peer that takes a session away.
const (
	Get     Op = iota // read the content unless locked
	Acquire           // lock and read
	Release           // give the lock back
	Set               // store, and unlock if the cookie is the lock's
	Remove            // delete
	Touch             // slide the timer, nothing else
	Leave             // take the session out of service to hand it to another node; see Engine.Parcel
	numOps
)

var opNames = [numOps]string{"get", "acquire", "release", "set", "remove", "touch", "leave"}

// String returns the operation's name as metrics show it.
func (op Op) String() string { return opNames[op] }

// Status says how a ticket ended.
type Status uint8

// The statuses. Each has one answer on the state port: OK 200, Locked 423, Cut 423 and of a Set 400, NotFound 404, the rest 400.
const (
	OK       Status = iota
	Locked          // somebody else holds the lock
	NotFound        // no such session
	NoCookie        // a release without a cookie; well formed, so the connection lives on (§6.4)
	Refused         // a save that was not stored: memory (§6.5)
	Cut             // the session's queue is full, or the session was away for too long: come back
	Sought          // a Leave only: the session is not here, but is being looked for
	numStatuses
)

var statusNames = [numStatuses]string{"ok", "locked", "not_found", "no_cookie", "refused", "cut", "sought"}

// String returns the status's name as metrics show it.
func (s Status) String() string { return statusNames[s] }

// NoLane is the lane of a call that runs on no event loop.
const NoLane = -1

// Caller is who made a request; a connection.
type Caller interface {
	// Park is called before the ticket is queued or waits. The caller must see to it that Key, Target and Body stay as they are until the ticket
	// has been answered or cancelled: bytes that belong to a read buffer must be copied now.
	Park(t *Ticket)
	// Answer reports t.Out. It is called at most once for each Do, with the session's gate held: it must copy what it
	// keeps of Out.Body (unless Out.Shared), must not block, and must not call the engine.
	// It returns false if the requester has gone, so that a lock granted to it is taken back (§8.9).
	Answer(t *Ticket, lane int) bool
}

// Outcome is the engine's answer to a ticket.
type Outcome struct {
	Status Status
	// Body is the content, for a Get or Acquire that succeeded. Aliases the session; valid until Answer returns, or as long as anybody
	// wants it if Shared.
	Body []byte
	// Shared says that Body is never overwritten.
	Shared bool
	// Uninitialized says that this request is the one that learns it (ActionFlags, §7.7).
	Uninitialized bool
	// Minutes is the session's sliding life.
	Minutes uint32
	// Cookie, LockDate and LockAge describe the lock: the one just granted, or the one in the way.
	Cookie   uint32
	LockDate int64 // ticks, see Time.Date
	LockAge  int64 // whole seconds, never negative
}

// Ticket is one request. The caller fills the exported fields, owns the memory, and must leave the ticket alone from Do until it has been answered
// or cancelled. It may then be used again.
type Ticket struct {
	Op         Op
	HasCookie  bool
	InsertOnly bool // Set: bit 0 of ExtraFlags
	// Owned says that Body was reserved with Engine.Reserve(cap(Body)) and belongs to the engine from Do on, with its reservation, whatever the
	// outcome. Otherwise Body is copied. A cancelled ticket gives it back.
	Owned bool
	// Urgent is for a Leave: the session is wanted for a save or an unlocking. One that is not is answered Locked, and changes nothing, if somebody here waits
	// for the session's lock.
	Urgent bool
	// Look is for a Leave: the session is not to be taken, only to be found out about.
	Look bool
	// Yield asks for the session's queue although the straight way may be free: the session has had more than its share of this moment.
	Yield   bool
	Client  uint16 // who asks, as the caller numbers its clients; 0 = not known. Told of who holds a lock; see HeldLock
	Cookie  uint32
	Minutes uint32 // Set: sliding life, 0 to 525600; 0 never expires
	Hash    uint64 // of Key, by Engine.Hash
	Key     []byte
	Target  []byte // Key as the requester spelt it, or nil: for peers that know spellings only
	Body    []byte // Set: at least one byte
	Caller  Caller

	Out     Outcome
	Leaving *Leaving // Leave: what was taken out of service

	// Owned by the engine between Do and the answer.

	late   bool    // a waiter past its deadline: refuse, and do not slide
	revoke bool    // take back the lock with this Cookie; nobody is answered. See Revoke
	held   *Change // its answer waits until this change has been told, and confirmed if that is awaited; nil if it does not
	since  int64   // Time.Mono of Do; changed under queue.mu if the ticket is queued. What it may wait for the farm counts from then

	// Guarded by queue.mu.

	place      place
	session    *session
	prev, next *Ticket // in the session's list that place names
	waitPrev   *Ticket // in the list of all waiters, by deadline
	waitNext   *Ticket
	deadline   int64 // Time.Mono until which it may wait for the lock, wherever the session goes; 0 before it waits for the first time
}

// place says which list of its session a ticket stands in.
type place uint8

const (
	nowhere    place = iota
	queued           // in the session's queue
	waiting          // among those who wait for its lock
	confirming       // among those whom a change of it has to answer
)
