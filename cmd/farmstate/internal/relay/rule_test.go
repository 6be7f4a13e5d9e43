package relay

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestWrongRules: what is wrong, and what is accepted.
func TestWrongRules(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 `there is no action ""`,
		"dorp-header=X":                    `there is no action "dorp-header"`,
		"answer:":                          `there is no action ""`,
		"drop-header":                      "drop-header needs a value",
		"drop-header=":                     "drop-header needs a value",
		"drop-header=A B":                  `"A B" cannot be the name of a header`,
		"set-header=Timeout":               "set-header needs NAME:VALUE",
		"set-header=:5":                    "the name of the header is missing",
		"set-header=A:b\r\nC: d":           "cannot be the value of a header",
		"delay=soon":                       `"soon" is not a duration from 0 to 10m0s`,
		"delay=-1s":                        "is not a duration",
		"delay=1h":                         "is not a duration",
		"cut=1":                            "cut has no value",
		"cut-after=-1":                     "is not a whole number from 0",
		"truncate=x":                       "is not a whole number from 0",
		"reorder=x":                        "is not a duration",
		"cut,":                             `there is no condition ""`,
		"cut,verb=POST":                    `verb: "POST" is none`,
		"cut,status=200":                   "only answers have one",
		"answer:cut,status=500":            `status: "500" is none`,
		"cut,nth=0":                        "is not a whole number from 1",
		"cut,every=0":                      "is not a whole number from 1",
		"cut,prob=2":                       "is not a number from 0 to 1",
		"cut,prob=NaN":                     "is not a number from 0 to 1",
		"cut,nth=1,nth=2":                  `has the condition "nth" twice`,
		"cut,session=":                     "needs the beginning of a session id",
		`drop-header=a\b`:                  "stands before neither",
		strings.Repeat("x", maxRuleText+1): "is longer than",
	} {
		_, err := ParseRule(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), RuleHelp) {
			t.Errorf("%.50q: %v, want %q", text, err, want)
		}
	}
}

// requestMessage is a request, as a flow receives it.
func requestMessage(t *testing.T, text string) *message {
	t.Helper()
	var found *message
	s := scanner{dir: Requests, lim: (&Options{MaxHead: defaultMaxHead}).limits()}
	if err := s.feed([]byte(text), headSink{&found}); err != nil || found == nil {
		t.Fatalf("%q is no request: %v", text, err)
	}
	return found
}

// headSink takes note of heads only.
type headSink struct{ found **message }

func (s headSink) head(m *message) error {
	*s.found = m
	return nil
}

func (s headSink) body([]byte) error { return nil }
func (s headSink) end() error        { return nil }
func (s headSink) raw([]byte) error  { return nil }

