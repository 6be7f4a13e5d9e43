package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// newHandler puts the pages together. A path without a page is 404, a method
// other than GET and HEAD 405.
func newHandler(opt *Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", index(opt))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := opt.Ready(); err != nil {
			plain(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
		plain(w, http.StatusOK, "ready\n")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(opt.Metrics, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(opt.Logger.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: 4,
		Timeout:             writeTimeout - time.Second,
	}))
	for name, page := range opt.API {
		mux.HandleFunc("GET /api/v1/"+name, func(w http.ResponseWriter, _ *http.Request) { asJSON(w, page()) })
	}
	for name, act := range opt.Actions {
		mux.HandleFunc("POST /api/v1/"+name, action(act))
	}
	return headers(checkHost(opt.HostNames, mux))
}

// ActionHeader has to be sent with an action. A browser sends it for a page of another origin only after asking this server, which says no.
const ActionHeader = "X-Farmstate-Action"

// action carries something out on behalf of a client on this machine.
func action(act func(url.Values) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !from.Addr().Unmap().IsLoopback() {
			http.Error(w, "Actions are carried out for clients on the node's own machine, over a loopback address.", http.StatusForbidden)
			return
		}
		if r.Header.Get(ActionHeader) == "" {
			http.Error(w, "An action needs the header "+ActionHeader+": any value.", http.StatusForbidden)
			return
		}
		result, err := act(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		asJSON(w, result)
	}
}

// headers sets what all answers have in common: they are about this moment,
// and nothing but what they say they are.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// index lists the pages.
func index(opt *Options) http.HandlerFunc {
	lines := []string{
		"farmstate",
		"",
		"/healthz              the process runs",
		"/readyz               it takes requests",
		"/metrics              for Prometheus",
	}
	for _, name := range slices.Sorted(maps.Keys(opt.API)) {
		lines = append(lines, "/api/v1/"+name)
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
