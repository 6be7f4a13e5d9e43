package config

import (
	"strings"
	"testing"
)

// TestGossipAddr: where gossip listens.
func TestGossipAddr(t *testing.T) {
	for _, v := range []struct {
		flags map[string][]string
		want  string
	}{
		{nil, ""},
		{map[string][]string{"join": {"127.0.0.1:42426"}}, "127.0.0.1:42426"},
		{map[string][]string{"join": {"127.0.0.1:1"}, "peer_listen": {"127.0.0.1:0"}}, "127.0.0.1:42426"},
		{map[string][]string{"join": {"[::1]:1"}, "peer_listen": {"[::1]:7"}}, "[::1]:42426"},
		{map[string][]string{"join": {"10.0.0.1:1"}, "peer_listen": {":7"}, "peer_secret_file": {"s"}}, ":42426"},
		{map[string][]string{"join": {"10.0.0.1:1"}, "peer_listen": {"10.0.0.9:7"}, "insecure": {"true"}}, "10.0.0.9:42426"},
		{map[string][]string{"join": {"127.0.0.1:1"}, "peer_listen": {"off"}}, "127.0.0.1:42426"},
		{map[string][]string{"join": {"127.0.0.1:1"}, "gossip_listen": {"127.0.0.1:0"}}, "127.0.0.1:0"},
		{map[string][]string{"gossip_listen": {"127.0.0.1:9"}}, "127.0.0.1:9"},
		{map[string][]string{"gossip_listen": {"off"}}, ""},
		{map[string][]string{"gossip_listen": {"off"}, "standalone": {"true"}}, ""},
	} {
		if c := load(t, Inputs{Flags: v.flags}); c.GossipAddr() != v.want {
			t.Errorf("%v: %q, want %q", v.flags, c.GossipAddr(), v.want)
		}
	}
}

// TestGossipTogether: what is wrong with gossip together with other options.
func TestGossipTogether(t *testing.T) {
	certs := func(more map[string][]string) map[string][]string {
		more["peer_cert"], more["peer_key"], more["peer_ca"] = []string{"c"}, []string{"k"}, []string{"a"}
		return more
	}
	for _, v := range []struct {
		flags map[string][]string
		want  string
	}{
		{map[string][]string{"gossip_listen": {":42426"}}, `--gossip-listen: gossip listens on ":42426", which can be reached from other machines, and ` + UngossipedAdvice},
		{certs(map[string][]string{"join": {"10.0.0.1:42426"}, "peer_listen": {":42425"}}), `--join: gossip listens on ":42426", which can be reached from other machines, and ` + UngossipedAdvice},
		{certs(map[string][]string{"join": {"10.0.0.1:42426"}, "peer_listen": {":42425"}, "peer_secret_file": {"s"}}), ""},
		{map[string][]string{"join": {"10.0.0.1:42426"}}, `--join: "10.0.0.1:42426" is on another machine, and ` + UngossipedAdvice},
		{map[string][]string{"join": {"web2:42426"}, "peer_secret_file": {"s"}}, `--join: "web2:42426" is on another machine, from which gossip on "127.0.0.1:42426" cannot be reached; ` +
			"give peer_listen an address that others can reach (--peer-listen :42425), and name their networks with peer_allow or allow"},
		{map[string][]string{"join": {"web2:42426"}, "peer_secret_file": {"s"}, "peer_listen": {":42425"}}, ""},
		{map[string][]string{"join": {"127.0.0.1:42426"}, "gossip_listen": {"off"}}, `--gossip-listen: "off" means that there is no gossip, but join names other nodes (flag --join); remove one of the two`},
		{map[string][]string{"join": {"127.0.0.1:42426"}, "standalone": {"true"}}, `--standalone: true means that there is no farm, but join names other nodes (flag --join); remove one of the two`},
		{map[string][]string{"gossip_advertise": {"web1:42426"}}, `--gossip-advertise: is given, but there is no gossip; name a node with join, or an address with gossip_listen, or take it out`},
		{map[string][]string{"gossip_listen": {"127.0.0.1:42425"}}, `--gossip-listen: "127.0.0.1:42425" is the address of the peer port too; give one of them another port`},
		{map[string][]string{"gossip_listen": {"auto"}}, ""},
	} {
		_, err := Load(Inputs{Flags: v.flags})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != v.want && !strings.HasPrefix(got, v.want+"\n") || v.want == "" && got != "" {
			t.Errorf("%v:\n got %s\nwant %s", v.flags, got, v.want)
		}
	}
}
