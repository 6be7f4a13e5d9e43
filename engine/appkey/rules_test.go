package appkey

import (
	"fmt"
	"strings"
	"testing"
)

// compile compiles rules that are right.
func compile(t testing.TB, aliases []Alias, fold bool) *Rules {
	t.Helper()
	rules, err := Compile(aliases, fold)
	if err != nil {
		t.Fatalf("%v: %v", aliases, err)
	}
	return rules
}

// fillLearned makes rules learn nothing more.
func fillLearned(rules *Rules) {
	for i := range maxLearned {
		rules.AppendKey(nil, fmt.Appendf(nil, "/filler%d(h)/id", i))
	}
}

func TestAppendKey(t *testing.T) {
	const site1, site2, site3 = "/LM/W3SVC/1/ROOT", "/LM/W3SVC/2/ROOT", "/LM/W3SVC/3/ROOT"
	for _, c := range []struct {
		name  string
		rules []Alias
		fold  bool
		keys  map[string]string // key to what it becomes
	}{
		{"two sites", []Alias{{site2, site1}}, false, map[string]string{
			site2 + "(h2)/id":      site1 + "(*)/id",
			site1 + "(h1)/id":      site1 + "(*)/id",
			site1 + "(g1)/id":      site1 + "(*)/id",
			site1 + "(*)/id":       site1 + "(*)/id",
			site2 + "(*)/id":       site1 + "(*)/id",
			site3 + "(h3)/id":      site3 + "(h3)/id",
			site2 + "/shop(h)/id":  site2 + "/shop(h)/id",
			"/LM/W3SVC/2/Root(h)/": "/LM/W3SVC/2/Root(h)/",
			site2:                  site2,
			"":                     "",
		}},
		{"letter case counts", []Alias{{site2, site1}}, false, map[string]string{
			"/LM/W3SVC/2/Root(h)/id": "/LM/W3SVC/2/Root(h)/id",
			"/lm/w3svc/2/ROOT(h)/id": "/lm/w3svc/2/ROOT(h)/id",
		}},
		{"development server, slash added", []Alias{{"4d2f1a7c", "5e"}}, false, map[string]string{
			"/4d2f1a7c(h)/id": "/5e(*)/id",
			"4d2f1a7c(h)/id":  "4d2f1a7c(h)/id",
		}},
		{"chain", []Alias{{site3, site2}, {site2, site1}}, false, map[string]string{
			site3 + "(h)/id": site1 + "(*)/id",
			site2 + "(h)/id": site1 + "(*)/id",
			site1 + "(h)/id": site1 + "(*)/id",
		}},
		{"many to one", []Alias{{site3, site1}, {site2, site1}}, false, map[string]string{
			site3 + "(h)/id": site1 + "(*)/id",
			site2 + "(h)/id": site1 + "(*)/id",
		}},
		{"the same rule twice", []Alias{{"/b", "/a"}, {"/b", "/a(*)"}}, false, map[string]string{
			"/b(h)/id": "/a(*)/id",
		}},
		{"hash in from", []Alias{{"/b(h)", "/a"}}, false, map[string]string{
			"/b(h)/id": "/a(*)/id",
			"/b(g)/id": "/b(g)/id",
			"/b(H)/id": "/b(H)/id",
			"/a(g)/id": "/a(*)/id",
		}},
		{"hash in to", []Alias{{"/b", "/a(h)"}}, false, map[string]string{
			"/b(g)/id": "/a(h)/id",
			"/a(h)/id": "/a(h)/id",
			"/a(g)/id": "/a(g)/id",
			"/a(*)/id": "/a(*)/id",
		}},
		{"hash to hash", []Alias{{"/a(g)", "/a(h)"}}, false, map[string]string{
			"/a(g)/id": "/a(h)/id",
			"/a(h)/id": "/a(h)/id",
			"/a(f)/id": "/a(f)/id",
		}},
		{"all hashes under one", []Alias{{"/a", "/a(h)"}}, false, map[string]string{
			"/a(g)/id": "/a(h)/id",
			"/a(h)/id": "/a(h)/id",
			"/a(*)/id": "/a(h)/id",
		}},
		{"all hashes under one, and another application", []Alias{{"/b", "/a"}, {"/a", "/a(h)"}}, false, map[string]string{
			"/b(g)/id": "/a(h)/id",
			"/a(g)/id": "/a(h)/id",
		}},
		{"a hash into its own application", []Alias{{"/a(g)", "/a"}}, false, map[string]string{
			"/a(g)/id": "/a(*)/id",
			"/a(h)/id": "/a(*)/id",
		}},
		{"a named hash wins", []Alias{{"/a", "/b"}, {"/a(h)", "/c"}}, false, map[string]string{
			"/a(h)/id": "/c(*)/id",
			"/a(g)/id": "/b(*)/id",
		}},
		{"a named hash wins over a joined application", []Alias{{"/b", "/a"}, {"/a(h)", "/c"}}, false, map[string]string{
			"/a(h)/id": "/c(*)/id",
			"/a(g)/id": "/a(*)/id",
			"/b(h)/id": "/a(*)/id",
		}},
		{"chain through a hash", []Alias{{"/a", "/b(h)"}, {"/b", "/c"}}, false, map[string]string{
			"/a(x)/id": "/c(*)/id",
			"/b(h)/id": "/c(*)/id",
		}},
		{"chain to an application joined elsewhere", []Alias{{"/c", "/a(h)"}, {"/d", "/a"}}, false, map[string]string{
			"/c(x)/id": "/a(*)/id",
			"/d(x)/id": "/a(*)/id",
			"/a(h)/id": "/a(*)/id",
		}},
		{"parentheses in the application", []Alias{{"/b (old)(*)", "/a(x)y"}}, false, map[string]string{
			"/b (old)(h)/id": "/a(x)y(*)/id",
			"/b (h)/id":      "/b (h)/id",
			"/a(x)y(h)/id":   "/a(x)y(*)/id",
		}},
		{"folding alone", nil, true, map[string]string{
			"/LM/W3SVC/1/ROOT(h)/Id": "/lm/w3svc/1/root(*)/Id",
			"/LM/W3SVC/1/Root(g)/Id": "/lm/w3svc/1/root(*)/Id",
			"/lm/w3svc/1/root(*)/Id": "/lm/w3svc/1/root(*)/Id",
			"/LM/W3SVC/2/ROOT(h)/Id": "/lm/w3svc/2/root(*)/Id",
			"/Ä(h)/Id":               "/Ä(*)/Id",
			"/NoParts/Id":            "/NoParts/Id",
		}},
		{"folding and a rule", []Alias{{"/B", "/A"}}, true, map[string]string{
			"/b(h)/id": "/a(*)/id",
			"/B(h)/id": "/a(*)/id",
			"/A(h)/id": "/a(*)/id",
			"/C(h)/id": "/c(*)/id",
		}},
		{"folding and hashes", []Alias{{"/B(H)", "/A(G)"}, {"/C", "/C(H)"}}, true, map[string]string{
			"/b(H)/id": "/a(*)/id",
			"/b(h)/id": "/b(*)/id",
			"/c(g)/id": "/c(H)/id",
			"/C(H)/id": "/c(H)/id",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cold := compile(t, c.rules, c.fold)
			fillLearned(cold)
			rules := compile(t, c.rules, c.fold)
			for key, want := range c.keys {
				for _, how := range []struct {
					name  string
					rules *Rules
				}{{"first", rules}, {"again", rules}, {"not learned", cold}} {
					if got := how.rules.AppendKey([]byte("before "), []byte(key)); string(got) != "before "+want {
						t.Errorf("%s: %q became %q, want %q behind what was there", how.name, key, got, want)
					}
				}
			}
		})
	}
}

