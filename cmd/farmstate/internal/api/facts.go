package api

import (
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
)

// Facts is the page /api/v1/facts: what `farmstate doctor` compares between nodes, beside what the page of a node has. No secret is in it, and no session.
type Facts struct {
	Whole     bool       `json:"whole"` // the caller has the token: nothing is left out
	Listeners []Listener `json:"listeners"`
	// Settings are those that should be the same on all nodes, or that findings name, by option and as they would be written.
	Settings map[string]string `json:"settings"`
	Peers    []string          `json:"peers,omitempty"`
	Join     []string          `json:"join,omitempty"`
	// Security says what protects links: secret, certificates or plain; empty without a farm.
	Security string `json:"link_security,omitempty"`
	// SecretMark is the same on nodes with the same secret, and most probably another with another. 16 bits: nobody finds the secret by it. Only for callers with
	// the token.
	SecretMark string   `json:"secret_mark,omitempty"`
	SecretFile string   `json:"secret_file,omitempty"` // its name
	Allow      []string `json:"allow"`
	PeerAllow  []string `json:"peer_allow"` // in effect: allow, if the option is not set

	Clients []Client `json:"clients"` // the latest, at most MaxFactClients
	// PeerCloses counts links and connections to the peer port that have ended, by reason.
	PeerCloses map[string]int64 `json:"peer_closes,omitempty"`
	// GossipRefused counts gossip that was not taken, by reason: wrong_secret, not_allowed.
	GossipRefused map[string]int64 `json:"gossip_refused,omitempty"`

	EventCounts map[string]int64 `json:"event_counts"`
	Events      []event.Event    `json:"events"` // the latest warnings and errors, the oldest first
	NearMisses  []NearMiss       `json:"near_misses"`
	Lost        Lost             `json:"lost"`
	Waits       Waits            `json:"lock_waits"`
	Host        Host             `json:"host"`
	Snapshots   *Snapshots       `json:"snapshots,omitempty"` // nil without data
}

// MaxFactClients bounds Facts.Clients.
const MaxFactClients = 256

// Listener is a port of a node.
type Listener struct {
	Name       string `json:"name"`   // state, peer, gossip, admin
	Option     string `json:"option"` // that sets it
	Configured string `json:"configured"`
	Bound      string `json:"bound"`
	Advertised string `json:"advertised,omitempty"` // to other nodes; without a host: whatever address they reach the node at
}

// Client is an address that has come to the state port.
type Client struct {
	Addr        string    `json:"addr"`
	Connections int64     `json:"connections"`
	Opened      int64     `json:"opened"`
	Refused     int64     `json:"refused"` // because it is not in allow
	LastSeen    time.Time `json:"last_seen"`
}

// NearMiss is all near misses of one kind since the start: the applications, with their hashes, and the cause. Also of the page /api/v1/near-misses.
type NearMiss struct {
	Asked       string    `json:"asked"`
	Found       string    `json:"found"`
	Cause       string    `json:"cause"`
	Explanation string    `json:"explanation"`
	Advice      string    `json:"advice"`
	Count       int64     `json:"count"`
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	Clients     []string  `json:"clients,omitempty"` // web servers that asked; the first few
}

// Lost counts what nobody has been told.
type Lost struct {
	Notices int64 `json:"notices"` // of sessions, that came faster than they were logged
}

// Waits counts requests that waited for a lock.
type Waits struct {
	Granted  int64 `json:"granted"`
	TimedOut int64 `json:"timed_out"`
}

// Host is what the node's machine says; numbers are -1 where it does not tell.
type Host struct {
	System        string   `json:"system"`
	OutgoingPorts string   `json:"outgoing_ports,omitempty"` // such as 32768-60999
	ReservedPorts []string `json:"reserved_ports,omitempty"` // ports and ranges that are left out of it
	MemoryLimit   int64    `json:"memory_bytes"`             // of the machine, or of its control group
	GoMemoryLimit int64    `json:"go_memory_limit_bytes"`    // GOMEMLIMIT
	SwapTotal     int64    `json:"swap_bytes"`
	SwapFree      int64    `json:"swap_free_bytes"`
	Swapped       int64    `json:"swapped_bytes"` // of this process
}

// Snapshots says how the snapshots are.
type Snapshots struct {
	Interval  float64    `json:"interval_seconds"` // 0 = at a stop only
	Written   *time.Time `json:"last_success,omitempty"`
	Failures  int64      `json:"failures"`
	LastError string     `json:"last_error,omitempty"`
}
