package api

import "time"

// Farm is the page /api/v1/farm: the farm as one node sees it.
type Farm struct {
	Standalone bool       `json:"standalone,omitempty"` // then the rest is empty
	Node       string     `json:"node"`
	Address    string     `json:"address"`
	Links      []Link     `json:"links"`
	Originals  []Original `json:"originals,omitempty"`
	Gossip     *Gossip    `json:"gossip,omitempty"`
	Drain      Drain      `json:"drain"`
	Copies     Copies     `json:"copies"`
}

// Link is a link to another node.
type Link struct {
	Node           string    `json:"node"`
	Addr           string    `json:"addr,omitempty"`
	Remote         string    `json:"remote,omitempty"`
	Program        string    `json:"program,omitempty"`
	Purpose        string    `json:"purpose"` // neighbour or delivery
	Dialled        bool      `json:"dialled"`
	Up             bool      `json:"up"` // or being dialled
	Encrypted      bool      `json:"encrypted"`
	Since          time.Time `json:"since,omitzero"`
	QueuedMessages int       `json:"queued_messages"`
	QueuedBytes    int       `json:"queued_bytes"`
	BytesIn        int64     `json:"bytes_in"`
	BytesOut       int64     `json:"bytes_out"`
	Leaving        bool      `json:"leaving"`
	Admin          string    `json:"admin,omitempty"`
}

// Original is a link to an original peer-to-peer state server.
type Original struct {
	Addr      string    `json:"addr"`
	Live      bool      `json:"live"`
	Links     int       `json:"links"`
	Queued    int       `json:"queued_queries"`
	Since     time.Time `json:"since"`
	LastError string    `json:"last_error,omitempty"`
}

// Gossip is who is in the farm, as gossip says.
type Gossip struct {
	Address string   `json:"address"`
	Health  int64    `json:"health"` // 0 = the node answers in time
	Members []Member `json:"members"`
}

// Member is another member.
type Member struct {
	Node    string    `json:"node"`
	Name    string    `json:"name"`
	State   string    `json:"state"` // alive, leaving, dead
	Since   time.Time `json:"since"`
	Peer    string    `json:"peer_address"`
	Web     string    `json:"state_address"`
	Gossip  string    `json:"gossip_address"`
	Admin   string    `json:"admin_address"`
	Program string    `json:"program"`
	Free    int64     `json:"free_bytes"` // -1 = not known
	Linked  bool      `json:"linked"`
}

// Drain says how far a drain is.
type Drain struct {
	Draining bool  `json:"draining"`
	Sessions int64 `json:"sessions"`
	Moving   int64 `json:"moving"`
	Handed   int64 `json:"handed_over"`
	Takers   bool  `json:"takers"` // somebody can take sessions
}

// Moment is for how many seconds sessions may be short of copies without anybody having to know: a new one is until its copies are made.
const Moment = 5

// Copies says how the copies are.
type Copies struct {
	Copies     int      `json:"copies"` // of each session, the owner's included; 0 = off
	Ack        string   `json:"ack"`
	Mirroring  bool     `json:"mirroring"` // there is somebody who takes copies
	Nodes      int      `json:"nodes"`     // that are there and stay, this one among them; 0 = not known
	Full       int      `json:"full"`      // of them, that had no room for a copy of late
	Doubtful   bool     `json:"doubtful"`
	Copied     int      `json:"copied"` // sessions of this node of which others have copies
	Short      int64    `json:"short"`  // sessions of this node that have fewer copies than they shall have
	ShortFor   float64  `json:"short_seconds"`
	Waiting    int      `json:"waiting"` // changes that wait for mirrors
	Shelf      int      `json:"kept"`    // copies of others' sessions here
	ShelfBytes int64    `json:"kept_bytes"`
	Repair     Repair   `json:"repair"`
	Mirrors    []Mirror `json:"mirrors"`
	Quarantine int      `json:"quarantine"`
}

// Repair says how far the making of missing copies is.
type Repair struct {
	Running bool    `json:"running"`
	Looked  int64   `json:"looked_at"`
	Of      int64   `json:"of"`
	Made    int64   `json:"made"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

// Mirror is the stream of updates to one mirror.
type Mirror struct {
	Node    string `json:"node"`
	Linked  bool   `json:"linked"`
	Updates int    `json:"updates"` // that are not acknowledged
	Bytes   int    `json:"bytes"`
}
