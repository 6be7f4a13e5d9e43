package appkey

import (
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name, a, b string // prefixes
		want       Cause
	}{
		{"equal", "/LM/W3SVC/1/ROOT(h)", "/LM/W3SVC/1/ROOT(h)", None},
		{"site id", "/LM/W3SVC/1/ROOT(h)", "/LM/W3SVC/2/ROOT(g)", SiteID},
		{"site id, hash equal", "/LM/W3SVC/1/ROOT(h)", "/LM/W3SVC/2/ROOT(h)", SiteID},
		{"site id of another length", "/LM/W3SVC/1/ROOT/shop(h)", "/LM/W3SVC/1270384/ROOT/shop(g)", SiteID},
		{"site id and path case", "/LM/W3SVC/1/ROOT(h)", "/LM/W3SVC/2/Root(g)", SiteID},
		{"site id and case of the root", "/LM/W3SVC/1/ROOT(h)", "/lm/w3svc/2/ROOT(g)", SiteID},
		{"site id and path", "/LM/W3SVC/1/ROOT(h)", "/LM/W3SVC/2/ROOT/shop(g)", None},
		{"path case", "/LM/W3SVC/1/ROOT(h)", "/LM/W3SVC/1/Root(g)", PathCase},
		{"path case, hash equal", "/LM/W3SVC/1/ROOT(h)", "/LM/W3SVC/1/Root(h)", PathCase},
		{"case of the root", "/LM/W3SVC/1/ROOT(h)", "/LM/w3svc/1/ROOT(g)", PathCase},
		{"case on a development server", "/4d2f1a7c(h)", "/4D2F1A7C(g)", PathCase},
		{"case beyond ASCII", "/LM/W3SVC/1/ROOT/Äpfel(h)", "/LM/W3SVC/1/ROOT/äpfel(g)", None},
		{"letters that are no case of each other", "/LM/W3SVC/1/ROOT/@(h)", "/LM/W3SVC/1/ROOT/`(g)", None},
		{"hash", "/LM/W3SVC/1/ROOT(h)", "/LM/W3SVC/1/ROOT(g)", Hash},
		{"hash, letter case only", "/LM/W3SVC/1/ROOT(h)", "/LM/W3SVC/1/ROOT(H)", Hash},
		{"hash on a development server", "/4d2f1a7c(h)", "/4d2f1a7c(g)", Hash},
		{"parent and child", "/LM/W3SVC/1/ROOT(h)", "/LM/W3SVC/1/ROOT/shop(g)", None},
		{"another application", "/LM/W3SVC/1/ROOT/shop(h)", "/LM/W3SVC/1/ROOT/mall(g)", None},
		{"another development server", "/4d2f1a7c(h)", "/4d2f1a7d(g)", None},
		{"IIS and a development server", "/LM/W3SVC/1/ROOT(h)", "/4d2f1a7c(g)", None},
		{"no site id", "/LM/W3SVC/a/ROOT(h)", "/LM/W3SVC/b/ROOT(g)", None},
		{"no site id, path case", "/LM/W3SVC/a/ROOT(h)", "/LM/W3SVC/A/ROOT(g)", PathCase},
		{"digits and more", "/LM/W3SVC/1a/ROOT(h)", "/LM/W3SVC/2a/ROOT(g)", None},
		{"nothing behind the root", "/LM/W3SVC/(h)", "/LM/W3SVC/1(g)", None},
		{"site alone", "/LM/W3SVC/1(h)", "/LM/W3SVC/2(g)", SiteID},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, okA := Split([]byte(c.a + "/id"))
			b, okB := Split([]byte(c.b + "/id"))
			if !okA || !okB {
				t.Fatal("not prefixes")
			}
			if got := Compare(a, b); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
			if got := Compare(b, a); got != c.want {
				t.Errorf("the other way round: %v, want %v", got, c.want)
			}
		})
	}
}

// TestCauseNames pins the names that dashboards and logs rely on.
func TestCauseNames(t *testing.T) {
	for _, c := range []struct {
		cause           Cause
		label, sentence string
		advice          []string // words in it
	}{
		{None, "none", "", nil},
		{SiteID, "site_id", "site ids differ", []string{"IIS", "every web server", "[[alias]]"}},
		{PathCase, "path_case", "path case differs", []string{"physical path", "fold_application_case"}},
		{Hash, "hash", "machineKey or .NET level differs", []string{"machineKey", ".NET level", "[[alias]]"}},
		{NumCauses, "Cause(4)", "", nil},
	} {
		if got := c.cause.String(); got != c.label {
			t.Errorf("%d is %q, want %q", uint8(c.cause), got, c.label)
		}
		if got := c.cause.Sentence(); got != c.sentence {
			t.Errorf("%v says %q, want %q", c.cause, got, c.sentence)
		}
		advice := c.cause.Advice()
		if c.advice == nil && advice != "" {
			t.Errorf("%v advises %q", c.cause, advice)
		}
		for _, word := range c.advice {
			if !strings.Contains(advice, word) {
				t.Errorf("%v advises %q, without %q", c.cause, advice, word)
			}
		}
	}
}
