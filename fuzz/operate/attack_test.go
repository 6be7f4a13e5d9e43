//go:build unix

package operate

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// pagesOf are all pages that the node lists.
func pagesOf(t *testing.T, n *node) (pages, actions []string) {
	t.Helper()
	for line := range strings.Lines(n.get("/api/v1/").body) {
		words := strings.Fields(line)
		switch {
		case len(words) > 1 && words[0] == "POST":
			actions = append(actions, words[1])
		case len(words) > 0 && strings.HasPrefix(words[0], "/") && words[0] != "/api/v1/events":
			pages = append(pages, words[0])
		}
	}
	if len(pages) < 10 || len(actions) < 5 {
		t.Fatalf("pages %q, actions %q", pages, actions)
	}
	return pages, actions
}

// TestAdminWithoutToken: whatever is tried, without the token nothing is carried out, and no session id and no content is shown.
func TestAdminWithoutToken(t *testing.T) {
	t.Parallel()
	n := newNode(t, "a", "--log-level", "debug")
	n.start()
	c := dial(t, n.state, "")
	id := "zqmarker0zqmarker0zqmark"
	for site := 1; site <= 3; site++ {
		if got := c.do(put(key(site, id), "zqcontent")); got.status != http.StatusOK {
			t.Fatalf("%+v", got)
		}
	}
	locked := c.do(acquire(key(1, id)))
	if locked.status != http.StatusOK {
		t.Fatalf("%+v", locked)
	}
	n.await("the survey has it", func() bool { return strings.Contains(n.get("/api/v1/survey").body, `"cookie"`) })
	pages, actions := pagesOf(t, n)
	for _, page := range pages {
		for _, headers := range [][]string{nil, {"Authorization", "Bearer wrong"}, {"Authorization", "Basic " + adminToken}, {"Cookie", "token=" + adminToken}, {"X-Farmstate-Action", "1"}} {
			got := n.ask(http.MethodGet, page+"?token="+adminToken, headers...)
			if got.status == 0 || strings.Contains(got.body, id[7:]) || strings.Contains(got.body, "zqcontent") || strings.Contains(got.body, adminToken) {
				t.Errorf("GET %s with %q: %d, and shows what it must not:\n%s", page, headers, got.status, got.body)
			}
		}
	}
	if got := n.ask(http.MethodGet, "/api/v1/survey", "Authorization", "Bearer "+adminToken); !strings.Contains(got.body, id) {
		t.Errorf("with the token the survey has no keys: %s", got.body) // else the above proves nothing
	}
	for _, action := range actions {
		for _, headers := range [][]string{
			nil, {"X-Farmstate-Action", "1"}, {"X-Farmstate-Action", "1", "Authorization", "Bearer"}, {"X-Farmstate-Action", "1", "Authorization", "Bearer " + adminToken + adminToken},
			{"X-Farmstate-Action", "1", "Authorization", "Bearer " + adminToken[:len(adminToken)-1]}, {"Authorization", "Bearer " + adminToken},
			{"X-Farmstate-Action", "1", "Authorization", "Bearer " + adminToken, "Origin", "http://evil.example"},
			{"X-Farmstate-Action", "1", "Authorization", "Bearer " + adminToken, "Origin", "https://" + n.admin},
			{"X-Farmstate-Action", "1", "Authorization", "Bearer " + adminToken, "Sec-Fetch-Site", "same-site"},
		} {
			path := action + "?id=1&level=error&session=" + key(1, id) + fmt.Sprintf("&cookie=%d", locked.cookie)
			if got := n.ask(http.MethodPost, path, headers...); got.status != http.StatusForbidden && got.status != http.StatusUnauthorized || strings.Contains(got.body, id) {
				t.Errorf("POST %s with %q: %d %s", action, headers, got.status, got.body)
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodOptions, "CONNECT"} {
			got := n.ask(method, action, "X-Farmstate-Action", "1", "Authorization", "Bearer "+adminToken, "Origin", "http://evil.example", "Access-Control-Request-Method", "POST")
			if got.status/100 == 2 && method != http.MethodGet || got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s: %d %v", method, action, got.status, got.header)
			}
		}
	}
	if got := c.do(acquire(key(1, id))); got.status != http.StatusLocked {
		t.Errorf("the lock is gone: %+v", got)
	}
	if got := n.get("/readyz"); got.status != http.StatusOK {
		t.Errorf("the node is not ready: %s", got.body)
	}
	for _, host := range []string{"evil.example", "evil.example:80"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.admin+"/api/v1/status", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := web.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // only the status matters
		if resp.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("under the name %s: %s", host, resp.Status)
		}
	}
}

