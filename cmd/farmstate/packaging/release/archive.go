package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// entry is a file of an archive.
type entry struct {
	name string
	mode int64
	data []byte
}

// entries are the files of the archive for a system.
func (s *source) entries(t *target) ([]entry, error) {
	program := entry{name: "farmstate", mode: 0o755}
	if t.os == "windows" {
		program.name += ".exe"
	}
	var err error
	if program.data, err = os.ReadFile(t.program); err != nil {
		return nil, err
	}
	all := []entry{program, {"LIBRARIES", 0o644, t.notices}}
	add := func(name string, modified func([]byte) []byte) {
		text, readErr := os.ReadFile(filepath.Join(s.top, filepath.FromSlash(name)))
		err = errors.Join(err, readErr)
		if modified != nil {
			text = modified(text)
		}
		all = append(all, entry{filepath.Base(name), 0o644, text})
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md", "docs/install.md", "docs/configuration.md"} {
		add(name, nil)
	}
	if t.os == "linux" {
		add("cmd/farmstate/packaging/farmstate.service", nil)
		add("cmd/farmstate/packaging/farmstate.toml", nil)
	}
	return all, err
}

// archive makes the archive for a system, and returns its name.
func (s *source) archive(t *target, out string) ([]string, error) {
	all, err := s.entries(t)
	if err != nil {
		return nil, err
	}
	folder := fmt.Sprintf("farmstate-%s-%s-%s", s.version, t.os, t.arch)
	write, name := s.tar, folder+".tar.gz"
	if t.os == "windows" {
		write, name = s.zip, folder+".zip"
	}
	f, err := os.Create(filepath.Join(out, name))
	if err != nil {
		return nil, err
	}
	return []string{name}, errors.Join(write(f, folder, all), f.Close())
}

// tar writes a tar.gz in which all files are root's and of the time of the release.
func (s *source) tar(w io.Writer, folder string, all []entry) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, e := range all {
		h := &tar.Header{Format: tar.FormatUSTAR, Name: folder + "/" + e.name, Mode: e.mode, Size: int64(len(e.data)), ModTime: s.date, Uname: "root", Gname: "root"}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(e.data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

// zip writes the same as a zip.
func (s *source) zip(w io.Writer, folder string, all []entry) error {
	z := zip.NewWriter(w)
	for _, e := range all {
		h := &zip.FileHeader{Name: folder + "/" + e.name, Method: zip.Deflate, Modified: s.date}
		h.SetMode(os.FileMode(e.mode))
		f, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := f.Write(e.data); err != nil {
			return err
		}
	}
	return z.Close()
}

// sums is the name of the list of checksums.
const sums = "SHA256SUMS"

// sum writes the checksums of files in a folder, in the format of sha256sum. Those of other files in it stay listed as long as these exist.
func sum(dir string, names []string) error {
	lines := map[string]string{}
	old, err := os.ReadFile(filepath.Join(dir, sums))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(old)) {
		name := strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:])
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil && name != "" {
			lines[name] = strings.TrimSpace(line) + "\n"
		}
	}
	for _, name := range names {
		digest := sha256.New()
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		_, err = io.Copy(digest, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		lines[name] = hex.EncodeToString(digest.Sum(nil)) + "  " + name + "\n"
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		text.WriteString(lines[name])
	}
	return os.WriteFile(filepath.Join(dir, sums), []byte(text.String()), 0o644)
}
