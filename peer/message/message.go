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
	numKinds
)

// Reason says why a transfer was refused.
type Reason uint8

// The reasons.
const (
	Newer   Reason = 1 + iota // I have it already, at least as new, and mine stays; Theirs and Parcel.Version are those of mine
	Busy                      // I am in the middle of another move of this session; try again
	NoRoom                    // my memory is full, or it is larger than I take
	Leaving                   // I am about to stop
	numReasons
)

// Message is one message. Which fields have a meaning depends on Kind.
type Message struct {
	Kind Kind

	ID  ID     // Query, NotHere, Found: of the query. Transfer, Part, Held, Refused, Commit, Abort: of the move
	Key string // Query, Transfer, Held, Refused, Commit, Abort: the session's key, as the engine has it

	// Hello and Ping. A Query says where the session is to be delivered, a Transfer where it comes from.

	Node Node   // Hello, Query, Transfer
	Addr string // host:port of its peer port; empty if it has none. Hello, Query, Transfer

	// Hello.

	Program  string // of the program, for people
	Protocol uint32 // of this protocol; a node speaks the lower one of both
	Purpose  Purpose

	// Hello and Ping.

	Leaving bool  // takes no more sessions
	Free    int64 // bytes of memory that sessions may still take; -1 = not known

	// Query.

	Hops   uint8         // how many further hops are allowed
	Chase  uint8         // how many more times the query may follow a session that has moved on; see Direct
	Direct bool          // the session was handed to whom this is sent: answer although the query may have been seen before
	Urgent bool          // the asker wants to save or unlock: it may not be kept waiting for the sake of the lock
	Census bool          // the answers are to say who has given them
	Rank   uint32        // above that of every query for this key that the asker had heard of
	Wait   time.Duration // how long the asker still waits, in ms on the wire; at most MaxWait
	Target string        // the key as the web server spelt it, for peers that know no other; empty if as AppendTarget does, or not known. Also in a Transfer

	// Around and Query.

	Nodes []Node // Around: the neighbours of the sender, the receiver among them; 1 to MaxNodes
	Sum   uint32 // Around: of Nodes. Query: of the neighbours that whoever sends it here has; 0 = not told

	// NotHere.

	Original  bool   // an original peer was asked, which never says no: silence will be the answer
	Undecided bool   // somebody who was asked cannot know: ask again
	Lost      []Node // neighbours that have fallen silent and may live: the answer holds only if they were asked in another way
	Seen      []Node // nodes that have answered, this one among them; told to a Query with Census

	// Transfer, Held, Refused, Commit, Abort. Also of a Query: of a copy that the asker holds and that is not its own yet; 0 if it holds none.

	Gen    uint32
	Reason Reason // Refused
	Theirs uint32 // Refused because of Newer: the generation of the newer one
	NoRoom bool   // Transfer: the body was not kept, for want of memory. Not on the wire: the link that received it says so
	Query  ID     // Transfer: the query that it answers; zero if nobody asked
	Leave  bool   // Transfer: the sender is stopping

	// Bodies that travel in parts. See docs/peer-protocol.md §3.6.

	Offset int64 // Part: of its first byte in the whole body; above 0
	Total  int64 // Transfer: bytes of the whole body, if what follows the head is only the beginning; otherwise 0

	// Transfer: the session, with Key and Gen in their own fields above. Its Body is what follows the head on the wire, and Parse leaves it
	// empty. Part: Body alone. Refused because of Newer: Version alone.

	Parcel engine.Parcel
}

// Purpose says what a link is for.
type Purpose uint8

// The purposes.
const (
	Neighbour Purpose = 1 + iota // a link of the topology: queries go over it
	Delivery                     // dialled to deliver a session: no queries
)
