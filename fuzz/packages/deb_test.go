//go:build linux

package packages

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// installed are the files of the packages.
var installed = []string{
	"/etc/farmstate/farmstate.toml", "/usr/bin/farmstate", "/usr/lib/sysctl.d/10-farmstate.conf", "/usr/lib/systemd/system/farmstate.service", "/usr/lib/sysusers.d/farmstate.conf",
	"/usr/share/bash-completion/completions/farmstate", "/usr/share/doc/farmstate/CHANGELOG.md", "/usr/share/doc/farmstate/LIBRARIES", "/usr/share/doc/farmstate/LICENSE",
	"/usr/share/doc/farmstate/copyright", "/usr/share/fish/vendor_completions.d/farmstate.fish", "/usr/share/zsh/vendor-completions/_farmstate",
}

// TestDeb installs the package, starts its node as the unit says, stops it while another node takes its sessions, and removes it.
func TestDeb(t *testing.T) {
	tool(t, "dpkg")
	deb := filepath.Join(packages(t), "farmstate-"+version+"-amd64.deb")
	control := output(t, "dpkg-deb", "--info", deb)
	for _, line := range []string{"Package: farmstate", "Version: " + version, "Architecture: amd64", "Depends: passwd"} {
		if !strings.Contains(control, "\n "+line+"\n") {
			t.Errorf("the package does not say %q:\n%s", line, control)
		}
	}
	var files []string
	for line := range strings.Lines(output(t, "dpkg-deb", "--contents", deb)) {
		f := strings.Fields(line)
		if name := strings.TrimPrefix(f[5], "."); !strings.HasSuffix(name, "/") {
			files = append(files, name)
		}
		if f[1] != "root/root" || f[0][8] == 'w' {
			t.Errorf("not root's alone: %s", line)
		}
	}
	if slices.Sort(files); !slices.Equal(files, installed) {
		t.Errorf("the package has %q", files)
	}

	r := newRoot(t)
	if said := r.dpkg(t, "--install", deb); !strings.Contains(said, "systemctl enable --now farmstate") {
		t.Errorf("the installation does not say what comes next:\n%s", said)
	}
	output(t, r.path("/usr/bin/farmstate"), "config", "check", r.path("/etc/farmstate/farmstate.toml"))

	told := listenNotices(t, r, "/run/notify")
	unit := parseUnit(string(read(t, r.path("/usr/lib/systemd/system/farmstate.service"))))
	taker := start(t, command(r.path("/usr/bin/farmstate"), "serve"))
	n := start(t, service(t, r, unit, "NOTIFY_SOCKET=/run/notify", "WATCHDOG_USEC=900000", "FARMSTATE_PEER="+taker.addr["peer"]))
	told.await(t, "READY=1", "STATUS=serving, 0 sessions")
	const page = "a session of some user"
	if status, _ := ask(t, n.addr["state"], session("PUT", "Timeout: 20\r\nContent-Length: 22\r\n", page)); !strings.Contains(status, "200 OK") {
		t.Fatal(status)
	}
	told.await(t, "WATCHDOG=1", "STATUS=serving, 1 sessions")
	if status := n.stop(syscall.SIGTERM); status != 0 {
		t.Errorf("exit status %d", status)
	}
	told.await(t, "STOPPING=1", "EXTEND_TIMEOUT_USEC=30000000", "STATUS=stopping, 1 sessions left")
	if status, body := ask(t, taker.addr["state"], session("GET", "", "")); !strings.Contains(status, "200 OK") || body != page {
		t.Errorf("the other node answers %s with %q", status, body)
	}

	// What the operator has written stays at an update and at a removal.
	const changed = "lock_wait = \"1s\"\n"
	r.write(t, "/etc/farmstate/farmstate.toml", changed)
	r.write(t, "/var/lib/farmstate/kept", "sessions")
	if said := r.dpkg(t, "--install", deb); !strings.Contains(said, "systemctl restart farmstate") {
		t.Errorf("the update does not say what comes next:\n%s", said)
	}
	r.dpkg(t, "--remove", "farmstate")
	if string(read(t, r.path("/etc/farmstate/farmstate.toml"))) != changed || !r.has("/var/lib/farmstate/kept") {
		t.Error("the removal has not left the configuration and the sessions alone")
	}
	r.dpkg(t, "--purge", "farmstate")
	for _, name := range append(installed, "/etc/farmstate", "/var/lib/farmstate", "/usr/share/doc/farmstate") {
		if r.has(name) {
			t.Errorf("%s is still there", name)
		}
	}
	r.user(t, "farmstate") // files may belong to it
}

// command runs a program with options for any number of nodes.
func command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Env = environment(ephemeral...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// service is the command of the unit, in the root and as the unit's user.
func service(t *testing.T, r root, unit map[string][]string, env ...string) *exec.Cmd {
	t.Helper()
	words := strings.Fields(unit["ExecStart"][0])
	cmd := command(words[0], words[1:]...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Dir = "/"
	cmd.SysProcAttr.Chroot = string(r)
	cmd.SysProcAttr.Credential = r.user(t, unit["User"][0])
	return cmd
}

var setting = regexp.MustCompile(`(?m)^(\w+)=(.*)$`)

// parseUnit returns the settings of a unit file.
func parseUnit(file string) map[string][]string {
	all := map[string][]string{}
	for _, found := range setting.FindAllStringSubmatch(file, -1) {
		all[found[1]] = append(all[found[1]], found[2])
	}
	return all
}

// TestRPM looks into the package for Red Hat.
func TestRPM(t *testing.T) {
	rpm := tool(t, "rpm")
	name := filepath.Join(packages(t), "farmstate-"+version+"-amd64.rpm")
	home := "HOME=" + t.TempDir()
	query := func(args ...string) string {
		return output(t, "env", append([]string{home, rpm, "--query", "--package", name}, args...)...)
	}
	if got := query("--queryformat", "%{NAME} %{VERSION} %{ARCH} %{LICENSE} %{BUILDHOST}"); got != "farmstate "+version+" x86_64 Apache-2.0 farmstate" {
		t.Errorf("the package is %q", got)
	}
	files := strings.Fields(query("--list"))
	want := slices.Clone(installed)
	want[len(want)-1] = "/usr/share/zsh/site-functions/_farmstate"
	if slices.Sort(files); !slices.Equal(files, want) {
		t.Errorf("the package has %q", files)
	}
	if got := strings.Fields(query("--configfiles")); !slices.Equal(got, installed[:1]) {
		t.Errorf("its configuration is %q", got)
	}
	scripts := query("--scripts")
	for _, file := range []string{"postinstall.sh", "preremove.sh", "postremove.sh"} {
		text := string(read(t, packaging, file))
		if !strings.Contains(scripts, strings.TrimSpace(text)) {
			t.Errorf("%s is not in the package", file)
		}
		output(t, tool(t, "sh"), "-n", filepath.Join(packaging, file))
	}
	if strings.Count(scripts, "scriptlet") != 3 {
		t.Errorf("other scripts:\n%s", scripts)
	}
}
