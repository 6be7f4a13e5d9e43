package p2pconfig

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// file puts settings and peers into a file, from line 2 and 4 on.
func file(settings, peers string) string {
	return "<configuration><appSettings>\n" + settings + "\n</appSettings><Peers>\n" + peers + "\n</Peers></configuration>\n"
}

func add(key, value string) string {
	return `<add key="` + key + `" value="` + value + `"/>`
}

// convert reads a file of an original, and reads what it became.
func convert(t *testing.T, text string) (*Settings, *config.Config, string) {
	t.Helper()
	s, err := Read("p2p.config", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	toml := string(s.AppendTOML(nil))
	name := filepath.Join(t.TempDir(), "farm.toml")
	if err := os.WriteFile(name, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Inputs{File: name})
	if err != nil {
		t.Fatalf("what was written is not accepted: %v\n%s", err, toml)
	}
	return s, c, toml
}

// TestWhole: a file as the original is delivered, with peers. Every setting
// arrives, and says where it came from.
func TestWhole(t *testing.T) {
	s, c, toml := convert(t, "\ufeff"+`<?xml version="1.0" encoding="utf-8" ?>
<configuration>
  <configSections>
    <section name="Peers" type="System.Configuration.DictionarySectionHandler"/>
  </configSections>
  <appSettings>
    <!-- where web servers connect -->
    <add key ="WebserverPort" value ="42600"/>
    <add key ="PeerPort" value =" 42601 "/>
    <add key ="AuthenticatePeers" value="True"/>
    <add key ="EncryptPeerData" value ="true"/>
    <add key ="PeerPassword" value="it's &quot;secret&quot; &amp; long"/>
    <add key ="MaxForwards" value="7"/>
    <add key ="NetworkQueryTimeout" value ="1.25"/>
    <add key ="StandaloneMode" value="false"/>
  </appSettings>
  <Peers>
    <add key="Peer1"  value="10.1.0.7:22222" />
    <add key="Peer2"  value="networkPC" />
  </Peers>
</configuration>
`)
	if c.Listen != "127.0.0.1:42600" || c.PeerListen != "127.0.0.1:42601" || c.MaxForwards != 7 || c.QueryTimeout != 1250*time.Millisecond || c.Standalone {
		t.Errorf("%+v", c)
	}
	want := []config.LegacyPeer{
		{Address: "10.1.0.7:22222", Authenticate: true, Encrypt: true, Password: `it's "secret" & long`},
		{Address: "networkPC:42601", Authenticate: true, Encrypt: true, Password: `it's "secret" & long`},
	}
	if !slices.Equal(c.LegacyPeers, want) {
		t.Errorf("\n got %+v\nwant %+v", c.LegacyPeers, want)
	}
	if len(s.Notes) != 0 {
		t.Errorf("notes %q", s.Notes)
	}
	for _, want := range []string{
		`# WebserverPort = "42600", line 8. The original listens on every address`, `#   listen = ":42600"`, `#   allow = [`,
		`# PeerPort = " 42601 ", line 9.`, `#   peer_listen = ":42601"`, "# MaxForwards = \"7\", line 13.\nmax_forwards = 7\n",
		"# NetworkQueryTimeout = \"1.25\", line 14, in seconds.\nquery_timeout = \"1.25s\"\n", "# StandaloneMode = \"false\", line 15.\nstandalone = false\n",
		"# AuthenticatePeers = \"True\", line 10.\n# EncryptPeerData = \"true\", line 11.\n# PeerPassword, line 12.\n",
		"# <Peers>, \"Peer1\" = \"10.1.0.7:22222\", line 18.\n[[legacy_peer]]\n", `#   peer = ["10.1.0.7:22222"]`,
		"# This file holds a password",
	} {
		if !strings.Contains(toml, want) {
			t.Errorf("no %q in\n%s", want, toml)
		}
	}
}

// TestSuggestions: what the comments tell the reader to write instead is
// accepted too.
func TestSuggestions(t *testing.T) {
	_, _, toml := convert(t, file(add("AuthenticatePeers", "true")+add("PeerPassword", "long enough for us"), add("a", "10.1.0.7")+add("b", "10.1.0.8")+add("c", "10.1.0.7:7")))
	toml = strings.NewReplacer(`#   listen`, `listen`, `#   allow`, `allow`, `#   peer_`, `peer_`, "\nlisten = \"127", "\n# \"", "\npeer_listen = \"127", "\n# \"").Replace(toml)
	name := filepath.Join(t.TempDir(), "farm.toml")
	if err := os.WriteFile(name, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Inputs{File: name})
	if err != nil {
		t.Fatalf("%v\n%s", err, toml)
	}
	if c.Listen != ":42424" || c.PeerListen != ":42425" || len(c.Allow) != 1 || len(c.PeerAllow) != 2 || c.PeerSecretFile == "" || len(c.Warnings) != 0 {
		t.Errorf("%+v\n%s", c, toml)
	}
}

// TestValues: what the original makes of a value, and what we make of it.
func TestValues(t *testing.T) {
	for _, v := range []struct {
		name, settings, peers string
		want                  func(c *config.Config) bool
		text                  string // in what is written
	}{
		{"nothing", "", "", func(c *config.Config) bool {
			return c.Listen == "127.0.0.1:42424" && c.PeerListen == "127.0.0.1:42425" && c.MaxForwards == 5 && c.QueryTimeout == 2500*time.Millisecond && len(c.LegacyPeers) == 0
		}, "# WebserverPort is not in the file."},
		{"forwards below 0", add("MaxForwards", "-3"), "", func(c *config.Config) bool { return c.MaxForwards == 0 }, "The original takes it for 0."},
		{"many forwards", add("MaxForwards", "1000"), "", func(c *config.Config) bool { return c.MaxForwards == 255 }, "farmstate accepts up to 255."},
		{"no timeout", add("NetworkQueryTimeout", "0"), "", func(c *config.Config) bool { return c.QueryTimeout == time.Second }, "The original takes it for 1 second."},
		{"short timeout", add("NetworkQueryTimeout", "0.002"), "", func(c *config.Config) bool { return c.QueryTimeout == 10*time.Millisecond }, "farmstate accepts 10ms and more."},
		{"long timeout", add("NetworkQueryTimeout", "1e3"), "", func(c *config.Config) bool { return c.QueryTimeout == time.Minute }, "farmstate accepts up to 1m0s."},
		{"letter case of keys", add("webserverport", "42600"), "", func(c *config.Config) bool { return c.Listen == "127.0.0.1:42600" }, ""},
		{"the last one counts", add("MaxForwards", "1") + add("maxforwards", "2"), "", func(c *config.Config) bool { return c.MaxForwards == 2 }, ""},
		{"clear", add("MaxForwards", "1") + "<clear/>", "", func(c *config.Config) bool { return c.MaxForwards == 5 }, ""},
		{"remove", add("MaxForwards", "1") + `<remove key="MaxForwards"/>`, "", func(c *config.Config) bool { return c.MaxForwards == 5 }, ""},
		{"encryption alone", add("EncryptPeerData", "true") + add("PeerPassword", "x"), add("a", "10.1.0.7"), func(c *config.Config) bool {
			return !c.LegacyPeers[0].Encrypt && c.LegacyPeers[0].Password == ""
		}, "The original encrypts nothing without AuthenticatePeers, so they have no effect."},
		{"authentication alone", add("AuthenticatePeers", "true") + add("PeerPassword", "x"), add("a", "10.1.0.7"), func(c *config.Config) bool {
			return c.LegacyPeers[0].Authenticate && !c.LegacyPeers[0].Encrypt && c.LegacyPeers[0].Password == "x"
		}, ""},
		{"standalone", add("StandaloneMode", "true") + add("PeerPort", "42424"), add("a", "10.1.0.7"), func(c *config.Config) bool {
			return c.Standalone && len(c.LegacyPeers) == 0
		}, "# <Peers>, \"a\", line 4: 10.1.0.7:42424 is not used in standalone mode; left out."},
		{"itself", "", add("a", "127.0.0.1:42425") + add("b", "LOCALHOST"), func(c *config.Config) bool { return len(c.LegacyPeers) == 0 }, "is this server itself; left out."},
		{"a neighbour on this machine", "", add("a", "127.0.0.1:42426"), func(c *config.Config) bool { return len(c.LegacyPeers) == 1 }, ""},
		{"twice", "", add("a", "web2") + add("b", "WEB2:42425"), func(c *config.Config) bool { return len(c.LegacyPeers) == 1 }, "# <Peers>, \"b\", line 4: WEB2:42425 is there already, as \"a\"; left out."},
		{"the port of the admin pages", add("WebserverPort", "42480") + add("PeerPort", "42481"), "", func(c *config.Config) bool { return c.Admin == "127.0.0.1:42482" }, ""},
		{"the peer port on that of the admin pages", add("PeerPort", "42480"), "", func(c *config.Config) bool { return c.Admin == "127.0.0.1:42481" }, ""},
		{"unknown setting", add("Colour&#10;max_body = 1", "red"), "", func(c *config.Config) bool { return !c.IsSet("max_body") }, `# "Colour\nmax_body = 1", line 2: neither the original nor farmstate has such a setting.`},
		{"odd password", add("AuthenticatePeers", "true") + add("PeerPassword", "a&#10;b\\&quot;&#9;&#x2028;'''"), add("a", "10.1.0.7"), func(c *config.Config) bool {
			return c.LegacyPeers[0].Password == "a\nb\\\"\t\u2028'''"
		}, ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			_, c, toml := convert(t, file(v.settings, v.peers))
			if !v.want(c) || !strings.Contains(toml, v.text) {
				t.Errorf("%+v\n%s", c, toml)
			}
		})
	}
}

