package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/farmstate/farmstate/engine/appkey"
)

// Config is the effective configuration of a node. Each field is described by
// the option of the same name in [Table]; limits and units stand there.
//
// Static after [Load].
type Config struct {
	Listen  string
	Allow   []netip.Prefix
	Admin   string // empty when the admin pages are off
	Gops    bool
	Aliases []appkey.Alias
	Rules   *appkey.Rules // made of Aliases and FoldApplicationCase

	Standalone      bool
	PeerListen      string // empty when it is off
	Peers           []string
	PeerAdvertise   string
	PeerAllow       []netip.Prefix // see PeerNetworks
	AdminTokenFile  string         // see ReadToken
	PeerSecretFile  string         // see ReadSecret
	PeerCert        string
	PeerKey         string
	PeerCA          string
	Insecure        bool
	Join            []string
	GossipListen    string // auto, empty when it is off, or an address; see GossipAddr
	GossipAdvertise string
	MaxPeers        int64
	MaxForwards     int64
	QueryTimeout    time.Duration
	TransferQueue   int64
	LegacyPeers     []LegacyPeer

	Transport      string
	EventLoops     int64 // 0 = auto
	MaxHeader      int64
	MaxBody        int64
	MaxConnections int64
	MaxOutput      int64
	MaxOutputTotal int64
	IdleTimeout    time.Duration

	MaxMemory    int64 // 0 = auto
	LockWait     time.Duration
	LockQueue    int64
	SessionQueue int64
	StaleLock    time.Duration

	HTTPStatusLine bool
	Copies         int64 // 0 chooses
	Ack            string
	CopyBacklog    int64
	TouchPeriod    time.Duration
	RepairRate     int64
	QuarantineSize int64

	ASPNetVersion       string
	FoldApplicationCase bool

	ShutdownTimeout  time.Duration
	Data             string // empty when there is none
	SnapshotInterval time.Duration
	SnapshotKeyFile  string // see ReadSecret
	LogLevel         slog.Level
	LogFormat        string

	// Warnings are what is accepted but should not stay as it is, each on one
	// line that says where it stands. They hold no secret.
	Warnings []string

	origins  map[string]Origin // by option name; an option that is missing here has its default
	aliasAt  []Origin          // aliasAt[i] is where Aliases[i] was written
	legacyAt []Origin          // legacyAt[i] is where LegacyPeers[i] was written
}

// Origin says where the value of the named option comes from.
func (c *Config) Origin(name string) Origin {
	return c.origins[name]
}

// AliasOrigin says where Aliases[i] was written.
func (c *Config) AliasOrigin(i int) Origin {
	return c.aliasAt[i]
}

// IsSet reports whether someone chose the value of the named option, were it
// the value that is the default anyway.
func (c *Config) IsSet(name string) bool {
	return c.origins[name].Source != SourceDefault
}
