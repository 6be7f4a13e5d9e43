package main

import (
	"slices"
	"testing"
	"time"

	"github.com/farmstate/farmstate/peer/link"
)

// startLinked starts a node with a peer port that is linked to others.
func startLinked(t *testing.T, peers ...string) *node {
	t.Helper()
	flags := map[string][]string{"listen": {"127.0.0.1:0"}, "admin": {"off"}, "peer_listen": {"127.0.0.1:0"}}
	if len(peers) > 0 {
		flags["peer"] = peers
	}
	n, err := start(t, flags)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// TestJoiningIsOver: a node that has met others does not join any more when they have ended: it may be the only one that is left.
func TestJoiningIsOver(t *testing.T) {
	a := startLinked(t)
	b := startLinked(t, a.peerAddr())
	defer b.stop()
	b.cfg.Join = []string{"127.0.0.1:1"} // whoever has made the link
	await(t, "b has met a", b.farm.HasMet)
	a.stop()
	await(t, "b is alone", func() bool {
		return !slices.ContainsFunc(b.farm.Status().Links, func(l link.Status) bool { return l.Up })
	})
	if time.Since(b.started) > joinPatience {
		t.Skip("the machine is too slow for this test")
	}
	if reasons := b.notReady(); slices.Contains(b.notReadyNames(), reasonJoining) {
		t.Errorf("the node that is left is not ready: %v", reasons)
	}
}
