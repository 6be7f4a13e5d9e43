package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
)

const (
	// heartbeat is how often a stream without events says that it lives.
	heartbeat = 15 * time.Second
	// streamWrite is how long the writing of one event may take: a client that takes nothing for so long is cut off.
	streamWrite = 10 * time.Second
	// maxRecent is how many past events a stream may begin with.
	maxRecent = 1000
)

// streams are the answers that have no end of their own.
type streams struct {
	once sync.Once
	quit chan struct{} // closed when they shall end
}

func (s *streams) end() { s.once.Do(func() { close(s.quit) }) }

// serve is GET /api/v1/events: events as server-sent events, each with its id, and its JSON as the data. level= asks for those of at least this level (info),
// recent= for so many past ones first (0); with the header Last-Event-ID, all since that one that are known are sent first. A comment says how many were left out
// because the client was too slow.
func (s *streams) serve(opt *Options) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if wrongTokenSaid(opt, w, r) {
			return
		}
		query := r.URL.Query()
		least, recent, after := event.Info, 0, uint64(0)
		if text := query.Get("level"); text != "" {
			var ok bool
			if least, ok = event.ParseLevel(text); !ok {
				http.Error(w, fmt.Sprintf("level=%q is not a level: it is debug, info, warn or error", text), http.StatusBadRequest)
				return
			}
		}
		if text := query.Get("recent"); text != "" {
			var err error
			if recent, err = strconv.Atoi(text); err != nil || recent < 0 || recent > maxRecent {
				http.Error(w, fmt.Sprintf("recent=%q is not a number from 0 to %d", text, maxRecent), http.StatusBadRequest)
				return
			}
		}
		if id, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
			after, recent = id, maxRecent
		}
		follower, past := opt.Events.Follow(after, least, recent)
		if follower == nil {
			http.Error(w, fmt.Sprintf("%d clients follow the events already; close one", event.MaxFollowers), http.StatusServiceUnavailable)
			return
		}
		defer follower.Close()
		if c := connOf(r); c != nil {
			c.hold()
		}
		w.Header().Set("Content-Type", "text/event-stream")
		s.send(w, r, follower, past)
	}
}

// send writes events until the client or the server ends.
func (s *streams) send(w http.ResponseWriter, r *http.Request, follower *event.Follower, past []event.Event) {
	control := http.NewResponseController(w)
	write := func(text string) bool {
		if err := control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
			return false
		}
		_, err := fmt.Fprint(w, text)
		return err == nil && control.Flush() == nil
	}
	if !write(": farmstate\n\n") {
		return
	}
	for _, e := range past {
		if !write(frame(e)) {
			return
		}
	}
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		text := ""
		select {
		case e := <-follower.C:
			text = frame(e)
		case <-alive.C:
			text = ":\n\n"
		case <-r.Context().Done():
			return
		case <-s.quit:
			return
		}
		if n := follower.Dropped(); n > 0 {
			text += fmt.Sprintf(": %d events were left out\nevent: dropped\ndata: %d\n\n", n, n)
		}
		if !write(text) {
			return
		}
	}
}

// frame is an event as it is sent.
func frame(e event.Event) string {
	data, _ := json.Marshal(e) // texts and numbers
	return fmt.Sprintf("id: %d\ndata: %s\n\n", e.ID, data)
}