// TestManyPeers: max_peers grows with them.
func TestManyPeers(t *testing.T) {
	var peers strings.Builder
	for i := range 300 {
		host := "web" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		peers.WriteString(add(host, host))
	}
	_, c, toml := convert(t, file("", peers.String()))
	if c.MaxPeers != 300 || len(c.LegacyPeers) != 300 {
		t.Errorf("max_peers %d, %d legacy peers\n%s", c.MaxPeers, len(c.LegacyPeers), toml)
	}
}

// TestNotes: what is left out is named.
func TestNotes(t *testing.T) {
	s, _, _ := convert(t, "<configuration>\n<startup><supportedRuntime version=\"v2\"/></startup>\n<appSettings>\n<set key=\"a\"/>\n"+
		"<add key=\"MaxForwards\" value=\"1\" colour=\"red\"/>\n<add key=\"MaxForwards\" value=\"2\"/></appSettings></configuration>")
	want := []string{
		"p2p.config:2: <startup>: is no setting of a peer-to-peer state server, and is left out",
		"p2p.config:4: <set>: is no setting of a peer-to-peer state server, and is left out",
		`p2p.config:5: <add>: has an attribute "colour", which is left out`,
		`p2p.config:6: "MaxForwards": is set again; the value on line 5 is left out, as the original does`,
	}
	if !slices.Equal(s.Notes, want) {
		t.Errorf("\n got %q\nwant %q", s.Notes, want)
	}
}

