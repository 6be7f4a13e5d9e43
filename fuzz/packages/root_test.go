//go:build linux

package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// root is a folder that a package can be installed into as if it were a machine: it has the few programs that maintainer scripts call, copied, and nothing of
// the system's is visible in it.
type root string

var library = regexp.MustCompile(`(/\S+\.so[\w.]*)`)

// newRoot makes one. Only root may install something and become another user.
func newRoot(t *testing.T) root {
	t.Helper()
	if os.Getuid() != 0 {
		missing(t, "only root may install a package")
	}
	r := root(t.TempDir())
	for dir := string(r); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) { // the node's user must get to its program
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"sh", "cat", "rm", "getent", "useradd"} {
		path := tool(t, name)
		to := "/bin/" + name
		r.copy(t, path, to)
		out, err := exec.Command("ldd", path).Output()
		if err != nil {
			continue // it needs none
		}
		for _, lib := range library.FindAllString(string(out), -1) {
			r.copy(t, lib, lib)
		}
	}
	for _, dir := range []string{"/tmp", "/run", "/var/lib/dpkg/info", "/var/lib/dpkg/updates", "/var/log", "/usr/bin", "/usr/sbin"} {
		r.mkdir(t, dir)
	}
	r.write(t, "/dev/null", "") // a plain file will do
	r.write(t, "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
	r.write(t, "/etc/group", "root:x:0:\n")
	r.write(t, "/etc/shadow", "root:*:1:0:99999:7:::\n")
	r.write(t, "/etc/gshadow", "root:*::\n")
	r.write(t, "/etc/login.defs", "SYS_UID_MIN 100\nSYS_UID_MAX 999\nSYS_GID_MIN 100\nSYS_GID_MAX 999\n")
	r.write(t, "/var/lib/dpkg/available", "")
	r.write(t, "/var/lib/dpkg/status", "Package: passwd\nStatus: install ok installed\nMaintainer: a test <test@localhost>\nVersion: 1:4.13\nArchitecture: amd64\nDescription: useradd\n")
	return r
}

func (r root) path(name string) string { return filepath.Join(string(r), name) }

func (r root) has(name string) bool {
	_, err := os.Lstat(r.path(name))
	return err == nil
}

func (r root) mkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(r.path(name), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (r root) write(t *testing.T, name, text string) {
	t.Helper()
	r.mkdir(t, filepath.Dir(name))
	if err := os.WriteFile(r.path(name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (r root) copy(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, to, string(text))
	if err := os.Chmod(r.path(to), 0o755); err != nil {
		t.Fatal(err)
	}
}

// dpkg runs dpkg for this root.
func (r root) dpkg(t *testing.T, args ...string) string {
	t.Helper()
	// dpkg calls the scripts in the root, with the PATH of this process.
	return output(t, "env", append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", tool(t, "dpkg"), "--root=" + string(r), "--log=/dev/null"}, args...)...)
}

// user returns the number of an account, and of its group.
func (r root) user(t *testing.T, name string) *syscall.Credential {
	t.Helper()
	for line := range strings.Lines(string(read(t, r.path("/etc/passwd")))) {
		if f := strings.Split(line, ":"); f[0] == name {
			return &syscall.Credential{Uid: number(t, f[2]), Gid: number(t, f[3])}
		}
	}
	t.Fatalf("there is no account %s", name)
	return nil
}
