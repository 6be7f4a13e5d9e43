package main

import (
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// start starts a node in this process.
func start(t *testing.T, flags map[string][]string) (*node, error) {
	t.Helper()
	cfg, err := config.Load(config.Inputs{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return startNode(cfg, slog.New(slog.DiscardHandler), nil)
}

// TestNodeLeavesNothing: a node that is stopped has ended all its goroutines,
// whatever the transport, and so has one whose start fails at any step.
func TestNodeLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, append(leftByLibraries, goleak.IgnoreCurrent())...)
	for _, transport := range []string{"gnet", "std"} {
		n, err := start(t, map[string][]string{"listen": {"127.0.0.1:0"}, "admin": {"127.0.0.1:0"}, "transport": {transport}})
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, n.server.Addr().String())
		if status, _ := c.do(put("content")); status != "200 OK" {
			t.Error(status)
		}
		if reasons := n.notReady(); len(reasons) > 0 {
			t.Error(reasons)
		}
		n.stop()
		if len(n.notReady()) == 0 {
			t.Error("ready after the stop")
		}
		if left := n.engine.Stats().Sessions; left != 1 {
			t.Errorf("%d sessions left, want 1", left)
		}
	}
	used := taken(t, "127.0.0.1:0")
	for _, flags := range []map[string][]string{
		{"listen": {used}, "admin": {"off"}},
		{"listen": {"127.0.0.1:0"}, "admin": {used}},
		{"listen": {"no-such-host.invalid:0"}},
		{"listen": {"127.0.0.1:0"}, "admin": {"no-such-host.invalid:0"}},
	} {
		if _, err := start(t, flags); exitStatus(err) != exitUsage {
			t.Errorf("%v: %v", flags, err)
		}
	}
}

// TestHostNames: the names in the option and of the machine open the admin
// pages.
func TestHostNames(t *testing.T) {
	names := strings.Join(hostNames("web1.example:42480"), " ")
	if !strings.HasPrefix(names+" ", "web1.example ") {
		t.Error(names)
	}
}
