package metrics

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/admin"
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll"
	"github.com/farmstate/farmstate/peer"
	"github.com/farmstate/farmstate/peer/legacy"
	"github.com/farmstate/farmstate/peer/link"
	"github.com/farmstate/farmstate/peer/member"
)

// full is a node that has everything of which there are metrics: a state port that has answered requests, a farm with gossip and originals, snapshots,
// events, a reason not to be ready.
func full(t *testing.T) Sources {
	t.Helper()
	e, err := engine.New(engine.Options{}, engine.Time{})
	if err != nil {
		t.Fatal(err)
	}
	port, err := netpoll.Listen(netpoll.Options{Addr: "127.0.0.1:0"}, e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := port.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	for range 20 {
		requestOf(t, port)
	}
	farm := peer.Stats{
		Links:     link.Stats{Drops: map[link.Drop]int64{}, Closes: map[link.CloseReason]int64{}},
		Originals: legacy.Stats{Closed: map[string]int64{"remote": 1}, Dropped: map[string]int64{"late": 1}, AuthFailed: map[string]int64{"bad_password": 1}},
		Gossip:    &member.Stats{Members: map[string]int64{"alive": 2, "leaving": 0, "dead": 1}},
	}
	for _, d := range link.Drops() {
		farm.Links.Drops[d] = 1
	}
	for _, r := range link.CloseReasons() {
		farm.Links.Closes[r] = 1
	}
	return Sources{
		Engine: e.Stats, Network: port.Stats, Farm: func() peer.Stats { return farm },
		Snapshots: func() Snapshots { return Snapshots{Written: time.Unix(1e9, 0), Duration: time.Second} },
		Dropped:   func() int64 { return 0 },
		Events: func() map[EventKey]int64 {
			return map[EventKey]int64{{"near_miss", "warn"}: 3, {"accept_failed", "error"}: 1}
		},
		NotReady: func() []string { return []string{"draining"} },
		Build:    prometheus.Labels{"version": "1.2.3", "commit": "0123456", "go": "go1.26", "system": "linux/amd64"},
	}
}

// scrape reads /metrics of the admin pages, as a scraper that accepts some format.
func scrape(t *testing.T, s Sources, accept string) (header http.Header, body []byte) {
	t.Helper()
	pages, err := admin.Listen(admin.Options{
		Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler), NotReady: func() []admin.Reason { return nil }, Metrics: New(s),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		pages.Shutdown(ctx)
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+pages.Addr().String()+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %s, %v: %.200s", resp.Status, err, body)
	}
	return resp.Header, body
}
