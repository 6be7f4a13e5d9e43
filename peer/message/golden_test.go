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

// touched is a list of one session with a second to live.
var touched = []byte("\x01k\xe8\x07")

// inFull is a session of which everything is as large as may be.
func inFull(body int) engine.Parcel {
	p := engine.Parcel{
		Minutes: 525600, Left: int64(525600 * time.Minute), Version: 4294967295, Uninitialized: true, Literal: true, Cookie: 2147483646, Locked: true,
		Skip: 65535, LockAge: int64(12345 * time.Millisecond),
	}
	if body > 0 {
		p.Body = make([]byte, body)
	}
	return p
}

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
		message.Message{Kind: message.Ping, Addr: "web-1.example:42425", Leaving: true, Admin: "web-1.example:42480"},
		lines(`GET \PING HTTP/1.1`, "Host: web-1.example:42425", "X-Leaving: true", "X-Free: 0", "X-Admin: web-1.example:42480"),
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
			Chase: 255, Direct: true, Urgent: true, Census: true, Look: true, Age: 1500 * time.Millisecond, Gen: 3, Target: "/a%20b",
		},
		lines("GET %2fa+b HTTP/1.1", "Host: [fe80::1%eth0]:1", "X-Node: "+nodeHex, "X-ID: "+queryHex, "Exclusive: transfer", "Max-Forwards: 255",
			"X-Rank: 4294967295", "X-Wait: 60000", "X-Chase: 255", "X-Direct: true", "X-Urgent: true", "X-Census: true", "X-Look: true", "X-Age: 1500", "X-Generation: 3", "X-Target: /a%20b"),
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
		"not here, but copies",
		message.Message{Kind: message.NotHere, ID: query, Removed: 5, Copies: []message.CopyAt{
			{Node: node, Owner: message.Node{1}, Gen: 1, Version: 2, Cookie: 3},
			{Node: message.Node{1}, Owner: node, Addr: "[::1]:7", Gen: 4294967295, Version: 4294967295, Cookie: 2147483646, Locked: true, Ended: true},
		}},
		lines("404 Not Found", "X-Assoc-ID: "+queryHex,
			"X-Copies: "+nodeHex+" 01000000000000000000000000000000 1 2 3, "+
				"01000000000000000000000000000000 "+nodeHex+" 4294967295 4294967295 2147483646 locked ended [::1]:7",
			"X-Removed: 5"),
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
			Total: 67108864, Holders: []message.Node{{1}, node},
			Parcel: inFull(65536),
		},
		lines("PUT k HTTP/1.1", "Host: h:65535", "X-Node: "+nodeHex, "X-ID: "+moveHex, "X-Query: "+queryHex, "X-Generation: 4294967295",
			"X-Version: 4294967295", "Exclusive: transfer", "Timeout: 525600", "X-Left: 31536000000", "ExtraFlags: 1", "LockCookie: 2147483646",
			"X-Locked: true", "LockAge: 12", "X-Lock-Age: 12345", "X-Skip: 65535", "X-Shutdown: true", "X-Literal: true",
			"X-Holders: 01000000000000000000000000000000, "+nodeHex, "X-Target: /k", "X-Length: 67108864",
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
	{
		"copy of content",
		message.Message{
			Kind: message.Copy, Stream: query, Update: 1, Change: message.Content, Key: key, Gen: 1,
			Parcel: engine.Parcel{Body: []byte("content"), Minutes: 20, Left: int64(20 * time.Minute), Version: 3, Cookie: 1},
		},
		lines(`PUT \COPY HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 1", "X-Change: content", "X-Key: "+target, "X-Generation: 1", "X-Version: 3",
			"Timeout: 20", "X-Left: 1200000", "LockCookie: 1", "Content-Length: 7"),
	},
	{
		"copy of content in full",
		message.Message{
			Kind: message.Copy, Stream: query, Update: 1 << 60, Heard: 1 << 60, Change: message.Content, Owner: node, Key: "k", Gen: 4294967295, ID: move,
			Total: 67108864, Parcel: inFull(65536),
		},
		lines(`PUT \COPY HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 1152921504606846976", "X-Heard: 1152921504606846976", "X-Change: content",
			"X-Owner: "+nodeHex, "X-Key: k", "X-Generation: 4294967295", "X-Version: 4294967295", "Timeout: 525600", "X-Left: 31536000000", "ExtraFlags: 1",
			"LockCookie: 2147483646", "X-Locked: true", "X-Lock-Age: 12345", "X-Skip: 65535", "X-Literal: true", "X-ID: "+moveHex, "X-Length: 67108864",
			"Content-Length: 65536"),
	},
	{
		"copy of a state",
		message.Message{
			Kind: message.Copy, Stream: query, Update: 2, Heard: 1, Change: message.State, Key: key, Gen: 1,
			Parcel: engine.Parcel{Minutes: 20, Left: int64(20 * time.Minute), Version: 3, Cookie: 2, Locked: true},
		},
		lines(`PUT \COPY HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 2", "X-Heard: 1", "X-Change: state", "X-Key: "+target, "X-Generation: 1",
			"X-Version: 3", "Timeout: 20", "X-Left: 1200000", "LockCookie: 2", "X-Locked: true", "X-Lock-Age: 0"),
	},
	{
		"copy of a state in full",
		message.Message{
			Kind: message.Copy, Stream: query, Update: 3, Change: message.State, Owner: node, Key: "k", Base: message.Node{1}, Gen: 2, Parcel: inFull(0),
		},
		lines(`PUT \COPY HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 3", "X-Change: state", "X-Owner: "+nodeHex, "X-Key: k",
			"X-Base: 01000000000000000000000000000000", "X-Generation: 2", "X-Version: 4294967295", "Timeout: 525600", "X-Left: 31536000000",
			"ExtraFlags: 1", "LockCookie: 2147483646", "X-Locked: true", "X-Lock-Age: 12345", "X-Skip: 65535", "X-Literal: true"),
	},
	{
		"drop of a copy",
		message.Message{Kind: message.Copy, Stream: query, Update: 4, Change: message.Drop, Key: key, Gen: 2},
		lines(`PUT \COPY HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 4", "X-Change: drop", "X-Key: "+target, "X-Generation: 2"),
	},
	{
		"drop of a copy in full",
		message.Message{Kind: message.Copy, Stream: query, Update: 4, Heard: 3, Change: message.Drop, Owner: node, Key: key, Gen: 2, Tomb: true, Parcel: engine.Parcel{Minutes: 600}},
		lines(`PUT \COPY HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 4", "X-Heard: 3", "X-Change: drop", "X-Owner: "+nodeHex, "X-Key: "+target,
			"X-Generation: 2", "X-Tomb: true", "Timeout: 600"),
	},
	{
		"touch",
		message.Message{Kind: message.Copy, Stream: query, Update: 5, Change: message.Touch, Parcel: engine.Parcel{Body: touched}},
		lines(`PUT \COPY HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 5", "X-Change: touch", "Content-Length: 4"),
	},
	{
		"touch in parts",
		message.Message{Kind: message.Copy, Stream: query, Update: 5, Change: message.Touch, ID: move, Total: 9, Parcel: engine.Parcel{Body: touched}},
		lines(`PUT \COPY HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 5", "X-Change: touch", "X-ID: "+moveHex, "X-Length: 9", "Content-Length: 4"),
	},
	{
		"copy of nothing",
		message.Message{Kind: message.Copy, Stream: query, Update: 6, Heard: 5, Change: message.Nothing},
		lines(`PUT \COPY HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 6", "X-Heard: 5", "X-Change: nothing"),
	},
	{
		"taken",
		message.Message{Kind: message.Copy, Stream: query, Update: 7, Change: message.Taken, Parcel: engine.Parcel{Body: []byte("\x01k\x02")}},
		lines(`PUT \COPY HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 7", "X-Change: taken", "Content-Length: 3"),
	},
	{
		"buried",
		message.Message{Kind: message.Copy, Stream: query, Update: 8, Change: message.Buried, Parcel: engine.Parcel{Body: []byte("12345678\x02\x03")}},
		lines(`PUT \COPY HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 8", "X-Change: buried", "Content-Length: 10"),
	},
	{
		"copied",
		message.Message{Kind: message.Copied, Stream: query},
		lines(`GET \COPIED HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 0"),
	},
	{
		"copied in full",
		message.Message{Kind: message.Copied, Stream: query, Update: 17, Refusals: []message.Refusal{
			{Update: 1, Reason: message.Newer, Gen: 4294967295, Version: 4294967295}, {Update: 1 << 60, Reason: message.Lacking}, {Update: 3, Reason: message.NoRoom},
		}},
		lines(`GET \COPIED HTTP/1.1`, "X-Stream: "+queryHex, "X-Update: 17",
			"X-Refusals: 1 newer 4294967295 4294967295, 1152921504606846976 lacking, 3 no-room"),
	},
	{
		"claim",
		message.Message{Kind: message.Claim, ID: query, Key: key, Node: node, Addr: "10.0.0.2:42425"},
		lines(`GET \CLAIM HTTP/1.1`, "Host: 10.0.0.2:42425", "X-Node: "+nodeHex, "X-ID: "+queryHex, "X-Key: "+target),
	},
	{
		"ceded",
		message.Message{
			Kind: message.Ceded, ID: query, Key: key, Gen: 1,
			Parcel: engine.Parcel{Body: []byte("content"), Minutes: 20, Left: int64(19 * time.Minute), Version: 3, Cookie: 1},
		},
		lines(`PUT \CEDED HTTP/1.1`, "X-Assoc-ID: "+queryHex, "X-Key: "+target, "X-Generation: 1", "X-Version: 3", "Timeout: 20", "X-Left: 1140000",
			"LockCookie: 1", "Content-Length: 7"),
	},
	{
		"ceded in full",
		message.Message{Kind: message.Ceded, ID: query, Key: "k", Owner: node, Gen: 2, Total: 67108864, Parcel: inFull(65536)},
		lines(`PUT \CEDED HTTP/1.1`, "X-Assoc-ID: "+queryHex, "X-Key: k", "X-Owner: "+nodeHex, "X-Generation: 2", "X-Version: 4294967295",
			"Timeout: 525600", "X-Left: 31536000000", "ExtraFlags: 1", "LockCookie: 2147483646", "X-Locked: true", "X-Lock-Age: 12345", "X-Skip: 65535",
			"X-Literal: true", "X-Length: 67108864", "Content-Length: 65536"),
	},
	{
		"ceded: absent",
		message.Message{Kind: message.Ceded, ID: query, Key: key, Absent: true},
		lines(`PUT \CEDED HTTP/1.1`, "X-Assoc-ID: "+queryHex, "X-Key: "+target, "X-Absent: true"),
	},
	{
		"shelved",
		message.Message{Kind: message.Shelved, Parcel: engine.Parcel{Body: []byte("\x01k\x02")}},
		lines(`PUT \SHELVED HTTP/1.1`, "Content-Length: 3"),
	},
	{
		"shelved in parts",
		message.Message{Kind: message.Shelved, ID: move, Total: 6, Parcel: engine.Parcel{Body: []byte("\x01k\x02")}},
		lines(`PUT \SHELVED HTTP/1.1`, "X-ID: "+moveHex, "X-Length: 6", "Content-Length: 3"),
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
