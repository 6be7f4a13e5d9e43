//go:build linux

package packages

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	top       = "../.." // of the source
	packaging = top + "/cmd/farmstate/packaging"

	// patience is how long anything may take that has no limit of its own.
	patience = 60 * time.Second
	// buildLimit is how long a program may take to be built.
	buildLimit = 10 * time.Minute

	version = "1.2.3"
	date    = "1700000000" // seconds since 1970
)

// work is a folder for what several tests use.
var work string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if work, err = os.MkdirTemp("", "farmstate-packages-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(work) //nolint:errcheck // a temporary folder
	return m.Run()
}

// missing ends a test that lacks something: it is skipped, but where CI is set it fails.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// tool finds a program. Debian has some where only root looks.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	missing(t, name+" is not installed; make deps does it")
	return ""
}

// output runs a command that must succeed, and returns what it writes to standard output.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, &errs)
	}
	return string(out)
}

// goRun runs the go command in a copy of the source.
func goRun(dir string, env []string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), buildLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// releaser is the program that builds archives and packages.
var releaser = sync.OnceValues(func() (string, error) {
	path := filepath.Join(work, "release")
	return path, goRun(top, nil, "build", "-o", path, "./cmd/farmstate/packaging/release")
})

// release runs it on a copy of the source.
func release(t *testing.T, source, out string, args ...string) {
	t.Helper()
	path, err := releaser()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), buildLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"--source", source, "--out", out, "--version", version, "--commit", "0123abc", "--date", date}, args...)...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, text)
	}
}

// nfpm is the program that makes packages, of the version that the Makefile fixes.
func nfpm(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	_, name, _ := strings.Cut(string(text), "$(BIN)/nfpm-")
	name, _, _ = strings.Cut(name, "\n")
	path, err := filepath.Abs(filepath.Join(top, ".bin", "nfpm-"+name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		missing(t, "nfpm is not there; make deps builds it")
	}
	return path
}

// built are the packages, made once.
var built struct {
	once sync.Once
	dir  string
}

// packages returns the folder with the packages for this system.
func packages(t *testing.T) string {
	t.Helper()
	path := nfpm(t)
	built.once.Do(func() {
		dir := filepath.Join(work, "packages")
		release(t, top, dir, "--targets", "linux/amd64", "--packages", path)
		built.dir = dir
	})
	if built.dir == "" {
		t.Fatal("the packages could not be made")
	}
	return built.dir
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}
