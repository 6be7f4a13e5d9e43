package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// source is what is built.
type source struct {
	top     string
	version string // as in a file name: without a v before it
	commit  string // empty if it is not known
	date    time.Time
}

// semantic is what all formats take as a version.
var semantic = regexp.MustCompile(`^v?(\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?)$`)

// source finds out what is built.
func (o *options) source(ctx context.Context) (*source, error) {
	s := &source{top: o.Source, date: time.Unix(o.Date, 0).UTC()}
	git := func(args ...string) string {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = o.Source
		out, err := cmd.Output()
		if err != nil {
			return "" // without git the options have to say it
		}
		return strings.TrimSpace(string(out))
	}
	if s.commit = o.Commit; s.commit == "" {
		s.commit = git("rev-parse", "HEAD")
	}
	version := o.Version
	if version == "" {
		version = git("describe", "--tags", "--dirty")
	}
	if version == "" && s.commit != "" {
		version = "0.0.0-" + git("describe", "--always", "--dirty") // nothing has been released
	}
	found := semantic.FindStringSubmatch(version)
	if found == nil {
		return nil, fmt.Errorf("%q is no version; give one such as 1.2.3 (VERSION=1.2.3)", version)
	}
	s.version = found[1]
	if o.Date == 0 {
		seconds, err := strconv.ParseInt(git("log", "-1", "--format=%ct"), 10, 64)
		if err != nil {
			return nil, errors.New("the time of the commit is not known; set SOURCE_DATE_EPOCH")
		}
		s.date = time.Unix(seconds, 0).UTC()
	}
	return s, nil
}

// target is the program for one system.
type target struct {
	os, arch string
	program  string // path of the binary
	notices  []byte // licences of the libraries in it
}

// build compiles the program for a system, such as linux/amd64, into a folder.
func (s *source) build(ctx context.Context, dir, name string) (*target, error) {
	t := &target{}
	var ok bool
	if t.os, t.arch, ok = strings.Cut(name, "/"); !ok {
		return nil, fmt.Errorf("%q is no system; write it as linux/amd64", name)
	}
	t.program = filepath.Join(dir, "farmstate-"+t.os+"-"+t.arch)
	if _, err := s.goCommand(ctx, t, "build", "-trimpath", "-buildvcs=false", "-o", t.program,
		"-ldflags", "-s -w -buildid= -X main.version="+s.version+" -X main.commit="+s.commit, "./cmd/farmstate"); err != nil {
		return nil, err
	}
	var err error
	t.notices, err = s.notices(ctx, t)
	return t, err
}

// goCommand runs the go command for a system, and returns what it writes.
func (s *source) goCommand(ctx context.Context, t *target, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = s.top
	cmd.Env = append(os.Environ(), "GOOS="+t.os, "GOARCH="+t.arch, "CGO_ENABLED=0", "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s for %s/%s: %w\n%s", args[0], t.os, t.arch, err, &errs)
	}
	return out, nil
}

// notices are the licences of the libraries that are part of the program, which have to go with it, and of Go itself.
func (s *source) notices(ctx context.Context, t *target) ([]byte, error) {
	out, err := s.goCommand(ctx, t, "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/farmstate")
	if err != nil {
		return nil, err
	}
	root, err := s.goCommand(ctx, t, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	text.WriteString("farmstate contains these libraries.\n")
	seen := map[string]bool{"": true}
	for line := range strings.Lines("Go\t" + strings.TrimSpace(string(root)) + "\n" + string(out)) {
		name, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if seen[name] {
			continue
		}
		seen[name] = true
		licences, err := licences(dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(&text, "\n==== %s\n\n%s", name, licences)
	}
	return text.Bytes(), nil
}

// licences are the texts in the folder of a library that its licence asks to pass on.
func licences(dir string) ([]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []byte
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || strings.HasSuffix(name, ".GO") || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") && !strings.HasPrefix(name, "NOTICE") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		all = append(append(all, bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r"), nil))...), "\n\n"...)
	}
	if all == nil {
		return nil, errors.New("it has no licence, so it must not be given to others")
	}
	return all, nil
}
