package main

import (
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/admin"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/machine"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/notice"
)

// factSettings are the options that the page of facts shows: those that the nodes of a farm have to agree about, and those that findings name. None is a secret.
var factSettings = []string{
	"max_forwards", "query_timeout", "transfer_queue", "copies", "ack", "lock_wait", "lock_queue", "session_queue", "stale_lock", "fold_application_case", "max_body",
	"max_memory", "max_connections", "http_status_line", "aspnet_version", "snapshot_interval", "insecure", "log_level",
}

// settingAliases is what the facts call the alias rules: how many there are, and a digest by which two nodes can be compared.
const settingAliases = "alias"

// factEvents is how many of the latest warnings the facts have.
const factEvents = 200

// factsPage makes the page /api/v1/facts. The mark of the secret is that of the one that the node has read at its start, whatever the file holds later.
func (n *node) factsPage(notices *notice.Listener) admin.Page {
	mark := ""
	if n.farm != nil && n.cfg.PeerSecretFile != "" {
		mark = secretMark(n.cfg.PeerSecretFile)
	}
	return func(_ context.Context, r admin.Request) any {
		f := n.facts(notices)
		if f.Whole = r.Whole(); f.Whole {
			f.SecretMark = mark
		}
		return f
	}
}

// facts are what `farmstate doctor` judges, but for the mark of the secret.
func (n *node) facts(notices *notice.Listener) api.Facts {
	c, e := n.cfg, n.engine.Stats()
	f := api.Facts{
		Listeners: n.listeners(), Settings: settingsOf(c), Peers: c.Peers, Join: c.Join,
		Allow: networkTexts(c.Allow), PeerAllow: networkTexts(c.PeerNetworks()),
		Clients: n.factClients(), EventCounts: map[string]int64{},
		Events:     n.events.Recent(0, event.Warn, factEvents),
		NearMisses: notices.NearMisses(),
		Lost:       api.Lost{Notices: notices.Dropped()},
		Waits:      api.Waits{Granted: e.Granted, TimedOut: e.WaitTimeouts},
		Host:       hostFacts(),
	}
	for key, count := range n.events.Counts() {
		f.EventCounts[key.Name] += count
	}
	if n.farm != nil {
		n.farmFacts(&f)
	}
	if n.snapshots != nil {
		s := n.snapshots.status()
		f.Snapshots = &api.Snapshots{Interval: s.Interval, Written: s.Written, Failures: s.Failures, LastError: s.LastError}
	}
	return f
}

// farmFacts adds what only a node with a farm has.
func (n *node) farmFacts(f *api.Facts) {
	c := n.cfg
	f.Settings["copies"] = strconv.Itoa(max(1, n.farm.CopiesStatus().Copies)) // what 0 has chosen
	f.Security, f.SecretFile = "plain", c.PeerSecretFile
	switch {
	case c.PeerCert != "":
		f.Security = "certificates"
	case c.PeerSecretFile != "":
		f.Security = "secret"
	}
	s := n.farm.Stats()
	f.PeerCloses = map[string]int64{}
	for reason, count := range s.Links.Closes {
		if count > 0 {
			f.PeerCloses[reason.String()] = count
		}
	}
	if s.Gossip != nil {
		f.GossipRefused = map[string]int64{"wrong_secret": s.Gossip.WrongSecret, "not_allowed": s.Gossip.NotAllowed}
	}
}

// markBytes is how long a mark of a secret is: too short to find the secret by, long enough to see that two differ.
const markBytes = 2

// secretMark makes a mark of the secret in a file; empty if it cannot be read.
func secretMark(file string) string {
	secret, _, err := config.ReadSecret(file)
	if err != nil {
		return ""
	}
	mark, err := hkdf.Key(sha256.New, secret, nil, "farmstate secret mark 1", markBytes)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(mark)
}

// listeners are the ports that are open.
func (n *node) listeners() []api.Listener {
	c := n.cfg
	all := []api.Listener{{Name: "state", Option: "listen", Configured: c.Listen, Bound: n.server.Addr().String(), Advertised: anyHost(n.server.Addr().String())}}
	if addr := n.peerAddr(); addr != "" {
		all = append(all, api.Listener{Name: "peer", Option: "peer_listen", Configured: c.PeerListen, Bound: addr, Advertised: cmp.Or(n.farm.Status().Address, anyHost(addr))})
	}
	if addr := n.gossipAddr(); addr != "" {
		all = append(all, api.Listener{Name: "gossip", Option: "gossip_listen", Configured: c.GossipAddr(), Bound: addr, Advertised: cmp.Or(c.GossipAdvertise, anyHost(addr))})
	}
	if addr := n.adminAddr(); addr != "" {
		all = append(all, api.Listener{Name: "admin", Option: "admin", Configured: c.Admin, Bound: addr, Advertised: anyHost(addr)})
	}
	return all
}

// settingsOf are the settings that the facts show.
func settingsOf(c *config.Config) map[string]string {
	all := map[string]string{settingAliases: aliasDigest(c)}
	for _, name := range factSettings {
		all[name] = strings.Join(config.Lookup(name).Values(c), ",")
	}
	return all
}

// aliasDigest is how many alias rules there are, and what tells two sets of them apart. Their order means nothing.
func aliasDigest(c *config.Config) string {
	if len(c.Aliases) == 0 {
		return "none"
	}
	lines := make([]string, len(c.Aliases))
	for i, a := range c.Aliases {
		lines[i] = a.From + "\x00" + a.To + "\x00"
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\x01")))
	return fmt.Sprintf("%d rules, digest %x", len(lines), sum[:4])
}

func networkTexts(nets []netip.Prefix) []string {
	all := make([]string, len(nets))
	for i, p := range nets {
		all[i] = p.String()
	}
	return all
}

// factClients are the addresses that have come to the state port, the latest first.
func (n *node) factClients() []api.Client {
	known := n.server.Clients()
	all := make([]api.Client, 0, len(known))
	for _, c := range known {
		all = append(all, api.Client{Addr: c.Addr.String(), Connections: c.Connections, Opened: c.Opened, Refused: c.Refused, LastSeen: c.LastSeen})
	}
	slices.SortStableFunc(all, func(a, b api.Client) int { return b.LastSeen.Compare(a.LastSeen) })
	return all[:min(len(all), api.MaxFactClients)]
}

// hostFacts asks this machine.
func hostFacts() api.Host {
	h := api.Host{System: runtime.GOOS + "/" + runtime.GOARCH, MemoryLimit: -1, GoMemoryLimit: -1}
	root := os.DirFS("/")
	if r, ok := machine.OutgoingPorts(root); ok {
		h.OutgoingPorts = r.String()
		for _, reserved := range machine.ReservedPorts(root) {
			h.ReservedPorts = append(h.ReservedPorts, reserved.String())
		}
	}
	if total, err := machine.Memory(); err == nil {
		h.MemoryLimit = total
	}
	if limit := debug.SetMemoryLimit(-1); limit < 1<<62 { // asks only
		h.GoMemoryLimit = limit
	}
	swap := machine.SwapOf()
	h.SwapTotal, h.SwapFree, h.Swapped = swap.Total, swap.Free, swap.Own
	return h
}
