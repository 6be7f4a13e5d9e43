//go:build unix

package operate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMarker plants a marker in session ids, contents and malformed requests, has all happen that sessions can come to, and looks for it in the logs at their most
// detailed, in the events, the metrics and the pages.
func TestMarker(t *testing.T) {
	t.Parallel()
	const mark = "zqplanted" // not the beginning of an id, which may be shown
	data := t.TempDir()
	nodes := newFarm(t, []string{"a", "b", "c"}, "--log-level", "debug", "--stale-lock", "1s", "--lock-wait", "50ms", "--max-memory", "300MB", "--max-body", "1MB")
	nodes[0].args = append(nodes[0].args, "--data", data)
	startAll(nodes)
	events := follow(t, nodes[0])
	id := func(n byte) string {
		id := "abcde" + string(n) + mark + "123456789"
		switch n { // as a session id manager of the application's own may make them
		case '1', '5':
			return id + "/"
		case '2', '6':
			return id + "/" + mark + "/" + id
		}
		return id
	}
	body := strings.Repeat("content "+mark+" ", 100)
	clients := make([]*client, 3)
	for i, n := range nodes {
		clients[i] = dial(t, n.state, "")
	}
	all := "0123456789"
	for i := range len(all) {
		clients[i%3].do(put(key(1, id(all[i])), body))
	}
	for i := range len(all) { // they move
		clients[(i+1)%3].do(get(key(1, id(all[i]))))
	}
	held := clients[0].do(acquire(key(1, id('0'))))
	if held.status != http.StatusOK {
		t.Fatalf("%+v", held)
	}
	clients[1].do(acquire(key(1, id('0')))) // locked; and the session is there now
	clients[1].do(get(key(2, id('0'))))     // a near miss
	clients[2].do(get(key(3, id('z'))))     // nowhere
	logs := func() string { return nodes[0].said() + nodes[1].said() + nodes[2].said() }
	nodes[0].await("the lock was left", func() bool { return strings.Contains(logs(), "event=lock_left") })
	for _, bad := range []string{
		"BREW " + key(1, id('0')) + " HTTP/1.1\r\n\r\n", "GET /" + mark + "(" + mark + ")/" + mark + " HTTP/9.9\r\n" + mark + "\r\n\r\n",
		strings.Replace(put(key(1, id('0')), body), "Timeout: 20", "Timeout: "+mark, 1), put(key(1, id('0')), strings.Repeat(mark, 1<<18)), mark + "\r\n\r\n",
	} {
		if _, err := dial(t, nodes[0].state, "").try(bad); err != nil && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "broken pipe") {
			t.Error(err)
		}
	}
	for _, bad := range []string{"GET " + key(1, id('0')) + " HTTP/1.1\r\nHost: " + mark + "\r\n\r\n", mark + "\r\n\r\n"} { // strangers on the peer port
		_, _ = dial(t, nodes[1].peer, "").try(bad) // how they are sent away does not matter here
	}
	nodes[0].ask(http.MethodPost, "/api/v1/snapshot", "X-Farmstate-Action", "1", "Authorization", "Bearer "+adminToken)
	nodes[1].ask(http.MethodPost, "/api/v1/unlock?cookie=2&session="+key(1, id('0')), "X-Farmstate-Action", "1", "Authorization", "Bearer "+adminToken)
	nodes[1].await("the log has the broken lock", func() bool { return strings.Contains(nodes[1].said(), "event=lock_broken") })
	nodes[1].kill()
	for i := range len(all) { // taken over
		nodes[2].await("all sessions are there", func() bool { return clients[2].do(get(key(1, id(all[i])))).status == http.StatusOK || all[i] == '0' })
	}
	nodes[1].start()
	if status, out, errs := command(t, "drain", "--admin", nodes[2].admin, "--timeout", "30s"); status != 0 {
		t.Errorf("drain: %d %s %s", status, out, errs)
	}
	for _, n := range nodes {
		pages, _ := pagesOf(t, n)
		for _, page := range pages {
			if got := n.get(page); strings.Contains(got.body, mark) {
				t.Errorf("%s of %s shows it", page, n.name)
			}
		}
	}
	for _, n := range nodes {
		n.stop()
	}
	for _, n := range nodes {
		for line := range strings.Lines(n.said()) {
			if strings.Contains(line, mark) {
				t.Errorf("the log of %s has it: %s", n.name, line)
			}
		}
	}
	if text := events(); strings.Contains(text, mark) {
		t.Errorf("the events have it:\n%s", text)
	} else if !strings.Contains(text, "session_arrived") {
		t.Errorf("the events have no details, so that they prove nothing:\n%s", text)
	}
	for _, want := range []string{"event=near_miss", "event=lock_left", "event=malformed", "event=snapshot_written", "event=session_taken_over", "event=peer_refused", "event=lock_broken", "level=DEBUG"} {
		if !strings.Contains(logs(), want) {
			t.Errorf("no log has %s: the test has not come there", want)
		}
	}
	if entries, err := os.ReadDir(data); err != nil || len(entries) == 0 {
		t.Errorf("no snapshot was written: %v", err)
	}
}

// follow follows all events of a node; the result ends that and returns them.
func follow(t *testing.T, n *node) func() string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.admin+"/api/v1/events?level=debug", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(resp.Body) // it ends with the node
		_ = resp.Body.Close()
		text <- string(all)
	}()
	return func() string {
		t.Helper()
		select {
		case all := <-text:
			return all
		case <-time.After(patience):
			t.Fatal("the events have not ended with the node")
			return ""
		}
	}
}
