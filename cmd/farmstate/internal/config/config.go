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

	HTTPStatusLine      bool
	ASPNetVersion       string
	FoldApplicationCase bool

	Standalone      bool
	ShutdownTimeout time.Duration
	LogLevel        slog.Level
	LogFormat       string

	origins map[string]Origin // by option name; an option that is missing here has its default
	aliasAt []Origin          // aliasAt[i] is where Aliases[i] was written
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
