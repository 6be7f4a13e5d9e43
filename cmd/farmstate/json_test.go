package main

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// fields calls a command with --json, and returns what its one object has, with the names of the fields.
func fields(t *testing.T, want int, args ...string) (object map[string]any, names string) {
	t.Helper()
	status, stdout, stderr := call(t, nil, append(args, "--json")...)
	if status != want || stderr != "" {
		t.Fatalf("%q: exit status %d, %q", args, status, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &object); err != nil {
		t.Fatalf("%q: %v in\n%s", args, err, stdout)
	}
	return object, strings.Join(slices.Sorted(maps.Keys(object)), " ")
}

// TestJSONOutput: what commands write for programs. The names are stable: docs/commands.md has them.
func TestJSONOutput(t *testing.T) {
	document, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	p := playNode(t, nil)
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"good.toml": "lock_wait = \"1s\"\n[[alias]]\nfrom = \"/a\"\nto = \"/b\"\n", "bad.toml": "lock_wait = \"1h\"\nlock_queue = 0\n",
		"p2p.config": "<configuration><startup/><appSettings><add key=\"WebserverPort\" value=\"42600\"/></appSettings></configuration>",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"cert", "ca", "--dir", "farm"}, {"cert", "node", "--dir", "farm", "web1", "--host", "web1.example.com"}} {
		if status, _, stderr := call(t, nil, args...); status != exitOK {
			t.Fatal(stderr)
		}
	}
	for _, c := range []struct {
		args   []string
		status int
		names  string         // of all fields
		values map[string]any // of some
	}{
		{[]string{"version"}, exitOK, "go system version", map[string]any{"version": buildInfo().Version}},
		{[]string{"top", "--once", "--interval", "100ms", "--admin", p.addr}, exitOK, "findings nodes now ok rates", map[string]any{"ok": true}},
		{[]string{"config", "check", "good.toml"}, exitOK, "aliases errors file legacy_peers ok settings warnings", map[string]any{"ok": true, "settings": 1.0, "aliases": 1.0}},
		{[]string{"config", "check", "bad.toml"}, exitUsage, "aliases errors file legacy_peers ok settings warnings", map[string]any{"ok": false, "file": "bad.toml"}},
		{[]string{"config", "import", "p2p.config"}, exitOK, "configuration file notes", nil},
		{[]string{"config", "print"}, exitOK, "aliases legacy_peers options", nil},
		{[]string{"cert", "show", "farm/web1.pem"}, exitOK, "file hosts issuer kind name not_after not_before serial state", map[string]any{"kind": "node", "state": "valid", "name": "web1"}},
		{[]string{"cert", "show", "farm/ca.pem"}, exitOK, "file hosts issuer kind name not_after not_before serial state", map[string]any{"kind": "ca"}},
	} {
		object, names := fields(t, c.status, c.args...)
		if c.args[0] == "version" {
			names = strings.Replace(names, "commit ", "", 1) // a build of tests may know it
		}
		if names != c.names {
			t.Errorf("%q has %s, want %s", c.args, names, c.names)
		}
		for name, want := range c.values {
			if object[name] != want {
				t.Errorf("%q: %s is %v, want %v", c.args, name, object[name], want)
			}
		}
		for name := range strings.FieldsSeq(names) {
			if !strings.Contains(string(document), "`"+name+"`") {
				t.Errorf("docs/commands.md does not have %s of %q", name, c.args)
			}
		}
	}
	if object, _ := fields(t, exitUsage, "config", "check", "bad.toml"); len(object["errors"].([]any)) != 2 {
		t.Errorf("%v", object)
	}
	if object, _ := fields(t, exitOK, "config", "import", "p2p.config"); len(object["notes"].([]any)) != 1 || !strings.Contains(object["configuration"].(string), "42600") {
		t.Errorf("%v", object)
	}
	if status, _, stderr := call(t, nil, "top", "--json", "--admin", p.addr); status != exitUsage || !strings.Contains(stderr, "--once") {
		t.Errorf("exit status %d, %q", status, stderr)
	}
}
