package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// ActionHeader has to be sent with an action. A browser sends it for a page of another origin only after asking this server, which says no.
const ActionHeader = "X-Farmstate-Action"

// Request is what a page or an action may know of a request.
type Request struct {
	Query url.Values
	Token string // the admin token, if the request had the right one; else empty
}

// Whole reports whether the caller may see the whole keys of sessions.
func (r Request) Whole() bool { return r.Token != "" }

// bearer is the token that a request brings; empty if none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// sameToken compares in a time that says nothing about the token. No token is right where there is none.
func sameToken(given, want string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && want != ""
}

// sameOrigin reports whether a request comes from no page in a browser, or from a page of this server. Behind a proxy with TLS such a page is of https: that it
// is of this server, and not of another one of this name, is then the browser's word, without which it does not count.
func sameOrigin(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if site != "" && site != "same-origin" && site != "none" {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host) && (u.Scheme == "http" || u.Scheme == "https" && site == "same-origin")
}

// checkOrigin refuses what a page of another origin asks below /api/v1/. It could not read an answer, but would take events, and their places, from others.
func checkOrigin(opt *Options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, api := strings.CutPrefix(r.URL.Path, "/api/v1/")
		if !api || sameOrigin(r) {
			next.ServeHTTP(w, r)
			return
		}
		if _, acts := opt.Actions[name]; acts && r.Method == http.MethodPost {
			opt.denied(r, "origin")
		}
		http.Error(w, "A page of another origin may neither read nor act here.", http.StatusForbidden)
	})
}

// requestOf is what the pages may know of a request. A wrong token is none.
func requestOf(opt *Options, r *http.Request) Request {
	req := Request{Query: r.URL.Query()}
	if given := bearer(r); given != "" && sameToken(given, opt.Token) {
		req.Token = given
	}
	return req
}

// authorised answers a request that may not act, and reports whether it may.
func authorised(opt *Options, w http.ResponseWriter, r *http.Request, req Request) bool {
	deny := func(status int, reason, text string) bool {
		opt.denied(r, reason)
		http.Error(w, text, status)
		return false
	}
	switch {
	case r.Header.Get(ActionHeader) == "":
		return deny(http.StatusForbidden, "header", "An action needs the header "+ActionHeader+": any value.")
	case req.Token == "" && bearer(r) == "":
		w.Header().Set("WWW-Authenticate", "Bearer")
		return deny(http.StatusUnauthorized, "no_token", "An action needs the admin token: Authorization: Bearer TOKEN. It is in the file of the option admin_token_file; without that option the node has made one, and the event admin_token in its log says where it is.")
	case req.Token == "":
		w.Header().Set("WWW-Authenticate", "Bearer")
		return deny(http.StatusUnauthorized, "wrong_token", wrongToken)
	}
	return true
}

const wrongToken = "The admin token is wrong. It is in the file of the option admin_token_file, or where the event admin_token in the node's log says."

// denied logs a refused action.
func (o *Options) denied(r *http.Request, reason string) {
	hidden, due := o.denials.pass(time.Now())
	if !due {
		return
	}
	attrs := []any{"event", "admin_denied", "action", r.URL.Path, "client", r.RemoteAddr, "reason", reason}
	if hidden > 0 {
		attrs = append(attrs, "not_logged", hidden)
	}
	o.Logger.Warn("an action on the admin pages was refused", attrs...)
}

const (
	// denialSpan is a time in which at most denialLines refused actions are logged: anybody can have actions refused, as fast as they like, and must not
	// fill the disk nor push other events out.
	denialSpan  = int64(10 * time.Second)
	denialLines = 20
)

// denials are the refused actions of late. May be used from any goroutine; some lines more or fewer do no harm.
type denials struct {
	span, lines, hidden atomic.Int64
}

// pass reports whether a line is due, and how many went without since the last one.
func (d *denials) pass(now time.Time) (hidden int64, due bool) {
	if span := now.UnixNano() / denialSpan; d.span.Swap(span) != span {
		d.lines.Store(0)
	}
	if d.lines.Add(1) > denialLines {
		d.hidden.Add(1)
		return 0, false
	}
	return d.hidden.Swap(0), true
}
