package relay

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
)

// shownBy runs a dialogue through a relay, and returns what its display wrote.
func shownBy(t *testing.T, opt DisplayOptions, rules []string, dialogue func(c *testClient)) string {
	t.Helper()
	var out bytes.Buffer
	o := Options{Display: NewDisplay(&out, opt)}
	for _, text := range rules {
		o.Rules = append(o.Rules, mustRule(t, text))
	}
	r := start(t, o, serve(t, "127.0.0.1:0").addr)
	c := dial(t, r.addr)
	dialogue(c)
	_ = c.CloseWrite()
	_, _ = io.ReadAll(c.in)
	_ = c.Close()
	r.awaitEmpty(t)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(out.String(), "ADDR")
	text = regexp.MustCompile(`(?m)^(\x1b\[\d+m)?\d\d:\d\d:\d\d\.\d{6}`).ReplaceAllString(text, "${1}TIME")
	text = regexp.MustCompile(`LockDate: \d+`).ReplaceAllString(text, "LockDate: DATE")
	return regexp.MustCompile(`\d+\.\d+ ms`).ReplaceAllString(text, "N ms")
}

// TestText is what a person sees: ids and contents do not show.
func TestText(t *testing.T) {
	t.Parallel()
	got := shownBy(t, DisplayOptions{}, []string{"set-header=X-Odd:\u00e4,verb=PUT"}, func(c *testClient) {
		c.ask(put(plainID, "secret", "X-Escape: \x9b31m\r\n"))
		c.ask(acquire(plainID))
		c.ask("NONSENSE secret\r\n\r\n")
	})
	want := `TIME #1 = connected from ADDR
TIME #1 > PUT /LM/W3SVC/1/ROOT(aGFzaA==)/z445nn…  (exchange 1 to ADDR)
    Host: stateserver
    Timeout: 20
    Content-Length: 6
    X-Escape: \x9b31m
    X-Odd: \xc3\xa4
    6 bytes of body
    bent by set-header=X-Odd:\xc3\xa4,verb=PUT
TIME #1 < 200 OK  (exchange 1, PUT, N ms)
    X-AspNet-Version: 4.0.30319
    Cache-Control: private
    Content-Length: 0
TIME #1 > acquire /LM/W3SVC/1/ROOT(aGFzaA==)/z445nn…  (exchange 2 to ADDR)
    Host: stateserver
    Exclusive: acquire
TIME #1 < 200 OK  (exchange 2, acquire, N ms)
    X-AspNet-Version: 4.0.30319
    LockCookie: 2
    Timeout: 20
    Cache-Control: private
    Content-Length: 6
    6 bytes of body
TIME #1 > 19 bytes that are not the protocol, passed as they are: bad_verb
TIME #1 < 400 Bad Request  (exchange 3, other, N ms)
    X-AspNet-Version: 4.0.30319
    Cache-Control: private
    Content-Length: 0
TIME #1 = closed
`
	if got != want {
		t.Errorf("\n got\n%s\nwant\n%s", got, want)
	}
}

// TestTextWhole shows everything, in colours.
func TestTextWhole(t *testing.T) {
	t.Parallel()
	got := shownBy(t, DisplayOptions{Whole: true, Bytes: true, Color: true}, nil, func(c *testClient) { c.ask(put(plainID, "secret")) })
	for _, want := range []string{
		"\x1b[36mTIME #1 > PUT " + targetOf(plainID),
		"    6 bytes of body, SHA-256 2bb80d537b1da3e3\n    00000000  73 65 63 72 65 74                                 |secret|\x1b[0m\n",
		"\x1b[32mTIME #1 < 200 OK",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%q", want, got)
		}
	}
}

