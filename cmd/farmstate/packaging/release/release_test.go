package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var files = []entry{{"farmstate.exe", 0o755, []byte("program")}, {"LICENSE", 0o644, []byte("text")}}

// TestFormats: both formats keep names, modes and the one time, and are the same each time.
func TestFormats(t *testing.T) {
	s := &source{date: time.Unix(1700000000, 0).UTC()}
	for name, write := range map[string]func(io.Writer, string, []entry) error{"tar": s.tar, "zip": s.zip} {
		var one, other bytes.Buffer
		if err := write(&one, "top", files); err != nil {
			t.Fatal(err)
		}
		if err := write(&other, "top", files); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one.Bytes(), other.Bytes()) {
			t.Errorf("%s: not the same again", name)
		}
		var got []string
		note := func(name string, mode os.FileMode, at time.Time, r io.Reader) {
			text, err := io.ReadAll(r)
			if err != nil || !at.Equal(s.date) {
				t.Errorf("%s: %v, of %v", name, err, at)
			}
			got = append(got, name+" "+mode.String()+" "+string(text))
		}
		if name == "zip" {
			z, err := zip.NewReader(bytes.NewReader(one.Bytes()), int64(one.Len()))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range z.File {
				r, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				note(f.Name, f.Mode(), f.Modified, r)
			}
		} else {
			z, err := gzip.NewReader(&one)
			if err != nil {
				t.Fatal(err)
			}
			r := tar.NewReader(z)
			for h, err := r.Next(); err != io.EOF; h, err = r.Next() {
				if err != nil {
					t.Fatal(err)
				}
				note(h.Name, h.FileInfo().Mode(), h.ModTime, r)
			}
		}
		if want := "top/farmstate.exe -rwxr-xr-x program,top/LICENSE -rw-r--r-- text"; strings.Join(got, ",") != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestSums: the sums of files that are there stay when others are added.
func TestSums(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("b", "")
	write("c", "")
	if err := sum(dir, []string{"b", "c"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "c")); err != nil {
		t.Fatal(err)
	}
	write("a", "abc")
	if err := sum(dir, []string{"a"}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, sums))
	if err != nil {
		t.Fatal(err)
	}
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n"; string(got) != want {
		t.Errorf("%s", got)
	}
	if err := sum(dir, []string{"none"}); err == nil {
		t.Error("a file that is not there has a sum")
	}
}

// TestVersion: what is no version that all formats take is refused.
func TestVersion(t *testing.T) {
	for given, want := range map[string]string{"1.2.3": "1.2.3", "v1.2.3": "1.2.3", "v1.2.3-4-gabc-dirty": "1.2.3-4-gabc-dirty", "1.2": "", "main": "", "1.2.3 -X evil": ""} {
		o := options{Version: given, Date: 1, Source: t.TempDir()}
		switch s, err := o.source(t.Context()); {
		case err != nil && want != "":
			t.Errorf("%q: %v", given, err)
		case err == nil && s.version != want:
			t.Errorf("%q: %q", given, s.version)
		}
	}
}

// TestLicences: what has none is not given to others.
func TestLicences(t *testing.T) {
	dir := t.TempDir()
	if _, err := licences(dir); err == nil {
		t.Error("no licence, and no error")
	}
	for name, text := range map[string]string{"LICENSE.txt": "one\r\n", "NOTICE": "two", "license.go": "no", "README": "no"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := licences(dir); err != nil || string(text) != "one\n\ntwo\n\n" {
		t.Errorf("%q, %v", text, err)
	}
}
