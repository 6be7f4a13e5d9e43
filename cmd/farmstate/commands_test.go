package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/bench"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// call runs a command in this process.
func call(t *testing.T, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(args, env, &out, &errs)
	return status, out.String(), errs.String()
}

// TestVersion: one line that says what was built.
func TestVersion(t *testing.T) {
	status, stdout, stderr := execute(t, nil, "version")
	want := "farmstate 1.2.3 commit 0123abc " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	if status != exitOK || stdout != want || stderr != "" {
		t.Errorf("exit status %d, %q, %q; want %q", status, stdout, stderr, want)
	}
}

// TestHelp: farmstate help has all commands and all their options, and every
// command has a help of its own.
func TestHelp(t *testing.T) {
	status, all, stderr := call(t, nil, "help")
	if status != exitOK || stderr != "" {
		t.Fatalf("exit status %d, %q", status, stderr)
	}
	for _, command := range []string{"serve", "load", "config check", "config print", "config import", "version", "help"} {
		if !strings.Contains(all, "\nfarmstate "+command) {
			t.Errorf("no help for %s", command)
		}
		words := strings.Fields(command)
		status, one, stderr := call(t, nil, append([]string{"help"}, words...)...)
		if status != exitOK || stderr != "" || !strings.HasPrefix(one, "Usage: farmstate "+command) {
			t.Errorf("help %s: exit status %d, %q\n%s", command, status, stderr, one)
		}
		status, flag, stderr := call(t, nil, append(words, "--help")...)
		if status != exitOK || stderr != "" || flag != one {
			t.Errorf("%s --help: exit status %d, %q\n%s", command, status, stderr, flag)
		}
		if !strings.Contains(all, one) {
			t.Errorf("the help of everything lacks that of %s", command)
		}
	}
	_, serve, _ := call(t, nil, "help", "serve")
	text := strings.Join(strings.Fields(serve), " ")
	for i := range config.Table {
		o := &config.Table[i]
		if !strings.Contains(text, "--"+o.Flag()) || !strings.Contains(text, o.Help) {
			t.Errorf("the help of serve lacks %s", o.Name)
		}
	}
}

// TestUsageErrors: exit status 2, and where to look.
func TestUsageErrors(t *testing.T) {
	for _, v := range []struct {
		args []string
		want string
	}{
		{nil, "farmstate: no command; `farmstate serve` runs a node, `farmstate help` shows all commands\n"},
		{[]string{"sevre"}, "farmstate: unexpected argument sevre, did you mean \"serve\"?; see `farmstate help`\n"},
		{[]string{"config"}, "farmstate: expected one of \"check\", \"print\", \"import\"; see `farmstate help config`\n"},
		{[]string{"config", "check"}, "farmstate: expected \"<file>\"; see `farmstate help config check`\n"},
		{[]string{"help", "nothing"}, "farmstate: unexpected argument nothing; `farmstate help` shows all commands\n"},
		{[]string{"version", "--long"}, "farmstate: unknown flag --long; see `farmstate help version`\n"},
		{[]string{"load", "--body-min", "1K"}, "farmstate: --body-min: \"1K\" is not a size; accepted: a size in bytes or with a unit such as KiB, MB or GiB; see `farmstate help load`\n"},
		{[]string{"load", "--connections", "-1"}, ""},
		{[]string{"load", "--placement", "near"}, "farmstate: placement \"near\": use hash or random\n"},
	} {
		status, stdout, stderr := call(t, nil, v.args...)
		if status != exitUsage || stdout != "" || v.want != "" && stderr != v.want {
			t.Errorf("%q: exit status %d, %q\n got %s\nwant %s", v.args, status, stdout, stderr, v.want)
		}
	}
}

// TestConfigCheck: one line for a good file, one for each problem of a bad one.
func TestConfigCheck(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("good.toml", "lock_wait = \"1s\"\n[[alias]]\nfrom = \"/a\"\nto = \"/b\"\n")
	status, stdout, stderr := call(t, []string{"FARMSTATE_LOCK_WAIT=wrong"}, "config", "check", "good.toml")
	if status != exitOK || stdout != "good.toml: ok (1 setting, 1 alias)\n" || stderr != "" {
		t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
	}
	write("bad.toml", "lock_wait = \"1h\"\n\nlock_queue = 0\n")
	status, stdout, stderr = call(t, nil, "config", "check", "bad.toml")
	want := "farmstate: bad.toml:1: lock_wait: \"1h\" is above 30s; accepted: a duration from 0 to 30s, such as 700ms\n" +
		"farmstate: bad.toml:3: lock_queue: \"0\" is below 1; accepted: a whole number from 1 to 1048576\n"
	if status != exitUsage || stdout != "" || stderr != want {
		t.Errorf("exit status %d, %q\n got %s\nwant %s", status, stdout, stderr, want)
	}
}

// TestConfigCheckWarns: warnings go to standard error, and the exit status is
// that of a good file; a secret that cannot be used is an error.
func TestConfigCheckWarns(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("warn.toml", "peer_secret_file = \"secret\"\n[[legacy_peer]]\naddress = \"127.0.0.1:7\"\nauthenticate = true\npassword = \"Cello\"\n")
	write("secret", "0123456789abcdef\n")
	status, stdout, stderr := call(t, nil, "config", "check", "warn.toml")
	const warning = "farmstate: warning: warn.toml:5: legacy_peer.password: is the one that the original is delivered with, which everybody knows; choose another, and change it on all peers at one time\n"
	if status != exitOK || stdout != "warn.toml: ok (1 setting, 1 legacy peer, 1 warning)\n" || stderr != warning {
		t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
	}
	if runtime.GOOS != "windows" { // There the mode says nothing.
		if err := os.Chmod("secret", 0o644); err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr = call(t, nil, "config", "check", "warn.toml")
		if status != exitOK || stdout != "warn.toml: ok (1 setting, 1 legacy peer, 2 warnings)\n" || !strings.Contains(stderr, "\nfarmstate: warning: warn.toml:1: peer_secret_file: secret: every account") {
			t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
		}
	}
	write("secret", "short")
	status, stdout, stderr = call(t, nil, "config", "check", "warn.toml")
	if status != exitUsage || stdout != "" || !strings.HasPrefix(stderr, "farmstate: warn.toml:1: peer_secret_file: secret: holds 5 bytes") {
		t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
	}
}

