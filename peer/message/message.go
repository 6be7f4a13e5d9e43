package message

import (
	"time"

	"github.com/farmstate/farmstate/engine"
)

// ID names a query or a move. Random, 128 bits; the zero value is no id.
type ID [16]byte

// Node names a node, for the life of one process: one that was restarted is another node. Random, 128 bits; the zero value is no node.
type Node [16]byte

// Kind says what a message is.
type Kind uint8

// The messages. See docs/peer-protocol.md §3 for who sends which when.
const (
	Hello    Kind = 1 + iota // who I am; the first message on a link, from both sides
	Ping                     // I live; how I am
	Query                    // who has Key? Deliver it to Asker at Addr
	NotHere                  // answer to query ID: neither I nor anybody whom I asked has it
	Found                    // answer to query ID: somebody has it and will deliver it
	Transfer                 // move ID of generation Gen: here is the session; hold it, do not serve it yet
	Held                     // answer to Transfer: I hold it. Tell me whether it is mine
	Refused                  // answer to Transfer: I do not want it, because of Reason
	Commit                   // answer to Held: it is yours, I have none any more
	Abort                    // answer to Held: forget it, I have kept it
	Around                   // these are my neighbours
	Part                     // a further piece of the body of move ID, which is too large to go in one
	Copy                     // update number Update of Stream: what has changed of a session of which you have a copy, or are to have one
	Copied                   // answer to Copy: I have taken in all updates up to Update, but for Refusals
	Claim                    // give me the state of your copy of Key
	Ceded                    // answer to Claim ID: here it is
	Shelved                  // I have these copies of your sessions; are they good? Body is a list: AppendShelved, EachShelved
	numKinds
)

// Reason says why a transfer or an update was refused.
type Reason uint8

// The reasons.
const (
	Newer   Reason = 1 + iota // I have it already, at least as new, and mine stays; Theirs and Parcel.Version are those of mine
	Busy                      // I am in the middle of another move of this session; try again
	NoRoom                    // my memory is full, or it is larger than I take
	Leaving                   // I am about to stop
	Lacking                   // of an update: I do not have the content that this goes on from
	numReasons
)

// Change says what an update of a copy is about.
type Change uint8

// The changes.
const (
	Content Change = 1 + iota // the whole state, with content
	State                     // the state without content, which has not changed
	Drop                      // forget the copy
	Touch                     // Body lists sessions whose timers have been slid: AppendTouch, Touches
	Nothing                   // only a number: a sign of life
	Taken                     // Body lists sessions of yours that may have been taken over while you counted as dead: AppendShelved, EachShelved
	Buried                    // Body lists sessions that have been removed: AppendBuried, EachBuried. Since version 2 of the protocol
	numChanges
)

// carries reports whether an update with this change is the state of a session.
func (c Change) carries() bool { return c == Content || c == State }

// Refusal says that one update was not taken in, and why.
type Refusal struct {
	Update       uint64
	Reason       Reason
	Gen, Version uint32 // of what the mirror has instead, if Newer; otherwise 0
}

// CopyAt is a copy of a session that a search has met.
type CopyAt struct {
	Node                 Node   // who has it
	Addr                 string // host:port of Node's peer port; empty if it has none
	Owner                Node   // whose session it was
	Gen, Version, Cookie uint32
	Locked               bool
	Ended                bool // its owner has ended, as far as Node knows
}

