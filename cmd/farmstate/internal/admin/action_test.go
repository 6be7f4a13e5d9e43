package admin

import (
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestAction: actions are for clients of this machine that mean it: a page in somebody's browser cannot send the header, and reading is not acting.
func TestAction(t *testing.T) {
	calls := 0
	handler := newHandler(&Options{
		Logger:  slog.New(slog.DiscardHandler),
		Metrics: prometheus.NewRegistry(),
		Actions: map[string]func(url.Values) (any, error){
			"drain": func(q url.Values) (any, error) {
				calls++
				if q.Get("stop") == "never" {
					return nil, errors.New("there is nobody to hand sessions to")
				}
				return map[string]string{"stop": q.Get("stop")}, nil
			},
		},
	})
	for _, c := range []struct {
		name, method, target, from, header string
		status                             int
		body                               string
		acts                               bool
	}{
		{"as it should be", "POST", "/api/v1/drain?stop=true", "127.0.0.1:5", "drain", 200, `"stop": "true"`, true},
		{"over IPv6", "POST", "/api/v1/drain", "[::1]:5", "drain", 200, `"stop": ""`, true},
		{"by a page in a browser", "POST", "/api/v1/drain", "127.0.0.1:5", "", 403, ActionHeader, false},
		{"from another machine", "POST", "/api/v1/drain", "10.0.0.7:5", "drain", 403, "own machine", false},
		{"by a reader", "GET", "/api/v1/drain", "127.0.0.1:5", "drain", 405, "", false},
		{"in vain", "POST", "/api/v1/drain?stop=never", "127.0.0.1:5", "drain", 409, "nobody to hand sessions to", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := calls
			r := httptest.NewRequest(c.method, "http://localhost"+c.target, nil)
			r.RemoteAddr = c.from
			if c.header != "" {
				r.Header.Set(ActionHeader, c.header)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			resp := w.Result()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.status || !strings.Contains(string(body), c.body) {
				t.Errorf("status %d, want %d: %s %v", resp.StatusCode, c.status, body, err)
			}
			if acted := calls > before; acted != c.acts {
				t.Errorf("it was carried out: %v, want %v", acted, c.acts)
			}
		})
	}
}
