package main

import (
	"os"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// TestCert: a CA and a node, what is said about them, and that the options it
// names are ones that serve has.
func TestCert(t *testing.T) {
	t.Chdir(t.TempDir())
	do := func(args ...string) string {
		t.Helper()
		status, stdout, stderr := call(t, nil, append([]string{"cert"}, args...)...)
		if status != exitOK || stderr != "" {
			t.Fatalf("%q: exit status %d, %s", args, status, stderr)
		}
		return stdout
	}
	if out := do("ca", "--dir", "farm"); !strings.Contains(out, "ca.pem: ") || !strings.Contains(out, "next: farmstate cert node --dir farm NAME") {
		t.Error(out)
	}
	out := do("node", "--dir", "farm", "web1", "--host", "web1.example.com", "--host", "192.0.2.1", "--days", "10")
	flags := 0
	for word := range strings.FieldsSeq(out) {
		if flag, ok := strings.CutPrefix(word, "--"); ok {
			flags++
			if !hasOption(flag) {
				t.Errorf("serve has no --%s", flag)
			}
		}
	}
	if flags != 3 {
		t.Error(out)
	}
	out = do("show", "farm/web1.pem")
	for _, want := range []string{"kind      node\n", "name      \"web1\"\n", "\"web1.example.com\" \"192.0.2.1\"", ": valid\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := do("show", "farm/ca.pem"); !strings.HasPrefix(out, "kind      CA\n") {
		t.Error(out)
	}
}

func hasOption(flag string) bool {
	for i := range config.Table {
		if config.Table[i].Flag() == flag {
			return true
		}
	}
	return false
}

// TestCertRefuses: exit status 2, and nothing is written.
func TestCertRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	if status, _, stderr := call(t, nil, "cert", "ca", "--dir", "farm"); status != exitOK {
		t.Fatal(stderr)
	}
	for _, v := range []struct {
		args []string
		want string
	}{
		{[]string{"ca", "--dir", "farm"}, "not overwritten"},
		{[]string{"node", "--dir", "nowhere", "web1"}, "farmstate cert ca --dir nowhere"},
		{[]string{"node", "--dir", "farm", "../web1"}, "cannot be the name of a node"},
		{[]string{"node", "--dir", "farm", "web1", "--days", "0"}, "--days: \"0\" is out of range; accepted: 1 to 36500"},
		{[]string{"node", "--dir", "farm", "web1", "--host", "a b"}, "neither a host name nor an IP address"},
		{[]string{"show", "farm/ca.key"}, "no PEM block \"CERTIFICATE\""},
		{[]string{"show", "nowhere.pem"}, "nowhere.pem"},
	} {
		status, stdout, stderr := call(t, nil, append([]string{"cert"}, v.args...)...)
		if status != exitUsage || stdout != "" || !strings.Contains(stderr, v.want) {
			t.Errorf("%q: exit status %d, %q, %q; want %q", v.args, status, stdout, stderr, v.want)
		}
	}
	files, err := os.ReadDir("farm")
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
}