// TestBad shows every line that a bad file gets.
func TestBad(t *testing.T) {
	for _, v := range []struct{ name, text, want string }{
		{"empty", "", "p2p.config:1: the file has no element; expected <configuration>"},
		{"not XML", "listen = \":1\"\n<", "p2p.config:2: is not XML: unexpected EOF"},
		{"not closed", "<configuration>\n<appSettings>", "p2p.config:2: is not XML: unexpected EOF"},
		{"another root", "\n<web/>", "p2p.config:2: <web>: is not the root element of a .NET configuration; expected <configuration>"},
		{"two roots", "<configuration/>\n<configuration/>", "p2p.config:2: <configuration>: is a second root element; a file has one <configuration>"},
		{"another configuration", "<configuration><system.web/></configuration>",
			"p2p.config: has no setting of a peer-to-peer state server (WebserverPort, PeerPort, MaxForwards, NetworkQueryTimeout, AuthenticatePeers, EncryptPeerData, StandaloneMode, PeerPassword); name its own configuration, such as ConsoleServer.exe.config"},
		{"document type", "<!DOCTYPE a [<!ENTITY b \"c\">]>\n<configuration/>", "p2p.config:1: a document type (<!DOCTYPE …>) is not accepted; remove it"},
		{"entity", "<configuration>\n<add key=\"&b;\"/></configuration>", "p2p.config:2: is not XML: invalid character entity &b;"},
		{"deep", "<configuration>\n" + strings.Repeat("<a>", 100), "p2p.config:2: elements are nested more than 32 deep"},
		{"another encoding", "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<configuration>\u00e9</configuration>",
			`p2p.config:1: xml: opening charset "iso-8859-1": the file declares the encoding "iso-8859-1"; save it as UTF-8, and declare that`},
		{"settings elsewhere", "<configuration>\n<appSettings file=\"other.config\"/></configuration>",
			"p2p.config:2: <appSettings>: names another file with file, which is not read; put its settings into this one"},
		{"section twice", "<configuration>\n<Peers/>\n<Peers/></configuration>", "p2p.config:3: <Peers>: is there again; the first time is on line 2"},
		{"no value", file("<add key=\"MaxForwards\"/>", ""), "p2p.config:2: <add>: needs the attributes key and value"},
		{"nothing to remove", file("<remove/>", ""), "p2p.config:2: <remove>: needs the attribute key"},
		{"attribute twice", file("<add key=\"a\" key=\"b\" value=\"\"/>", ""), "p2p.config:2: <add>: has the attribute key twice"},
		{"port", file(add("WebserverPort", "65536"), ""), `p2p.config:2: WebserverPort: "65536" is not accepted; accepted: a whole number from 1 to 65535`},
		{"one port", file(add("WebserverPort", "42425"), ""), "p2p.config:2: WebserverPort: 42425 is the number of PeerPort too"},
		{"forwards", file(add("MaxForwards", "many"), ""), `p2p.config:2: MaxForwards: "many" is not accepted; accepted: a whole number from -2147483648 to 2147483647`},
		{"comma", file(add("NetworkQueryTimeout", "2,5"), ""), `p2p.config:2: NetworkQueryTimeout: "2,5" is not accepted; accepted: a number of seconds up to 1048576, with a point if it is not whole, such as 2.5`},
		{"not a number", file(add("NetworkQueryTimeout", "NaN"), ""), `p2p.config:2: NetworkQueryTimeout: "NaN" is not accepted; accepted: a number of seconds up to 1048576, with a point if it is not whole, such as 2.5`},
		{"boolean", file(add("StandaloneMode", "yes"), ""), `p2p.config:2: StandaloneMode: "yes" is not accepted; accepted: true, false`},
		{"empty password", file(add("PeerPassword", ""), ""), "p2p.config:2: PeerPassword: is empty, which the original does not accept"},
		{"endless password", file(add("PeerPassword", strings.Repeat("x", 2000)), ""), "p2p.config:2: PeerPassword: is longer than 1024 bytes"},
		{"no password", file(add("AuthenticatePeers", "true"), ""), "p2p.config:2: AuthenticatePeers: is true, but the file has no PeerPassword"},
		{"peer with IPv6", file("", add("a", "fd00::1")), `p2p.config:4: Peers: "fd00::1" is not accepted; accepted: HOST or HOST:PORT, with a name or an IPv4 address`},
		{"peer without a host", file("", add("a", ":42425")), `p2p.config:4: Peers: ":42425" has no host; write HOST:42425; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425`},
		{"peer with a bad port", file("", add("a", "web2:x")), `p2p.config:4: Peers: "web2:x" has the port "x", which is not a number from 0 to 65535; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425`},
		{"two mistakes", file(add("MaxForwards", "x")+add("StandaloneMode", "y"), ""),
			"p2p.config:2: MaxForwards: \"x\" is not accepted; accepted: a whole number from -2147483648 to 2147483647\np2p.config:2: StandaloneMode: \"y\" is not accepted; accepted: true, false"},
	} {
		t.Run(v.name, func(t *testing.T) {
			_, err := Read("p2p.config", []byte(v.text))
			if err == nil || err.Error() != v.want {
				t.Errorf("\n got %v\nwant %s", err, v.want)
			}
		})
	}
}

