package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// completions writes the scripts for shells into a folder, whose name it returns. They come from the program, so one for this system is built.
func (s *source) completions(ctx context.Context, work string) (string, error) {
	dir := filepath.Join(work, "completions")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	native, err := s.build(ctx, work, runtime.GOOS+"/"+runtime.GOARCH)
	if err != nil {
		return "", err
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script, err := exec.CommandContext(ctx, native.program, "completion", shell).Output()
		if err != nil {
			return "", fmt.Errorf("farmstate completion %s: %w", shell, err)
		}
		if err := os.WriteFile(filepath.Join(dir, shell), script, 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// pack makes the packages for a system, and returns their names.
func (s *source) pack(ctx context.Context, t *target, nfpm, work, out string) ([]string, error) {
	if t.os != "linux" {
		return nil, errors.New("there are packages for linux only; name no other system with --targets")
	}
	libraries := filepath.Join(work, "LIBRARIES")
	if err := os.WriteFile(libraries, t.notices, 0o644); err != nil {
		return nil, err
	}
	completions, err := s.completions(ctx, work)
	if err != nil {
		return nil, err
	}
	out, err = filepath.Abs(out)
	if err != nil {
		return nil, err
	}
	if nfpm, err = filepath.Abs(nfpm); err != nil {
		return nil, err
	}
	var made []string
	for _, format := range []string{"deb", "rpm"} {
		name := fmt.Sprintf("farmstate-%s-%s.%s", s.version, t.arch, format)
		cmd := exec.CommandContext(ctx, nfpm, "package", "--packager", format, "--config", "cmd/farmstate/packaging/nfpm.yaml", "--target", filepath.Join(out, name))
		cmd.Dir = s.top
		cmd.Env = append(os.Environ(), "ARCH="+t.arch, "VERSION="+s.version,
			"BINARY="+t.program, "LIBRARIES="+libraries, "COMPLETIONS="+completions, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", s.date.Unix()))
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("nfpm: %w\n%s", err, text)
		}
		made = append(made, name)
	}
	return made, nil
}
