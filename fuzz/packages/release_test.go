//go:build linux

package packages

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRelease builds an archive twice, the second time in a copy of the source elsewhere: the bytes are the same.
func TestRelease(t *testing.T) {
	first, second, source := t.TempDir(), t.TempDir(), t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "LICENSE", "README.md", "CHANGELOG.md", "bench", "cmd", "docs", "engine", "netpoll", "peer"} {
		copyInto(t, filepath.Join(source, name), filepath.Join(top, name))
	}
	const target = "linux/amd64"
	release(t, top, first, "--targets", target)
	release(t, source, second, "--targets", target)
	name := "farmstate-" + version + "-linux-amd64.tar.gz"
	one, other := read(t, first, name), read(t, second, name)
	if !bytes.Equal(one, other) {
		t.Error("another copy of the source gives another archive")
	}
	if sums := string(read(t, first, "SHA256SUMS")); !strings.HasSuffix(sums, "  "+name+"\n") || strings.Count(sums, "\n") != 1 {
		t.Errorf("checksums:\n%s", sums)
	}
	output(t, tool(t, "sh"), "-c", "cd '"+first+"' && sha256sum --check --strict SHA256SUMS")

	folder := "farmstate-" + version + "-linux-amd64/"
	var names []string
	for h, text := range untar(t, one) {
		names = append(names, strings.TrimPrefix(h.Name, folder))
		if !h.ModTime.Equal(time.Unix(1700000000, 0)) || h.Uid != 0 || h.Uname != "root" || len(text) == 0 {
			t.Errorf("%s is of %v, of %s, and has %d bytes", h.Name, h.ModTime, h.Uname, len(text))
		}
		if h.Name == folder+"farmstate" {
			path := filepath.Join(t.TempDir(), "farmstate")
			if err := os.WriteFile(path, text, 0o700); err != nil {
				t.Fatal(err)
			}
			if got := output(t, path, "version"); !strings.HasPrefix(got, "farmstate "+version+" ") {
				t.Error(got)
			}
			for _, trace := range []string{source, absolute(t, top)} {
				if bytes.Contains(text, []byte(trace)) {
					t.Errorf("the program names %s, where it was built", trace)
				}
			}
		}
	}
	want := []string{"CHANGELOG.md", "LIBRARIES", "LICENSE", "README.md", "configuration.md", "farmstate", "farmstate.service", "farmstate.toml", "install.md"}
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("the archive has %q", names)
	}
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	name, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func read(t *testing.T, parts ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// copyInto copies a file or a folder.
func copyInto(t *testing.T, to, from string) {
	t.Helper()
	info, err := os.Stat(from)
	if err == nil && info.IsDir() {
		err = os.CopyFS(to, os.DirFS(from))
	} else if err == nil {
		err = os.WriteFile(to, read(t, from), info.Mode().Perm())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a file that a test beside this one has just removed
		t.Fatal(err)
	}
}

// untar returns the files of a tar.gz.
func untar(t *testing.T, archive []byte) func(yield func(*tar.Header, []byte) bool) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(z)
	return func(yield func(*tar.Header, []byte) bool) {
		for {
			h, err := files.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			if !yield(h, text) {
				return
			}
		}
	}
}
