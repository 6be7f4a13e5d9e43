package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/admin"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/trace"
)

// playedNode is the admin port of a node that does not exist.
type playedNode struct {
	addr string
	page api.Node
	acts []string // the actions it was asked for, with their queries
}

// play opens admin pages that show a node which is well, changed as change says.
func playNode(t *testing.T, change func(*api.Node)) *playedNode {
	t.Helper()
	p := &playedNode{page: api.Node{
		Status: api.Status{
			Build: api.Build{Version: "1.2.3"}, Node: "0123456789abcdef", Name: "web1", Now: time.Now(), Started: time.Now().Add(-time.Hour), Uptime: 3600, Ready: true, State: "127.0.0.1:42424",
			Sessions: api.Sessions{Count: 7, Bytes: 1 << 20, MaxMemory: 1 << 30},
		},
		Survey: api.Survey{Ready: true},
	}}
	if change != nil {
		change(&p.page)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/node", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(p.page) // to a client that reads it
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !p.page.Status.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(strings.Join(p.page.Status.NotReady, "\n") + "\n"))
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	mux.HandleFunc("POST /api/v1/{action}", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(admin.ActionHeader) == "" || r.Header.Get("Authorization") != "Bearer "+adminToken {
			http.Error(w, "the token is wrong", http.StatusUnauthorized)
			return
		}
		p.acts = append(p.acts, r.PathValue("action")+"?"+r.URL.RawQuery)
		_, _ = fmt.Fprintf(w, `{"log_level": %q, "unlocked": true}`, r.URL.Query().Get("level"))
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	p.addr = strings.TrimPrefix(srv.URL, "http://")
	p.page.Status.Admin = p.addr
	return p
}

func TestStatusCommand(t *testing.T) {
	well := playNode(t, nil)
	status, stdout, stderr := call(t, nil, "status", "--admin", well.addr)
	want := "NODE  HEALTH  SESSIONS     MEMORY  P99  LOCKED  WAITING  COPIES\n" +
		"web1  ok             7  1.0MiB 0%    -       0        0  off\n\n" +
		"farmstate 1.2.3, up for 1h00m. Web servers connect to 127.0.0.1:42424.\nAll is well.\n"
	if status != exitOK || stdout != want || stderr != "" {
		t.Errorf("exit status %d, %q\n got %s\nwant %s", status, stderr, stdout, want)
	}
	ill := playNode(t, func(n *api.Node) {
		n.Status.Ready, n.Status.NotReady = false, []string{"joining: it has not met any of the nodes of join yet"}
	})
	status, stdout, stderr = call(t, nil, "status", "--admin", ill.addr)
	if status != exitFailed || stderr != "" || !strings.Contains(stdout, "\n! web1: It is not ready: it has not met any of the nodes of join yet. If it\n  stays so, look at") {
		t.Errorf("exit status %d, %q\n%s", status, stderr, stdout)
	}
	var report statusReport
	status, stdout, _ = call(t, nil, "status", "--json", "--farm", "--sample", "1ms", "--admin", ill.addr)
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != exitFailed || report.OK || len(report.Findings) != 1 || len(report.Nodes) != 1 || len(report.Rates) != 1 || report.Rates[0].P99 != nil {
		t.Errorf("exit status %d, %v\n%s", status, err, stdout)
	}
	status, stdout, _ = call(t, nil, "status", "--json", "--admin", well.addr)
	if status != exitOK || !strings.Contains(stdout, `"ok": true`) || !strings.Contains(stdout, `"findings": []`) {
		t.Errorf("exit status %d\n%s", status, stdout)
	}
	for _, c := range []struct {
		args           []string
		status         int
		stdout, stderr string // parts
	}{
		{[]string{"--quiet", "--admin", well.addr}, exitOK, "", ""},
		{[]string{"--quiet", "--admin", ill.addr}, exitFailed, "", ""},
		{[]string{"--quiet", "--admin", "127.0.0.1:1"}, exitFailed, "", ""},
		{[]string{"--quiet", "--admin", "here"}, exitUsage, "", "is no address"},
		{[]string{"--check", "ready", "--admin", well.addr}, exitOK, "ready\n", ""},
		{[]string{"--check", "ready", "--admin", ill.addr}, exitFailed, "not ready: joining: it has not met", ""},
		{[]string{"--check", "live", "--admin", ill.addr}, exitOK, "ok\n", ""},
		{[]string{"--check", "live", "--admin", "127.0.0.1:1"}, exitFailed, "", "cannot be reached"},
		{[]string{"--check", "dead", "--admin", well.addr}, exitUsage, "", "--check"},
		{[]string{"--check", "live", "--farm", "--admin", well.addr}, exitUsage, "", "leave --farm"},
		{[]string{"--admin", "127.0.0.1:1"}, exitFailed, "", "the admin pages at 127.0.0.1:1 cannot be reached"},
		{[]string{"--farm", "--admin", "127.0.0.1:1"}, exitFailed, "", "the admin pages at 127.0.0.1:1 cannot be reached"},
		{[]string{"--json", "--quiet"}, exitUsage, "", "contradict"},
	} {
		status, stdout, stderr := call(t, nil, append([]string{"status"}, c.args...)...)
		if status != c.status || !strings.Contains(stdout, c.stdout) || c.stdout == "" && stdout != "" || !strings.Contains(stderr, c.stderr) || c.stderr == "" && stderr != "" {
			t.Errorf("%q: exit status %d, %q, %q", c.args, status, stdout, stderr)
		}
		if strings.Count(stdout, "\n") > 1 {
			t.Errorf("%q: more than one line: %q", c.args, stdout)
		}
	}
}

func TestTopWithoutTerminal(t *testing.T) {
	p := playNode(t, nil)
	status, stdout, stderr := call(t, nil, "top", "--admin", p.addr)
	if status != exitUsage || stdout != "" || !strings.Contains(stderr, "top needs a terminal") || !strings.Contains(stderr, "status --farm --json") {
		t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
	}
	status, stdout, stderr = call(t, nil, "top", "--once", "--interval", "100ms", "--admin", p.addr)
	if status != exitOK || stderr != "" || !strings.HasPrefix(stdout, "farmstate  1 node: 1 ok ") || !strings.Contains(stdout, "no lock is held") || strings.Contains(stdout, "\x1b") {
		t.Errorf("exit status %d, %q\n%s", status, stderr, stdout)
	}
}

const lockedKey = "/LM/W3SVC/1/ROOT(hash)/abcdef0123456789"

// locked is a node with three locks, two of sessions that begin in the same way.
func locked(n *api.Node) {
	lock := func(id string, cookie uint32, age float64) api.Lock {
		return api.Lock{Session: api.Session{App: "/LM/W3SVC/1/ROOT", Hash: "hash", ID: id[:6] + "…", Key: "/LM/W3SVC/1/ROOT(hash)/" + id}, Cookie: cookie, Age: age, Client: "10.0.0.7", Waiting: 1}
	}
	n.Survey.Locks = []api.Lock{lock("zzzzzz0123456789", 3, 900), lock("abcdef0123456789", 5, 20), lock("zzzzzz9876543210", 4, 10)}
}

func TestLocksCommand(t *testing.T) {
	status, stdout, stderr := call(t, nil, "locks", "--admin", playNode(t, locked).addr)
	want := "SESSION  APPLICATION       NODE  HOLDER       AGE  WAITING  COOKIE\n" +
		"zzzzzz…  /LM/W3SVC/1/ROOT  web1  10.0.0.7  15m00s        1       3\n" +
		"abcdef…  /LM/W3SVC/1/ROOT  web1  10.0.0.7     20s        1       5\n" +
		"zzzzzz…  /LM/W3SVC/1/ROOT  web1  10.0.0.7     10s        1       4\n"
	if status != exitOK || stdout != want || stderr != "" {
		t.Errorf("exit status %d, %q\n got %s\nwant %s", status, stderr, stdout, want)
	}
	status, stdout, _ = call(t, nil, "locks", "--json", "--admin", playNode(t, locked).addr)
	var report locksReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != exitOK || len(report.Locks) != 3 || report.Locks[1].Key != lockedKey || report.Locks[1].Node != "web1" {
		t.Errorf("exit status %d, %v\n%s", status, err, stdout)
	}
	if status, stdout, _ = call(t, nil, "locks", "--admin", playNode(t, nil).addr); status != exitOK || stdout != "no lock is held\n" {
		t.Errorf("exit status %d, %q", status, stdout)
	}
}

// answering runs a command whose user answers.
func answering(t *testing.T, answer string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{environ: withToken(t), stdin: strings.NewReader(answer), stdout: &out, stderr: &errs}
	err := a.run(args)
	if err != nil {
		errs.WriteString(err.Error())
	}
	return exitStatus(err), out.String(), errs.String()
}

func TestUnlockCommand(t *testing.T) {
	const acted = "unlock?cookie=5&node=0123456789abcdef&session=%2FLM%2FW3SVC%2F1%2FROOT%28hash%29%2Fabcdef0123456789"
	for name, c := range map[string]struct {
		answer         string
		args           []string
		status         int
		acted          string
		stdout, stderr string // parts
	}{
		"by its beginning":    {"y\n", []string{"abc"}, exitOK, acted, "session abcdef… of /LM/W3SVC/1/ROOT on web1, held for 20s by 10.0.0.7, 1 request waiting, cookie 5\nA page", ""},
		"as it is shown":      {"YES\n", []string{"abcdef…"}, exitOK, acted, "the lock is broken\n", ""},
		"by more than shown":  {"", []string{"abcdef01", "--yes"}, exitOK, acted, "the lock is broken\n", ""},
		"by its key":          {"", []string{lockedKey, "-y", "--cookie", "5", "--node", "web1"}, exitOK, acted, "the lock is broken\n", ""},
		"JSON":                {"", []string{"abc", "--yes", "--json"}, exitOK, acted, `"unlocked": true`, ""},
		"no":                  {"n\n", []string{"abc"}, exitFailed, "", "Break it?", "nothing was done"},
		"no answer":           {"", []string{"abc"}, exitFailed, "", "Break it?", "nothing was done"},
		"of two":              {"", []string{"zzz", "--yes"}, exitUsage, "", "", "2 locks are of sessions that begin with zzz; give the whole key, which farmstate locks --json shows, or --node or --cookie where they differ:\n"},
		"of two, by cookie":   {"", []string{"zzz", "--yes", "--cookie", "4"}, exitOK, "unlock?cookie=4&node=0123456789abcdef&session=%2FLM%2FW3SVC%2F1%2FROOT%28hash%29%2Fzzzzzz9876543210", "", ""},
		"none":                {"", []string{"nobody", "--yes"}, exitFailed, "", "", "no lock that farmstate locks shows"},
		"another cookie":      {"", []string{"abc", "--yes", "--cookie", "6"}, exitFailed, "", "", "no lock that farmstate locks shows"},
		"not shown":           {"", []string{"/x/y", "--yes", "--cookie", "6"}, exitOK, "unlock?cookie=6&session=%2Fx%2Fy", "", ""},
		"another node":        {"", []string{"abc", "--yes", "--node", "web2"}, exitUsage, "", "", "--node=web2 is not in the farm, which has web1 (0123456789abcdef)"},
		"JSON without --yes":  {"", []string{"abc", "--json"}, exitUsage, "", "", "add --yes"},
		"an empty text":       {"", []string{"", "--yes"}, exitFailed, "", "", "no lock"},
		"an id of the middle": {"", []string{"bcdef", "--yes"}, exitFailed, "", "", "no lock"},
	} {
		t.Run(name, func(t *testing.T) {
			p := playNode(t, locked)
			status, stdout, stderr := answering(t, c.answer, append([]string{"unlock", "--admin", p.addr}, c.args...)...)
			if status != c.status || strings.Join(p.acts, " ") != c.acted || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit status %d, want %d; it did %q, want %q\n%s%s", status, c.status, p.acts, c.acted, stdout, stderr)
			}
		})
	}
	p := playNode(t, locked)
	if status, _, stderr := call(t, []string{"XDG_RUNTIME_DIR=" + t.TempDir()}, "unlock", "abc", "--yes", "--admin", p.addr); status != exitUsage || !strings.Contains(stderr, "no admin token") || len(p.acts) != 0 {
		t.Errorf("without a token: exit status %d, %s", status, stderr)
	}
}

