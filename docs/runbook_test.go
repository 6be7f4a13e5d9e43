package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestRunbooks follows the links of alerts: each leads to a document of ours and a heading in it.
func TestRunbooks(t *testing.T) {
	link := regexp.MustCompile(`runbook_url: \S*/(docs/[\w/-]+\.md)#([\w-]+)`)
	anchors := map[string]map[string]bool{}
	for _, m := range documents(t) {
		anchors[m.path] = m.anchors()
	}
	alerts, links := 0, 0
	for _, f := range tree(t) {
		if f.path != "docs/monitoring/alerts.yml" {
			continue
		}
		alerts += strings.Count(f.text, "- alert:")
		for _, found := range link.FindAllStringSubmatch(f.text, -1) {
			links++
			if !anchors[found[1]][found[2]] {
				t.Errorf("%s: an alert leads to %s#%s, which does not exist", f.path, found[1], found[2])
			}
		}
	}
	if alerts == 0 || links != alerts {
		t.Errorf("docs/monitoring/alerts.yml: %d alerts, and %d of them have a runbook in docs/", alerts, links)
	}
}

// TestReadmeCommands holds the README to naming every command of the program.
func TestReadmeCommands(t *testing.T) {
	readme := ""
	for _, m := range documents(t) {
		if m.path == "README.md" {
			readme = m.text
		}
	}
	commands := commandNames(t)
	if !slices.Contains(commands, "serve") {
		t.Fatalf("`farmstate help` has no command serve: %q", commands)
	}
	for _, name := range commands {
		if !regexp.MustCompile(`farmstate ` + name + `\b`).MatchString(readme) {
			t.Errorf("README.md does not name the command farmstate %s", name)
		}
	}
}

// commandNames are the first words of the program's commands.
func commandNames(t *testing.T) (all []string) {
	t.Helper()
	for _, found := range regexp.MustCompile(`(?m)^farmstate ([a-z-]+)(?: [a-z-]+)?$`).FindAllStringSubmatch(farmstate(t, "help"), -1) {
		if !slices.Contains(all, found[1]) {
			all = append(all, found[1])
		}
	}
	return all
}
