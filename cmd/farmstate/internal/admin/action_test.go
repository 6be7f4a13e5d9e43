package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const token = "the-token-of-the-test"

// TestAction: actions are for whoever has the token and means it: a page of another origin cannot act, and reading is not acting.
func TestAction(t *testing.T) {
	calls := 0
	opt := &Options{
		Token: token, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
		Actions: map[string]Action{
			"drain": {Takes: []Parameter{Flag("stop"), Flag("look")}, Do: func(_ context.Context, r Request) (any, error) {
				calls++
				if r.Query.Get("stop") == "false" {
					return nil, errors.New("there is nobody to hand sessions to")
				}
				return map[string]string{"stop": r.Query.Get("stop")}, nil
			}},
		},
	}
	for _, c := range []struct {
		name, method, target string
		headers              []string // name, value
		status               int
		body                 string
		acts                 bool
	}{
		{"as it should be", "POST", "/api/v1/drain?stop=true", []string{"Authorization", "Bearer " + token}, 200, `"stop": "true"`, true},
		{"scheme in small letters", "POST", "/api/v1/drain", []string{"Authorization", "bearer " + token}, 200, `"stop": ""`, true},
		{"from the page itself", "POST", "/api/v1/drain", []string{"Authorization", "Bearer " + token, "Origin", "http://localhost:42480", "Sec-Fetch-Site", "same-origin"}, 200, `"stop": ""`, true},
		{"without the header", "POST", "/api/v1/drain", []string{"Authorization", "Bearer " + token, ActionHeader, ""}, 403, ActionHeader, false},
		{"without the token", "POST", "/api/v1/drain", nil, 401, "admin_token_file", false},
		{"with an empty token", "POST", "/api/v1/drain", []string{"Authorization", "Bearer "}, 401, "admin_token_file", false},
		{"with a wrong token", "POST", "/api/v1/drain", []string{"Authorization", "Bearer " + token + "x"}, 401, "wrong", false},
		{"with the token as a password", "POST", "/api/v1/drain", []string{"Authorization", "Basic " + token}, 401, "admin_token_file", false},
		{"with the token in the query", "POST", "/api/v1/drain?token=" + token, nil, 401, "admin_token_file", false},
		{"from another origin", "POST", "/api/v1/drain", []string{"Authorization", "Bearer " + token, "Origin", "http://evil.example"}, 403, "another origin", false},
		{"from the page itself behind a proxy with TLS", "POST", "/api/v1/drain", []string{"Authorization", "Bearer " + token, "Origin", "https://localhost:42480", "Sec-Fetch-Site", "same-origin"}, 200, `"stop": ""`, true},
		{"from a page with TLS of this name, as another origin", "POST", "/api/v1/drain", []string{"Authorization", "Bearer " + token, "Origin", "https://localhost:42480", "Sec-Fetch-Site", "same-site"}, 403, "another origin", false},
		{"from a page with TLS of this name, who knows how", "POST", "/api/v1/drain", []string{"Authorization", "Bearer " + token, "Origin", "https://localhost:42480"}, 403, "another origin", false},
		{"from a page with TLS of another name", "POST", "/api/v1/drain", []string{"Authorization", "Bearer " + token, "Origin", "https://evil.example", "Sec-Fetch-Site", "same-origin"}, 403, "another origin", false},
		{"from a page of another scheme", "POST", "/api/v1/drain", []string{"Authorization", "Bearer " + token, "Origin", "ftp://localhost:42480", "Sec-Fetch-Site", "same-origin"}, 403, "another origin", false},
		{"from another port", "POST", "/api/v1/drain", []string{"Authorization", "Bearer " + token, "Origin", "http://localhost:1"}, 403, "another origin", false},
		{"from nowhere", "POST", "/api/v1/drain", []string{"Authorization", "Bearer " + token, "Origin", "null"}, 403, "another origin", false},
		{"from another site", "POST", "/api/v1/drain", []string{"Authorization", "Bearer " + token, "Sec-Fetch-Site", "cross-site"}, 403, "another origin", false},
		{"by a reader", "GET", "/api/v1/drain", []string{"Authorization", "Bearer " + token}, 405, "", false},
		{"in vain", "POST", "/api/v1/drain?stop=false", []string{"Authorization", "Bearer " + token}, 409, "nobody to hand sessions to", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := calls
			r := httptest.NewRequest(c.method, "http://localhost:42480"+c.target, nil)
			r.Header.Set(ActionHeader, "drain")
			for i := 0; i < len(c.headers); i += 2 {
				r.Header.Set(c.headers[i], c.headers[i+1])
			}
			status, body := play(t, opt, r)
			if status != c.status || !strings.Contains(body, c.body) {
				t.Errorf("status %d, want %d: %s", status, c.status, body)
			}
			if strings.Contains(body, token) {
				t.Errorf("the answer has the token: %s", body)
			}
			if acted := calls > before; acted != c.acts {
				t.Errorf("it was carried out: %v, want %v", acted, c.acts)
			}
		})
	}
	t.Run("where there is no token", func(t *testing.T) {
		opt := *opt
		opt.Token = ""
		for _, value := range []string{"Bearer ", "Bearer x", ""} {
			r := httptest.NewRequest("POST", "http://localhost/api/v1/drain", nil)
			r.Header.Set(ActionHeader, "drain")
			r.Header.Set("Authorization", value)
			if status, body := play(t, &opt, r); status != 401 {
				t.Errorf("%q: status %d: %s", value, status, body)
			}
		}
	})
}

// play has a request answered.
func play(t *testing.T, opt *Options, r *http.Request) (status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	newHandler(opt, &streams{quit: make(chan struct{})}).ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result().StatusCode, string(text)
}

// TestWhole: session ids are shown whole to whoever has the token, unless a page of another origin asks.
func TestWhole(t *testing.T) {
	opt := &Options{Token: token, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), API: map[string]Page{
		"keys": func(_ context.Context, r Request) any { return r.Whole() },
	}}
	for _, c := range []struct {
		authorization, origin string
		want                  string
	}{{"", "", "false"}, {"Bearer " + token, "", "true"}, {"Bearer x", "", "wrong"}, {"Bearer " + token, "http://evil.example", "another origin"}} {
		r := httptest.NewRequest("GET", "http://localhost/api/v1/keys", nil)
		r.Header.Set("Authorization", c.authorization)
		r.Header.Set("Origin", c.origin)
		if status, body := play(t, opt, r); (status == 401) != (c.want == "wrong") || !strings.Contains(body, c.want) {
			t.Errorf("%+v: %d %s", c, status, body)
		}
	}
}

// TestDenialsAreBounded: whoever has actions refused all the time does not fill the log; what is left out is counted.
func TestDenialsAreBounded(t *testing.T) {
	var d denials
	now, lines, told := time.Unix(1_000_000, 0), int64(0), int64(0)
	for i := range 1000 {
		if hidden, due := d.pass(now.Add(time.Duration(i) * 20 * time.Millisecond)); due { // for 20 s
			lines++
			told += hidden
		}
	}
	if lines != 2*denialLines || told != 500-denialLines {
		t.Errorf("%d lines, which tell of %d others", lines, told)
	}
}
