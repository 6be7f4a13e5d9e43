package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/admin"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/dashboard"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/metrics"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/notice"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/token"
	"github.com/farmstate/farmstate/netpoll"
)

// startAdmin opens the admin port. When nobody asked for its address, a node
// without admin pages is better than none.
func (n *node) startAdmin(notices *notice.Listener) error {
	if n.cfg.Admin == "" {
		return nil
	}
	addr, err := n.address("admin", n.cfg.Admin)
	if err != nil {
		return err
	}
	if err := n.readToken(); err != nil {
		return err
	}
	b := buildInfo()
	server, err := admin.Listen(admin.Options{
		Network: netpoll.Network(addr), Addr: addr,
		Allow:     n.cfg.Allow,
		HostNames: hostNames(n.cfg.Admin),
		Token:     n.token,
		Logger:    n.logger,
		NotReady:  n.notReady,
		Metrics: metrics.New(metrics.Sources{
			Engine:    n.engine.Stats,
			Network:   n.server.Stats,
			Farm:      n.farmStats(),
			Snapshots: n.snapshotStats(),
			Dropped:   notices.Dropped,
			Events:    n.eventCounts,
			NotReady:  n.notReadyNames,
			Build:     prometheus.Labels{"version": b.Version, "commit": b.Commit, "go": b.Go, "system": b.System},
		}),
		API: map[string]admin.Page{
			"status":      func(context.Context, admin.Request) any { return n.status() },
			"locks":       func(context.Context, admin.Request) any { return notice.Locks(n.engine.StaleLocks(n.server.Now())) },
			"near-misses": func(context.Context, admin.Request) any { return notices.NearMisses() },
			"farm":        func(context.Context, admin.Request) any { return n.farmStatus() },
			"quarantine":  func(context.Context, admin.Request) any { return n.quarantined() },
			"survey":      func(_ context.Context, r admin.Request) any { return n.survey(r.Whole()) },
			"node":        func(_ context.Context, r admin.Request) any { return n.view(r.Whole()) },
			"facts":       n.factsPage(notices),
			"nodes":       n.nodes,
		},
		Actions: map[string]admin.Action{
			"drain":             n.there("drain", n.drainAction, admin.Flag("stop"), admin.Flag("look")),
			"snapshot":          n.there("snapshot", n.snapshotAction),
			"quarantine/export": n.there("quarantine/export", n.exportAction, admin.Number("id", "the number of a state in the list of /api/v1/quarantine", 63)),
			"unlock":            n.there("unlock", n.unlockAction, admin.Text("session", "the whole key, which /api/v1/survey shows with the token"), admin.Number("cookie", "the number of the lock", 32)),
			"log-level":         n.there("log-level", n.logLevelAction, admin.Choice("level", "debug", "info", "warn", "error")),
		},
		Dashboard: dashboard.Handler(),
		Events:    n.events,
	})
	if err != nil {
		err = listenError("admin", n.cfg.Admin, err)
		if n.cfg.IsSet("admin") {
			return err
		}
		n.logger.Warn("there are no admin pages: their port is taken or forbidden; choose another with --admin, or switch them off with --admin off",
			"event", "admin_off", "err", err)
		return nil
	}
	n.admin = server
	n.onClose(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		server.Shutdown(ctx)
	})
	n.keepToken()
	n.tellAdminAddr()
	return nil
}

// readToken finds the admin token: what the configuration says, or a new one.
func (n *node) readToken() (err error) {
	var warning string
	if n.cfg.AdminTokenFile == "" {
		n.token, n.tokenMade = token.New(), true
		return nil
	}
	if n.token, warning, err = config.ReadToken(n.cfg.AdminTokenFile); err != nil {
		return usageError(n.cfg.OfFile("admin_token_file", err))
	}
	if warning != "" {
		n.logger.Warn(warning, "event", "configuration_warning")
	}
	return nil
}

// keepToken leaves a token that was made where commands on this machine find it.
func (n *node) keepToken() {
	if !n.tokenMade {
		return
	}
	file, err := token.Keep(n.token, n.adminAddr(), os.Getenv)
	if err != nil {
		n.logger.Warn("nobody can act on the admin pages: the token that the node has made could not be written; set admin_token_file", "event", "admin_token", "err", err)
		return
	}
	n.logger.Info("actions on the admin pages need the token in this file", "event", "admin_token", "file", file)
	n.onClose(func() { token.Remove(file, n.token) })
}

// tellAdminAddr tells the farm where this node shows its admin pages.
func (n *node) tellAdminAddr() {
	if n.farm != nil {
		n.farm.SetAdminAddr(anyHost(n.adminAddr()))
	}
}

// anyHost is an address without its host if that stands for all addresses of this machine.
func anyHost(addr string) string {
	if host, port, err := net.SplitHostPort(addr); err == nil {
		if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
			return ":" + port
		}
	}
	return addr
}

// hostNames are the names that a browser may call the admin pages by.
func hostNames(addr string) []string {
	var names []string
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		names = append(names, host)
	}
	if own, err := os.Hostname(); err == nil {
		names = append(names, own)
	}
	return names
}

func (n *node) adminAddr() string {
	if n.admin == nil {
		return ""
	}
	return n.admin.Addr().String()
}

// logLevelAction is POST /api/v1/log-level?level=LEVEL: what the log shows, until the node is started again.
func (n *node) logLevelAction(query url.Values) (any, error) {
	var level = n.level.Level()
	_ = level.UnmarshalText([]byte(query.Get("level"))) // it is one of them
	before := n.level.Level()
	n.level.Set(level)
	n.logger.Warn("the level of the log was changed", "event", "log_level", "from", strings.ToLower(before.String()), "to", strings.ToLower(level.String()))
	return struct {
		Level string `json:"log_level"`
	}{strings.ToLower(level.String())}, nil
}

var errNoAdminThere = errors.New("that node's admin pages are not known here; open them at that node itself")
