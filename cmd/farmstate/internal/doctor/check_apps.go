package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
	"github.com/farmstate/farmstate/engine/appkey"
)

// application is what all nodes together show of one application.
type application struct {
	app, hash string
	sessions  int64
	old       int64
	neverRead int64
	minutes   [2]uint32 // shortest and longest timeout; 0 = never expires
	nodes     []*Node
	clients   []string        // addresses that hold or held locks of its sessions
	ids       map[string]bool // of sessions that are listed anywhere: whole with the token, otherwise their beginnings
}

func (a *application) key() string { return a.app + "(" + a.hash + ")" }

// maxApps bounds the applications that are compared with each other.
const maxApps = 500

// applications puts together what the surveys show, the largest first.
func (p *Picture) applications() []*application {
	all := map[string]*application{}
	of := func(n *Node, app, hash string) *application {
		a := all[app+"("+hash+")"]
		if a == nil {
			a = &application{app: app, hash: hash, ids: map[string]bool{}}
			all[a.key()] = a
		}
		if !slices.Contains(a.nodes, n) {
			a.nodes = append(a.nodes, n)
		}
		return a
	}
	for _, n := range p.live() {
		s := &n.Node.Survey
		for _, x := range s.Apps {
			if x.App == "" {
				continue
			}
			a := of(n, x.App, x.Hash)
			if a.sessions == 0 {
				a.minutes = [2]uint32{x.MinMinutes, x.MaxMinutes}
			}
			a.sessions += x.Sessions
			a.old += x.Old
			a.neverRead += x.NeverRead
			a.minutes = [2]uint32{shorter(a.minutes[0], x.MinMinutes), longer(a.minutes[1], x.MaxMinutes)}
		}
		note := func(x api.Session, client string) {
			if x.App == "" {
				return
			}
			a := of(n, x.App, x.Hash)
			a.ids[idOf(x)] = true
			if client != "" && !slices.Contains(a.clients, client) {
				a.clients = append(a.clients, client)
			}
		}
		for _, x := range s.Locks {
			note(x.Session, x.Client)
		}
		for _, x := range s.Largest {
			note(x.Session, "")
		}
		for _, x := range s.HotSessions {
			note(x.Session, "")
		}
	}
	var list []*application
	for _, key := range sortedKeys(all) {
		list = append(list, all[key])
	}
	slices.SortStableFunc(list, func(a, b *application) int { return cmp.Compare(b.sessions, a.sessions) })
	return list[:min(len(list), maxApps)]
}

// shorter and longer compare timeouts, of which 0 is the longest.
func shorter(a, b uint32) uint32 { return min(a-1, b-1) + 1 }
func longer(a, b uint32) uint32  { return max(a-1, b-1) + 1 }

// idOf is as much of a session's id as is known.
func idOf(s api.Session) string {
	if parts, ok := appkey.Split([]byte(s.Key)); ok {
		return string(parts.ID)
	}
	return s.ID
}

// usage says who uses an application: the web servers that have been seen with it, or at least the nodes.
func (a *application) usage() string {
	if len(a.clients) > 0 {
		return "used by " + list(a.clients)
	}
	var nodes []string
	for _, n := range a.nodes {
		text := n.label()
		if n.Facts != nil {
			var clients []string
			for _, c := range n.Facts.Clients {
				if c.Refused == 0 {
					clients = append(clients, c.Addr)
				}
			}
			if len(clients) > 0 {
				text += ", whose web servers are " + list(clients)
			}
		}
		nodes = append(nodes, text)
	}
	return "seen at " + strings.Join(nodes[:min(len(nodes), 4)], "; at ")
}

// splitMeans is what it does to users that one application has two keys.
const splitMeans = "The session of a user who comes to the other web server is not found there: shopping carts are empty, users have to log in again and again."

// missKey tells near misses apart, in whichever direction.
func missKey(a, b string) string {
	if b < a {
		a, b = b, a
	}
	return a + "\x00" + b
}

