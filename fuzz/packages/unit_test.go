//go:build linux

package packages

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mostExposed is what systemd-analyze may give the unit at most; 10 is a service that may do anything.
const mostExposed = 3.0

// TestUnit: systemd understands the unit, and finds it hardened.
func TestUnit(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	file := string(read(t, packaging, "farmstate.service"))
	unit := parseUnit(file)
	// It wants the program of the unit to be there.
	name := filepath.Join(t.TempDir(), "farmstate.service")
	write(t, name, strings.Replace(file, "ExecStart=/usr/bin/farmstate ", "ExecStart=/bin/true ", 1))
	output(t, analyze, "verify", "--man=no", name)
	report := output(t, analyze, "security", "--offline=true", "--no-pager", name)
	found := regexp.MustCompile(`exposure level for farmstate\.service: ([\d.]+) `).FindStringSubmatch(report)
	if found == nil {
		t.Fatalf("systemd-analyze security says:\n%s", report)
	}
	if exposure, err := strconv.ParseFloat(found[1], 64); err != nil || exposure >= mostExposed {
		t.Errorf("the exposure is %s:\n%s", found[1], report)
	} else {
		t.Logf("exposure %s", found[1])
	}
	for name, want := range map[string]string{"Type": "notify", "RestartPreventExitStatus": "2", "KillMode": "mixed", "StateDirectory": "farmstate", "RuntimeDirectory": "farmstate", "User": "farmstate"} {
		if got := unit[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s=%q, want %s", name, got, want)
		}
	}
	if !strings.HasSuffix(unit["ExecStart"][0], " --config "+installed[0]) {
		t.Errorf("it starts %s", unit["ExecStart"])
	}
}

// TestAccount: systemd makes the account of the unit.
func TestAccount(t *testing.T) {
	if os.Getuid() != 0 {
		missing(t, "only root may make accounts")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(filepath.Join(packaging, "sysusers.conf"))
	if err != nil {
		t.Fatal(err)
	}
	output(t, tool(t, "systemd-sysusers"), "--root="+dir, path)
	if passwd := string(read(t, dir, "etc", "passwd")); !regexp.MustCompile(`(?m)^farmstate:x:\d+:\d+:farmstate session state:/var/lib/farmstate:/usr/sbin/nologin$`).MatchString(passwd) {
		t.Errorf("accounts:\n%s", passwd)
	}
}

// TestPorts: what is reserved are the ports that a node takes unless it is told otherwise.
func TestPorts(t *testing.T) {
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	config := output(t, path, "config", "print", "--peer-secret-file=", "--join=127.0.0.1:1")
	reserved := string(read(t, packaging, "sysctl.conf"))
	const name = "net.ipv4.ip_local_reserved_ports = "
	_, list, found := strings.Cut(reserved, "\n"+name)
	list = strings.TrimSpace(list)
	if !found || !strings.Contains(string(read(t, packaging, "postinstall.sh")), list) {
		t.Errorf("postinstall.sh does not reserve %q", list)
	}
	inList := func(port uint32) bool {
		for part := range strings.SplitSeq(list, ",") {
			first, last, many := strings.Cut(part, "-")
			if !many {
				last = first
			}
			if number(t, first) <= port && port <= number(t, last) {
				return true
			}
		}
		return false
	}
	ports := regexp.MustCompile(`(?m)^(?:listen|admin|peer_listen) = "127\.0\.0\.1:(\d+)"`).FindAllStringSubmatch(config, -1)
	if len(ports) != 3 || !inList(42426) || inList(42427) {
		t.Errorf("%q, %d ports", list, len(ports))
	}
	for _, p := range ports {
		if !inList(number(t, p[1])) {
			t.Errorf("port %s is not reserved", p[1])
		}
	}
}

// TestConfiguration: what the packaged file shows as defaults are defaults, and what it shows beside them is accepted.
func TestConfiguration(t *testing.T) {
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, "a secret for nodes under test, long enough\n")
	text := string(read(t, packaging, "farmstate.toml"))
	text = regexp.MustCompile(`(?m)^#(\w+ = )`).ReplaceAllString(text, "$1")
	text = strings.ReplaceAll(text, "/etc/farmstate/secret\"", secret+"\"")
	name := filepath.Join(t.TempDir(), "farmstate.toml")
	write(t, name, text)
	if said := output(t, path, "config", "check", name); strings.Count(text, "\n") < 10 {
		t.Errorf("%s", said)
	}
}