// TestConfirmNeedsSomebody: a script is not asked.
func TestConfirmNeedsSomebody(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	a := &app{stdin: null, stdout: new(bytes.Buffer)}
	if err := a.confirm("?"); exitStatus(err) != exitUsage || !strings.Contains(err.Error(), "--yes") {
		t.Error(err)
	}
}

func TestLogLevelCommand(t *testing.T) {
	p := playNode(t, nil)
	status, stdout, stderr := call(t, withToken(t), "log-level", "debug", "--node", "web1", "--admin", p.addr)
	if status != exitOK || stdout != "the log has the level debug now\n" || stderr != "" || strings.Join(p.acts, " ") != "log-level?level=debug&node=0123456789abcdef" {
		t.Errorf("exit status %d, %q, %q, %q", status, stdout, stderr, p.acts)
	}
	status, stdout, _ = call(t, withToken(t), "log-level", "warn", "--json", "--admin", p.addr)
	if status != exitOK || !json.Valid([]byte(stdout)) || p.acts[1] != "log-level?level=warn" {
		t.Errorf("exit status %d, %q, %q", status, stdout, p.acts)
	}
	if status, _, stderr := call(t, withToken(t), "log-level", "loud"); status != exitUsage || !strings.Contains(stderr, "debug") {
		t.Errorf("exit status %d, %q", status, stderr)
	}
}

