package event_test

import (
	"bytes"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
)

// names of events, in their order.
func names(all []event.Event) string {
	var list []string
	for _, e := range all {
		list = append(list, e.Name)
	}
	return strings.Join(list, " ")
}

func hub(keep int, level slog.Level) (*event.Hub, *slog.Logger, *bytes.Buffer) {
	h, log := event.NewHub(keep), new(bytes.Buffer)
	return h, slog.New(h.Handler(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level}))), log
}

func TestRecent(t *testing.T) {
	h, log, _ := hub(3, slog.LevelInfo)
	if got := h.Recent(0, event.Debug, 10); len(got) != 0 {
		t.Errorf("at first: %v", got)
	}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		log.Info("text of "+name, "event", name)
		log.Info("no event")
	}
	log.Warn("text", "event", "w")
	for _, c := range []struct {
		after uint64
		least event.Level
		n     int
		want  string
	}{{0, event.Debug, 10, "d e w"}, {4, event.Debug, 10, "e w"}, {4, event.Debug, 1, "w"}, {0, event.Warn, 10, "w"}, {6, event.Debug, 10, ""}, {60, event.Debug, 10, ""}, {math.MaxUint64, event.Error, 10, ""}} {
		if got := names(h.Recent(c.after, c.least, c.n)); got != c.want {
			t.Errorf("after %d, level %s, at most %d: %q, want %q", c.after, c.least, c.n, got, c.want)
		}
	}
	if got := h.Recent(4, event.Info, 1)[0]; got.ID != 6 || got.Text != "text" || got.Level != event.Warn || got.Time.IsZero() {
		t.Errorf("%+v", got)
	}
	if got := h.Counts(); got[event.Key{Name: "a", Level: event.Info}] != 1 || got[event.Key{Name: "w", Level: event.Warn}] != 1 || len(got) != 6 {
		t.Errorf("counts: %v", got)
	}
}

// TestFlood: of very many events of one kind all are counted and given to who follows, and they do not push out what is kept of others.
func TestFlood(t *testing.T) {
	h, log, _ := hub(100, slog.LevelInfo)
	follower, _ := h.Follow(0, event.Info, 0)
	defer follower.Close()
	log.Warn("a node is dead", "event", "cause")
	for range 500 {
		log.Info("one of its sessions", "event", "flood")
	}
	log.Warn("what came after", "event", "end")
	kept := h.Recent(0, event.Info, 1000)
	if first, last := kept[0], kept[len(kept)-1]; first.Name != "cause" || last.Name != "end" || last.ID != uint64(len(kept)) {
		t.Errorf("%d are kept: the first is %+v, the last %+v", len(kept), first, last)
	}
	if n := len(kept) - 2; n < 25 || n > 50 { // of one minute, or of two
		t.Errorf("%d of the flood are kept", n)
	}
	if got := h.Counts()[event.Key{Name: "flood", Level: event.Info}]; got != 500 {
		t.Errorf("%d are counted", got)
	}
	if got := len(follower.C); got != 502 {
		t.Errorf("who follows has got %d", got)
	}
}

// TestAttrs: what an event is about is there, wherever it was said.
func TestAttrs(t *testing.T) {
	h, log, _ := hub(3, slog.LevelInfo)
	log.With("node", 7).WithGroup("g").With("in", true).Info("t", "event", "inner", "n", 1)
	log.With("node", 7).Info("t", "event", "x", "n", 1, "err", slog.AnyValue(error(nil)))
	got := h.Recent(0, event.Debug, 9)
	if len(got) != 1 || got[0].Name != "x" || got[0].Attrs["node"] != "7" || got[0].Attrs["n"] != "1" {
		t.Errorf("%+v", got)
	}
}

// TestLevels: the log's level does not keep events out, and detail is taken only while somebody wants it.
func TestLevels(t *testing.T) {
	h, log, text := hub(9, slog.LevelError)
	log.Debug("t", "event", "quiet")
	log.Info("t", "event", "info")
	follower, before := h.Follow(0, event.Debug, 9)
	log.Debug("t", "event", "detail")
	follower.Close()
	log.Debug("t", "event", "quiet again")
	if got := names(before); got != "info" {
		t.Errorf("before: %q", got)
	}
	if got := names(h.Recent(0, event.Debug, 9)); got != "info" {
		t.Errorf("all: %q", got)
	}
	if e := <-follower.C; e.Name != "detail" || e.Level != event.Debug {
		t.Errorf("followed: %+v", e)
	}
	if text.Len() > 0 {
		t.Errorf("the log has %q", text)
	}
}

// TestSlowFollower: who does not take events misses the later ones, and is told how many; nobody waits.
func TestSlowFollower(t *testing.T) {
	h, log, _ := hub(9, slog.LevelError)
	slow, _ := h.Follow(0, event.Info, 0)
	defer slow.Close()
	for range 1024 + 10 {
		log.Info("t", "event", "e")
	}
	if n := slow.Dropped(); n != 10 || slow.Dropped() != 0 {
		t.Errorf("%d dropped, want 10, once", n)
	}
	if e := <-slow.C; e.ID != 1 {
		t.Errorf("the first is %d", e.ID)
	}
}

func TestTooManyFollowers(t *testing.T) {
	h, _, _ := hub(1, slog.LevelError)
	var all []*event.Follower
	for range event.MaxFollowers {
		f, _ := h.Follow(0, event.Info, 0)
		all = append(all, f)
	}
	if f, _ := h.Follow(0, event.Info, 0); f != nil {
		t.Error("one more may follow")
	}
	all[0].Close()
	if f, _ := h.Follow(0, event.Info, 0); f == nil {
		t.Error("nobody may follow although one has gone")
	}
}

// TestEarlierProcess: whoever knows events of an earlier process gets those that this one has had.
func TestEarlierProcess(t *testing.T) {
	h, log, _ := hub(3, slog.LevelInfo)
	log.Info("t", "event", "a")
	log.Info("t", "event", "b")
	for _, c := range []struct {
		after uint64
		least event.Level
		want  string
	}{{1, event.Info, "b"}, {2, event.Info, ""}, {3, event.Info, "a b"}, {math.MaxUint64, event.Info, "a b"}, {math.MaxUint64, event.Error, ""}} {
		f, past := h.Follow(c.after, c.least, 10)
		if got := names(past); got != c.want {
			t.Errorf("after %d, level %s: %q, want %q", c.after, c.least, got, c.want)
		}
		f.Close()
	}
}
