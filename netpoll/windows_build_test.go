package netpoll

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestWindows: on Windows, where gnet's loops block in a write, it is not even linked; and the port is asked for exclusively. The code must compile.
func TestWindows(t *testing.T) {
	parallel(t)
	if testing.Short() {
		t.Skip("compiles for another system")
	}
	goTool := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	goTool("build", "-o", os.DevNull, ".")
	if deps := goTool("list", "-deps", "."); strings.Contains(deps, "panjf2000/gnet") {
		t.Error("gnet is linked")
	}
	files := goTool("list", "-f", "{{.GoFiles}}", ".")
	for _, want := range []string{"gnet_other.go", "exclusive_windows.go", "std.go"} {
		if !strings.Contains(files, want) {
			t.Errorf("%s is not among %s", want, files)
		}
	}
}
