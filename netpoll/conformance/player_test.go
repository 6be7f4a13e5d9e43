package conformance

import (
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/netpoll/conformance/naive"
)

// TestPlayer plays steps against scripted servers. The first half of the tests
// shows that good answers pass; the second that whatever is wrong with bytes,
// closes or times makes a case fail, and is named.
func TestPlayer(t *testing.T) {
	const (
		get      = `"send": "GET x HTTP/1.1\r\n\r\n"`
		wantOK   = `"expect": {"status": "200 OK", "headers": [], "body": ""}`
		wantBody = `"expect": {"status": "200 OK", "headers": [["Timeout", "20"]], "body": "AAAA"}`
		locked   = `"expect": {"status": "423 Locked", "headers": [["LockDate", "<ticks>"], ["LockAge", "3"], ["LockCookie", "2"]], "body": ""}`
		lockedAs = `"expect": {"status": "423 Locked", "headers": [["LockDate", "<ticks as d>"], ["LockAge", "3"], ["LockCookie", "2"]], "body": ""}`
		sameDate = `"expect": {"status": "423 Locked", "headers": [["LockDate", "<=d>"], ["LockAge", "3"], ["LockCookie", "2"]], "body": ""}`
	)
	step := func(parts ...string) string { return "{" + strings.Join(parts, ", ") + "}" }
	steps := func(steps ...string) string { return strings.Join(steps, ", ") }
	then := func(expect, then string) string {
		return strings.Replace(expect, `"status"`, `"then": "`+then+`", "status"`, 1)
	}
	swap := func(from, to string) turn { return turn{say: strings.Replace(sayBody, from, to, 1)} }
	say := func(s string) turn { return turn{say: s} }
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	lock := time.Now().Add(-3 * time.Second)
	date := ticksOf(lock, -5*time.Hour)

	for _, tt := range []struct {
		name  string
		turns []turn
		steps string
		want  string // in the failure; empty: passes
	}{
		{"good answer", []turn{say(sayBody)}, step(get, wantBody), ""},
		{"two steps", []turn{say(sayOK), say(sayBody)}, steps(step(get, wantOK), step(get, wantBody)), ""},
		{"pipelined", []turn{say(sayOK + sayOK)}, step(get, `"expect": [{"status": "200 OK", "headers": [], "body": ""},
			{"status": "200 OK", "headers": [], "body": ""}]`), ""},
		{"read later", []turn{say(sayOK)}, steps(step(get), step(wantOK)), ""},
		{"any version", []turn{swap("4.0.30319", "12.34.5")}, step(get, wantBody), ""},
		{"status only", []turn{say(sayBody)}, step(get, `"expect_status": 200`), ""},
		{"lock time", []turn{say(sayLocked(date))}, step(get, locked), ""},
		{"same lock time", []turn{say(sayLocked(date)), say(sayLocked(date))}, steps(step(get, lockedAs), step(get, sameDate)), ""},
		{"then close", []turn{{say: sayOK, close: true}}, step(get, then(wantOK, "close")), ""},
		{"then close, by reset", []turn{{say: sayOK, reset: true}}, step(get, then(wantOK, "close")), ""},
		{"then open", []turn{say(sayOK)}, step(get, then(wantOK, "open")), ""},
		{"closed", []turn{{close: true}}, steps(step(get), step(`"closed": true`)), ""},
		{"closed in time", []turn{{close: true, delay: ms(60)}}, step(get, `"closed": true, "elapsed_ms": [50, 2000]`), ""},
		{"quiet", []turn{{say: sayOK, delay: ms(250)}}, steps(step(get, `"quiet_ms": 50`), step(wantOK)), ""},
		{"answer in time", []turn{{say: sayOK, delay: ms(60)}}, step(get, wantOK, `"elapsed_ms": [50, 2000]`), ""},
		{"answer in time, read late", []turn{say(sayOK)},
			steps(step(get), `{"wait_s": 0.2, "keep": true}`, step(wantOK, `"elapsed_ms": [0, 150]`)), ""},
		{"since a mark", []turn{{say: sayOK, delay: ms(60)}},
			steps(`{"mark": "m"}`, step(get, wantOK, `"since": "m", "elapsed_ms": [50, 2000]`)), ""},
		{"slow beyond the usual patience", []turn{{say: sayOK, delay: ms(400)}}, step(get, wantOK, `"elapsed_ms": [300, 2000]`), ""},
		{"in pieces", []turn{say(sayOK)}, step(get, `"chunk": 1, "gap_ms": 1`, wantOK), ""},
		{"opened anew", []turn{say(sayOK)}, steps(step(get, wantOK), `{"shut": "fin"}`, step(get, wantOK), `{"shut": "rst"}`, step(get, wantOK)), ""},
		{"a long wait hangs up", []turn{say(sayOK)}, steps(step(get, wantOK), `{"wait_s": 0.05}`, step(get, wantOK)), ""},
		{"a kept wait does not", []turn{say(sayOK), say(sayBody)}, steps(step(get, wantOK), `{"wait_s": 0.05, "keep": true}`, step(get, wantBody)), ""},
		{"half-closed", nil, steps(step(`"send": "GET x"`), `{"shut": "write"}`, `{"closed": true}`), "not closed"},
		{"half-closed and seen", []turn{{}}, steps(step(`"send": "GET x"`), `{"shut": "write"}`, `{"closed": true}`), ""},
		{"fan", []turn{say(sayAcquired)}, step(`"fan": 3`, get,
			`"expect_count": {"200": 3, "423": 0}, "expect_header_count": {"LockCookie": 3, "ActionFlags": 0}, "same_headers": [["LockCookie", "2"], ["ActionFlags", "9"]]`), ""},
		{"fan, closed", []turn{{close: true}}, step(`"fan": 3`, get, `"expect_count": {"closed": 3}, "closed": true`), ""},

		{"wrong byte", []turn{swap(": 20", ": 21")}, step(get, wantBody), `differs at byte 47 (0x31): line "Timeout: 21", want "Timeout: 20"`},
		{"wrong byte in the body", []turn{swap("AAAA", "AABA")}, step(get, wantBody), `from byte 2 of it "BA", want "AA"`},
		{"wrong status", []turn{say(say404)}, step(get, wantOK), `"404 Not Found", want "200 OK"`},
		{"wrong status only", []turn{say(say404)}, step(get, `"expect_status": 200`), "want status 200"},
		{"status with a version", []turn{say("HTTP/1.1 " + sayOK)}, step(get, wantOK), "no status line"},
		{"bare line feeds", []turn{say(strings.ReplaceAll(sayOK, "\r\n", "\n"))}, step(get, wantOK), "no complete response"},
		{"one bare line feed", []turn{swap("20\r\n", "20\n")}, step(get, wantBody), "differs"},
		{"no version", []turn{swap("X-AspNet-Version: 4.0.30319\r\n", "")}, step(get, wantBody), `want header "X-AspNet-Version"`},
		{"old version", []turn{swap("4.0", "1.1")}, step(get, wantBody), "real clients accept"},
		{"two numbers", []turn{swap("4.0.30319", "4.0")}, step(get, wantBody), "real clients accept"},
		{"not the given version", []turn{say(sayOK)}, step(get, strings.Replace(wantOK, `"status"`, `"version": "2.0.50727", "status"`, 1)), `want "X-AspNet-Version: 2.0.50727"`},
		{"header missing", []turn{say(sayOK)}, step(get, wantBody), `want header "Timeout"`},
		{"header too many", []turn{swap("Cache", "ActionFlags: 1\r\nCache")}, step(get, wantBody), `want "Cache-Control: private"`},
		{"header behind the last", []turn{swap("\r\n\r\n", "\r\nServer: x\r\n\r\n")}, step(get, wantBody), "too many"},
		{"header in other case", []turn{swap("Timeout", "timeout")}, step(get, wantBody), `want header "Timeout"`},
		{"two blanks", []turn{swap("Timeout: ", "Timeout:  ")}, step(get, wantBody), `want "Timeout: 20"`},
		{"body too short", []turn{swap("4\r\n\r\nAAAA", "3\r\n\r\nAAA")}, step(get, wantBody), `"Content-Length: 3", want "Content-Length: 4"`},
		{"body behind its length", []turn{swap("AAAA", "AAAAB")}, step(get, wantBody), `1 bytes too many at the end of the case: "B"`},
		{"body does not come", []turn{swap("AAAA", "AA")}, step(get, wantBody), "no complete response"},
		{"no length", []turn{swap("Content-Length: 4\r\n", "")}, step(get, wantBody), "no Content-Length"},
		{"bad length", []turn{swap("Length: 4", "Length: x")}, step(get, wantBody), "unusable"},
		{"wrong lock time", []turn{say(sayLocked(ticksOf(lock, 7*time.Minute)))}, step(get, locked), "no wall clock"},
		{"other lock time", []turn{say(sayLocked(date)), say(sayLocked(ticksOf(lock, -6*time.Hour)))}, steps(step(get, lockedAs), step(get, sameDate)), "before"},
		{"second answer missing", []turn{say(sayOK)}, step(get, `"expect": [{"status": "200 OK", "headers": [], "body": ""},
			{"status": "200 OK", "headers": [], "body": ""}]`), "response 2 of 2: no complete response"},
		{"second answer too many", []turn{say(sayOK + sayOK)}, step(get, wantOK), "too many at the end"},
		{"too many before a long wait", []turn{say(sayOK + "x")}, steps(step(get, wantOK), `{"wait_s": 0.05}`), "too many before a long wait"},
		{"too many in a fan", []turn{say(sayOK + "x")}, step(`"fan": 2`, get, `"expect_count": {"200": 2}`), "connection 1 of a fan: 1 bytes too many"},
		{"missing close", []turn{say(sayOK)}, step(get, then(wantOK, "close")), "has not closed"},
		{"missing close without answer", []turn{{}}, step(get, `"closed": true`), "has not closed"},
		{"late close", []turn{{close: true, delay: ms(200)}}, step(get, `"closed": true, "elapsed_ms": [0, 100]`), "has not closed"},
		{"early close", []turn{{close: true}}, step(get, `"closed": true, "elapsed_ms": [200, 300]`), "want 200..300 ms"},
		{"a byte before the close", []turn{{say: sayOK + "x", close: true}}, step(get, then(wantOK, "close")), `must close: "x"`},
		{"answer instead of close", []turn{{say: sayOK, close: true}}, step(get, `"closed": true`), "where the server must close"},
		{"closes though it must not", []turn{{say: sayOK, close: true}}, step(get, then(wantOK, "open")), "must stay open"},
		{"speaks though it must not", []turn{say(sayOK + "x")}, step(get, then(wantOK, "open")), "must be silent"},
		{"not quiet", []turn{say(sayOK)}, steps(step(get, `"quiet_ms": 50`), step(wantOK)), "must be silent"},
		{"close instead of answer", []turn{{close: true}}, step(get, wantOK), "want 200 OK: the server closed"},
		{"close within an answer", []turn{{say: sayBody[:40], close: true}}, step(get, wantBody), "closed within a response"},
		{"late answer", []turn{{say: sayOK, delay: ms(80)}}, step(get, wantOK, `"elapsed_ms": [0, 50]`), "want 0..50 ms"},
		{"early answer", []turn{say(sayOK)}, step(get, wantOK, `"elapsed_ms": [150, 190]`), "want 150..190 ms"},
		{"early answer, read late", []turn{say(sayOK)},
			steps(step(get), `{"wait_s": 0.2, "keep": true}`, step(wantOK, `"elapsed_ms": [150, 1000]`)), "want 150..1000 ms"},
		{"before the mark", []turn{say(sayOK)},
			steps(step(get), `{"wait_s": 0.2, "keep": true}`, `{"mark": "m"}`, step(wantOK, `"since": "m", "elapsed_ms": [0, 90]`)), "want 0..90 ms"},
		{"no answer", []turn{{}}, step(get, wantOK), "no complete response"},
		{"sends after the server's close", []turn{{say: sayOK, close: true}},
			steps(step(get, then(wantOK, "close")), step(get, wantOK)), "nothing can be sent"},
		{"fan, wrong count", []turn{say(sayOK)}, step(`"fan": 3`, get, `"expect_count": {"200": 2, "423": 1}`), "have map[200:3]"},
		{"fan, wrong header count", []turn{say(sayOK)}, step(`"fan": 3`, get, `"expect_header_count": {"LockCookie": 1}`), "by header"},
		{"fan, other header", []turn{say(sayAcquired)}, step(`"fan": 3`, get, `"same_headers": [["LockCookie", "3"]]`), `LockCookie: have "2"`},
		{"fan, not closed", []turn{say(sayOK)}, step(`"fan": 3`, get, `"closed": true`), "has not closed"},
		{"fan, late", []turn{{say: sayOK, delay: ms(80)}}, step(`"fan": 3`, get, `"elapsed_ms": [0, 50]`), "want 0..50 ms"},
		{"fan, no answer", []turn{{}}, step(`"fan": 2`, get), "connection 2 of 2: no complete response"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkOutcome(t, playSteps(t, startScript(t, tt.turns...), tt.steps), tt.want)
		})
	}
}

