package pages

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/netpoll/conformance/naive"
)

// startNaive starts a server that follows the protocol, but for a fault.
func startNaive(t *testing.T, opt naive.Options) string {
	t.Helper()
	s, err := naive.Listen(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.Addr()
}

// TestSuite runs the suite against a server that refuses at once and one that
// holds acquires.
func TestSuite(t *testing.T) {
	for name, wait := range map[string]time.Duration{"no wait": 0, "lock wait": 700 * time.Millisecond} {
		t.Run(name, func(t *testing.T) { Suite(t, startNaive(t, naive.Options{LockWait: wait})) })
	}
}

// TestSuiteFinds checks that a server with a single fault fails the scenarios
// that are about it.
func TestSuiteFinds(t *testing.T) {
	byName := make(map[string]scenario)
	for _, sc := range scenarios {
		byName[sc.name] = sc
	}
	for _, tt := range []struct {
		fault    naive.Fault
		scenario string
	}{
		{naive.SharedLock, "counter pages"},
		{naive.OldRead, "read-only pages beside a writer"},
		{naive.OldRead, "page that waits for a writer"},
		{naive.SharedLock, "two racing creators"},
		{naive.StickyFlag, "unknown id"},
		{naive.StickyFlag, "many racing creators"},
		{naive.StickyFlag, "cookieless session"},
		{naive.LostCounter, "changed timeout keeps the cookies"},
		{naive.LateSave, "stale lock is broken, late save refused"},
		{naive.EagerTouch, "abandon"},
		{naive.BlindRemove, "abandon"},
	} {
		t.Run(tt.scenario, func(t *testing.T) {
			sc := byName[tt.scenario]
			err := sc.play(t.Context(), startNaive(t, naive.Options{Fault: tt.fault}))
			if err == nil {
				t.Error("passes")
			} else {
				t.Log(err)
			}
		})
	}
}