// Message is one message. Which fields have a meaning depends on Kind.
type Message struct {
	Kind Kind

	// ID is of the query in Query, NotHere and Found; of the move in Transfer, Held, Refused, Commit and Abort; of the claim in Claim and Ceded. In Part it
	// is that of the message whose body this is a piece of: so Copy and Shelved have one, too, if their body travels in parts; otherwise it may be zero.
	ID  ID
	Key string // the session's key, as the engine has it. Query, Transfer, Held, Refused, Commit, Abort, Claim, Ceded; Copy with Content, State or Drop

	// Hello and Ping. A Query and a Claim say where the session is to be delivered, a Transfer where it comes from.

	Node Node   // Hello, Query, Transfer, Claim
	Addr string // host:port of its peer port; empty if it has none. Hello, Query, Transfer, Claim

	// Hello.

	Program  string // of the program, for people
	Protocol uint32 // of this protocol; a node speaks the lower one of both
	Purpose  Purpose

	// Hello and Ping.

	Leaving bool  // takes no more sessions
	Free    int64 // bytes of memory that sessions may still take; -1 = not known

	// Ping.

	Admin string // host:port of its admin pages; empty if it has none

	// Query.

	Hops   uint8         // how many further hops are allowed
	Chase  uint8         // how many more times the query may follow a session that has moved on; see Direct
	Direct bool          // the session was handed to whom this is sent: answer although the query may have been seen before
	Urgent bool          // the asker wants to save or unlock: it may not be kept waiting for the sake of the lock
	Census bool          // the answers are to say who has given them
	Look   bool          // the session is not to be moved: the asker wants to know whether it is served anywhere
	Age    time.Duration // how long ago the asker began to ask, in ms on the wire, rounded up; at most MaxWait
	Rank   uint32        // above that of every query for this key that the asker had heard of
	Wait   time.Duration // how long the asker still waits, in ms on the wire; at most MaxWait
	Target string        // the key as the web server spelt it, for peers that know no other; empty if as AppendTarget does, or not known. Also in a Transfer

	// Around and Query.

	Nodes []Node // Around: the neighbours of the sender, the receiver among them; 1 to MaxNodes
	Sum   uint32 // Around: of Nodes. Query: of the neighbours that whoever sends it here has; 0 = not told

	// NotHere.

	Original  bool     // an original peer was asked, which never says no: silence will be the answer
	Undecided bool     // somebody who was asked cannot know: ask again
	Lost      []Node   // neighbours that have fallen silent and may live: the answer holds only if they were asked in another way
	Seen      []Node   // nodes that have answered, this one among them; told to a Query with Census
	Copies    []CopyAt // copies that are there; at most MaxCopies
	Removed   uint32   // sessions with this key have been removed that were of generations below this one; 0 = not known

	// Transfer, Held, Refused, Commit, Abort; Copy with Content, State or Drop; Ceded. Also of a Query: of a copy that the asker holds and that is not
	// its own yet; 0 if it holds none.

	Gen     uint32
	Reason  Reason // Refused
	Theirs  uint32 // Refused because of Newer: the generation of the newer one
	NoRoom  bool   // of a message with a body: it was not kept, for want of memory. Not on the wire: the link that received it says so
	Query   ID     // Transfer: the query that it answers; zero if nobody asked
	Leave   bool   // Transfer: the sender is stopping
	Holders []Node // Transfer: nodes that have current copies; at most MaxNodes

	// Copies that are told. See docs/peer-protocol.md §3.8.

	Stream   ID        // Copy, Copied
	Update   uint64    // Copy: its number in the stream, from 1. Copied: all up to it have been taken in; 0 = none
	Heard    uint64    // Copy: the last acknowledgement that the sender has heard. Copied: the last update with Taken that has been dealt with, acknowledged or not
	Change   Change    // Copy
	Owner    Node      // Copy that is about one session, Ceded: whose it is; zero: the sender's. Found that answers a Look: who serves it
	Base     Node      // Copy with State: whose copy it goes on from, if not the owner's own
	Tomb     bool      // Copy with Drop: keep in mind that it has been removed
	Refusals []Refusal // Copied; at most MaxRefusals
	Absent   bool      // Ceded: there is none

	// Bodies that travel in parts. See docs/peer-protocol.md §3.6.

	Offset int64 // Part: of its first byte in the whole body; above 0
	Total  int64 // of a message with a body: bytes of the whole of it, if what follows the head is only the beginning; otherwise 0

	// Transfer, Copy with Content or State, Ceded: the session, with Key and Gen in their own fields above. Body is what follows the head on the wire, and
	// Parse leaves it empty. Part, Copy with Touch, Taken or Buried, Shelved: Body alone. Refused because of Newer: Version alone. Copy with Drop and Tomb: Minutes alone, the
	// life of the session that has been removed; 0 = not told.

	Parcel engine.Parcel
}

// Purpose says what a link is for.
type Purpose uint8

// The purposes.
const (
	Neighbour Purpose = 1 + iota // a link of the topology: queries go over it
	Delivery                     // dialled to deliver a session: no queries
)