// TestActionMistakes: an action that is asked with anything but what it takes is refused, and does nothing: what was misspelt may be what mattered.
func TestActionMistakes(t *testing.T) {
	t.Parallel()
	n := newNode(t, "a")
	n.start()
	act := []string{"X-Farmstate-Action", "1", "Authorization", "Bearer " + adminToken}
	for _, query := range []string{"stop=maybe", "stop=", "look", "lok=true", "stop=false&stop=true", "stop=true;look=true", "look=%zz", "node="} {
		if got := n.ask(http.MethodPost, "/api/v1/drain?"+query, act...); got.status != http.StatusBadRequest || !strings.Contains(got.body, "look (true or false") {
			t.Errorf("drain?%s: %d %s", query, got.status, got.body)
		}
	}
	for _, body := range []io.Reader{strings.NewReader("look=true"), io.MultiReader(strings.NewReader("look=true"))} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+n.admin+"/api/v1/drain", body)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(act); i += 2 {
			req.Header.Set(act[i], act[i+1])
		}
		resp, err := web.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // only the status matters
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("a body of %d bytes: %s", req.ContentLength, resp.Status)
		}
	}
	_, actions := pagesOf(t, n)
	for _, action := range actions {
		if got := n.ask(http.MethodPost, action+"?now=true", act...); got.status != http.StatusBadRequest || !strings.Contains(got.body, "node (the id") {
			t.Errorf("%s: %d %s", action, got.status, got.body)
		}
	}
	if got := n.get("/readyz"); got.status != http.StatusOK {
		t.Errorf("the node is not ready: %s", got.body)
	}
}

// TestAdminSlow: whoever keeps opening connections with half a request, from any loopback address, shuts out neither health checks nor commands. One may have to ask again
// if the machine is so slow that hundreds of others come between a connection and its request.
func TestAdminSlow(t *testing.T) {
	t.Parallel()
	n := newNode(t, "a")
	n.start()
	quit := make(chan struct{})
	var all sync.WaitGroup
	for i := range 320 {
		from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i%8))} // in all more than may be open
		all.Go(func() {
			for {
				c, err := (&net.Dialer{LocalAddr: from, Timeout: patience}).Dial("tcp", n.admin)
				if err != nil {
					return // the node has ended
				}
				_, _ = io.WriteString(c, "GET / HT")
				cut := make(chan struct{})
				go func() { defer close(cut); _, _ = io.Copy(io.Discard, c) }()
				select {
				case <-cut:
					_ = c.Close()
				case <-quit:
					_ = c.Close()
					<-cut
					return
				}
				select {
				case <-time.After(100 * time.Millisecond): // not so often that it is a flood
				case <-quit:
					return
				}
			}
		})
	}
	n.await("it is crowded", func() bool { return strings.Contains(n.said(), "event=admin_crowded") })
	again := 0
	for range 10 {
		if got := n.get("/healthz"); got.status != http.StatusOK {
			again++
			t.Logf("health: %+v", got)
		}
	}
	for _, args := range [][]string{{"status", "--check", "live"}, {"status"}, {"log-level", "info"}} {
		if status, out, errs := command(t, append(args, "--admin", n.admin)...); status != 0 {
			again++
			t.Logf("%q: exit status %d, %s%s", args, status, out, errs)
		}
	}
	if again > 2 {
		t.Errorf("%d of 13 were shut out", again)
	}
	close(quit)
	all.Wait()
}

// TestAdminOversized: requests that are too large, too slow or too many are refused, and the others are served meanwhile.
func TestAdminOversized(t *testing.T) {
	t.Parallel()
	n := newNode(t, "a")
	n.start()
	send := func(text string) string {
		t.Helper()
		c, err := net.Dial("tcp", n.admin)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c, text) // it may be cut off in the middle
		answer, _ := io.ReadAll(c)
		return string(answer)
	}
	act := "X-Farmstate-Action: 1\r\nAuthorization: Bearer " + adminToken + "\r\n"
	for name, c := range map[string]struct{ request, want string }{
		"a long head":                {"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", "431"},
		"a long target":              {"GET /" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", "431"},
		"no HTTP":                    {"\x16\x03\x01\r\n\r\n", "400"},
		"two hosts":                  {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", "400"},
		"a large body":               {"POST /api/v1/drain HTTP/1.1\r\nHost: localhost\r\n" + act + "Content-Length: 1000000000\r\n\r\n", "413"},
		"a large body in chunks":     {"POST /api/v1/drain HTTP/1.1\r\nHost: localhost\r\n" + act + "Transfer-Encoding: chunked\r\n\r\n11000\r\n" + strings.Repeat("x", 0x11000), "413"},
		"a large body of a stranger": {"POST /api/v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n", "403"},
	} {
		if got := send(c.request); !strings.Contains(got, " "+c.want+" ") && got != "" { // a reset may swallow the answer to what is far too long
			t.Errorf("%s: %.200q", name, got)
		}
	}
	var all sync.WaitGroup
	for range 300 { // more than may be open
		all.Go(func() {
			c, err := net.Dial("tcp", n.admin)
			if err != nil {
				return
			}
			defer func() { _ = c.Close() }()
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(c, "GET / HT") // and no more: it is cut off by the node
			_, _ = io.Copy(io.Discard, c)
		})
	}
	done := make(chan struct{})
	go func() { defer close(done); all.Wait() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("slow clients are not cut off")
	}
	if got := n.get("/healthz"); got.status != http.StatusOK {
		t.Errorf("after that: %+v", got)
	}
}
