package appkey

import (
	"errors"
	"strings"
	"testing"
)

// problems returns what is wrong with rules, one line each.
func problems(t *testing.T, aliases []Alias, fold bool) []string {
	t.Helper()
	rules, err := Compile(aliases, fold)
	if err == nil {
		return nil
	}
	if rules != nil {
		t.Error("rules as well as an error")
	}
	return strings.Split(err.Error(), "\n")
}

func TestCompileRefusesValues(t *testing.T) {
	const hash = "cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8="
	for _, c := range []struct{ value, want string }{
		{"", `"" is empty: write an application id such as /LM/W3SVC/1/ROOT`},
		{" /a", `" /a" has blanks around it: leave them out`},
		{"/a\t", `"/a\t" has blanks around it: leave them out`},
		{"/a\nb", `"/a\nb" holds a control character: leave it out`},
		{"%2fLM%2fW3SVC%2f2%2fROOT", `"%2fLM%2fW3SVC%2f2%2fROOT" is URL-encoded: write it decoded, with / for %2f and so on`},
		{"%2FLM", `"%2FLM" is URL-encoded: write it decoded, with / for %2f and so on`},
		{"/" + strings.Repeat("x", MaxPrefix), `"/` + strings.Repeat("x", 199) + `"... has 1025 bytes: write an application id, 1024 bytes at most`},
		{"/a()", `"/a()" has nothing in its parentheses: write the hash there, or leave the parentheses out to mean every hash`},
		{"/a(h", `"/a(h" has an unpaired parenthesis: close it behind the hash, or, if it belongs to the application id, write "/a(h(*)"`},
		{"/a(b)(h", `"/a(b)(h" has an unpaired parenthesis: close it behind the hash, or, if it belongs to the application id, write "/a(b)(h(*)"`},
		{"/ah)", `"/ah)" has an unpaired parenthesis: close it behind the hash, or, if it belongs to the application id, write "/ah)(*)"`},
		{"/a(" + hash + ")/z445", `"/a(` + hash + `)/z445" goes on behind the hash: leave the session id out and write "/a(` + hash + `)"`},
		{"/a/", `"/a/" ends in a slash: leave it out, application ids have none there`},
		{"/", `"/" ends in a slash: leave it out, application ids have none there`},
		{"(h)", `"(h)" has no application id: write one such as /LM/W3SVC/1/ROOT in front`},
		{"/(h)", `"/(h)" has no application id: write one such as /LM/W3SVC/1/ROOT in front`},
		{"W3SVC/2/ROOT", `"W3SVC/2/ROOT" lacks /LM in front: write "/LM/W3SVC/2/ROOT"`},
		{"/w3svc/2/ROOT(h)", `"/w3svc/2/ROOT(h)" lacks /LM in front: write "/LM/w3svc/2/ROOT"`},
		{"/LM/W3SVC", `"/LM/W3SVC" has no site id behind /LM/W3SVC/: write one, such as /LM/W3SVC/1/ROOT`},
		{"LM/W3SVC/ROOT", `"LM/W3SVC/ROOT" has no site id behind /LM/W3SVC/: write one, such as /LM/W3SVC/1/ROOT`},
		{"/LM/W3SVC/2x/ROOT", `"/LM/W3SVC/2x/ROOT" has no site id behind /LM/W3SVC/: write one, such as /LM/W3SVC/1/ROOT`},
		{"/LM/W3SVC/2", `"/LM/W3SVC/2" names a site, not an application: add its path, such as /ROOT`},
		{"/lm/w3svc/2(h)", `"/lm/w3svc/2(h)" names a site, not an application: add its path, such as /ROOT`},
	} {
		for _, fold := range []bool{false, true} {
			got := problems(t, []Alias{{"/x", "/y"}, {c.value, "/other"}}, fold)
			if want := "alias rule 2: from " + c.want; len(got) != 1 || got[0] != want {
				t.Errorf("from: %q\nwant: %q", got, want)
			}
			got = problems(t, []Alias{{"/other", c.value}}, fold)
			if want := "alias rule 1: to " + c.want; len(got) != 1 || got[0] != want {
				t.Errorf("to:   %q\nwant: %q", got, want)
			}
		}
	}
}

func TestCompileTakesValues(t *testing.T) {
	for _, value := range []string{
		"/LM/W3SVC/2/ROOT", "LM/W3SVC/2/ROOT", "/lm/w3svc/2/root", "/LM/W3SVC/2/ROOT/my shop", "/LM/W3SVC/2/ROOT(hash=)",
		"/LM/W3SVC/2/ROOT(*)", "4d2f1a7c", "/LMX", "/a/(h)", "/a (old)(*)", "/a (old)/b", "/a(h)/z445", "/Äpfel", "/a)b(*)", "/a(h)k)",
		"/" + strings.Repeat("x", MaxPrefix-1),
	} {
		if got := problems(t, []Alias{{value, "/other"}, {"/another", value}}, false); got != nil {
			t.Errorf("%q: %q", value, got)
		}
	}
}