func TestTraceUsage(t *testing.T) {
	p := playNode(t, nil)
	for name, args := range map[string][]string{
		"is no level": {"--level", "6"}, "--recent": {"--recent", "1001"}, "--for": {"--for", "-1s"}, "--rotate-size is a size": {"--rotate-size", "10", "--out", filepath.Join(t.TempDir(), "file")},
		"--rotate-keep":          {"--rotate-keep", "-1", "--out", filepath.Join(t.TempDir(), "file")},
		"--rotate-keep is about": {"--rotate-keep", "3"}, "--rotate-size is about": {"--rotate-size", "1MB"},
		"did you mean peer_refused or peer_*?": {"--kind", "peer_refusd"}, "--kind=typo_event is the name of no event (": {"--kind", "typo_event"},
		"did you mean member_*?": {"--kind", "lock_broken", "--kind", "membr_*"}, "--node=web2": {"--node", "web2"}, "--out": {"--out", filepath.Join(t.TempDir(), "none", "file")},
	} {
		status, stdout, stderr := call(t, nil, append([]string{"trace", "--for", "1ms", "--admin", p.addr}, args...)...)
		if status != exitUsage || stdout != "" || !strings.Contains(stderr, name) {
			t.Errorf("%q: exit status %d, %q, %q", args, status, stdout, stderr)
		}
	}
	if status, _, stderr := call(t, nil, "trace", "--admin", "127.0.0.1:1"); status != exitFailed || !strings.Contains(stderr, "cannot be reached") {
		t.Errorf("exit status %d, %q", status, stderr)
	}
}