// TestJSON: an object a line, in which ids and contents do not show either.
func TestJSON(t *testing.T) {
	t.Parallel()
	got := shownBy(t, DisplayOptions{JSON: true}, nil, func(c *testClient) {
		c.ask(put(plainID, "secret"))
		c.ask(get(plainID))
	})
	if strings.Contains(got, plainID) || strings.Contains(got, "secret") || strings.Contains(got, "c2VjcmV0") {
		t.Errorf("too much is shown:\n%s", got)
	}
	var all []shownJSON
	for line := range strings.Lines(got) {
		var j shownJSON
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, j)
	}
	if len(all) != 6 {
		t.Fatalf("%d lines:\n%s", len(all), got)
	}
	if p := all[1]; p.Kind != "message" || p.Direction != "request" || p.Operation != "PUT" || p.Session != "z445nn…" || p.Bytes != 6 || len(p.Headers) != 3 || p.LatencyMS != nil {
		t.Errorf("%+v", p)
	}
	if g := all[4]; g.Direction != "answer" || g.Operation != "GET" || g.Status != "200 OK" || g.Exchange != 2 || g.Bytes != 6 || g.LatencyMS == nil {
		t.Errorf("%+v", g)
	}
	if all[0].Kind != "open" || all[5].Kind != "close" {
		t.Errorf("%s … %s", all[0].Kind, all[5].Kind)
	}
}

// stuck is a terminal that was stopped.
type stuck struct{ until chan struct{} }

func (s stuck) Write(b []byte) (int, error) {
	<-s.until
	return len(b), nil
}

// TestStuckDisplay: whoever reads too slowly misses messages, and stops nobody.
func TestStuckDisplay(t *testing.T) {
	t.Parallel()
	s := stuck{make(chan struct{})}
	d := NewDisplay(s, DisplayOptions{})
	r := start(t, Options{Display: d}, serve(t, "127.0.0.1:0").addr)
	c := dial(t, r.addr)
	for range displayQueue {
		expect(t, c, get(plainID), "404 Not Found", "")
	}
	if d.Missed() == 0 {
		t.Error("nothing was missed")
	}
	close(s.until)
}

// TestLimits: too many connections, and silent ones.
func TestLimits(t *testing.T) {
	t.Parallel()
	r := start(t, Options{MaxConns: 1, IdleTimeout: time.Second}, serve(t, "127.0.0.1:0").addr)
	c := dial(t, r.addr)
	expect(t, c, get(plainID), "404 Not Found", "")
	if _, err := dial(t, r.addr).in.ReadByte(); err == nil {
		t.Error("the second connection is served")
	}
	if !strings.Contains(r.lines(), "--max-connections") {
		t.Error(r.lines())
	}
	began := time.Now()
	if _, err := c.in.ReadByte(); err == nil || time.Since(began) > patience/2 {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	r.awaitEmpty(t)
	c = dial(t, r.addr)
	expect(t, c, get(plainID), "404 Not Found", "")
}

// TestOptions: all that is wrong is told.
func TestOptions(t *testing.T) {
	_, err := New(Options{Targets: []string{"here", ":1", "a:0", "b:1", "b:1"}, MaxConns: -1, IdleTimeout: 1, MaxHead: 1, WarmUp: -1, Probe: 1})
	for _, want := range []string{`"here" is not HOST:PORT`, `":1" is not`, `"a:0" has the port "0"`, `"b:1" is given twice`, "--max-connections", "--idle-timeout", "--max-head", "--warm-up", "--probe"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in\n%v", want, err)
		}
	}
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "no target") {
		t.Errorf("%v", err)
	}
}

// TestSummary counts by what was asked.
func TestSummary(t *testing.T) {
	t.Parallel()
	r := start(t, Options{}, serve(t, "127.0.0.1:0").addr)
	c := dial(t, r.addr)
	for range 3 {
		c.ask(put(plainID, "x"))
	}
	c.ask(acquire(plainID))
	s := r.Summary()
	if s.Connections != 1 || s.Exchanges != 4 || len(s.Operations) != 2 || s.Operations[0].Name != "PUT" || s.Operations[0].Exchanges != 3 || s.Operations[0].Max < s.Operations[0].P50 || s.Operations[0].P50 <= 0 {
		t.Errorf("%+v", s)
	}
	var out bytes.Buffer
	if err := s.Write(&out); err != nil || !strings.HasPrefix(out.String(), "1 connections, 4 exchanges\n") || strings.Count(out.String(), "\n") != 4 {
		t.Errorf("%v\n%s", err, out.String())
	}
}