func TestCompileRefusesContradictions(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []Alias
		fold  bool
		want  []string
	}{
		{"two targets", []Alias{{"/b", "/a"}, {"b", "/c"}}, false, []string{
			`alias rule 2: from "b" is already joined with "/a" by rule 1: remove one of the two rules, or, if all three are one application, write from "/c" to "/a"`,
		}},
		{"two targets that differ in the hash", []Alias{{"/b", "/a"}, {"/b", "/a(h)"}}, false, []string{
			`alias rule 2: from "/b" is already joined with "/a" by rule 1: remove one of the two rules, or, if all three are one application, write from "/a(h)" to "/a"`,
		}},
		{"two targets of one, folded", []Alias{{"/b", "/a"}, {"/B", "/c"}}, true, []string{
			`alias rule 2: from "/B" is already joined with "/a" by rule 1: remove one of the two rules, or, if all three are one application, write from "/c" to "/a"`,
		}},
		{"itself", []Alias{{"/a", "/a(*)"}}, false, []string{
			`alias rule 1: to "/a(*)" is the same as from: remove the rule, or, to join all hashes of this application, name one of them in to: "/a(hash)"`,
		}},
		{"itself with a hash", []Alias{{"/a(h)", "/a(h)"}}, false, []string{
			`alias rule 1: to "/a(h)" is the same as from: remove the rule`,
		}},
		{"itself, folded", []Alias{{"/a", "/A"}}, true, []string{
			`alias rule 1: to "/A" is the same as from, because fold_application_case ignores letter case and hash: remove the rule`,
		}},
		{"circle of two", []Alias{{"/a", "/b"}, {"/b", "/a"}}, false, []string{
			`alias rule 1: from "/a" leads back to itself through rules 1 and 2: remove one of them`,
		}},
		{"circle of three, and a way into it", []Alias{{"/x", "/b"}, {"/b", "/c"}, {"/a", "/b"}, {"/c", "/a"}}, false, []string{
			`alias rule 2: from "/b" leads back to itself through rules 2, 4 and 3: remove one of them`,
		}},
		{"two circles", []Alias{{"/a", "/b"}, {"/b", "/a"}, {"/c", "/d"}, {"/d", "/c"}}, false, []string{
			`alias rule 1: from "/a" leads back to itself through rules 1 and 2: remove one of them`,
			`alias rule 3: from "/c" leads back to itself through rules 3 and 4: remove one of them`,
		}},
		{"circle through a hash", []Alias{{"/a", "/b(h)"}, {"/b", "/a(g)"}}, false, []string{
			`alias rule 1: from "/a" leads back to itself through rules 1 and 2: remove one of them`,
		}},
		{"circle of hashes", []Alias{{"/a(h)", "/a"}, {"/a", "/a(h)"}}, false, []string{
			`alias rule 1: from "/a(h)" leads back to itself through rules 1 and 2: remove one of them`,
		}},
		{"circle by folding", []Alias{{"/a", "/b"}, {"/B", "/A"}}, true, []string{
			`alias rule 1: from "/a" leads back to itself through rules 1 and 2: remove one of them`,
		}},
		{"everything at once", []Alias{{"", "/ "}, {"/a", "/a"}, {"/b", "/c"}, {"/c", "/b"}}, false, []string{
			`alias rule 1: from "" is empty: write an application id such as /LM/W3SVC/1/ROOT`,
			`alias rule 1: to "/ " has blanks around it: leave them out`,
			`alias rule 2: to "/a" is the same as from: remove the rule, or, to join all hashes of this application, name one of them in to: "/a(hash)"`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := problems(t, c.rules, c.fold)
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestNoCircle: what looks like one, but has an end.
func TestNoCircle(t *testing.T) {
	for _, rules := range [][]Alias{
		{{"/a", "/a(h)"}, {"/b", "/a"}},
		{{"/b", "/a"}, {"/a(h)", "/b"}},
		{{"/a", "/b"}, {"/b", "/b(h)"}},
	} {
		if got := problems(t, rules, false); got != nil {
			t.Errorf("%v: %q", rules, got)
		}
	}
}

// TestRuleError: the number leads the caller to the place where the rule was written.
func TestRuleError(t *testing.T) {
	_, err := Compile([]Alias{{"/a", "/b"}, {"/c", ""}}, false)
	var bad *RuleError
	if !errors.As(err, &bad) || bad.Rule != 2 || bad.Field != "to" || bad.Value != "" {
		t.Errorf("%+v", bad)
	}
}
