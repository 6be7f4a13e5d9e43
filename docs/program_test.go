package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// program builds farmstate once for all tests that run it.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "farmstate-docs")
	if err != nil {
		return "", err
	}
	built = dir
	name := filepath.Join(dir, "farmstate.exe")
	out, err := exec.Command("go", "build", "-o", name, module+"/cmd/farmstate").CombinedOutput()
	if err != nil {
		_, _ = os.Stderr.Write(out)
	}
	return name, err
})

var built string // the folder of the program; empty if nobody needed it

func TestMain(m *testing.M) {
	status := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(status)
}

// farmstate runs a command and returns what it writes to standard output.
func farmstate(t *testing.T, args ...string) string {
	t.Helper()
	name, err := program()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), name, args...).Output()
	if err != nil {
		t.Fatalf("farmstate %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}
