//go:build linux

package deploy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmstate/farmstate/netpoll/pages"
)

const (
	// executionTimeout is the age at which web servers break a lock that was left behind. It is 110 s by default; here nobody wants to wait for that.
	executionTimeout = 3 * time.Second
	// pageLimit is how long a user waits for a page.
	pageLimit = 20 * time.Second
	// think is how long a user looks at a page, on average.
	think = 20 * time.Millisecond
	// roam is how often a user's request goes to another web server than the last: once in so many pages.
	roam = 8
)

// webServer is one of the machines that run the application.
type webServer struct {
	clients []*pages.Client
	sites   []*pages.Site
	// choose says which of the sites a session is kept behind, as a partition resolver does.
	choose atomic.Pointer[func(id string) int]
}

// newWebServer makes a web server that talks to state servers at addrs from a loopback address of its own.
func newWebServer(tr *traffic, from string, addrs ...string) *webServer {
	w := new(webServer)
	for _, addr := range addrs {
		c := pages.NewClient(pages.Config{
			Addr: addr, Trace: tr.trace, Dialer: net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))},
		})
		w.clients = append(w.clients, c)
		w.sites = append(w.sites, pages.NewSite(c, pages.SiteOptions{ExecutionTimeout: executionTimeout}))
	}
	first := func(string) int { return 0 }
	w.choose.Store(&first)
	tr.t.Cleanup(func() {
		for _, c := range w.clients {
			c.Close()
		}
	})
	return w
}

func (w *webServer) site(id string) *pages.Site { return w.sites[(*w.choose.Load())(id)] }

// user is somebody with a browser, who looks at one page after the other. Owned by one goroutine.
type user struct {
	id    string
	rnd   *rand.Rand
	at    int // web server
	saved int // number of the last save that was acknowledged
	tried int // and of the last that was sent
	habit habit

	failed int       // pages in a row that ended with an error; guarded by traffic.mu
	errors int       // of all; guarded by traffic.mu
	since  time.Time // of the first of failed; guarded by traffic.mu
}

// habit is when the balancer in front of the web servers sends a user to another one.
type habit int

const (
	roams habit = iota // now and then
	stays              // never
	flees              // after an error
)

// tally is what users saw for a while.
type tally struct {
	pages, errors int           // those that worked, and those that ended with an error
	longest       time.Duration // of a page that worked and was no reload
	reloads       int           // pages that worked behind one that had not
	longestReload time.Duration // from the first error to the page that worked
	inARow        int           // errors of one user without a page in between, at most
	waited        int           // reloads that took longer than a second: behind a lock that the failed page had left
	examples      []string      // of errors
}

func (a tally) String() string {
	return fmt.Sprintf("%d pages, the longest %v; %d ended with an error (at most %d in a row for one user), %d reloads worked (%d after more than 1 s, the longest after %v) %q",
		a.pages, a.longest.Round(10*time.Microsecond), a.errors, a.inARow, a.reloads, a.waited, a.longestReload.Round(time.Millisecond), a.examples)
}

// traffic is the users and web servers of a test.
type traffic struct {
	t       *testing.T
	servers []*webServer
	users   []*user
	idle    []*user // that have a session and look at nothing
	refused atomic.Int64
	stopped chan struct{}
	done    sync.WaitGroup
	gate    sync.RWMutex // held for reading while a page is on its way

	mu   sync.Mutex
	now  tally // guarded by mu
	lost []string
}

func newTraffic(t *testing.T) *traffic { return &traffic{t: t, stopped: make(chan struct{})} }

// trace notes saves that were not stored although the real client, which looks for a 400 only, takes them for good.
func (tr *traffic) trace(x pages.Exchange) {
	if x.Method == pages.SetAndReleaseItemExclusive && x.Status != 200 && x.Status != 400 {
		tr.refused.Add(1)
	}
}

const filling = 1000 // bytes of a session

// login gives each user a session.
func (tr *traffic) login(rnd *rand.Rand, users, idle int) {
	tr.t.Helper()
	for i := range users + idle {
		u := &user{rnd: rand.New(rand.NewPCG(rnd.Uint64(), 0)), at: i % len(tr.servers)}
		for u.id = pages.NewID(); tr.save(u) != nil; { // the farm is whole: it works the first time
			tr.t.Fatal("no session for the first visit")
		}
		if i < users {
			tr.users = append(tr.users, u)
		} else {
			tr.idle = append(tr.idle, u)
		}
	}
}