// TestConfigImport: what goes to standard output is a good file, what is left
// out is named on standard error, and a file with mistakes gives nothing.
func TestConfigImport(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("p2p.config", "<configuration>\n<startup/>\n<appSettings><add key=\"WebserverPort\" value=\"42600\"/>\n<add key=\"AuthenticatePeers\" value=\"true\"/>"+
		"<add key=\"PeerPassword\" value=\"long enough for us\"/></appSettings>\n<Peers><add key=\"a\" value=\"127.0.0.1:7\"/></Peers></configuration>\n")
	status, stdout, stderr := call(t, nil, "config", "import", "p2p.config")
	if status != exitOK || stderr != "farmstate: p2p.config:2: <startup>: is no setting of a peer-to-peer state server, and is left out\n" {
		t.Errorf("exit status %d, %q", status, stderr)
	}
	write("farm.toml", stdout)
	status, stdout, stderr = call(t, nil, "config", "check", "farm.toml")
	if status != exitOK || stdout != "farm.toml: ok (5 settings, 1 legacy peer)\n" || stderr != "" {
		t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
	}
	write("bad.config", "<configuration><appSettings>\n<add key=\"WebserverPort\" value=\"http\"/></appSettings></configuration>")
	status, stdout, stderr = call(t, nil, "config", "import", "bad.config")
	if want := "farmstate: bad.config:2: WebserverPort: \"http\" is not accepted; accepted: a whole number from 1 to 65535\n"; status != exitUsage || stdout != "" || stderr != want {
		t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
	}
	status, stdout, stderr = call(t, nil, "config", "import", "none.config")
	if status != exitUsage || stdout != "" || !strings.HasPrefix(stderr, "farmstate: none.config: there is no such file") {
		t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
	}
}

// TestConfigPrint: flags, environment and file together, and what is printed is
// a good file.
func TestConfigPrint(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("farm.toml", []byte("lock_wait = \"1s\"\nlock_queue = 5\nsession_queue = 6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"FARMSTATE_LOCK_QUEUE=7", "FARMSTATE_SESSION_QUEUE=8", "FARMSTATE_CONFIG=other.toml"}
	status, stdout, stderr := call(t, env, "config", "print", "--config", "farm.toml", "--session-queue", "9", "--gops", "--allow", "10.0.0.0/8", "--allow", "fd00::/8")
	if status != exitOK || stderr != "" {
		t.Fatalf("exit status %d, %q", status, stderr)
	}
	text := strings.Join(strings.Fields(stdout), " ")
	for _, want := range []string{
		`lock_wait = "1s" # file farm.toml:1`, `lock_queue = 7 # env FARMSTATE_LOCK_QUEUE`, `session_queue = 9 # flag --session-queue`,
		`gops = true # flag --gops`, `allow = ["10.0.0.0/8", "fd00::/8"] # flag --allow`, `max_body = "64MiB" # default`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	printed := filepath.Join(t.TempDir(), "printed.toml")
	if err := os.WriteFile(printed, []byte(stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := call(t, nil, "config", "check", printed); status != exitOK {
		t.Errorf("exit status %d, %q", status, stderr)
	}

	status, stdout, stderr = call(t, env[:2], "config", "print", "--json", "--gops=false")
	if status != exitOK || stderr != "" || !json.Valid([]byte(stdout)) {
		t.Errorf("exit status %d, %q\n%s", status, stderr, stdout)
	}
	if status, _, stderr = call(t, env, "config", "print"); status != exitUsage || !strings.HasPrefix(stderr, "farmstate: FARMSTATE_CONFIG: other.toml: there is no such file") {
		t.Errorf("exit status %d, %q", status, stderr)
	}
}

// TestLoad drives a node, and a port where there is none.
func TestLoad(t *testing.T) {
	t.Parallel()
	p := serve(t)
	status, stdout, stderr := execute(t, nil, "load", "--target", p.state, "--pages", "200", "--connections", "4", "--sessions", "20", "--preload", "--verify", "--json")
	if status != exitOK || stderr != "" {
		t.Errorf("exit status %d, %q", status, stderr)
	}
	var result bench.LoadResult
	if err := json.Unmarshal([]byte(stdout), &result); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	if result.Config.Conns != 4 || result.Config.Sessions != 20 || result.PagesFailed != 0 || result.Preload == nil || result.Verify == nil {
		t.Errorf("%+v", result)
	}
	status, stdout, stderr = execute(t, nil, "load", "--target", p.state, "--pages", "10")
	if status != exitOK || stderr != "" || !strings.Contains(stdout, "requests ") {
		t.Errorf("exit status %d, %q\n%s", status, stderr, stdout)
	}
	l := taken(t, "127.0.0.1:0") // Listens and never answers.
	status, stdout, stderr = execute(t, nil, "load", "--target", l, "--pages", "2", "--net-timeout", "100ms")
	if status != exitFailed || stderr != "" || !strings.Contains(stdout, "failed    2 pages") {
		t.Errorf("exit status %d, %q\n%s", status, stderr, stdout)
	}
}
