package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// again prints c, reads what was printed, and compares.
func again(t *testing.T, c *Config) {
	t.Helper()
	var text bytes.Buffer
	if err := c.Print(&text); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "printed.toml")
	if err := os.WriteFile(name, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := Load(Inputs{File: name})
	if err != nil {
		t.Fatalf("what was printed is not accepted: %v\n%s", err, text.String())
	}
	for i := range Table {
		o := &Table[i]
		if before, after := o.Values(c), o.Values(read); !slices.Equal(before, after) {
			t.Errorf("%s was %q, is %q", o.Name, before, after)
		}
	}
	if !slices.Equal(c.Aliases, read.Aliases) {
		t.Errorf("aliases were %v, are %v", c.Aliases, read.Aliases)
	}
	masked := slices.Clone(c.LegacyPeers)
	for i := range masked {
		if masked[i].file == "" && masked[i].Password != "" {
			masked[i].Password = passwordMask
		}
	}
	if !slices.Equal(masked, read.LegacyPeers) {
		t.Errorf("legacy peers were %v, are %v", masked, read.LegacyPeers)
	}
}

var printed = Inputs{
	Environ: []string{"FARMSTATE_MAX_MEMORY=10GB", "FARMSTATE_ADMIN="},
	Flags:   map[string][]string{"allow": {"10.0.0.0/8", "192.168.1.1"}, "http_status_line": {"true"}, "max_body": {"1000000"}},
}

// TestPrint: the TOML form has the value and the origin of each option, and is
// a configuration itself.
func TestPrint(t *testing.T) {
	in := printed
	in.File = write(t, "lock_wait = \"1s\"\n[[alias]]\nfrom = \"/LM/W3SVC/2/ROOT/caf\u00e9\"\nto = \"/LM/W3SVC/1/ROOT/it's \\\"quoted\\\"\"\n")
	c := load(t, in)
	var text bytes.Buffer
	if err := c.Print(&text); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text.String(), "\n")
	for i, line := range lines {
		value, origin, _ := strings.Cut(line, "  # ")
		lines[i] = strings.TrimSpace(value) + "  # " + origin
	}
	for _, want := range []string{
		`listen = "127.0.0.1:42424"  # default`,
		`allow = ["10.0.0.0/8", "192.168.1.1"]  # flag --allow`,
		`admin = "off"  # env FARMSTATE_ADMIN`,
		`event_loops = 0  # default`,
		`max_body = "1MB"  # flag --max-body`,
		`max_header = "16KiB"  # default`,
		`max_memory = "10GB"  # env FARMSTATE_MAX_MEMORY`,
		`lock_wait = "1s"  # file farm.toml:1`,
		`http_status_line = true  # flag --http-status-line`,
		`[[alias]]  # file farm.toml:2`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %s in\n%s", want, text.String())
		}
	}
	again(t, c)
}

// TestPrintJSON: the JSON form has the same, with the types that JSON has.
func TestPrintJSON(t *testing.T) {
	in := printed
	in.File = write(t, "event_loops = 2\n[[alias]]\nfrom = \"/a\"\nto = \"/b\"\n")
	var text bytes.Buffer
	if err := load(t, in).PrintJSON(&text); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Options map[string]struct {
			Value         any
			Source, Where string
		}
		Aliases []struct{ From, To, Where string }
	}
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Options) != len(Table) {
		t.Errorf("%d options, want %d", len(got.Options), len(Table))
	}
	if o := got.Options["event_loops"]; o.Value != 2.0 || o.Source != "file" || o.Where != "farm.toml:1" {
		t.Errorf("event_loops: %+v", o)
	}
	if o := got.Options["http_status_line"]; o.Value != true || o.Source != "flag" || o.Where != "--http-status-line" {
		t.Errorf("http_status_line: %+v", o)
	}
	if o := got.Options["max_memory"]; o.Value != "10GB" || o.Source != "env" {
		t.Errorf("max_memory: %+v", o)
	}
	if list, ok := got.Options["allow"].Value.([]any); !ok || len(list) != 2 {
		t.Errorf("allow: %+v", got.Options["allow"])
	}
	if o := got.Options["log_level"]; o.Value != "info" || o.Source != "default" || o.Where != "" {
		t.Errorf("log_level: %+v", o)
	}
	if len(got.Aliases) != 1 || got.Aliases[0].From != "/a" || got.Aliases[0].Where != "farm.toml:2" {
		t.Errorf("aliases: %+v", got.Aliases)
	}
}
