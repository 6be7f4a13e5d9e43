package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) { fleet.CloseIdle() }))
}

// node is a node's page: a, at a:1, knows the others as so many members and links.
func node(id string, members []api.Member, links ...api.Link) *api.Node {
	n := &api.Node{Status: api.Status{Node: id, Name: "machine-" + id, Admin: id + ":1", State: id + ":2", Ready: true}, Farm: api.Farm{Node: id, Links: links}}
	if members != nil {
		n.Farm.Gossip = &api.Gossip{Members: members}
	}
	return n
}

func member(id, state string) api.Member {
	return api.Member{Node: id, Name: "machine-" + id, State: state, Admin: id + ":1"}
}

func link(id string) api.Link { return api.Link{Node: id, Up: true, Admin: id + ":1", Addr: id + ":3"} }

// picture is a farm in short: id=health(seen by), or the address of what has no id.
func picture(p *api.Nodes) string {
	var all []string
	for _, v := range p.Nodes {
		id := v.ID
		if id == "" {
			id = v.Admin
		}
		all = append(all, fmt.Sprintf("%s=%s(%s)", id, v.Health, strings.Join(v.Seen, "")))
	}
	return strings.Join(all, " ")
}

func TestSurvey(t *testing.T) {
	drained := node("d", nil)
	drained.Farm.Drain.Draining = true
	unwell := node("w", nil)
	unwell.Status.Ready = false
	alone := node("", nil)
	alone.Status.Admin = "alone:1"
	for _, c := range []struct {
		name  string
		nodes map[string]*api.Node // by address
		self  *api.Node
		addrs string
		want  string
	}{
		{"one alone", map[string]*api.Node{"alone:1": alone}, nil, "alone:1", "alone:1=ok()"},
		{"nobody there", nil, nil, "x:1", "x:1=silent()"},
		{
			"members that know each other",
			map[string]*api.Node{"a:1": node("a", []api.Member{member("b", "alive"), member("c", "alive")}), "b:1": node("b", []api.Member{member("a", "alive"), member("c", "alive")}), "c:1": node("c", []api.Member{member("a", "alive")})},
			nil, "b:1", "b=ok(a) a=ok(bc) c=ok(ab)",
		},
		{
			"a line of links, from its end",
			map[string]*api.Node{"a:1": node("a", nil, link("b")), "b:1": node("b", nil, link("a"), link("c")), "c:1": node("c", nil, link("b"))},
			nil, "a:1", "a=ok(b) b=ok(ac) c=ok(b)",
		},
		{
			"asked by a node",
			map[string]*api.Node{"b:1": node("b", nil, link("a"))},
			node("a", nil, link("b")), "", "a=ok(b) b=ok(a)",
		},
		{
			"one is dead, one draining, one unwell, one only known",
			map[string]*api.Node{"a:1": node("a", []api.Member{member("x", "dead"), member("d", "leaving"), member("w", "alive"), {Node: "s", State: "alive"}}), "d:1": drained, "w:1": unwell},
			nil, "a:1", "a=ok() s=silent(a) d=leaving(a) w=warning(a) x=dead()",
		},
		{
			"one that some take for dead, and does not answer",
			map[string]*api.Node{"a:1": node("a", []api.Member{member("x", "dead"), member("b", "alive")}), "b:1": node("b", []api.Member{member("x", "alive")})},
			nil, "a:1", "a=ok() b=ok(a) x=silent(b)",
		},
		{
			"an address that leads to another node",
			map[string]*api.Node{"a:1": node("a", []api.Member{{Node: "b", State: "alive", Admin: "a:1"}})},
			nil, "a:1", "a=ok() b=silent(a)",
		},
		{
			"a link that is being dialled is nobody",
			map[string]*api.Node{"a:1": node("a", nil, api.Link{Node: strings.Repeat("0", 32), Addr: "z:1"})},
			nil, "a:1", "a=ok()",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			ask := func(_ context.Context, addr string) (*api.Node, error) {
				if n := c.nodes[addr]; n != nil {
					return n, nil
				}
				return nil, errors.New("nobody")
			}
			if got := picture(fleet.Survey(t.Context(), ask, c.self, strings.Fields(c.addrs)...)); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

// TestSlowNode: a node that does not answer delays the picture by no more than its time, and all such together by no more, either.
func TestSlowNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var members []api.Member
		for i := range 10 {
			members = append(members, member(fmt.Sprintf("s%d", i), "alive"))
		}
		ask := func(ctx context.Context, addr string) (*api.Node, error) {
			if addr == "a:1" {
				return node("a", members), nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		began := time.Now()
		p := fleet.Survey(t.Context(), ask, nil, "a:1")
		if took := time.Since(began); took > 4*time.Second || len(p.Nodes) != 11 {
			t.Errorf("%d nodes after %v", len(p.Nodes), took)
		}
	})
}

// TestSlowLine: nodes that tell of each other one by one and are slow delay the picture by no more than a look may take; who has answered is shown, the rest marked.
func TestSlowLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ask := func(ctx context.Context, addr string) (*api.Node, error) {
			i, _ := strconv.Atoi(strings.TrimSuffix(addr, ":1"))
			select {
			case <-time.After(2 * time.Second):
				return node(fmt.Sprint(i), nil, link(fmt.Sprint(i+1))), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		began := time.Now()
		p := fleet.Survey(t.Context(), ask, nil, "1:1")
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if got, want := picture(p), "1=ok() 3=silent(2) 2=ok(1)"; got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
		for _, v := range p.Nodes {
			if late := v.Error == "it has not answered in time"; late != (v.Node == nil) {
				t.Errorf("%s: %q", v.ID, v.Error)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) { // one that heeds nothing
		release := make(chan struct{})
		ask := func(context.Context, string) (*api.Node, error) {
			<-release
			return nil, errors.New("too late")
		}
		began := time.Now()
		p := fleet.Survey(t.Context(), ask, nil, "x:1")
		if took := time.Since(began); took != 5*time.Second || len(p.Nodes) != 1 || p.Nodes[0].Error != "it has not answered in time" {
			t.Errorf("after %v: %+v", took, p.Nodes)
		}
		close(release)
	})
}

// TestLook: those that answer are told of before one that does not has had its time, and so is that one, by what the others know.
func TestLook(t *testing.T) {
	gone := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(node("a", []api.Member{{Node: "b", Name: "web2", State: "alive", Admin: hangs(t, gone)}})) // to a client that reads it
	}))
	defer srv.Close()
	defer close(gone)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var told []string
	c := fleet.Client{}
	p := c.Look(ctx, func(p *api.Nodes) {
		told = append(told, picture(p))
		cancel()
	}, strings.TrimPrefix(srv.URL, "http://"))
	if want := "a=ok() b=silent(a)"; len(told) != 1 || told[0] != want || picture(p) != want {
		t.Errorf("told %q, then %s", told, picture(p))
	}
}

