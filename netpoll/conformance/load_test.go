package conformance

import (
	"fmt"
	"strings"
	"testing"
)

// oneCase wraps steps in the least that a set of cases needs.
func oneCase(steps string) string {
	return `{"format": 2, "cases": [{"id": "T1", "group": "T", "clauses": ["§1.1"], "steps": [` + steps + `]}]}`
}

// TestLoadFormat reads one of everything that the format has.
func TestLoadFormat(t *testing.T) {
	src := `{"format": 2, "about": "x", "groups": {"T": "test"}, "cases": [{
		"id": "T1", "group": "T", "title": "x", "basis": "[OWN]", "note": "x",
		"clauses": ["§1.1", "§2"], "tags": ["slow", "timing", "large"],
		"given": [{"on": "b", "connect": true}, {"mark": "m"}, {"wait_s": 0.5, "keep": false}],
		"steps": [
			{"send": "{K}\u0000\u00ff", "chunk": 3, "gap_ms": 0, "expect_status": 200},
			{"send": ["a", {"repeat": "{S}", "n": 3}, {"prng": 7, "n": 5000}, {"pad_total": 6000}], "chunk": [2, -2, 1], "gap_ms": 1},
			{"expect": {"status": "423 Locked", "body": "", "version": "4.0.30319", "then": "open",
				"headers": [["LockDate", "<ticks as d>"], ["LockAge", "<int -1..2>"], ["LockCookie", "2"]]},
				"elapsed_ms": [0, 200], "since": "m"},
			{"expect": [{"status": "423 Locked", "headers": [["LockDate", "<=d>"]], "body": ["x"]},
				{"status": "400 Bad Request", "headers": [["LockDate", "<ticks>"]], "body": "", "then": "close"}]},
			{"closed": true, "elapsed_ms": [28000, 42000]},
			{"quiet_ms": 500},
			{"send": "x", "shut": "write", "closed": true},
			{"shut": "fin"}, {"shut": "rst"},
			{"wait_s": 20, "keep": true},
			{"fan": 3, "send": "x", "expect_count": {"200": 1, "closed": 2}, "expect_header_count": {"ActionFlags": 1},
				"same_headers": [["LockCookie", "2"]], "closed": true, "elapsed_ms": [0, 1]},
			{"contend": 2, "rounds": 3}
		]}]}`
	cases, err := Load([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	c := cases[0]
	if got, want := c.Name(), "T1 §1.1 §2"; got != want {
		t.Errorf("name %q, want %q", got, want)
	}
	if len(c.given) != 3 || len(c.steps) != 12 {
		t.Errorf("%d given and %d steps, want 3 and 12", len(c.given), len(c.steps))
	}
}

// TestLoadRejects checks that nothing which is wrong is taken or passed over.
func TestLoadRejects(t *testing.T) {
	const ok = `{"connect": true}`
	answer := func(rest string) string {
		return `{"expect": {"status": "200 OK", "headers": [], "body": ""` + rest + `}}`
	}
	for _, tt := range []struct{ src, want string }{
		{`[]`, "want an object"},
		{`{"format": 2, "cases": []}`, "there is none"},
		{`{"format": 1, "cases": []}`, "not supported"},
		{`{"format": 2}`, "cases: missing"},
		{`{"format": 2, "cases": null}`, "null"},
		{oneCase(ok) + "{}", "more behind"},
		{strings.Replace(oneCase(ok), `"cases"`, `"extra": 1, "cases"`, 1), `unknown key "extra"`},
		{strings.Replace(oneCase(ok), `"group"`, `"Group"`, 1), `unknown key "Group"`},
		{strings.Replace(oneCase(ok), `"group"`, `"id": "T1", "group"`, 1), "twice"},
		{strings.Replace(oneCase(ok), `["§1.1"]`, `[]`, 1), "clauses: there is none"},
		{strings.Replace(oneCase(ok), `§1.1`, `1.1`, 1), "shape"},
		{strings.Replace(oneCase(ok), `"group"`, `"tags": ["fast"], "group"`, 1), `"fast" is unknown`},
		{strings.Replace(oneCase(ok), `"T1"`, `"a b"`, 1), "id:"},
		{strings.Replace(oneCase(ok), `"cases"`, `"groups": {"U": "x"}, "cases"`, 1), "not among the groups"},
		{oneCase(``), "steps: there is none"},
		{oneCase(`{}`), "does nothing"},
		{oneCase(`{"on": "b"}`), "does nothing"},
		{oneCase(`{"Send": "x"}`), `unknown key "Send"`},
		{oneCase(`{"send": "x", "send": "y"}`), "twice"},
		{oneCase(`{"send": null}`), "null"},
		{oneCase(`{"send": ""}`), "empty"},
		{oneCase(`{"send": 5}`), "text or a list"},
		{oneCase(`{"send": "\u0100"}`), "no byte"},
		{oneCase(`{"send": [["x"]]}`), "piece 1"},
		{oneCase(`{"send": [{"repeat": "x"}]}`), "n: missing"},
		{oneCase(`{"send": [{"repeat": "x", "n": -1}]}`), "outside"},
		{oneCase(`{"send": [{"repeat": "xxxxxxxx", "n": 100000000}]}`), "outside"},
		{oneCase(`{"send": [{"prng": 1, "n": 5, "m": 6}]}`), `unknown key "m"`},
		{oneCase(`{"send": [{"pad_total": 5}, {"pad_total": 6}]}`), "once"},
		{oneCase(`{"send": ["abc", {"pad_total": 2}]}`), "1 bytes longer"},
		{oneCase(`{"connect": false}`), "only true"},
		{oneCase(`{"chunk": 1, "quiet_ms": 1}`), `unknown key "chunk"`},
		{oneCase(`{"send": "x", "chunk": 0}`), "no size"},
		{oneCase(`{"send": "x", "chunk": "2"}`), "size or a list"},
		{oneCase(`{"send": "abc", "chunk": [3]}`), "inside"},
		{oneCase(`{"send": "abc", "chunk": [-3]}`), "inside"},
		{oneCase(`{"send": "abc", "gap_ms": 3}`), "gap_ms"},
		{oneCase(`{"send": "x", "shut": "close"}`), "none of"},
		{oneCase(`{"shut": "fin", "closed": true}`), "behind it"},
		{oneCase(`{"expect_status": 20}`), "no status"},
		{oneCase(`{"expect_status": 200.5}`), "expect_status"},
		{oneCase(`{"expect": []}`), "expects nothing"},
		{oneCase(`{"expect": {"status": "200 OK", "headers": []}}`), "body: missing"},
		{oneCase(`{"expect": {"status": "200", "headers": [], "body": ""}}`), "number and reason"},
		{oneCase(`{"expect": {"status": "200 OK", "body": ""}}`), "headers: missing"},
		{oneCase(`{"expect": {"status": "200 OK", "headers": [["A"]], "body": ""}}`), "name and a value"},
		{oneCase(`{"expect": {"status": "200 OK", "headers": [["A", "<int 2..1>"]], "body": ""}}`), "empty range"},
		{oneCase(`{"expect": {"status": "200 OK", "headers": [["A", "<tick>"]], "body": ""}}`), "no known pattern"},
		{oneCase(`{"expect": {"status": "200 OK", "headers": [["A", "<=d>"]], "body": ""}}`), "no earlier"},
		{oneCase(answer(`, "then": "stay"`)), "neither"},
		{oneCase(answer(`, "version": ""`)), "version"},
		{oneCase(answer(`, "reason": ""`)), `unknown key "reason"`},
		{oneCase(`{"expect": [{"status": "200 OK", "headers": [], "body": "", "then": "open"},
			{"status": "200 OK", "headers": [], "body": ""}]}`), "only the last"},
		{oneCase(`{"expect_status": 200, "expect": {"status": "200 OK", "headers": [], "body": ""}}`), "exclude"},
		{oneCase(`{"send": "x", "elapsed_ms": [0, 1]}`), "waits for nothing"},
		{oneCase(`{"closed": true, "elapsed_ms": [2, 1]}`), "no range"},
		{oneCase(`{"closed": true, "elapsed_ms": [2]}`), "no range"},
		{oneCase(`{"closed": true, "since": "m"}`), "says nothing"},
		{oneCase(`{"closed": true, "since": "m", "elapsed_ms": [0, 1]}`), `marks "m"`},
		{oneCase(`{"closed": true, "quiet_ms": 1}`), "exclude"},
		{oneCase(`{"quiet_ms": 0}`), "no time"},
		{oneCase(`{"wait_s": -1}`), "outside"},
		{oneCase(`{"wait_s": "1"}`), "wait_s"},
		{oneCase(`{"wait_s": 1, "send": "x"}`), `unknown key "send"`},
		{oneCase(`{"wait_s": 1, "mark": "x"}`), "all of"},
		{oneCase(`{"keep": true, "connect": true}`), `unknown key "keep"`},
		{oneCase(`{"mark": ""}`), "no name"},
		{oneCase(`{"fan": 2}`), "send: missing"},
		{oneCase(`{"fan": 0, "send": "x"}`), "outside"},
		{oneCase(`{"fan": 2, "send": "x", "expect_status": 200}`), `unknown key "expect_status"`},
		{oneCase(`{"fan": 2, "send": "x", "expect_count": {"ok": 2}}`), "neither a status"},
		{oneCase(`{"contend": 2}`), "rounds: missing"},
		{oneCase(`{"contend": 2, "rounds": 0}`), "not possible"},
	} {
		_, err := Load([]byte(tt.src))
		if err == nil {
			t.Errorf("%s\nwas taken", tt.src)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s\nerror %q\nwant   %q in it", tt.src, err, tt.want)
		}
	}
}

// TestLoadKeepsGood checks that a mistake costs its own case only, and names it.
func TestLoadKeepsGood(t *testing.T) {
	const shape = `{"id": %q, "group": "T", "clauses": ["§1.1"], "steps": [{%q: true}]}`
	src := `{"format": 2, "cases": [` +
		fmt.Sprintf(shape, "T1", "connect") + "," +
		fmt.Sprintf(shape, "T2", "conect") + "," +
		fmt.Sprintf(shape, "T1", "connect") + "," +
		fmt.Sprintf(shape, "T3", "connect") + `]}`
	cases, err := Load([]byte(src))
	if len(cases) != 2 || cases[0].ID != "T1" || cases[1].ID != "T3" {
		t.Errorf("cases %v, want T1 and T3", cases)
	}
	for _, want := range []string{"case 2 (T2): steps[0]", `unknown key "conect"`, "case 3 (T1): the id is there twice"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want %q in it", err, want)
		}
	}
}

func TestOwnCasesLoad(t *testing.T) {
	if _, err := Load(ownCases); err != nil {
		t.Fatal(err)
	}
}
