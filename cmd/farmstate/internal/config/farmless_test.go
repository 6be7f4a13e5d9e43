package config

import (
	"os"
	"strings"
	"testing"
)

// TestFarmless: what has no effect without a farm is refused where somebody asks this node for it, and left alone where it may be meant for others.
func TestFarmless(t *testing.T) {
	const alone = "there is no farm, because standalone is true ("
	for _, c := range []struct {
		name, file, env, flags string
		want                   string // empty: accepted
	}{
		{"copies", "", "", "standalone=true copies=2", `--copies: "2" has no effect: ` + alone + "flag --standalone); take one of the two out"},
		{"one copy", "", "", "standalone=true copies=1", ""},
		{"a default", "", "", "standalone=true ack=all repair_rate=64MiB", ""},
		{"ack", "", "", "standalone=true ack=one", `--ack: "one" has no effect: `},
		{"backlog", "", "", "standalone=true copy_backlog=1MiB", `--copy-backlog: "1MiB" has no effect: `},
		{"touch", "", "", "standalone=true touch_period=1s", `--touch-period: "1s" has no effect: `},
		{"repair", "", "", "standalone=true repair_rate=1MiB", `--repair-rate: "1MiB" has no effect: `},
		{"quarantine", "", "", "standalone=true quarantine_size=1MiB", `--quarantine-size: "1MiB" has no effect: `},
		{"gossip", "", "", "standalone=true gossip_listen=127.0.0.1:9", `--gossip-listen: "127.0.0.1:9" has no effect: `},
		{"no gossip", "", "", "standalone=true gossip_listen=off peer_listen=off", ""},
		{"secret", "", "", "standalone=true peer_secret_file=s", `--peer-secret-file: "s" has no effect: `},
		{"insecure", "", "", "standalone=true insecure=true", `--insecure: "true" has no effect: `},
		{"variable", "", "STANDALONE=true ACK=one", "", `FARMSTATE_ACK: "one" has no effect: ` + alone + "env FARMSTATE_STANDALONE"},
		{"overruled variable", "", "ACK=one COPIES=2", "standalone=true", ""},
		{"one file", "standalone = true\ncopies = 2\n", "", "", `farm.toml:2: copies: "2" has no effect: ` + alone + "file farm.toml:1"},
		{"a shared file", "copies = 2\nack = \"one\"\npeer_secret_file = \"s\"\n", "", "standalone=true", ""},
		{"an imported file", "standalone = true\nquery_timeout = \"1s\"\nmax_forwards = 3\npeer_listen = \":1\"\n", "", "", ""},
		{"a flag against the file", "standalone = true\n", "", "copies=2", `--copies: "2" has no effect: ` + alone + "file farm.toml:1"},
		{"a port that is off", "", "", "peer_listen=off copies=2", `--copies: "2" has no effect: there is no farm, because peer_listen is off (flag --peer-listen) and no other node is named with join or peer`},
		{"off, with peers", "", "", "peer_listen=off copies=2 peer=127.0.0.1:1", ""},
		{"off, with members", "", "", "peer_listen=off copies=2 join=127.0.0.1:1", ""},
		{"off, with gossip", "", "", "peer_listen=off copies=2 gossip_listen=127.0.0.1:1", ""},
		{"a farm of which nobody is named", "", "", "copies=2 ack=one", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			in := Inputs{Flags: map[string][]string{}}
			for f := range strings.FieldsSeq(c.flags) {
				name, value, _ := strings.Cut(f, "=")
				in.Flags[name] = []string{value}
			}
			for e := range strings.FieldsSeq(c.env) {
				in.Environ = append(in.Environ, envPrefix+e)
			}
			if c.file != "" {
				in.File = "farm.toml"
				if err := os.WriteFile(in.File, []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg, err := Load(in)
			if cfg != nil && cfg.Standalone && cfg.Copies > 1 {
				t.Errorf("copies = %d", cfg.Copies)
			}
			if got := errorText(err); c.want == "" && got != "" || !strings.HasPrefix(got, c.want) || strings.Contains(got, "\n") {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