// hangs is the address of a node that takes a question and says nothing until gone.
func hangs(t *testing.T, gone chan struct{}) string {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-gone }))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

// TestAlive: whoever answers anything lives; who says nothing does not.
func TestAlive(t *testing.T) {
	gone := make(chan struct{})
	defer close(gone)
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	c := fleet.Client{}
	if err := c.Alive(t.Context(), strings.TrimPrefix(srv.URL, "http://")); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.Alive(ctx, hangs(t, gone)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// TestTokens: the one that is right is found; for reading, none is needed.
func TestTokens(t *testing.T) {
	var seen []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.Header.Get("Authorization")
		seen = append(seen, r.Method+" "+given)
		if given != "Bearer right" && (given != "" || r.Method == http.MethodPost) {
			http.Error(w, "wrong", http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`"` + given + `"`))
	}))
	defer srv.Close()
	addr := strings.TrimPrefix(srv.URL, "http://")
	for _, c := range []struct {
		tokens, get string
		act         bool
	}{{"", "", false}, {"right", "Bearer right", true}, {"a right b", "Bearer right", true}, {"a b", "", false}} {
		client := fleet.Client{Tokens: strings.Fields(c.tokens)}
		var got string
		if err := client.Get(t.Context(), addr, "x", &got); err != nil || got != c.get {
			t.Errorf("tokens %q: read %q, %v", c.tokens, got, err)
		}
		err := client.Act(t.Context(), addr, "x", nil, &got)
		if refused, ok := errors.AsType[*fleet.StatusError](err); (err == nil) != c.act || err != nil && (!ok || refused.Text != "wrong") {
			t.Errorf("tokens %q: acting: %v", c.tokens, err)
		}
	}
	named := fleet.Client{Tokens: []string{"a", "b"}, Named: "--token-file=x", Asked: addr}
	if err := named.Get(t.Context(), addr, "x", nil); err == nil || named.Refusal() == nil || !strings.Contains(err.Error(), "--token-file=x") {
		t.Errorf("a token that the user has named: %v, %v", err, named.Refusal())
	}
	others := fleet.Client{Tokens: []string{"a"}, Named: "--token-file=x", Asked: "127.0.0.1:1"}
	if err := others.Get(t.Context(), addr, "x", nil); err != nil || others.Refusal() != nil {
		t.Errorf("one that was named for another node: %v, %v", err, others.Refusal())
	}
	seen = nil
	for _, only := range []string{addr, "127.0.0.1:1"} { // the second is another node's
		client := fleet.Client{Tokens: []string{"right"}, Only: only}
		if err := client.Get(t.Context(), addr, "x", nil); err != nil {
			t.Errorf("tokens for %s: %v", only, err)
		}
	}
	if got := strings.Join(seen, ", "); got != "GET Bearer right, GET " {
		t.Errorf("tokens were given to whom they are for, and to others: %s", got)
	}
}

// TestClientErrors: what is wrong is said, with the address.
func TestClientErrors(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/html":
			_, _ = w.Write([]byte("<html>"))
		case "/api/v1/elsewhere":
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	addr := strings.TrimPrefix(srv.URL, "http://")
	var client fleet.Client
	for page, want := range map[string]string{"html": "is no farmstate of this version", "elsewhere": "says: <a href", "nothing": "says: 404"} {
		if err := client.Get(t.Context(), addr, page, new(int)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: %v", page, err)
		}
	}
	for _, addr := range []string{"127.0.0.1:1", "a b:1"} {
		if err := client.Get(t.Context(), addr, "x", new(int)); err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestFollow(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("level") != "debug" || r.URL.Query().Get("recent") != "3" || r.Header.Get("Last-Event-ID") != "7" {
			http.Error(w, "not asked for that", http.StatusBadRequest)
			return
		}
		_, _ = fmt.Fprint(w, ": farmstate\n\nid: 8\ndata: {\"id\":8,\"event\":\"a\"}\n\n:\n\nevent: dropped\ndata: 5\n\nid: 14\ndata: {\"id\":14,\"event\":\"b\"}\n\n")
	}))
	defer srv.Close()
	var got []string
	var client fleet.Client
	err := client.Follow(t.Context(), strings.TrimPrefix(srv.URL, "http://"), event.Debug, 7, 3,
		func(e event.Event) { got = append(got, fmt.Sprint(e.ID, e.Name)) }, func(n int) { got = append(got, fmt.Sprint("dropped ", n)) })
	if strings.Join(got, ", ") != "8a, dropped 5, 14b" || err == nil || !strings.Contains(err.Error(), "has ended its events") {
		t.Errorf("%v, %v", got, err)
	}
}