// save runs a page that counts in the session, and creates it if it has none yet.
func (tr *traffic) save(u *user) error {
	ctx, cancel := context.WithTimeout(context.Background(), pageLimit)
	defer cancel()
	began := u.tried
	err := tr.servers[u.at].site(u.id).ReadWrite(ctx, u.id, func(s *pages.Session) error {
		if u.tried > 0 {
			tr.judge(u, s)
		}
		u.tried++
		s.Set([]byte(strconv.Itoa(u.tried) + " " + strings.Repeat("x", filling)))
		return nil
	})
	if err == nil {
		u.saved = u.tried
	}
	if u.tried > began+1 {
		tr.t.Error("a page ran twice")
	}
	return err
}

// judge compares a session with what was saved.
func (tr *traffic) judge(u *user, s *pages.Session) {
	text, _, _ := strings.Cut(string(s.Items()), " ")
	n, err := strconv.Atoi(text)
	switch {
	case len(s.Items()) == 0:
		text = "a new session"
	case err != nil:
		text = fmt.Sprintf("%.20q", s.Items())
	case n < u.saved, n > u.tried:
		text = "save " + text
	default:
		return
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.lost = append(tr.lost, fmt.Sprintf("%.6s: %s; save %d was acknowledged, %d were sent", u.id, text, u.saved, u.tried))
}

// look reads a session without a save.
func (tr *traffic) look(u *user) error {
	ctx, cancel := context.WithTimeout(context.Background(), pageLimit)
	defer cancel()
	return tr.servers[u.at].site(u.id).ReadOnly(ctx, u.id, func(s *pages.Session) error {
		tr.judge(u, s)
		return nil
	})
}

// start lets the users look at pages until stop.
func (tr *traffic) start() {
	for _, u := range tr.users {
		tr.done.Go(func() {
			pause := time.NewTimer(0)
			defer pause.Stop()
			for {
				pause.Reset(think/2 + time.Duration(u.rnd.Int64N(int64(think)))) // different for each, or they would march in step after a stop
				select {
				case <-pause.C:
				case <-tr.stopped:
					return
				}
				if u.habit == roams && u.rnd.IntN(roam) == 0 {
					u.at = u.rnd.IntN(len(tr.servers))
				}
				tr.gate.RLock()
				began := time.Now()
				err := tr.save(u)
				tr.note(u, began, err)
				tr.gate.RUnlock()
				if u.habit == flees && err != nil {
					u.at = (u.at + 1) % len(tr.servers)
				}
			}
		})
	}
}

func (tr *traffic) note(u *user, began time.Time, err error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	a, now := &tr.now, time.Now()
	if err != nil {
		if u.failed++; u.failed == 1 {
			u.since = now
		}
		a.errors++
		u.errors++
		a.inARow = max(a.inARow, u.failed)
		if len(a.examples) < 3 {
			a.examples = append(a.examples, err.Error())
		}
		return
	}
	a.pages++
	if u.failed == 0 {
		a.longest = max(a.longest, now.Sub(began))
		return
	}
	a.reloads++
	u.failed = 0
	took := now.Sub(u.since)
	a.longestReload = max(a.longestReload, took)
	if took > time.Second {
		a.waited++
	}
}

// quiet does something while no user looks at a page.
func (tr *traffic) quiet(do func()) {
	tr.gate.Lock()
	defer tr.gate.Unlock()
	do()
}

// pass waits until users have seen so many more pages.
func (tr *traffic) pass(more int) {
	tr.t.Helper()
	pagesNow := func() int {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return tr.now.pages
	}
	until := pagesNow() + more
	await(tr.t, strconv.Itoa(more)+" more pages", func() bool { return pagesNow() >= until })
}

// errors is how many pages of a user have ended with an error.
func (tr *traffic) errors(u *user) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return u.errors
}

// recovered waits until no user's last page was an error.
func (tr *traffic) recovered() {
	tr.t.Helper()
	await(tr.t, "all users to see pages again", func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		for _, u := range tr.users {
			if u.failed > 0 {
				return false
			}
		}
		return true
	})
}

// report returns what users have seen since the last report.
func (tr *traffic) report(what string) tally {
	tr.t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	a := tr.now
	tr.now = tally{}
	tr.t.Logf("%s: %v", what, a)
	return a
}

// stop ends the traffic and looks at all sessions.
func (tr *traffic) stop() {
	tr.t.Helper()
	close(tr.stopped)
	tr.done.Wait()
	for _, u := range append(tr.users, tr.idle...) {
		if err := tr.look(u); err != nil {
			tr.t.Errorf("a session cannot be read at the end: %v", err)
		}
	}
	if len(tr.lost) > 0 {
		tr.t.Errorf("%d times a session was lost or old: %q", len(tr.lost), tr.lost[:min(len(tr.lost), 10)])
	}
	if n := tr.refused.Load(); n > 0 {
		tr.t.Errorf("%d saves were not stored, and the page could not know", n)
	}
}
