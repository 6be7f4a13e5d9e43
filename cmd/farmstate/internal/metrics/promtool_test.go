package metrics

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// monitoring is the folder of the dashboard and the alerts.
var monitoring = filepath.Join("..", "..", "..", "..", "docs", "monitoring")

// promtool runs the program that Prometheus has for checking things, in the folder of the alerts, and reports what it finds.
func promtool(t *testing.T, input []byte, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("promtool is missing: make deps installs it")
		}
		t.Skip("promtool is missing: make deps installs it")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Stdin = monitoring, bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

// TestPromtoolMetrics: what a node shows is as Prometheus wants it.
func TestPromtoolMetrics(t *testing.T) {
	_, body := scrape(t, full(t), "")
	promtool(t, body, "check", "metrics")
}

// TestPromtoolRules: the alerts can be read, and each rings when it has to and not before.
func TestPromtoolRules(t *testing.T) {
	promtool(t, nil, "check", "rules", "alerts.yml")
	promtool(t, nil, "test", "rules", "alerts_test.yml")
}
