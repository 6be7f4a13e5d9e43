package message_test

import (
	"strings"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// target is one of docs/protocol.md §3.9, and key what it stands for.
const (
	target = "%2fLM%2fW3SVC%2f1%2fROOT(cAHkmVhipCLv%2fQnONQmPsKL%2bq%2fAjnK%2fnYS9aV3Zlad8%3d)%2fz445nnecaiiqye55asxwtm55"
	key    = "/LM/W3SVC/1/ROOT(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)/z445nnecaiiqye55asxwtm55"
)

// The ids of the goldens, and how they are written.
var (
	node  = message.Node{0x0a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	query = message.ID{0x06, 0x25, 0xfc, 0x52, 0x7c, 0xf9, 0x41, 0x8b, 0x83, 0xed, 0x91, 0x20, 0xb8, 0x64, 0x3c, 0xcd}
	move  = message.ID{0xe9, 0x05, 0x53, 0x23, 0x62, 0xd5, 0x4a, 0x5c, 0x8c, 0xa2, 0x6d, 0x8a, 0x97, 0x7c, 0x6e, 0xd0}
)

const (
	nodeHex  = "0a0102030405060708090a0b0c0d0e0f"
	queryHex = "0625fc527cf9418b83ed9120b8643ccd"
	moveHex  = "e905532362d54a5c8ca26d8a977c6ed0"
)

// lines makes a head of its lines.
func lines(all ...string) string { return strings.Join(all, "\r\n") + "\r\n\r\n" }

// usual are the limits of a node where nothing is configured.
var usual = message.Limits{MaxHead: message.MaxHead, MaxBody: 64 << 20}

// golden is a message and its bytes. The body is not part of head.
type golden struct {
	name string
	m    message.Message
	head string
}

// goldens has each kind with as little and with as much as it can say.
var goldens = []golden{
	{
		"hello",
		message.Message{Kind: message.Hello, Node: node, Protocol: 1, Purpose: message.Neighbour, Free: -1},
		lines(`GET \HELLO HTTP/1.1`, "Host: ", "X-Node: "+nodeHex, "X-Protocol: 1", "X-Purpose: neighbour"),
	},
	{
		"hello in full",
		message.Message{
			Kind: message.Hello, Node: node, Addr: "10.0.0.2:42425", Protocol: 4294967295, Program: "farmstate 1.0 (linux/amd64)",
			Purpose: message.Delivery, Leaving: true, Free: 1 << 30,
		},
		lines(`GET \HELLO HTTP/1.1`, "Host: 10.0.0.2:42425", "X-Node: "+nodeHex, "X-Protocol: 4294967295", "X-Program: farmstate 1.0 (linux/amd64)",
			"X-Purpose: delivery", "X-Leaving: true", "X-Free: 1073741824"),
	},
	{
		"ping",
		message.Message{Kind: message.Ping, Free: -1},
		lines(`GET \PING HTTP/1.1`, "Host: "),
	},
	{
		"ping in full",
		message.Message{Kind: message.Ping, Addr: "web-1.example:42425", Leaving: true},
		lines(`GET \PING HTTP/1.1`, "Host: web-1.example:42425", "X-Leaving: true", "X-Free: 0"),
	},
	{
		"around",
		message.Message{Kind: message.Around, Nodes: []message.Node{{1}, node}, Sum: 7},
		lines(`GET \AROUND HTTP/1.1`, "Host: ", "X-Nodes: 01000000000000000000000000000000, "+nodeHex, "X-Sum: 7"),
	},
	{
		"query",
		message.Message{Kind: message.Query, Key: key, ID: query, Node: node, Addr: "10.0.0.2:42425", Hops: 5, Rank: 1, Wait: 2500 * time.Millisecond},
		lines("GET "+target+" HTTP/1.1", "Host: 10.0.0.2:42425", "X-Node: "+nodeHex, "X-ID: "+queryHex, "Exclusive: transfer", "Max-Forwards: 5",
			"X-Rank: 1", "X-Wait: 2500"),
	},
	{
		"query in full",
		message.Message{
			Kind: message.Query, Key: "/a b", ID: query, Node: node, Addr: "[fe80::1%eth0]:1", Hops: 255, Rank: 4294967295, Wait: time.Minute,
			Chase: 255, Direct: true, Urgent: true, Census: true, Gen: 3, Target: "/a%20b",
		},
		lines("GET %2fa+b HTTP/1.1", "Host: [fe80::1%eth0]:1", "X-Node: "+nodeHex, "X-ID: "+queryHex, "Exclusive: transfer", "Max-Forwards: 255",
			"X-Rank: 4294967295", "X-Wait: 60000", "X-Chase: 255", "X-Direct: true", "X-Urgent: true", "X-Census: true", "X-Generation: 3", "X-Target: /a%20b"),
	},
	{
		"not here",
		message.Message{Kind: message.NotHere, ID: query},
		lines("404 Not Found", "X-Assoc-ID: "+queryHex),
	},
	{
		"not here in full",
		message.Message{Kind: message.NotHere, ID: query, Original: true, Undecided: true, Lost: []message.Node{node}, Seen: []message.Node{{1}, node}},
		lines("404 Not Found", "X-Assoc-ID: "+queryHex, "X-Original: true", "X-Undecided: true", "X-Lost: "+nodeHex,
			"X-Seen: 01000000000000000000000000000000, "+nodeHex),
	},
	{
		"found",
		message.Message{Kind: message.Found, ID: query},
		lines("302 Found", "X-Assoc-ID: "+queryHex),
	},
	{
		"transfer",
		message.Message{
			Kind: message.Transfer, Key: key, ID: move, Node: node, Addr: "10.0.0.2:42425", Gen: 1,
			Parcel: engine.Parcel{Body: []byte("content"), Minutes: 20, Left: int64(19 * time.Minute), Version: 3, Cookie: 1},
		},
		lines("PUT "+target+" HTTP/1.1", "Host: 10.0.0.2:42425", "X-Node: "+nodeHex, "X-ID: "+moveHex, "X-Generation: 1", "X-Version: 3",
			"Exclusive: transfer", "Timeout: 20", "X-Left: 1140000", "ExtraFlags: 0", "LockCookie: 1", "Content-Length: 7"),
	},
	{
		"transfer in full",
		message.Message{
			Kind: message.Transfer, Key: "k", ID: move, Node: node, Addr: "h:65535", Query: query, Gen: 4294967295, Leave: true, Target: "/k",
			Total: 67108864,
			Parcel: engine.Parcel{
				Body: make([]byte, 65536), Minutes: 525600, Left: int64(525600 * time.Minute), Version: 4294967295, Uninitialized: true, Literal: true,
				Cookie: 2147483646, Locked: true, Skip: 65535,
				LockAge: int64(12345 * time.Millisecond),
			},
		},
		lines("PUT k HTTP/1.1", "Host: h:65535", "X-Node: "+nodeHex, "X-ID: "+moveHex, "X-Query: "+queryHex, "X-Generation: 4294967295",
			"X-Version: 4294967295", "Exclusive: transfer", "Timeout: 525600", "X-Left: 31536000000", "ExtraFlags: 1", "LockCookie: 2147483646",
			"X-Locked: true", "LockAge: 12", "X-Lock-Age: 12345", "X-Skip: 65535", "X-Shutdown: true", "X-Literal: true", "X-Target: /k", "X-Length: 67108864",
			"Content-Length: 65536"),
	},
	{
		"held",
		message.Message{Kind: message.Held, Key: key, ID: move, Gen: 7},
		lines("202 Accepted", "X-Assoc-ID: "+moveHex, "X-Generation: 7", "X-Key: "+target),
	},
	{
		"refused: newer",
		message.Message{Kind: message.Refused, Key: key, ID: move, Gen: 7, Reason: message.Newer, Theirs: 8, Parcel: engine.Parcel{Version: 9}},
		lines("409 Conflict", "X-Assoc-ID: "+moveHex, "X-Reason: newer", "X-Generation: 7", "X-Newer-Generation: 8", "X-Version: 9", "X-Key: "+target),
	},
	{
		"refused: busy",
		message.Message{Kind: message.Refused, Key: key, ID: move, Gen: 7, Reason: message.Busy},
		lines("409 Conflict", "X-Assoc-ID: "+moveHex, "X-Reason: busy", "X-Generation: 7", "X-Key: "+target),
	},
	{
		"refused: no room",
		message.Message{Kind: message.Refused, Key: key, ID: move, Gen: 7, Reason: message.NoRoom},
		lines("409 Conflict", "X-Assoc-ID: "+moveHex, "X-Reason: no-room", "X-Generation: 7", "X-Key: "+target),
	},
	{
		"refused: leaving",
		message.Message{Kind: message.Refused, Key: key, ID: move, Gen: 7, Reason: message.Leaving},
		lines("409 Conflict", "X-Assoc-ID: "+moveHex, "X-Reason: leaving", "X-Generation: 7", "X-Key: "+target),
	},
	{
		"commit",
		message.Message{Kind: message.Commit, Key: key, ID: move, Gen: 7},
		lines("200 OK", "X-Assoc-ID: "+moveHex, "X-Generation: 7", "X-Key: "+target),
	},
	{
		"abort",
		message.Message{Kind: message.Abort, Key: key, ID: move, Gen: 7},
		lines("410 Gone", "X-Assoc-ID: "+moveHex, "X-Generation: 7", "X-Key: "+target),
	},
	{
		"part",
		message.Message{Kind: message.Part, ID: move, Offset: 65536, Parcel: engine.Parcel{Body: make([]byte, 4096)}},
		lines(`PUT \PART HTTP/1.1`, "X-ID: "+moveHex, "X-Offset: 65536", "Content-Length: 4096"),
	},
}

// find returns the golden with this name.
func find(name string) golden {
	for _, g := range goldens {
		if g.name == name {
			return g
		}
	}
	panic(name)
}
