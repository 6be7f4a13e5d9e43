package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Page makes the value of a JSON page. It is called for each request, from many goroutines.
type Page func(context.Context, Request) any

// Action changes something; its result is shown as JSON, its error as 409. It is asked with nothing but the parameters that it takes.
type Action struct {
	Takes []Parameter
	Do    func(context.Context, Request) (any, error)
}

// newHandler puts the pages together. A path without a page is 404, a method
// other than GET and HEAD 405.
func newHandler(opt *Options, s *streams) http.Handler {
	opt.denials = new(denials)
	mux := http.NewServeMux()
	if opt.Dashboard != nil {
		mux.Handle("GET /{$}", opt.Dashboard)
		mux.Handle("GET /assets/", opt.Dashboard)
	}
	mux.HandleFunc("GET /api/v1/{$}", index(opt))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", ready(opt))
	mux.Handle("GET /metrics", promhttp.HandlerFor(opt.Metrics, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(opt.Logger.Handler(), slog.LevelWarn),
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: 4,
		Timeout:             writeTimeout - time.Second,
	}))
	if opt.Events != nil {
		mux.HandleFunc("GET /api/v1/events", s.serve(opt))
	}
	for name, page := range opt.API {
		mux.HandleFunc("GET /api/v1/"+name, show(opt, page))
	}
	for name, act := range opt.Actions {
		mux.HandleFunc("POST /api/v1/"+name, action(opt, act))
	}
	return keepConn(headers(checkHost(opt.HostNames, checkOrigin(opt, mux))))
}

// ready answers whether the node takes requests: 503 and a line for each reason why not. Reasons named in except=, with commas between them, do not count.
func ready(opt *Options) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		except := strings.Split(r.URL.Query().Get("except"), ",")
		var lines strings.Builder
		for _, reason := range opt.NotReady() {
			if !slices.Contains(except, reason.Name) {
				lines.WriteString(reason.Name + ": " + reason.Text + "\n")
			}
		}
		if lines.Len() > 0 {
			plain(w, http.StatusServiceUnavailable, lines.String())
			return
		}
		plain(w, http.StatusOK, "ready\n")
	}
}

// show answers with a page.
func show(opt *Options, page Page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !wrongTokenSaid(opt, w, r) {
			asJSON(w, page(r.Context(), requestOf(opt, r)))
		}
	}
}

// wrongTokenSaid answers a reader whose token is wrong, and reports whether it is: who sends one would take what is left out for missing.
func wrongTokenSaid(opt *Options, w http.ResponseWriter, r *http.Request) bool {
	if requestOf(opt, r).Token != "" || bearer(r) == "" {
		return false
	}
	http.Error(w, wrongToken, http.StatusUnauthorized)
	return true
}

// action carries something out on behalf of a caller who has the token and means it.
func action(opt *Options, act Action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req := requestOf(opt, r)
		if !authorised(opt, w, r, req) {
			return
		}
		if hasBody(w, r, act.Takes) {
			return
		}
		if err := misasked(r.URL.RawQuery, act.Takes); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		result, err := act.Do(r.Context(), req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		asJSON(w, result)
	}
}

// policy is what a browser may do with a page: nothing but what comes from here.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// headers sets what all answers have in common: they are about this moment,
// and nothing but what they say they are.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// index lists the pages.
func index(opt *Options) http.HandlerFunc {
	lines := []string{
		"farmstate",
		"",
		"/                     the dashboard",
		"/healthz              the process runs",
		"/readyz               it takes requests, or why not",
		"/metrics              for Prometheus",
		"/api/v1/events        events as they come",
	}
	for _, name := range slices.Sorted(maps.Keys(opt.API)) {
		lines = append(lines, "/api/v1/"+name)
	}
	for _, name := range slices.Sorted(maps.Keys(opt.Actions)) {
		lines = append(lines, "POST /api/v1/"+name)
	}
	page := strings.Join(lines, "\n") + "\n"
	return func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, page) }
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // The client has gone; nobody is left to tell.
}

func asJSON(w http.ResponseWriter, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, fmt.Sprintf("this page cannot be shown: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // As above.
}
