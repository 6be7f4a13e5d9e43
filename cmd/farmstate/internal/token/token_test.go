package token

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func TestMakeAndFind(t *testing.T) {
	dir := t.TempDir()
	env := func(name string) string {
		if name == "RUNTIME_DIRECTORY" {
			return dir
		}
		return ""
	}
	first, second := New(), New()
	if len(first) != 64 || first == second {
		t.Fatalf("%q, %q", first, second)
	}
	file, err := Keep(first, "127.0.0.1:1", env)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
	if _, err := Keep(second, "127.0.0.1:2", env); err != nil {
		t.Error(err)
	}
	if got := Find("localhost:1", env); len(got) == 0 || got[0] != first {
		t.Errorf("found %v, want %v", got, first)
	}
	for _, admin := range []string{"127.0.0.1:1", "[::1]:1", ":1", "[::ffff:127.0.0.1]:1", "0.0.0.0:1"} {
		if got := Find(admin, env); !slices.Contains(got, first) {
			t.Errorf("for %s of this machine: %v", admin, got)
		}
	}
	for _, admin := range []string{"192.0.2.1:1", "[2001:db8::1]:1", "nobody.invalid:1"} { // made for documents: nobody has them
		if got := Find(admin, env); got != nil {
			t.Errorf("%s of another machine would be given the token", admin)
		}
	}
	Remove(file, second)
	if got := Find("localhost:1", env); !slices.Contains(got, first) {
		t.Error("another node's token was removed")
	}
	Remove(file, first)
	if got := Find("localhost:1", env); slices.Contains(got, first) {
		t.Error("it is still there")
	}
	if got := Find("localhost", env); got != nil {
		t.Errorf("without a port: %v", got)
	}
}

// TestNowhere: where nothing can be written the error says so.
func TestNowhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if where, err := keepIn([]string{file, filepath.Join(file, "below")}, "admin-1.token", New()); where != "" || err == nil {
		t.Errorf("%q %v", where, err)
	}
}
