package docs

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var updateMessages = flag.Bool("update-messages", false, "bring the rows of docs/messages.md up to date; new ones have to be filled in by hand")

const messagesFile = "messages.md"

// TestMessages: docs/messages.md lists every error and warning of the program with what its reader can do.
func TestMessages(t *testing.T) {
	there := messagesOf(t)
	text, err := os.ReadFile(messagesFile)
	if err != nil {
		t.Fatal(err)
	}
	head, listed := readMessages(t, string(text))
	if *updateMessages {
		if err := os.WriteFile(messagesFile, []byte(head+writeMessages(there, listed)), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, m := range slices.Sorted(maps.Keys(there)) {
		switch todo, ok := listed[m]; {
		case !ok:
			t.Errorf("docs/%s does not list, of %s: %s (go test ./docs -run TestMessages -update-messages adds it)", messagesFile, there[m], m)
		case len(strings.Fields(todo)) < 2:
			t.Errorf("docs/%s does not say what to do about: %s", messagesFile, m)
		}
	}
	for _, m := range slices.Sorted(maps.Keys(listed)) {
		if _, ok := there[m]; !ok {
			t.Errorf("docs/%s lists what nothing says: %s", messagesFile, m)
		}
	}
	times := map[string]int{}
	for m, todo := range listed {
		if todo != "" && placeholder.MatchString(todo) { // an empty one was told above
			t.Errorf("docs/%s has a placeholder in place of what to do about: %s", messagesFile, m)
		}
		times[todo]++
	}
	for _, todo := range slices.Sorted(maps.Keys(times)) {
		if todo != "" && times[todo] > mostAlike {
			t.Errorf("docs/%s says of %d messages %q, at most %d: say of each what can be done about it", messagesFile, times[todo], todo, mostAlike)
		}
	}
}

// placeholder is what somebody writes who will fill it in later. The words are in two parts so that no search for them finds this line.
var placeholder = regexp.MustCompile(`(?i)\b(to` + `do|fix` + `me|tbd|xx` + `x|to be (written|filled in|done)|fill in|see above|as above|n/a|no idea|placeholder)\b|^[-–—.?\s]*$|^\W*\.\.\.`)

// mostAlike is how many messages may have the same advice.
const mostAlike = 40

// readMessages returns what stands before the first table, and what the tables say is to be done, by message.
func readMessages(t *testing.T, text string) (head string, listed map[string]string) {
	t.Helper()
	listed = map[string]string{}
	first := strings.Index(text, "\n## ")
	if first < 0 {
		return strings.TrimRight(text, "\n") + "\n", listed
	}
	for line := range strings.Lines(text[first:]) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 2 || !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| message ") {
			continue
		}
		m := strings.TrimPrefix(cells[0], "| ")
		if _, twice := listed[m]; twice {
			t.Errorf("docs/%s lists twice: %s", messagesFile, m)
		}
		listed[m] = strings.TrimSpace(strings.TrimSuffix(cells[1], "|"))
	}
	return text[:first], listed
}

// titles of packages, for people. What has none is called by its path.
var titles = map[string]string{
	"bench":                            "`farmstate load`",
	"cmd/farmstate":                    "Commands, and the node as a whole",
	"cmd/farmstate/internal/admin":     "The admin pages",
	"cmd/farmstate/internal/config":    "The configuration",
	"cmd/farmstate/internal/data":      "The directory for snapshots",
	"cmd/farmstate/internal/doctor":    "`farmstate doctor`",
	"cmd/farmstate/internal/fleet":     "Commands that ask nodes",
	"cmd/farmstate/internal/machine":   "The machine",
	"cmd/farmstate/internal/notice":    "Sessions and their users",
	"cmd/farmstate/internal/p2pconfig": "`farmstate config import`",
	"cmd/farmstate/internal/relay":     "`farmstate relay`",
	"cmd/farmstate/internal/token":     "The admin token",
	"cmd/farmstate/internal/trace":     "`farmstate trace`",
	"cmd/farmstate/internal/webconfig": "Reading web.config",
	"cmd/farmstate/packaging/release":  "Building a release",
	"engine":                           "The engine",
	"engine/appkey":                    "Applications and aliases",
	"engine/snapshot":                  "Files of snapshots",
	"netpoll":                          "The state port",
	"netpoll/wire":                     "The protocol of the state port",
	"peer":                             "The farm",
	"peer/legacy":                      "Originals",
	"peer/link":                        "Links between nodes",
	"peer/member":                      "Gossip and membership",
	"peer/message":                     "Messages between nodes",
	"peer/pki":                         "`farmstate cert`",
}

func headingOf(pkg string) string { return cmp.Or(titles[pkg], pkg) }

// writeMessages is the tables, one for each package.
func writeMessages(there, listed map[string]string) string {
	var b strings.Builder
	rows := slices.SortedFunc(maps.Keys(there), func(x, y string) int { return cmp.Or(cmp.Compare(there[x], there[y]), cmp.Compare(x, y)) })
	for i, m := range rows {
		if i == 0 || there[m] != there[rows[i-1]] {
			fmt.Fprintf(&b, "\n## %s\n\n| message | what to do |\n|---|---|\n", headingOf(there[m]))
		}
		fmt.Fprintf(&b, "| %s | %s |\n", m, listed[m])
	}
	return b.String()
}