// TestGivenFails checks that a case which cannot be prepared fails, and says so.
func TestGivenFails(t *testing.T) {
	src := strings.Replace(oneCase(`{"mark": "m"}`), `"steps"`, `"given": [{"send": "GET x HTTP/1.1\r\n\r\n", "expect_status": 200}], "steps"`, 1)
	cases, err := Load([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	addr := startScript(t, turn{say: say404})
	checkOutcome(t, runWith(t.Context(), addr, &cases[0], quickLimits), "could not be prepared, given[0]")
}

// TestContend lets clients count on a server that locks and on one that does not.
func TestContend(t *testing.T) {
	const counting = `
		{"send": "PUT {K} HTTP/1.1\r\nContent-Length: 1\r\n\r\n0", "expect_status": 200},
		{"contend": 4, "rounds": 6}`
	checkOutcome(t, playSteps(t, startNaive(t, naive.NoFault), counting), "")
	checkOutcome(t, playSteps(t, startNaive(t, naive.LateSave), counting), "")
	if err := playSteps(t, startNaive(t, naive.SharedLock), counting); err == nil {
		t.Error("passed without a lock")
	}
	checkOutcome(t, playSteps(t, startNaive(t, naive.NoFault), `{"contend": 2, "rounds": 1}`), "404 Not Found")
	acquired := strings.Replace(sayAcquired, "0\r\n\r\n", "1\r\n\r\n0", 1)
	repeats := startScript(t, turn{say: acquired}, turn{say: sayOK})
	checkOutcome(t, playSteps(t, repeats, `{"contend": 2, "rounds": 1}`), "LockCookie 2 was handed out twice")
}
