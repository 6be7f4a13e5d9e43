package link

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// TestNames: every reason has a name of its own that fits a label, and those that are logged say what to do.
func TestNames(t *testing.T) {
	good := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, r := range CloseReasons() {
		if !good.MatchString(r.String()) || seen[r.String()] {
			t.Errorf("close reason %d is called %q", r, r)
		}
		seen[r.String()] = true
	}
	seen = map[string]bool{}
	for _, d := range Drops() {
		if !good.MatchString(d.String()) || seen[d.String()] {
			t.Errorf("drop reason %d is called %q", d, d)
		}
		seen[d.String()] = true
	}
	if CloseReason(200).String() != "unknown" || Drop(200).String() != "unknown" {
		t.Error("what is no reason has a name")
	}
}

// TestJSON: a reading can be shown to people.
func TestJSON(t *testing.T) {
	a, _ := pair(t, Options{Program: "test 1"}, Options{})
	stats, err := json.Marshal(a.Stats())
	check(t, err)
	for _, want := range []string{`"queue_full":0`, `"wrong_secret":0`, `"Opened":1`} {
		if !strings.Contains(string(stats), want) {
			t.Errorf("no %s in %s", want, stats)
		}
	}
}