// TestConditions: which of six requests a rule fires for.
func TestConditions(t *testing.T) {
	requests := []string{put(plainID, "x"), acquire(plainID), release(plainID, 2), get("another"), put(plainID, "y"), get(plainID)}
	for text, want := range map[string]string{
		"cut":                         "111111",
		"request:cut":                 "111111",
		"answer:cut":                  "000000",
		"cut,verb=PUT":                "100010",
		"cut,verb=GET":                "011101",
		"cut,verb=acquire":            "010000",
		"cut,verb=release":            "001000",
		"cut,verb=PUT,nth=2":          "000010",
		"cut,every=3":                 "001001",
		"cut,nth=4":                   "000100",
		"cut,session=anoth":           "000100",
		"cut,session=z445nn,verb=GET": "011001",
		"cut,prob=0":                  "000000",
		"cut,prob=1":                  "111111",
	} {
		rs := newRules([]*Rule{mustRule(t, text)}, 1)
		got := ""
		for _, r := range requests {
			got += map[bool]string{true: "1", false: "0"}[rs.bend(requestMessage(t, r)).cut]
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestChance: the same seed has the same chances, and about as many as it says.
func TestChance(t *testing.T) {
	r := mustRule(t, "cut,prob=0.25")
	draw := func(seed uint64) (out []bool, n int) {
		rs := newRules([]*Rule{r}, seed)
		for range 4000 {
			cut := rs.bend(requestMessage(t, get(plainID))).cut
			out = append(out, cut)
			if cut {
				n++
			}
		}
		return out, n
	}
	a, n := draw(7)
	b, _ := draw(7)
	for i := range a {
		if a[i] != b[i] {
			t.Fatal("the same seed has other chances")
		}
	}
	if n < 800 || n > 1200 {
		t.Errorf("%d of 4000", n)
	}
}

// TestHeaders: what is bent, and that the rest stays as it was sent.
func TestHeaders(t *testing.T) {
	const head = "GET x HTTP/1.1\r\nexclusive:acquire\r\nA:  b\r\nEXCLUSIVE: acquire\r\n\r\n"
	for _, v := range []struct{ rule, want string }{
		{"drop-header=Exclusive", "GET x HTTP/1.1\r\nA:  b\r\n\r\n"},
		{"drop-header=None", head},
		{"set-header=Exclusive:release", "GET x HTTP/1.1\r\nexclusive: release\r\nA:  b\r\n\r\n"},
		{`set-header=C: d\, e`, "GET x HTTP/1.1\r\nexclusive:acquire\r\nA:  b\r\nEXCLUSIVE: acquire\r\nC: d, e\r\n\r\n"},
	} {
		m := requestMessage(t, head)
		newRules([]*Rule{mustRule(t, v.rule)}, 0).bend(m)
		if !bytes.Equal(m.head, []byte(v.want)) {
			t.Errorf("%s\n got %q\nwant %q", v.rule, m.head, v.want)
		}
	}
}

// bentRelay is a relay with rules in front of a new server.
func bentRelay(t *testing.T, rules ...string) *running {
	t.Helper()
	var opt Options
	for _, text := range rules {
		opt.Rules = append(opt.Rules, mustRule(t, text))
	}
	return start(t, opt, serve(t, "127.0.0.1:0").addr)
}

func expect(t *testing.T, c *testClient, request, status, body string) {
	t.Helper()
	if s, b := c.ask(request); s != status || b != body {
		t.Errorf("%.20q: %q %q, want %q %q", request, s, b, status, body)
	}
}

// TestNoExclusive: a server that is asked for a lock without the header gives none.
func TestNoExclusive(t *testing.T) {
	t.Parallel()
	c := dial(t, bentRelay(t, "drop-header=Exclusive").addr)
	expect(t, c, put(plainID, "x"), "200 OK", "")
	for range 2 {
		c.send(acquire(plainID))
		if head, body := c.reply(); !strings.HasPrefix(head, "200 OK\r\n") || strings.Contains(head, "LockCookie") || body != "x" {
			t.Errorf("%q %q", head, body)
		}
	}
}

func TestSetHeader(t *testing.T) {
	t.Parallel()
	c := dial(t, bentRelay(t, "set-header=Timeout:7,verb=PUT", "answer:set-header=X-AspNet-Version:1.1").addr)
	expect(t, c, put(plainID, "x"), "200 OK", "")
	c.send(get(plainID))
	if head, _ := c.reply(); !strings.Contains(head, "\r\nTimeout: 7\r\n") || !strings.Contains(head, "\r\nX-AspNet-Version: 1.1\r\n") {
		t.Errorf("%q", head)
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	c := dial(t, bentRelay(t, "truncate=3,nth=1", "answer:truncate=2,nth=3").addr)
	expect(t, c, put(plainID, "abcdefgh"), "200 OK", "")
	expect(t, c, get(plainID), "200 OK", "abc")
	expect(t, c, get(plainID), "200 OK", "ab")
	expect(t, c, get(plainID), "200 OK", "abc")
}

func TestCut(t *testing.T) {
	t.Parallel()
	r := bentRelay(t, "cut,verb=PUT,nth=2", "answer:cut,verb=HEAD")
	c := dial(t, r.addr)
	expect(t, c, put(plainID, "one"), "200 OK", "")
	expect(t, c, put(plainID, "two"), "", "")
	c = dial(t, r.addr)
	expect(t, c, get(plainID), "200 OK", "one")
	expect(t, c, "HEAD "+targetOf(plainID)+" HTTP/1.1\r\n\r\n", "", "")
}

// TestCutAfter: a part arrives, and then the end.
func TestCutAfter(t *testing.T) {
	t.Parallel()
	r := bentRelay(t, "answer:cut-after=15,verb=GET", "cut-after=100000,verb=DELETE")
	c := dial(t, r.addr)
	expect(t, c, put(plainID, "one"), "200 OK", "")
	c.send(get(plainID))
	var got bytes.Buffer
	if _, err := got.ReadFrom(c.in); err != nil || got.String() != "200 OK\r\nX-AspNe" {
		t.Errorf("%q, %v", got.String(), err)
	}
	c = dial(t, r.addr)
	expect(t, c, "DELETE "+targetOf(plainID)+" HTTP/1.1\r\n\r\n", "", "") // it is shorter than that
}

func TestDelay(t *testing.T) {
	t.Parallel()
	const d = 60 * time.Millisecond
	r := bentRelay(t, "delay=60ms,verb=PUT", "answer:delay=60ms,verb=PUT")
	c := dial(t, r.addr)
	began := time.Now()
	expect(t, c, put(plainID, "one"), "200 OK", "")
	if took := time.Since(began); took < 2*d {
		t.Errorf("it took %s", took)
	}
	c.send(put(plainID, "two") + get(plainID)) // what comes behind waits, and stays behind
	c.reply()
	if head, body := c.reply(); !strings.HasPrefix(head, "200") || body != "two" {
		t.Errorf("%q %q", head, body)
	}
}

// TestReorder: of two requests that come together the second goes first, and one that is alone goes when its time is up.
func TestReorder(t *testing.T) {
	t.Parallel()
	c := dial(t, bentRelay(t, "reorder=5s,verb=PUT,nth=1", "reorder=20ms,verb=HEAD").addr)
	c.send(put(plainID, "one") + get(plainID))
	if head, _ := c.reply(); !strings.HasPrefix(head, "404") {
		t.Errorf("%q", head)
	}
	if head, _ := c.reply(); !strings.HasPrefix(head, "200") {
		t.Errorf("%q", head)
	}
	expect(t, c, "HEAD "+targetOf(plainID)+" HTTP/1.1\r\n\r\n", "200 OK", "")
}

// TestReorderAcross: a request lets one of another connection go first.
func TestReorderAcross(t *testing.T) {
	t.Parallel()
	r := bentRelay(t, "reorder=10s,verb=PUT,nth=1")
	a, b := dial(t, r.addr), dial(t, r.addr)
	began := time.Now()
	a.send(put(plainID, "one"))
	eventually(t, "the request is held", func() bool {
		w := &r.held[Requests]
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.all) == 1
	})
	expect(t, b, get(plainID), "404 Not Found", "")
	if head, _ := a.reply(); !strings.HasPrefix(head, "200") || time.Since(began) > 5*time.Second {
		t.Errorf("%q after %s", head, time.Since(began))
	}
}

// TestReorderAnswers: two answers change places.
func TestReorderAnswers(t *testing.T) {
	t.Parallel()
	c := dial(t, bentRelay(t, "answer:reorder=5s,verb=PUT,nth=1").addr)
	c.send(put(plainID, "one") + get(plainID))
	if head, body := c.reply(); !strings.HasPrefix(head, "200") || body != "one" {
		t.Errorf("%q %q", head, body)
	}
	if head, body := c.reply(); !strings.HasPrefix(head, "200") || body != "" {
		t.Errorf("%q %q", head, body)
	}
}

// FuzzRule: every rule that is accepted leaves a request that can be sent.
func FuzzRule(f *testing.F) {
	for _, text := range []string{"drop-header=Exclusive", "answer:delay=200ms,verb=PUT,nth=3", `set-header=A:b\,c,every=2,prob=0.5`, "cut-after=1", "truncate=1,session=z", "reorder", "answer:cut,status=423"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRule(text)
		if err != nil {
			if !strings.HasSuffix(err.Error(), RuleHelp) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if r.String() != text {
			t.Errorf("%q has become %q", text, r)
		}
		m := requestMessage(t, put(plainID, "body"))
		newRules([]*Rule{r}, 0).bend(m)
		if !bytes.HasSuffix(m.head, []byte("\r\n\r\n")) || bytes.Count(m.head, []byte("\r\n\r\n")) != 1 || !bytes.HasPrefix(m.head, []byte("PUT ")) {
			t.Errorf("%q makes %q", text, m.head)
		}
	})
}
