package admin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// parametersOf is an action that answers with its parameters.
func parametersOf() *Options {
	echo := func(_ context.Context, r Request) (any, error) { return r.Query.Encode(), nil }
	return &Options{
		Token: token, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
		Actions: map[string]Action{
			"drain":    {Takes: []Parameter{Flag("stop"), Flag("look")}, Do: echo},
			"level":    {Takes: []Parameter{Choice("level", "debug", "info", "warn")}, Do: echo},
			"unlock":   {Takes: []Parameter{Text("session", "the whole key"), Number("cookie", "a number", 32)}, Do: echo},
			"snapshot": {Do: echo},
		},
	}
}

// act asks for an action with the token. The body is sent in chunks unless its length is known.
func act(t *testing.T, target string, body io.Reader) (status int, text string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://localhost/api/v1/"+target, body)
	r.Header.Set(ActionHeader, "1")
	r.Header.Set("Authorization", "Bearer "+token)
	return play(t, parametersOf(), r)
}

// TestParameters: an action that is asked with anything else than what it takes does nothing, and says what it takes.
func TestParameters(t *testing.T) {
	for target, want := range map[string]string{ // what is answered with 200, or else with 400
		"drain":                                 "200 ",
		"drain?stop=true":                       "200 stop=true",
		"drain?stop=false&look=true":            "200 look=true&stop=false",
		"drain?stop=maybe":                      "400 the parameter stop has to be there once, as true or false; the action takes stop (true or false; may be left out), look (",
		"drain?stop=":                           "400 the parameter stop",
		"drain?stop":                            "400 the parameter stop",
		"drain?stop=TRUE":                       "400 the parameter stop",
		"drain?stop=1":                          "400 the parameter stop",
		"drain?stop=true&stop=true":             "400 the parameter stop",
		"drain?stopp=true":                      `400 the action has no parameter "stopp"; it takes stop (true or false; may be left out), look (`,
		"drain?Stop=true":                       `400 the action has no parameter "Stop"`,
		"drain?token=" + token:                  `400 the action has no parameter "token"`,
		"drain?stop=true;look=true":             "400 the query cannot be read",
		"drain?stop=%zz":                        "400 the query cannot be read",
		"snapshot?now=true":                     `400 the action has no parameter "now"; it takes no parameters`,
		"level?level=warn":                      "200 level=warn",
		"level?level=loud":                      "400 the parameter level has to be there once, as debug, info or warn",
		"level":                                 "400 the parameter level",
		"unlock?session=%2Fa&cookie=7":          "200 cookie=7",
		"unlock?session=%2Fa":                   "400 the parameter cookie",
		"unlock?session=&cookie=7":              "400 the parameter session",
		"unlock?session=%2Fa&cookie=4294967296": "400 the parameter cookie",
		"unlock?session=%2Fa&cookie=-1":         "400 the parameter cookie",
	} {
		status, body := act(t, target, nil)
		if got := fmt.Sprint(status, " ", strings.ReplaceAll(body, `\u0026`, "&")); got[:4] != want[:4] || !strings.Contains(got, want[4:]) {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// TestParametersInBody: a body is refused, since nothing reads it; so is one that is too long, before all of it has come.
func TestParametersInBody(t *testing.T) {
	large := strings.Repeat("x", maxRequestBody+1)
	for name, c := range map[string]struct {
		body   io.Reader
		status int
	}{
		"with a length": {strings.NewReader("look=true"), http.StatusBadRequest}, "in chunks": {chunked("look=true"), http.StatusBadRequest},
		"as long as may be": {strings.NewReader(large[1:]), http.StatusBadRequest}, "as long as may be, in chunks": {chunked(large[1:]), http.StatusBadRequest},
		"too long": {strings.NewReader(large), http.StatusRequestEntityTooLarge}, "too long, in chunks": {chunked(large), http.StatusRequestEntityTooLarge},
		"without end": {io.MultiReader(endless{}), http.StatusRequestEntityTooLarge}, "no chunk": {chunked(""), http.StatusOK},
	} {
		if status, text := act(t, "drain", c.body); status != c.status || status == http.StatusBadRequest && !strings.Contains(text, "look (true or false") {
			t.Errorf("%s: status %d: %s", name, status, text)
		}
	}
}

// chunked is a body whose length is not known.
func chunked(text string) io.Reader { return io.MultiReader(strings.NewReader(text)) }

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