func TestNoRules(t *testing.T) {
	rules := compile(t, nil, false)
	if rules != nil {
		t.Fatal("not nil")
	}
	if got := rules.AppendKey([]byte("before "), []byte("/a(h)/id")); string(got) != "before /a(h)/id" {
		t.Errorf("%q", got)
	}
}

// TestLearnedIsBounded: neither many prefixes nor long ones fill memory, and both are rewritten all the same.
func TestLearnedIsBounded(t *testing.T) {
	rules := compile(t, nil, true)
	long := "/A" + strings.Repeat("x", MaxPrefix)
	if got, want := string(rules.AppendKey(nil, []byte(long+"(h)/id"))), "/a"+long[2:]+"(*)/id"; got != want {
		t.Errorf("a long prefix became %q", got)
	}
	if n := len(*rules.learned.Load()); n != 0 {
		t.Errorf("%d prefixes learned of one that is too long", n)
	}
	for i := range 3 * maxLearned {
		if got, want := string(rules.AppendKey(nil, fmt.Appendf(nil, "/A%d(h)/id", i))), fmt.Sprintf("/a%d(*)/id", i); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if n := len(*rules.learned.Load()); n != maxLearned {
		t.Errorf("%d prefixes learned, want %d", n, maxLearned)
	}
}
