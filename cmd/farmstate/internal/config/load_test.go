package config

import (
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// write makes a configuration file and returns its name, relative to the
// working directory, which is that of the test alone.
func write(t *testing.T, text string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("farm.toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "farm.toml"
}

func load(t *testing.T, in Inputs) *Config {
	t.Helper()
	c, err := Load(in)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDefaults compares the table with what the packages behind it do when
// nothing is said.
func TestDefaults(t *testing.T) {
	c := load(t, Inputs{})
	for _, v := range []struct {
		name      string
		got, want any
	}{
		{"listen", c.Listen, netpoll.DefaultAddr},
		{"admin", c.Admin, "127.0.0.1:42480"},
		{"transport", c.Transport, netpoll.TransportAuto},
		{"event_loops", c.EventLoops, int64(0)},
		{"max_header", c.MaxHeader, int64(netpoll.DefaultMaxHead)},
		{"max_body", c.MaxBody, int64(netpoll.DefaultMaxBody)},
		{"max_connections", c.MaxConnections, int64(netpoll.DefaultMaxConns)},
		{"max_output", c.MaxOutput, int64(netpoll.DefaultMaxOutput)},
		{"max_output_total", c.MaxOutputTotal, int64(netpoll.DefaultMaxOutputTotal)},
		{"idle_timeout", c.IdleTimeout, netpoll.DefaultIdleTimeout},
		{"max_memory", c.MaxMemory, int64(0)},
		{"lock_wait", c.LockWait, engine.DefaultLockWait},
		{"lock_queue", c.LockQueue, int64(engine.DefaultLockQueue)},
		{"session_queue", c.SessionQueue, int64(engine.DefaultSessionQueue)},
		{"stale_lock", c.StaleLock, engine.DefaultStaleLock},
		{"aspnet_version", c.ASPNetVersion, netpoll.DefaultASPNetVersion},
		{"standalone", c.Standalone, false},
		{"peer_listen", c.PeerListen, "127.0.0.1:42425"},
		{"gossip_listen", c.GossipListen, "auto"},
		{"gossip_advertise", c.GossipAdvertise, ""},
		{"peer_advertise", c.PeerAdvertise, ""},
		{"admin_token_file", c.AdminTokenFile, ""},
		{"peer_secret_file", c.PeerSecretFile, ""},
		{"insecure", c.Insecure, false},
		{"max_peers", c.MaxPeers, int64(256)},
		{"max_forwards", c.MaxForwards, int64(5)},
		{"query_timeout", c.QueryTimeout, 2500 * time.Millisecond},
		{"transfer_queue", c.TransferQueue, int64(engine.DefaultTransferQueue)},
		{"copies", c.Copies, int64(0)},
		{"ack", c.Ack, "all"},
		{"copy_backlog", c.CopyBacklog, int64(64 << 20)},
		{"touch_period", c.TouchPeriod, 10 * time.Second},
		{"repair_rate", c.RepairRate, int64(64 << 20)},
		{"quarantine_size", c.QuarantineSize, int64(16 << 20)},
		{"shutdown_timeout", c.ShutdownTimeout, time.Minute},
		{"data", c.Data, ""},
		{"snapshot_interval", c.SnapshotInterval, time.Duration(0)},
		{"snapshot_key_file", c.SnapshotKeyFile, ""},
		{"log_level", c.LogLevel, slog.LevelInfo},
		{"log_format", c.LogFormat, "text"},
		{"gops", c.Gops, false},
		{"http_status_line", c.HTTPStatusLine, false},
		{"fold_application_case", c.FoldApplicationCase, false},
	} {
		if v.got != v.want {
			t.Errorf("%s: default %v, want %v", v.name, v.got, v.want)
		}
	}
	if len(c.Allow) != 0 || len(c.Aliases) != 0 || c.Rules != nil {
		t.Errorf("allow %v, aliases %v, rules %v: want none", c.Allow, c.Aliases, c.Rules)
	}
	if len(c.Peers) != 0 || len(c.PeerAllow) != 0 || len(c.LegacyPeers) != 0 || len(c.Warnings) != 0 {
		t.Errorf("peers %v, peer_allow %v, legacy peers %v, warnings %v: want none", c.Peers, c.PeerAllow, c.LegacyPeers, c.Warnings)
	}
}

// TestTable checks what every row of the table has to have.
func TestTable(t *testing.T) {
	seen := make(map[string]bool)
	lastGroup, groups := "", make(map[string]bool)
	for i := range Table {
		o := &Table[i]
		if seen[o.Name] {
			t.Errorf("%s is there twice", o.Name)
		}
		seen[o.Name] = true
		if o.Group != lastGroup && groups[o.Group] {
			t.Errorf("%s: the options of %q do not stand together", o.Name, o.Group)
		}
		lastGroup, groups[o.Group] = o.Group, true
		if o.Help == "" || strings.HasSuffix(o.Help, ".") || o.Accepts() == "" {
			t.Errorf("%s: help %q, accepts %q", o.Name, o.Help, o.Accepts())
		}
		if o.Boolean() != (o.Meta == "") {
			t.Errorf("%s: a boolean has no Meta, everything else has: %q", o.Name, o.Meta)
		}
		if got := o.Values(defaults()); !o.List() && got[0] != o.Default {
			t.Errorf("%s: the default %q is printed as %q", o.Name, o.Default, got[0])
		}
	}
	if engine.MaxLockWait != 30*time.Second {
		t.Errorf("the range of lock_wait ends at 30s, that of the engine at %s", engine.MaxLockWait)
	}
}

// TestPrecedence gives the same option in more and more places.
func TestPrecedence(t *testing.T) {
	file := write(t, `
lock_wait = "1s"
allow = ["10.0.0.0/8", "192.168.0.1"]
`)
	in := Inputs{File: file}
	check := func(wait time.Duration, origin string, allow ...string) {
		t.Helper()
		c := load(t, in)
		if c.LockWait != wait || c.Origin("lock_wait").String() != origin {
			t.Errorf("lock_wait %s from %q, want %s from %q", c.LockWait, c.Origin("lock_wait"), wait, origin)
		}
		if got := formatNetworks(c.Allow); !slices.Equal(got, allow) {
			t.Errorf("allow %v, want %v", got, allow)
		}
	}
	check(time.Second, "file farm.toml:2", "10.0.0.0/8", "192.168.0.1")
	in.Environ = []string{"PATH=/bin", "FARMSTATE_LOCK_WAIT=2s", "FARMSTATE_ALLOW=10.1.0.0/16, 10.2.0.0/16"}
	check(2*time.Second, "env FARMSTATE_LOCK_WAIT", "10.1.0.0/16", "10.2.0.0/16")
	in.Flags = map[string][]string{"lock_wait": {"3s", "4s"}, "allow": {"fd00::/8", "10.9.9.9"}}
	check(4*time.Second, "flag --lock-wait", "fd00::/8", "10.9.9.9")
}

// TestEmptyVariables: an empty variable is no value, except for what it
// switches off.
func TestEmptyVariables(t *testing.T) {
	c := load(t, Inputs{Environ: []string{"FARMSTATE_LOCK_WAIT=", "FARMSTATE_ADMIN=", "FARMSTATE_PEER_LISTEN=", "FARMSTATE_PEER=", "farmstate_listen=x", "FARMSTATE_Listen=x"}})
	if c.LockWait != engine.DefaultLockWait || c.IsSet("lock_wait") {
		t.Errorf("lock_wait %s", c.LockWait)
	}
	if c.Admin != "" || !c.IsSet("admin") {
		t.Errorf("admin %q", c.Admin)
	}
	if c.PeerListen != "" || !c.IsSet("peer_listen") || c.IsSet("peer") {
		t.Errorf("peer_listen %q, peer %q", c.PeerListen, c.Peers)
	}
	if c.Listen != netpoll.DefaultAddr {
		t.Errorf("listen %q", c.Listen)
	}
}

// TestMisspelt: a variable that looks like an option is named, the variables
// of others are left alone.
func TestMisspelt(t *testing.T) {
	got := Misspelt([]string{
		"FARMSTATE_LISTN=x", "FARMSTATE_MAXMEMORY=1", "FARMSTATE_CONFIG=x", "FARMSTATE_LISTEN=x",
		"FARMSTATE_SERVICE_HOST=10.0.0.1", "FARMSTATE_PORT=tcp://10.0.0.1:42424", "FARMSTATE_PORT_42424_TCP=x", "HOME=/",
	})
	want := map[string]string{"FARMSTATE_LISTN": "FARMSTATE_LISTEN", "FARMSTATE_MAXMEMORY": "FARMSTATE_MAX_MEMORY"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestBadValues shows the sentence for every way in which a flag can be wrong.
func TestBadValues(t *testing.T) {
	for _, v := range []struct{ option, text, want string }{
		{"listen", "127.0.0.1", `"127.0.0.1" has no port; write 127.0.0.1:PORT; accepted: HOST:PORT, such as 127.0.0.1:42424, [::1]:42424 or :42424`},
		{"listen", "::1", `"::1" has no port; write [::1]:PORT; accepted: HOST:PORT, such as 127.0.0.1:42424, [::1]:42424 or :42424`},
		{"listen", "42424", `"42424" has no host; write 127.0.0.1:42424, or :42424 for every address of this machine; accepted: HOST:PORT, such as 127.0.0.1:42424, [::1]:42424 or :42424`},
		{"listen", "web1", `"web1" has no port; write web1:PORT; accepted: HOST:PORT, such as 127.0.0.1:42424, [::1]:42424 or :42424`},
		{"listen", "a b", `"a b" is not HOST:PORT; accepted: HOST:PORT, such as 127.0.0.1:42424, [::1]:42424 or :42424`},
		{"listen", "127.0.0.256:1", `"127.0.0.256:1" has the host "127.0.0.256", which is neither an IP address nor a host name; accepted: HOST:PORT, such as 127.0.0.1:42424, [::1]:42424 or :42424`},
		{"listen", "127.0.0.1:65536", `"127.0.0.1:65536" has the port "65536", which is not a number from 0 to 65535; accepted: HOST:PORT, such as 127.0.0.1:42424, [::1]:42424 or :42424`},
		{"listen", "", `"" is not HOST:PORT; accepted: HOST:PORT, such as 127.0.0.1:42424, [::1]:42424 or :42424`},
		{"admin", "on", `"on" has no port; write on:PORT; accepted: HOST:PORT, such as 127.0.0.1:42480, or off`},
		{"allow", "10.1.2.3/8", `"10.1.2.3/8" names one address inside the network; write 10.0.0.0/8 for the network or 10.1.2.3 for the address; accepted: networks and IP addresses, such as 10.1.0.0/16, 192.168.7.12 or fd00::/8`},
		{"allow", "web1", `"web1" is neither a network nor an IP address; accepted: networks and IP addresses, such as 10.1.0.0/16, 192.168.7.12 or fd00::/8`},
		{"allow", "fe80::1%eth0", `"fe80::1%eth0" has a zone; write the address without it; accepted: networks and IP addresses, such as 10.1.0.0/16, 192.168.7.12 or fd00::/8`},
		{"allow", "::ffff:10.0.0.0/64", `"::ffff:10.0.0.0/64" is wider than IPv4; write an IPv4 or an IPv6 network; accepted: networks and IP addresses, such as 10.1.0.0/16, 192.168.7.12 or fd00::/8`},
		{"gops", "yes", `"yes" is not true or false; accepted: true, false`},
		{"transport", "epoll", `"epoll" is not known; accepted: auto, gnet, std`},
		{"event_loops", "256", `"256" is above 255; accepted: a whole number from 0 to 255; 0 chooses by the number of processors`},
		{"event_loops", "two", `"two" is not a whole number; accepted: a whole number from 0 to 255; 0 chooses by the number of processors`},
		{"max_header", "255", `"255" is below 256; accepted: a size from 256 to 64KiB, in bytes or with a unit such as KiB, MB or GiB`},
		{"max_body", "2GiB", `"2GiB" is above 1GiB; accepted: a size from 1 to 1GiB, in bytes or with a unit such as KiB, MB or GiB`},
		{"max_body", "64M", `"64M" is not a size; accepted: a size from 1 to 1GiB, in bytes or with a unit such as KiB, MB or GiB`},
		{"max_body", "-1", `"-1" is not a size; accepted: a size from 1 to 1GiB, in bytes or with a unit such as KiB, MB or GiB`},
		{"max_body", "1.5", `"1.5" is not a whole number of bytes; accepted: a size from 1 to 1GiB, in bytes or with a unit such as KiB, MB or GiB`},
		{"max_connections", "0", `"0" is below 1; accepted: a whole number from 1 to 1048576`},
		{"max_connections", "99999999999999999999", `"99999999999999999999" is too large; accepted: a whole number from 1 to 1048576`},
		{"max_memory", "1kB", `"1kB" is below 1MiB; accepted: auto, or a size of at least 1MiB, in bytes or with a unit such as KiB, MB or GiB`},
		{"max_memory", "99999999TiB", `"99999999TiB" is too large; accepted: auto, or a size of at least 1MiB, in bytes or with a unit such as KiB, MB or GiB`},
		{"lock_wait", "31s", `"31s" is above 30s; accepted: a duration from 0 to 30s, such as 700ms`},
		{"lock_wait", "700", `"700" has no unit; accepted: a duration from 0 to 30s, such as 700ms`},
		{"lock_wait", "soon", `"soon" is not a duration; accepted: a duration from 0 to 30s, such as 700ms`},
		{"lock_wait", "-1s", `"-1s" is below 0; accepted: a duration from 0 to 30s, such as 700ms`},
		{"idle_timeout", "0", `"0" is below 1s; accepted: a duration from 1s to 24h, such as 30s`},
		{"lock_queue", "0", `"0" is below 1; accepted: a whole number from 1 to 1048576`},
		{"aspnet_version", "1.1.4322", `"1.1.4322" begins with a number below 2, which ASP.NET refuses; accepted: numbers with dots between them, the first at least 2, such as 4.0.30319`},
		{"aspnet_version", "four", `"four" is not a version; accepted: numbers with dots between them, the first at least 2, such as 4.0.30319`},
		{"standalone", "no", `"no" is not true or false; accepted: true, false`},
		{"peer_listen", "42425", `"42425" has no host; write 127.0.0.1:42425, or :42425 for every address of this machine; accepted: HOST:PORT, such as 127.0.0.1:42425, [::1]:42425 or :42425, or off`},
		{"peer", "42425", `"42425" has no host; write HOST:42425; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425`},
		{"peer", ":42425", `":42425" has no host; write HOST:42425; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425`},
		{"peer", "web2", `"web2" has no port; write web2:PORT; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425`},
		{"peer", "web2:0", `"web2:0" has the port 0, where nothing can be reached; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425`},
		{"peer", "127.0.0.1:1, 0.0.0.0:42425", `" 0.0.0.0:42425" has the host "0.0.0.0", which is no address of one machine; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425`},
		{"peer", "[::]:1", `"[::]:1" has the host "::", which is no address of one machine; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425`},
		{"join", "web1", `"web1" has no port; write web1:PORT; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425`},
		{"gossip_listen", "on", `"on" has no port; write on:PORT; accepted: HOST:PORT, such as 127.0.0.1:42426, [::1]:42426 or :42426, or auto, or off`},
		{"gossip_advertise", "web1:0", `"web1:0" has the port 0, where nothing can be reached; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425, or nothing`},
		{"peer_advertise", "web1", `"web1" has no port; write web1:PORT; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425, or nothing`},
		{"peer_allow", "web2", `"web2" is neither a network nor an IP address; accepted: networks and IP addresses, such as 10.1.0.0/16, 192.168.7.12 or fd00::/8`},
		{"peer_secret_file", "a\nb", `"a\nb" has a control character in it; accepted: the name of a file, or nothing`},
		{"insecure", "1", `"1" is not true or false; accepted: true, false`},
		{"max_peers", "0", `"0" is below 1; accepted: a whole number from 1 to 65536`},
		{"max_forwards", "256", `"256" is above 255; accepted: a whole number from 0 to 255`},
		{"query_timeout", "9ms", `"9ms" is below 10ms; accepted: a duration from 10ms to 1m, such as 2.5s`},
		{"query_timeout", "2.5", `"2.5" has no unit; accepted: a duration from 10ms to 1m, such as 2.5s`},
		{"transfer_queue", "1048577", `"1048577" is above 1048576; accepted: a whole number from 1 to 1048576`},
		{"copies", "6", `"6" is above 5; accepted: a whole number from 0 to 5`},
		{"ack", "most", `"most" is not known; accepted: all, one, none`},
		{"data", "a\nb", `"a\nb" has a control character in it; accepted: the name of a directory, or nothing`},
		{"snapshot_interval", "9s", `"9s" is below 10s; accepted: 0, or a duration from 10s to 24h, such as 5m`},
		{"snapshot_interval", "-1s", `"-1s" is below 10s; accepted: 0, or a duration from 10s to 24h, such as 5m`},
		{"log_level", "loud", `"loud" is not known; accepted: debug, info, warn, error`},
		{"log_format", "xml", `"xml" is not known; accepted: text, json`},
	} {
		o := Lookup(v.option)
		_, err := Load(Inputs{Flags: map[string][]string{v.option: {v.text}}})
		if want := "--" + o.Flag() + ": " + v.want; err == nil || err.Error() != want {
			t.Errorf("flag %s %q:\n got %v\nwant %s", v.option, v.text, err, want)
		}
		if v.text == "" {
			continue
		}
		_, err = Load(Inputs{Environ: []string{o.Env() + "=" + v.text}})
		if want := o.Env() + ": " + v.want; err == nil || err.Error() != want {
			t.Errorf("variable %s %q:\n got %v\nwant %s", v.option, v.text, err, want)
		}
	}
}

// TestGoodValues reads every option from a flag and from a file.
func TestGoodValues(t *testing.T) {
	values := map[string]struct {
		texts []string
		toml  string
	}{
		"listen":                {[]string{"localhost:0"}, `"localhost:0"`},
		"allow":                 {[]string{"10.0.0.0/8", "::1"}, `["10.0.0.0/8", "::1"]`},
		"admin":                 {[]string{"off"}, `""`},
		"gops":                  {[]string{"true"}, `true`},
		"transport":             {[]string{"std"}, `'std'`},
		"event_loops":           {[]string{"3"}, `3`},
		"max_header":            {[]string{"8KiB"}, `8192`},
		"max_body":              {[]string{"1MiB"}, `0x100000`},
		"max_connections":       {[]string{"100000"}, `100_000`},
		"max_output":            {[]string{"1536KiB"}, `"1.5 mib"`},
		"max_output_total":      {[]string{"2GB"}, `"2gb"`},
		"idle_timeout":          {[]string{"1m30s"}, `"90s"`},
		"max_memory":            {[]string{"10GB"}, `10_000_000_000`},
		"lock_wait":             {[]string{"0"}, `0`},
		"lock_queue":            {[]string{"1"}, `1`},
		"session_queue":         {[]string{"2"}, `2`},
		"stale_lock":            {[]string{"24h"}, `"24h"`},
		"fold_application_case": {[]string{"true"}, `true`},
		"http_status_line":      {[]string{"true"}, `true`},
		"aspnet_version":        {[]string{"2.0.50727"}, `"2.0.50727"`},
		"peer_listen":           {[]string{"[::1]:0"}, `"[::1]:0"`},
		"peer":                  {[]string{"web2:42425", "10.1.0.7:42425"}, `["web2:42425", "10.1.0.7:42425, WEB2:42425"]`},
		"join":                  {[]string{"web2:42426", "10.1.0.7:42426"}, `["web2:42426", "10.1.0.7:42426, WEB2:42426"]`},
		"gossip_listen":         {[]string{":42426"}, `":42426"`},
		"gossip_advertise":      {[]string{"203.0.113.5:42426"}, `"203.0.113.5:42426"`},
		"peer_advertise":        {[]string{"203.0.113.5:42425"}, `"203.0.113.5:42425"`},
		"peer_allow":            {[]string{"10.2.0.0/16"}, `["10.2.0.0/16"]`},
		"admin_token_file":      {[]string{"admin.token"}, `'admin.token'`},
		"peer_secret_file":      {[]string{"farm.secret"}, `'farm.secret'`},
		"insecure":              {[]string{"true"}, `true`},
		"max_peers":             {[]string{"2"}, `2`},
		"max_forwards":          {[]string{"0"}, `0`},
		"query_timeout":         {[]string{"1s"}, `"1000ms"`},
		"transfer_queue":        {[]string{"1"}, `1`},
		"copies":                {[]string{"3"}, `3`},
		"ack":                   {[]string{"one"}, `"one"`},
		"copy_backlog":          {[]string{"1MiB"}, `1048576`},
		"touch_period":          {[]string{"1s"}, `"1s"`},
		"repair_rate":           {[]string{"0"}, `0`},
		"quarantine_size":       {[]string{"0"}, `0`},
		"standalone":            {[]string{"false"}, `false`}, // as the peers demand
		"peer_cert":             {[]string{""}, `""`},         // as the secret demands
		"peer_key":              {[]string{""}, `""`},
		"peer_ca":               {[]string{""}, `""`},
		"shutdown_timeout":      {[]string{"10m"}, `"10m0s"`},
		"data":                  {[]string{"sessions"}, `'sessions'`},
		"snapshot_interval":     {[]string{"10s"}, `"10s"`},
		"snapshot_key_file":     {[]string{"snapshot.key"}, `"snapshot.key"`},
		"log_level":             {[]string{"debug"}, `"debug"`},
		"log_format":            {[]string{"json"}, `"json"`},
	}
	flags := make(map[string][]string)
	var file strings.Builder
	for i := range Table {
		name := Table[i].Name
		v, ok := values[name]
		if !ok {
			t.Fatalf("%s: no value to try", name)
		}
		flags[name] = v.texts
		file.WriteString(name + " = " + v.toml + "\n")
	}
	byFlag := load(t, Inputs{Flags: flags})
	byFile := load(t, Inputs{File: write(t, file.String())})
	for i := range Table {
		o := &Table[i]
		want := values[o.Name].texts
		if got := o.Values(byFlag); !slices.Equal(got, want) {
			t.Errorf("flag %s: %v, want %v", o.Name, got, want)
		}
		if got := o.Values(byFile); !slices.Equal(got, want) {
			t.Errorf("file %s: %v, want %v", o.Name, got, want)
		}
		if !byFlag.IsSet(o.Name) || !byFile.IsSet(o.Name) {
			t.Errorf("%s does not count as set", o.Name)
		}
	}
}

// TestCertificates reads the options that TestGoodValues cannot have.
func TestCertificates(t *testing.T) {
	c := load(t, Inputs{Flags: map[string][]string{
		"peer_cert": {"node.crt"}, "peer_key": {"node.key"}, "peer_ca": {"ca.crt"}, "peer_listen": {":42425"}, "peer_allow": {"10.0.0.0/8"},
	}})
	if c.PeerCert != "node.crt" || c.PeerKey != "node.key" || c.PeerCA != "ca.crt" {
		t.Errorf("%q, %q, %q", c.PeerCert, c.PeerKey, c.PeerCA)
	}
	if c := load(t, Inputs{Flags: map[string][]string{"standalone": {"true"}}}); !c.Standalone {
		t.Error("not standalone")
	}
}

// TestTogether shows what only several options together get wrong.
func TestTogether(t *testing.T) {
	const advice = "can be reached from other machines, and the protocol has no authentication; name the networks that may connect with allow (--allow 10.1.0.0/16), or use an address of this machine alone, such as 127.0.0.1"
	const protect = "links are neither authenticated nor encrypted; give all nodes one secret with peer_secret_file (--peer-secret-file FILE), or certificates with peer_cert, peer_key and peer_ca, or allow plain links with insecure = true (--insecure)"
	for _, v := range []struct {
		flags map[string][]string
		want  string
	}{
		{map[string][]string{"listen": {":42424"}}, `--listen: ":42424" ` + advice},
		{map[string][]string{"listen": {"0.0.0.0:42424"}}, `--listen: "0.0.0.0:42424" ` + advice},
		{map[string][]string{"listen": {"[::]:42424"}}, `--listen: "[::]:42424" ` + advice},
		{map[string][]string{"admin": {"192.0.2.1:1"}}, `--admin: "192.0.2.1:1" ` + advice},
		{map[string][]string{"listen": {"192.0.2.1:42424"}, "allow": {"192.0.2.0/24"}}, ""},
		{map[string][]string{"listen": {"127.8.8.8:42424"}}, ""},
		{map[string][]string{"listen": {"[::1]:42424"}}, ""},
		{map[string][]string{"listen": {"LOCALHOST:42424"}}, ""},
		{map[string][]string{"listen": {"127.0.0.1:1"}, "admin": {"127.0.0.1:1"}}, `--admin: "127.0.0.1:1" is the address of the state port too; give one of them another port`},
		{map[string][]string{"listen": {"127.0.0.1:0"}, "admin": {"127.0.0.1:0"}}, ""},
		{map[string][]string{"listen": {"127.0.0.1:42480"}}, `admin: "127.0.0.1:42480" is the address of the state port too; give one of them another port`},
		{map[string][]string{"listen": {"127.0.0.1:42425"}}, `peer_listen: "127.0.0.1:42425" is the address of the state port too; give one of them another port`},
		{map[string][]string{"listen": {"127.0.0.1:42425"}, "standalone": {"true"}}, ""},
		{map[string][]string{"peer_listen": {"127.0.0.1:42480"}}, `--peer-listen: "127.0.0.1:42480" is the address of the admin pages too; give one of them another port`},
		{map[string][]string{"peer_listen": {"off"}, "admin": {"off"}}, ""},
		{map[string][]string{"peer_listen": {":42425"}}, `--peer-listen: ":42425" can be reached from other machines, and ` + protect},
		{map[string][]string{"peer_listen": {":42425"}, "insecure": {"true"}}, ""},
		{map[string][]string{"peer_listen": {":42425"}, "peer_secret_file": {"s"}}, ""},
		{map[string][]string{"peer_listen": {":42425"}, "standalone": {"true"}}, ""},
		{map[string][]string{"peer": {"127.0.0.1:1", "localhost:2", "[::1]:3"}}, ""},
		{map[string][]string{"peer": {"127.0.0.1:1", "web2:42425", "10.1.0.7:42425"}}, `--peer: "web2:42425" is on another machine, and ` + protect},
		{map[string][]string{"peer": {"10.1.0.7:42425"}}, `--peer: "10.1.0.7:42425" is on another machine, and ` + protect},
		{map[string][]string{"peer": {"10.1.0.7:42425"}, "peer_secret_file": {"s"}}, ""},
		{map[string][]string{"peer": {"127.0.0.1:42425"}}, `--peer: "127.0.0.1:42425" is the address of this node's own peer port; name other nodes only`},
		{map[string][]string{"peer": {"127.0.0.1:42425"}, "peer_listen": {"127.0.0.1:0"}}, ""},
		{map[string][]string{"peer": {"127.0.0.1:1"}, "standalone": {"true"}}, `--standalone: true means that there is no farm, but peer names other nodes (flag --peer); remove one of the two`},
		{map[string][]string{"peer": {"127.0.0.1:1", "127.0.0.1:2"}, "max_peers": {"1"}}, `--max-peers: 1 is less than the 2 peers that are listed; raise it`},
		{map[string][]string{"peer_key": {"k"}}, `--peer-key: is given without peer_cert and peer_ca; certificates need all of peer_cert, peer_key, peer_ca`},
		{map[string][]string{"peer_cert": {"c"}, "peer_key": {"k"}, "peer_ca": {"a"}, "peer_secret_file": {"s"}}, `--peer-secret-file: is given together with peer_cert; links use either a secret or certificates, so remove one of the two`},
		{map[string][]string{"peer_cert": {"c"}, "peer_key": {"k"}, "peer_ca": {"a"}, "peer": {"web2:1"}}, ""},
		{map[string][]string{"snapshot_interval": {"1m"}}, `--snapshot-interval: is given without data; name the directory for the snapshots with data (--data DIR), or take it out`},
		{map[string][]string{"snapshot_key_file": {"k"}}, `--snapshot-key-file: is given without data; name the directory for the snapshots with data (--data DIR), or take it out`},
		{map[string][]string{"snapshot_key_file": {"k"}, "snapshot_interval": {"1m"}, "data": {"d"}}, ""},
		{map[string][]string{"snapshot_interval": {"0"}}, ""},
	} {
		_, err := Load(Inputs{Flags: v.flags})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != v.want {
			t.Errorf("%v:\n got %s\nwant %s", v.flags, got, v.want)
		}
	}
}

// TestExposedInFile names the line of the address.
func TestExposedInFile(t *testing.T) {
	_, err := Load(Inputs{File: write(t, "\nlisten = \":1\"\n")})
	if err == nil || !strings.HasPrefix(err.Error(), `farm.toml:2: listen: ":1" can be reached from other machines`) {
		t.Error(err)
	}
}

// TestAllows is the rule that the reference states for allow.
func TestAllows(t *testing.T) {
	nets, err := parseNetworks([]string{"10.0.0.0/8,192.168.1.1", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"10.255.0.1": true, "::ffff:10.1.2.3": true, "192.168.1.1": true, "fd00::1%eth0": true,
		"192.168.1.2": false, "11.0.0.1": false, "fe80::1": false, "::": false,
	} {
		if got := Allows(nets, netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

// TestASPNetVersion: what we accept, the state port accepts, and nothing else.
func TestASPNetVersion(t *testing.T) {
	for _, v := range []string{"4.0.30319", "2", "2.0.50727", "10.0", "1.1", "0.1", "", ".", "4.", ".4", "4..0", "4.0.x", "-4.0", "+4", " 4.0", "4.0\r\n", "99999999999.0"} {
		_, ours := parseASPNetVersion(v)
		_, theirs := wire.NewFormat(v, false)
		if (ours == nil) != (theirs == nil) {
			t.Errorf("%q: %v here, %v at the state port", v, ours, theirs)
		}
	}
}

// TestFileNames: the name of the file in a message is the one that was given.
func TestFileNames(t *testing.T) {
	file := write(t, "lock_wait = 5")
	abs, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Load(Inputs{File: abs})
	if want := abs + `:1: lock_wait: "5" has no unit; accepted: a duration from 0 to 30s, such as 700ms`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