func checkNearMiss(p *Picture, f *findings) {
	type total struct {
		api.NearMiss
		nodes []string
		last  time.Duration
	}
	all := map[string]*total{}
	for _, n := range p.told() {
		for _, m := range n.Facts.NearMisses {
			key := missKey(m.Asked, m.Found)
			t := all[key]
			if t == nil {
				t = &total{NearMiss: m, last: n.now().Sub(m.Last)}
				t.Count = 0
				all[key] = t
			}
			t.Count += m.Count
			t.last = min(t.last, n.now().Sub(m.Last))
			t.nodes = append(t.nodes, n.label())
		}
	}
	apps := map[string]*application{}
	for _, a := range p.applications() {
		apps[a.key()] = a
	}
	for _, key := range sortedKeys(all) {
		t := all[key]
		s := Problem
		if t.last > 24*hour {
			s = Warning
		}
		what := fmt.Sprintf("%s: %s asked for under %s and found under %s, the last one %s.", t.Explanation, term.Plural(t.Count, "session was", "sessions were"), t.Asked, t.Found, since(t.last))
		f.add(s, list(t.nodes), upperFirst(what)+usageOf(apps, t.Asked)+usageOf(apps, t.Found), splitMeans, append([]string{t.Advice}, causeDo(t.Cause, t.Asked, t.Found)...)...)
	}
}

// usageOf is a sentence about who uses an application; empty if it is not seen now.
func usageOf(apps map[string]*application, key string) string {
	if a := apps[key]; a != nil {
		return " " + key + " is " + a.usage() + "."
	}
	return ""
}