// FuzzRead: whatever the file holds, each problem is one line that begins with
// its name, and what is accepted becomes a configuration that is accepted.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", file("", ""), file(add("WebserverPort", "42480")+add("PeerPassword", "a&#10;b")+add("AuthenticatePeers", "true"), add("a", "web2")+add("b", "10.1.0.7:1")),
		file(add("MaxForwards", "-1")+add("NetworkQueryTimeout", "1e-9")+add("x&#10;y", "z"), "<clear/><remove key='a'/>"), "<!DOCTYPE a>", "<a:configuration><Peers x='y'/></a:configuration>",
		file(add("StandaloneMode", "true"), add("a&#13;", "127.0.0.1")),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		name := filepath.Join(t.TempDir(), "p2p.config")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		data, err := config.ReadFile(name)
		if err != nil {
			return
		}
		if _, err := Read("p2p.config", data); err != nil {
			problems, ok := errors.AsType[config.Problems](err)
			if !ok {
				t.Fatal(err)
			}
			for _, p := range problems {
				if !strings.HasPrefix(p.Where, "p2p.config") || strings.ContainsAny(p.Error(), "\n\r") {
					t.Errorf("problem %q", p.Error())
				}
			}
			return
		}
		s, _, _ := convert(t, string(data))
		for _, note := range s.Notes {
			if strings.ContainsAny(note, "\n\r") {
				t.Errorf("note %q", note)
			}
		}
	})
}
