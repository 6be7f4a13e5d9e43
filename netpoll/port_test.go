package netpoll

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// TestOnePortOneServer: a second server on the same port fails to start, instead of taking half of the sessions; and the first lives on.
func TestOnePortOneServer(t *testing.T) {
	for _, first := range transportNames() {
		for _, second := range transportNames() {
			t.Run(first+" then "+second, func(t *testing.T) {
				s, _ := start(t, Options{Transport: first}, engine.Options{})
				e, err := engine.New(engine.Options{}, engine.Time{})
				check(t, err)
				starting.Lock()
				defer starting.Unlock()
				copied, err := Listen(Options{Addr: s.Addr().String(), Transport: second}, e)
				if err == nil {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					t.Fatal("it has started", copied.Shutdown(ctx))
				}
				if !errors.Is(err, syscall.EADDRINUSE) {
					t.Errorf("%v, want %v", err, syscall.EADDRINUSE)
				}
				c := dial(t, s)
				check(t, put(c, "/a", []byte("x")))
			})
		}
	}
}

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