// upperFirst begins a sentence. A name, such as machineKey, stays as it is.
func upperFirst(text string) string {
	first, _, _ := strings.Cut(text, " ")
	if text == "" || first != strings.ToLower(first) || strings.ContainsAny(first, "_<:.") {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// causeDo says in commands what to do about a cause.
func causeDo(cause, a, b string) []string {
	switch cause {
	case appkey.SiteID.String():
		return []string{
			"see the ids on each web server: `%windir%\\system32\\inetsrv\\appcmd list sites`; change one: `appcmd set site \"NAME\" /id:N` (sessions of that server begin anew)",
			"or, without touching the web servers, in the configuration of all nodes: `[[alias]]`, and below it `from = \"" + appOf(b) + "\"` and `to = \"" + appOf(a) + "\"`",
		}
	case appkey.PathCase.String():
		return []string{"see the spelling on each web server: `appcmd list app`, `appcmd list vdir`"}
	case appkey.Hash.String():
		return []string{"compare the files: `farmstate doctor --web-config A/web.config --web-config B/web.config`; look at machine.config and at the .NET level of the application pools, too"}
	}
	return nil
}

// appOf is an application id without its hash.
func appOf(key string) string {
	if i := strings.LastIndexByte(key, '('); i > 0 {
		return key[:i]
	}
	return key
}

func checkSplit(p *Picture, f *findings) {
	missed := map[string]bool{}
	for _, n := range p.told() {
		for _, m := range n.Facts.NearMisses {
			missed[missKey(m.Asked, m.Found)] = true
		}
	}
	apps := p.applications()
	for i, a := range apps {
		for _, b := range apps[i+1:] {
			cause := appkey.Compare(appkey.Parts{App: []byte(a.app), Hash: []byte(a.hash)}, appkey.Parts{App: []byte(b.app), Hash: []byte(b.hash)})
			if cause == appkey.None || missed[missKey(a.key(), b.key())] {
				continue
			}
			both, example := 0, ""
			for id := range a.ids {
				if b.ids[id] {
					both++
					example = min(cmp.Or(example, id), id)
				}
			}
			what := fmt.Sprintf("%s: %s (%s) and %s (%s).", upperFirst(cause.Sentence()), a.key(), a.usage(), b.key(), b.usage())
			do := append([]string{cause.Advice()}, causeDo(cause.String(), a.key(), b.key())...)
			switch {
			case both > 0:
				f.add(Problem, "", fmt.Sprintf("%s %s under both, such as %.6s...: these are one application, and the web servers disagree about its key.", what,
					term.Plural(both, "session id is", "session ids are"), example), splitMeans, do...)
			case cause != appkey.SiteID:
				f.add(Warning, "", what+" They look like one application on web servers that disagree about its key.", splitMeans, do...)
			case a.apartFrom(b):
				f.add(Note, "", what+" No node and no web server is seen with both: they may be one site on web servers that disagree about its id. If they are two sites, all is well.", splitMeans, do...)
			}
		}
	}
}

// apartFrom reports whether nothing has been seen with both applications.
func (a *application) apartFrom(b *application) bool {
	if len(a.clients) > 0 && len(b.clients) > 0 {
		return !slices.ContainsFunc(a.clients, func(c string) bool { return slices.Contains(b.clients, c) })
	}
	return !slices.ContainsFunc(a.nodes, func(n *Node) bool { return slices.Contains(b.nodes, n) })
}

func checkNeverRead(p *Picture, f *findings) {
	const least, share = 50, 0.8
	for _, a := range p.applications() {
		if a.old < least || float64(a.neverRead) <= share*float64(a.old) {
			continue
		}
		f.add(Warning, "", fmt.Sprintf("%s: of %d sessions that are older than a minute, nobody has asked again for %d (%d %%).", a.key(), a.old, a.neverRead, a.neverRead*100/a.old),
			"Each request gets a new session: users lose what they have done, and memory fills with sessions that nobody uses. The browsers do not send the session's cookie back.",
			"see in a browser's developer tools whether ASP.NET_SessionId comes back: a cookie domain (httpCookies domain) that is not that of the page, or host names that change (www. and without) keep it away",
			"http and https: a cookie with requireSSL is not sent over http; a balancer that ends https has to say so to the application",
			"SameSite: in a frame or after a post from another site the cookie needs cookieSameSite=\"None\" and https",
			"cookieless sessions lose theirs with each link that lacks the id; use cookies",
			"monitoring and robots without cookies make a session with each request: give them a page with EnableSessionState=\"false\"",
			"Session.Abandon or a new session at each log-in does the same")
	}
}

func checkTimeout(p *Picture, f *findings) {
	for _, a := range p.applications() {
		if a.sessions == 0 {
			continue
		}
		least, most := a.minutes[0], a.minutes[1]
		const usual = "20 minutes are ASP.NET's default; what counts is timeout in sessionState of web.config, and Session.Timeout in the code."
		text := minutes(least)
		if least != most {
			text += " to " + minutes(most)
		}
		text = a.key() + ": its sessions live for " + text + " after their last request. "
		switch {
		case most == 0:
			f.add(Warning, "", text+usual, "Sessions that never expire take memory until the node refuses new ones.", "set timeout, in minutes, in <sessionState>")
		case most > 24*60:
			f.add(Note, "", text+usual, "Sessions that live for long take memory for long.")
		case least < 5:
			f.add(Note, "", text+usual, "Whoever reads a long page loses the session meanwhile.")
		case least != most:
			f.add(Note, "", text+usual, "If the web servers should agree, one has another web.config, or the code sets Session.Timeout.", "compare the files: `farmstate doctor --web-config A/web.config --web-config B/web.config`")
		}
	}
}

func minutes(n uint32) string {
	if n == 0 {
		return "ever"
	}
	return term.Plural(int64(n), "minute", "minutes")
}

func checkLocks(p *Picture, f *findings) {
	for _, n := range p.live() {
		locks := n.Node.Survey.Locks
		if len(locks) == 0 {
			continue
		}
		stale := n.span("stale_lock", 2*time.Minute)
		if stale == 0 {
			stale = 2 * time.Minute
		}
		left := 0
		for _, l := range locks {
			if l.Age > stale.Seconds() {
				left++
			}
		}
		longest := locks[0]
		holder := cmp.Or(longest.Client, "a web server that is not known (the lock came with the session from another node)")
		what := fmt.Sprintf("The longest lock is %s old: session %s of %s, locked by %s, with %s waiting.", term.Seconds(longest.Age), short(longest.ID), longest.App, holder,
			term.Plural(longest.Waiting, "request", "requests"))
		do := []string{
			"look at the page's requests on " + cmp.Or(longest.Client, "the web servers") + ": `appcmd list requests /elapsed:10000`",
			"a page that hangs ends after executionTimeout (110 s) unless debug=\"true\"; an object that cannot be serialised fails the save and leaves the lock (the event log of the web server has it)",
			"to let the user go on break the lock: `farmstate unlock --admin " + n.Admin + " " + short(longest.ID) + "`",
		}
		switch {
		case left > 0:
			f.add(Warning, n.label(), fmt.Sprintf("%s older than %s. %s", term.Plural(left, "lock is", "locks are"), term.Seconds(stale.Seconds()), what), "All other pages of these users wait.", do...)
		case longest.Age > 30 && longest.Waiting > 0:
			f.add(Warning, n.label(), what, "All other pages of this user wait.", do...)
		}
	}
}

// short is as much of a session id as may be shown.
func short(id string) string { return id[:min(len(id), 6)] }

func checkWaits(p *Picture, f *findings) {
	for _, n := range p.told() {
		w := n.Facts.Waits
		do := []string{
			"pages and handlers that only read the session: EnableSessionState=\"ReadOnly\"; those that do not use it: \"false\". In MVC: [SessionState(SessionStateBehavior.ReadOnly)]",
			"see the sessions and applications with the most requests: http://" + n.Admin + "/",
			"lock_wait is " + cmp.Or(n.setting("lock_wait"), "not known") + "; longer waits help only if pages take little longer than that",
		}
		if total := w.Granted + w.TimedOut; total >= 100 && w.TimedOut*5 > total {
			f.add(Warning, n.label(), fmt.Sprintf("Of %d requests that waited for a lock, %d did not get it within lock_wait.", total, w.TimedOut),
				"These pages were told to come again, and wait half a second each time: several requests of one user at a time (AJAX, frames) stand in line.", do...)
		} else if waiting := n.Node.Status.Sessions.LockWaiters; waiting >= 20 {
			f.add(Warning, n.label(), fmt.Sprintf("%d requests wait for locks now.", waiting), "Their pages stand still.", do...)
		}
		acquires := n.Node.Status.Operations["acquire"]
		all := int64(0)
		for _, count := range acquires {
			all += count
		}
		if locked := acquires["locked"]; all >= 1000 && locked*10 > all {
			f.add(Note, n.label(), fmt.Sprintf("%d %% of the requests for a lock were told to come again.", locked*100/all), "Several requests of one user at a time stand in line.", do...)
		}
		if cut := acquires["cut"]; all >= 1000 && cut*100 > all {
			f.add(Note, n.label(), fmt.Sprintf("%d requests were cut off because too many stood in line for one session or lock.", cut), "Somebody hammers single sessions; others do not notice.", do[1])
		}
	}
}

func checkLatency(p *Picture, f *findings) {
	const most, least = 0.1, 100
	for _, n := range p.live() {
		for _, op := range sortedKeys(n.Node.Status.Latency) {
			l := n.Node.Status.Latency[op]
			if op == "acquire" || l.Count < least || l.P99 <= most { // an acquire waits for locks, which is its work
				continue
			}
			f.add(Warning, n.label(), fmt.Sprintf("1 of 100 requests of the kind %s takes longer than %s (half of them %s; %d since the start).", op, term.Seconds(l.P99), term.Seconds(l.P50), l.Count),
				"That is added to the time of each page.",
				"look at processors, swap and network of the machine",
				"in a farm: requests for sessions that are elsewhere, or nowhere, wait for other nodes; originals make each new session wait for query_timeout",
				"with copies: each save waits for its mirrors (copies, gossip-health)")
		}
	}
}

func checkMalformed(p *Picture, f *findings) {
	for _, n := range p.live() {
		var reasons []string
		for _, reason := range sortedKeys(n.Node.Status.Malformed) {
			if count := n.Node.Status.Malformed[reason]; count > 0 {
				reasons = append(reasons, reason+" "+strconv.FormatInt(count, 10))
			}
		}
		if len(reasons) == 0 {
			continue
		}
		s, who := Note, ""
		if events := n.lately("malformed", hour); len(events) > 0 {
			e := events[len(events)-1]
			s, who = Warning, fmt.Sprintf(" The last came from %s %s.", term.Clean(e.Attrs["client"]), n.ago(e.Time))
		}
		f.add(s, n.label(), "Requests were malformed and answered 400: "+list(reasons)+"."+who, "Something that is no ASP.NET talks to the state port, or a balancer changes what it passes on.",
			"look at that address; a health check should only connect, or ask /readyz of the admin pages", "to see what it sends: `farmstate relay --listen ADDR --target "+n.State+"`")
	}
}
