package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestExitStatuses: every command that has meanings exists, and has them once.
func TestExitStatuses(t *testing.T) {
	parser, err := newParser(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"": true}
	for _, leaf := range parser.Model.Leaves(true) {
		known[strings.Join(path(leaf), " ")] = true
	}
	seen := map[string]bool{}
	for _, e := range exitStatuses {
		if !known[e.command] || seen[e.command] {
			t.Errorf("%q is no command, or stands there twice", e.command)
		}
		seen[e.command] = true
	}
}

func TestExitStatusOf(t *testing.T) {
	plain := errors.New("x")
	for want, errs := range map[int][]error{
		exitOK: {nil}, exitFailed: {plain, errQuiet, errors.Join(plain, nil)}, exitUsage: {usageError(plain), fmt.Errorf("while: %w", usageError(plain)), errors.Join(plain, usageError(plain))},
	} {
		for _, err := range errs {
			if got := exitStatus(err); got != want {
				t.Errorf("%v: %d, want %d", err, got, want)
			}
		}
	}
}
