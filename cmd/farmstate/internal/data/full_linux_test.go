package data

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// fullDir says, in the environment of a child process, where it has to play TestFull.
const fullDir = "DATA_TEST_FULL"

// TestFull: when there is no room the old snapshot stays, and the process as well. The limit on the length of files is the kernel's, and holds for a process, so a child has it.
func TestFull(t *testing.T) {
	path := os.Getenv(fullDir)
	if path == "" {
		path = t.TempDir()
		write(t, open(t, path), nil, session("a", time.Minute))
		other := t.TempDir() // a lock of our own is in the way there
		text, err := os.ReadFile(path + "/" + fileName)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(other+"/"+fileName, text, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFull$", "-test.v")
		cmd.Env = append(os.Environ(), fullDir+"="+other)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestFull") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	d := open(t, path)
	limit := syscall.Rlimit{Cur: 64 << 10, Max: 64 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	big := session("b", time.Minute)
	big.Body = make([]byte, 1<<20)
	_, err := d.Write(&header, nil, sessions(big, big, engine.Parcel{}))
	if err == nil || !strings.HasPrefix(d.Advice(err), "there is no room for it: make some on the disk of "+path) {
		t.Errorf("%v: %s", err, d.Advice(err))
	}
	if keys, _ := load(t, d, 0, nil); keys != "a" || names(t, path) != "farmstate-sessions.snapshot lock" {
		t.Errorf("%q, %s", keys, names(t, path))
	}
	write(t, d, nil, session("c", time.Minute))
}