// TestTerminalFarm plays with two real nodes: who holds a lock is found and it is broken, from the node that does not have it.
func TestTerminalFarm(t *testing.T) {
	t.Parallel()
	one := serve(t)
	peerOf := func(p *process) string {
		for field := range strings.FieldsSeq(p.ready) {
			if addr, ok := strings.CutPrefix(field, "peer="); ok {
				return addr
			}
		}
		return ""
	}
	two := serve(t, "--peer", peerOf(one))
	env := withToken(t)
	two.await("event=peer_up")

	holder := dial(t, two.state)
	for _, request := range []string{
		"PUT /LM/W3SVC/1/ROOT(h)/terminal0123456789 HTTP/1.1\r\nTimeout: 20\r\nContent-Length: 1\r\n\r\nx", "GET /LM/W3SVC/1/ROOT(h)/terminal0123456789 HTTP/1.1\r\nExclusive: acquire\r\n\r\n",
	} {
		if status, _ := holder.do(request); !strings.HasSuffix(status, "200 OK") {
			t.Fatal(status)
		}
	}

	var report statusReport
	var stdout, stderr string
	for end := time.Now().Add(patience); len(report.Nodes) != 2 || report.Nodes[1].Node == nil; { // until it has told where its admin pages are
		_, stdout, stderr = execute(t, env, "status", "--farm", "--json", "--admin", one.admin)
		report = statusReport{}
		if err := json.Unmarshal([]byte(stdout), &report); err != nil || time.Now().After(end) {
			t.Fatalf("%v\n%s%s", err, stdout, stderr)
		}
	}
	if report.Nodes[1].Admin != two.admin || report.Nodes[1].Node.Status.Sessions.Locked != 1 {
		t.Errorf("the other node: %+v", report.Nodes[1])
	}
	for end := time.Now().Add(patience); !strings.Contains(stdout, "termin…"); {
		if _, stdout, stderr = execute(t, env, "locks", "--admin", one.admin); time.Now().After(end) {
			t.Fatalf("no lock is shown\n%s%s", stdout, stderr)
		}
	}
	if lines := strings.Split(stdout, "\n"); !strings.HasPrefix(lines[1], "termin…  /LM/W3SVC/1/ROOT  ") || !strings.Contains(lines[1], "127.0.0.1") {
		t.Errorf("locks:\n%s", stdout)
	}
	if status, stdout, stderr := execute(t, env, "unlock", "termin", "--yes", "--admin", one.admin); status != exitOK || stdout != "the lock is broken\n" {
		t.Fatalf("exit status %d, %s%s", status, stdout, stderr)
	}
	two.await("event=lock_broken", "session=termin")

	file := filepath.Join(t.TempDir(), "events")
	status, stdout, stderr := execute(t, env, "trace", "--recent", "100", "--for", "700ms", "--session", "terminal0123456789", "--kind", "lock_*", "--admin", one.admin)
	if status != exitOK || stderr != "" || strings.Count(stdout, "\n") != 1 || !strings.Contains(stdout, "lock_broken") {
		t.Errorf("exit status %d, %q\n%s", status, stderr, stdout)
	}
	status, stdout, stderr = execute(t, env, "trace", "--recent", "100", "--for", "700ms", "--out", file, "--admin", one.admin)
	text, err := os.ReadFile(file)
	if status != exitOK || stdout != "" || stderr != "" || err != nil {
		t.Fatalf("exit status %d, %q, %q, %v", status, stdout, stderr, err)
	}
	from := map[string]bool{}
	last := time.Time{}
	for line := range strings.Lines(string(text)) {
		var l trace.Line
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if from[l.Node] = true; l.Time.Before(last) {
			t.Errorf("out of order: %s", line)
		}
		last = l.Time
	}
	if len(from) != 2 {
		t.Errorf("events of %d nodes:\n%s", len(from), text)
	}
	if status, stdout, stderr := execute(t, env, "log-level", "error", "--node", report.Nodes[1].ID, "--admin", one.admin); status != exitOK || stdout != "the log has the level error now\n" {
		t.Errorf("exit status %d, %s%s", status, stdout, stderr)
	}
	if status, stdout, stderr := execute(t, env, "top", "--once", "--interval", "100ms", "--admin", two.admin); status != exitOK || !strings.HasPrefix(stdout, "farmstate  2 nodes: 2 ok") {
		t.Errorf("exit status %d, %s%s", status, stdout, stderr)
	}
	if status, stdout, stderr := execute(t, env, "drain", "--node", report.Nodes[1].ID, "--admin", one.admin); status != exitOK || !strings.HasSuffix(stdout, "the node is empty; it can be stopped\n") {
		t.Errorf("exit status %d, %s%s", status, stdout, stderr)
	}
}

