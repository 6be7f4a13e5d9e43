package config

import (
	"bytes"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestLegacyPeers: both spellings of the list, between others of its kind, and
// a password from a file, which counts to the last blank.
func TestLegacyPeers(t *testing.T) {
	for _, text := range []string{
		"[[alias]]\nfrom = \"/a\"\nto = \"/b\"\n[[legacy_peer]]\naddress = \"127.0.0.1:7\"\n[[alias]]\nfrom = \"/c\"\nto = \"/d\"\n" +
			"[[legacy_peer]]\naddress = \"127.0.0.1:8\"\nauthenticate = true\nencrypt = true\npassword = \"a long password\"\n" +
			"[[legacy_peer]]\naddress = \"localhost:9\"\nauthenticate = true\npassword_file = \"p\"\n",
		"legacy_peer = [{address = \"127.0.0.1:7\"}, {address = \"127.0.0.1:8\", authenticate = true, encrypt = true, password = \"a long password\"}, " +
			"{address = \"localhost:9\", authenticate = true, password_file = \"p\"}]\nalias = [{from = \"/a\", to = \"/b\"}, {from = \"/c\", to = \"/d\"}]\n",
	} {
		name := write(t, text)
		if err := os.WriteFile("p", []byte(" from the caf\u00e9 \r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c := load(t, Inputs{File: name})
		want := []LegacyPeer{
			{Address: "127.0.0.1:7"},
			{Address: "127.0.0.1:8", Authenticate: true, Encrypt: true, Password: "a long password"},
			{Address: "localhost:9", Authenticate: true, Password: " from the caf\u00e9 ", file: "p"},
		}
		if !slices.Equal(c.LegacyPeers, want) {
			t.Errorf("\n got %+v\nwant %+v", c.LegacyPeers, want)
		}
		if len(c.Aliases) != 2 || len(c.Warnings) != 0 || c.Summary() != "0 settings, 2 aliases, 3 legacy peers" {
			t.Errorf("aliases %v, warnings %q, %s", c.Aliases, c.Warnings, c.Summary())
		}
		if at := c.LegacyOrigin(0).String(); at != "file farm.toml:4" && at != "file farm.toml:1" {
			t.Errorf("legacy peer 0 is from %s", at)
		}
		again(t, c)
	}
}

// TestPasswordMasked: what is printed does not hold a password, and says so.
func TestPasswordMasked(t *testing.T) {
	const secret = "opensesame-and-more"
	name := write(t, "[[legacy_peer]]\naddress = \"127.0.0.1:7\"\nauthenticate = true\npassword = \""+secret+"\"\n"+
		"[[legacy_peer]]\naddress = \"127.0.0.1:8\"\nauthenticate = true\npassword_file = \"p\"\n[[legacy_peer]]\naddress = \"127.0.0.1:9\"\n")
	if err := os.WriteFile("p", []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, Inputs{File: name})
	var text, asJSON bytes.Buffer
	if err := c.Print(&text); err != nil {
		t.Fatal(err)
	}
	if err := c.PrintJSON(&asJSON); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String()+asJSON.String(), secret) {
		t.Errorf("the password is in\n%s\n%s", text.String(), asJSON.String())
	}
	for _, want := range []string{
		"\n[[legacy_peer]]  # file farm.toml:1\naddress = \"127.0.0.1:7\"\nauthenticate = true\nencrypt = false\n" +
			"password = \"********\"  # masked; write the password itself before you use this\n",
		"password_file = \"p\"\n",
		"\n[[legacy_peer]]  # file farm.toml:9\naddress = \"127.0.0.1:9\"\nauthenticate = false\nencrypt = false\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	for _, want := range []string{`"password": "********"`, `"password_file": "p"`, `"where": "farm.toml:9"`, `"authenticate": false`} {
		if !strings.Contains(asJSON.String(), want) {
			t.Errorf("no %s in\n%s", want, asJSON.String())
		}
	}
	again(t, c)
}

// TestWarnings shows every warning; none of them is an error, and none holds a
// secret.
func TestWarnings(t *testing.T) {
	const head = "[[legacy_peer]]\naddress = \"127.0.0.1:7\"\nauthenticate = true\n"
	for _, v := range []struct{ name, text, want string }{
		{"short", head + "password = \"elevenlong!\"\n",
			"farm.toml:4: legacy_peer.password: is shorter than 12 characters, so that whoever records a connection can find it by trying; choose another, and change it on all peers at one time"},
		{"long enough", head + "password = \"twelve chars\"\n", ""},
		{"characters, not bytes", head + "password = \"\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\"\n",
			"farm.toml:4: legacy_peer.password: is shorter than 12 characters, so that whoever records a connection can find it by trying; choose another, and change it on all peers at one time"},
		{"delivered", head + "password = \"Cello\"\n",
			"farm.toml:4: legacy_peer.password: is the one that the original is delivered with, which everybody knows; choose another, and change it on all peers at one time"},
		{"mask", head + "password = \"********\"\n",
			"farm.toml:4: legacy_peer.password: is the mask that farmstate config print writes in place of a password; write the password itself"},
		{"nobody may connect", "peer_listen = \":42425\"\ninsecure = true\n",
			`farm.toml:1: peer_listen: ":42425" can be reached from other machines, but none of them may connect; name their networks with peer_allow (--peer-allow 10.1.0.0/16) or allow`},
		{"somebody may", "peer_listen = \":42425\"\ninsecure = true\nallow = [\"10.0.0.0/8\"]\n", ""},
		{"cannot deliver", "[[legacy_peer]]\naddress = \"10.1.0.7:42425\"\n[[legacy_peer]]\naddress = \"10.1.0.8:42425\"\n",
			`farm.toml:1: legacy_peer: "10.1.0.7:42425" cannot deliver sessions to this node, because it opens connections of its own for that and peer_listen is "127.0.0.1:42425"; give peer_listen an address that it can reach, and name its network with peer_allow`},
		{"can deliver", "peer_advertise = \"web1:42425\"\n[[legacy_peer]]\naddress = \"10.1.0.7:42425\"\n", ""},
		{"can deliver to a name", "peer_listen = \"web1:42425\"\n[[legacy_peer]]\naddress = \"10.1.0.7:42425\"\n", ""},
		{"switched off", "peer_listen = \"off\"\n[[legacy_peer]]\naddress = \"10.1.0.7:42425\"\n",
			`farm.toml:2: legacy_peer: "10.1.0.7:42425" cannot deliver sessions to this node, because it opens connections of its own for that and peer_listen is "off"; give peer_listen an address that it can reach, and name its network with peer_allow`},
	} {
		t.Run(v.name, func(t *testing.T) {
			c := load(t, Inputs{File: write(t, v.text)})
			if got := strings.Join(c.Warnings, "\n"); got != v.want {
				t.Errorf("\n got %s\nwant %s", got, v.want)
			}
		})
	}
}

// TestReadSecret: white space at the ends does not count, and what is wrong is
// said without a byte of the secret.
func TestReadSecret(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, v := range []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{"good", "\n 0123456789abcdef \r\n", 0o600, ""},
		{"binary", "\xff\xfe\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09ABCDEF", 0o600, ""},
		{"short", "0123456789abcde\n", 0o600, "short: holds 15 bytes without the white space at its ends; a secret needs at least 16, for example: openssl rand -base64 32 > short"},
		{"empty", "", 0o600, "empty: holds 0 bytes without the white space at its ends; a secret needs at least 16, for example: openssl rand -base64 32 > empty"},
		{"large", strings.Repeat("x", maxSecret+1), 0o600, "large: is larger than 4KiB, so it is no file with the secret"},
	} {
		if err := os.WriteFile(v.name, []byte(v.text), v.mode); err != nil {
			t.Fatal(err)
		}
		secret, warning, err := ReadSecret(v.name)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != v.want || warning != "" {
			t.Errorf("%s: %q, warning %q, want %q", v.name, got, warning, v.want)
		}
		if want := strings.TrimSpace(v.text); v.want == "" && string(secret) != want {
			t.Errorf("%s: secret %q, want %q", v.name, secret, want)
		}
	}
	if _, _, err := ReadSecret("none"); err == nil || !strings.HasPrefix(err.Error(), "none: there is no such file (looked for ") {
		t.Error(err)
	}
	if _, _, err := ReadSecret("."); err == nil || err.Error() != ".: this is a directory; name the file with the secret in it" {
		t.Error(err)
	}
	if runtime.GOOS == "windows" {
		return // The mode says nothing about who can read it.
	}
	if err := os.Chmod("good", 0o644); err != nil {
		t.Fatal(err)
	}
	const want = "good: every account of this machine can read it; let only the one that runs farmstate do so: chmod 600 good"
	if _, warning, err := ReadSecret("good"); err != nil || warning != want {
		t.Errorf("warning %q, %v, want %q", warning, err, want)
	}
}

// TestPasswordFiles shows what a file with a password can get wrong.
func TestPasswordFiles(t *testing.T) {
	const text = "[[legacy_peer]]\naddress = \"127.0.0.1:7\"\nauthenticate = true\npassword_file = \"p\"\n"
	for _, v := range []struct{ content, want string }{
		{"\n", "p: is empty; write the password into it"},
		{"caf\xe9", "p: is not UTF-8; save it as UTF-8"},
		{strings.Repeat("x", MaxPassword+1), "is longer than 1024 bytes"},
		{strings.Repeat("x", maxSecret+1), "p: is larger than 4KiB, so it is no file with the secret"},
	} {
		name := write(t, text)
		if err := os.WriteFile("p", []byte(v.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(Inputs{File: name})
		if want := "farm.toml:4: legacy_peer.password_file: " + v.want; err == nil || err.Error() != want {
			t.Errorf("\n got %v\nwant %s", err, want)
		}
	}
	name := write(t, text)
	if _, err := Load(Inputs{File: name}); err == nil || !strings.HasPrefix(err.Error(), "farm.toml:4: legacy_peer.password_file: p: there is no such file (looked for ") {
		t.Error(err)
	}
	if err := os.WriteFile("p", []byte("a good password"), 0o600); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod("p", 0o604); err != nil {
		t.Fatal(err)
	}
	c := load(t, Inputs{File: name})
	if len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0], "farm.toml:4: legacy_peer.password_file: p: every account") {
		t.Errorf("warnings %q", c.Warnings)
	}
}
