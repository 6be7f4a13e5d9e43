package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/admin"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
)

// TestOwnToken: a token that the node has made for itself goes to no other node; one that all have does.
func TestOwnToken(t *testing.T) {
	n, err := start(t, map[string][]string{"listen": {"127.0.0.1:0"}, "admin": {"127.0.0.1:0"}, "peer_listen": {"127.0.0.1:0"}, "join": {"127.0.0.1:1"}, "gossip_listen": {"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.stop()
	n.token = "some-token-of-the-test"
	for _, made := range []bool{true, false} {
		n.tokenMade = made
		var given []string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			given = append(given, r.Header.Get("Authorization"))
			http.Error(w, "no", http.StatusUnauthorized)
		}))
		other := strings.TrimPrefix(srv.URL, "http://")
		c := n.fleetClient(admin.Request{Token: n.token})
		_, _ = c.Node(t.Context(), other) // what it is given counts
		if got := strings.Contains(strings.Join(given, ", "), n.token); got == made {
			t.Errorf("made by itself: %v; the other node was given %q", made, given)
		}
		srv.Close()
	}
	n.tokenMade = true
	act := n.there("drain", func(url.Values) (any, error) { return nil, nil })
	n.fleet.latest[1] = &api.Nodes{Now: time.Now().Add(time.Hour), Nodes: []api.NodeView{{ID: "another"}}} // stays
	for id, want := range map[string]string{"another": "admin_token_file", "zzz": "no node of that id"} {
		if _, err := act.Do(t.Context(), admin.Request{Token: n.token, Query: url.Values{"node": {id}}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("an action of the node %s: %v", id, err)
		}
	}
	n.fleet.latest[1] = nil
	if p := n.nodes(t.Context(), admin.Request{Token: n.token}).(*api.Nodes); len(p.Nodes) != 1 {
		t.Errorf("%+v", p)
	}
	fleet.CloseIdle()
}
