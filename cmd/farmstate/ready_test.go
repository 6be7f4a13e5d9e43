package main

import (
	"slices"
	"testing"
	"time"

	"github.com/farmstate/farmstate/peer"
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

// awaitReady waits until a condition holds.
func awaitReady(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); <-time.After(5 * time.Millisecond) {
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
	awaitReady(t, "b has met a", b.farm.HasMet)
	a.stop()
	awaitReady(t, "b is alone", func() bool {
		return !slices.ContainsFunc(b.farm.Status().Links, func(l link.Status) bool { return l.Up })
	})
	b.started = time.Now() // or on a slow machine it would have been joining for long enough, whomever it has met
	if reasons := b.notReady(); slices.Contains(b.notReadyNames(), reasonJoining) {
		t.Errorf("the node that is left is not ready: %v", reasons)
	}
}

// TestLacking: a node is not ready while there are fewer nodes than copies, while sessions have been short of copies for more than a moment, and while it makes some.
func TestLacking(t *testing.T) {
	running := peer.RepairStatus{Running: true, Looked: 3, Of: 9}
	for _, c := range []struct {
		copies peer.CopiesStatus
		first  bool // it has met nobody
		want   string
	}{
		{peer.CopiesStatus{Copies: 1, Nodes: 1, Short: 7, ShortFor: 60}, false, ""},
		{peer.CopiesStatus{Copies: 2, Nodes: 2, Mirroring: true}, false, ""},
		{peer.CopiesStatus{Copies: 2, Nodes: 1, Short: 7, ShortFor: 60}, true, "sessions shall have 2 copies, and there is no other node to take any"},
		{peer.CopiesStatus{Copies: 2, Nodes: 1, Mirroring: true}, false, "sessions shall have 2 copies, and there is no other node to take any"}, // the others count as dead, and may be back
		{peer.CopiesStatus{Copies: 3, Nodes: 2, Mirroring: true, Repair: running}, false, "sessions shall have 3 copies, and only 2 nodes are there"},
		{peer.CopiesStatus{Copies: 2, Nodes: 2, Mirroring: true, Short: 54, ShortFor: 4.9}, false, ""},
		{peer.CopiesStatus{Copies: 2, Nodes: 2, Mirroring: true, Short: 54, ShortFor: 5}, false, "54 of 120 sessions have fewer than 2 copies"},
		{peer.CopiesStatus{Copies: 2, Nodes: 2, Mirroring: true, Short: 54, ShortFor: 5, Full: 1}, false, "54 of 120 sessions have fewer than 2 copies: 1 other node has no room for more"},
		{peer.CopiesStatus{Copies: 2, Nodes: 3, Mirroring: true, Short: 54, ShortFor: 5, Full: 2, Repair: running}, false, "54 of 120 sessions have fewer than 2 copies: 2 other nodes have no room for more"},
		{peer.CopiesStatus{Copies: 2, Nodes: 2, Mirroring: true, Short: 54, ShortFor: 5, Repair: running}, false,
			"54 of 120 sessions have fewer than 2 copies, and missing ones are being made: 3 of 9 sessions looked at"},
		{peer.CopiesStatus{Copies: 2, Nodes: 2, Mirroring: true, Short: 54, ShortFor: 1, Repair: running}, false, "missing copies are being made: 3 of 9 sessions looked at"},
	} {
		if got := lacking(&c.copies, 120, !c.first).Text; got != c.want {
			t.Errorf("%+v: %q, want %q", c.copies, got, c.want)
		}
	}
}