// TestHelpFits: help is no wider than 80 columns, for every command.
func TestHelpFits(t *testing.T) {
	_, all, _ := call(t, nil, "help")
	commands := 0
	for line := range strings.Lines(all) {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "farmstate "); ok && strings.HasPrefix(line, "farmstate ") && len(strings.Fields(command)) < 3 {
			_, one, _ := call(t, nil, append([]string{"help"}, strings.Fields(command)...)...)
			commands++
			for line := range strings.Lines(one) {
				if line = strings.TrimSuffix(line, "\n"); term.Width(line) > helpWidth {
					t.Errorf("help %s: %d columns: %s", command, term.Width(line), line)
				}
			}
			if !strings.Contains(one, "\nExit status:\n\n    0  ") {
				t.Errorf("help %s does not say what its exit statuses mean:\n%s", command, one)
			}
		}
		if line = strings.TrimSuffix(line, "\n"); term.Width(line) > helpWidth {
			t.Errorf("%d columns: %s", term.Width(line), line)
		}
	}
	if commands < 15 {
		t.Errorf("only %d commands", commands)
	}
}

// TestErrorsAreClean: a node that answers with commands for the terminal does not reach it.
func TestErrorsAreClean(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("evil \x1b[2J"))
	}))
	defer srv.Close()
	for _, command := range []string{"status", "locks", "trace"} {
		status, stdout, stderr := call(t, nil, command, "--admin", strings.TrimPrefix(srv.URL, "http://"))
		if status != exitFailed || stdout != "" || !strings.Contains(stderr, "evil ?[2J") {
			t.Errorf("%s: exit status %d, %q, %q", command, status, stdout, stderr)
		}
	}
}

// TestNoColours: what does not go to a terminal has none, whatever the environment says.
func TestNoColours(t *testing.T) {
	a := &app{environ: []string{"TERM=xterm-256color", "CLICOLOR_FORCE=1"}, stdout: new(bytes.Buffer)}
	p := trace.Printer{Screen: a.screen()}
	if err := p.Print(&trace.Line{Event: event.Event{Level: event.Error}}); err != nil || strings.Contains(a.stdout.(*bytes.Buffer).String(), "\x1b") {
		t.Errorf("%q %v", a.stdout, err)
	}
}
