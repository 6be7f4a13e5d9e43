package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMissingFiles: whoever names a file that is not there hears which option named it, and what would be accepted.
func TestMissingFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	none, err := filepath.Abs("none")
	if err != nil {
		t.Fatal(err)
	}
	ports := []string{"serve", "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}
	for _, v := range []struct {
		env  []string
		args []string
		from string // what the message begins with
	}{
		{nil, append(ports, "--config", none), "--config: "},
		{[]string{"FARMSTATE_CONFIG=" + none}, ports, "FARMSTATE_CONFIG: "},
		{nil, append(ports, "--admin-token-file", none), "--admin-token-file: "},
		{[]string{"FARMSTATE_PEER_SECRET_FILE=" + none}, ports, "FARMSTATE_PEER_SECRET_FILE: "},
		{nil, append(ports, "--peer-secret-file", none), "--peer-secret-file: "},
		{nil, append(ports, "--peer-ca", none, "--peer-cert", none, "--peer-key", none), "--peer-ca: "},
		{nil, append(ports, "--data", "data", "--snapshot-key-file", none), "--snapshot-key-file: "},
		{nil, []string{"drain", "--token-file", none}, "--token-file: "},
		{[]string{"FARMSTATE_ADMIN_TOKEN_FILE=" + none}, []string{"drain"}, "FARMSTATE_ADMIN_TOKEN_FILE: "},
		{nil, []string{"relay", "replay", none}, ""},
		{nil, []string{"cert", "show", none}, ""},
	} {
		want := "farmstate: " + v.from + none + ": there is no such file; name one that the account that runs farmstate can read\n"
		status, stdout, stderr := call(t, v.env, v.args...)
		if _, said, ok := strings.Cut(stderr, "farmstate: "); status != exitUsage || stdout != "" || !ok || "farmstate: "+said != want {
			t.Errorf("%q: exit status %d\n got %s\nwant %s", v.args, status, stderr, want)
		}
	}
}

// TestOutputFull: what the system says of standard output comes with what to do.
func TestOutputFull(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: os.Stdout.Name(), Err: syscall.ENOSPC}
	if got := ofOutput(full); !strings.HasPrefix(got.Error(), "standard output cannot be written: ") || !errors.Is(got, syscall.ENOSPC) || exitStatus(got) != exitFailed {
		t.Errorf("%v, exit status %d", got, exitStatus(got))
	}
	if got := ofOutput(usageError(full)); exitStatus(got) != exitUsage {
		t.Errorf("exit status %d", exitStatus(got))
	}
	for _, err := range []error{nil, errQuiet, &fs.PathError{Op: "write", Path: "else", Err: syscall.ENOSPC}} {
		if got := ofOutput(err); !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
}
