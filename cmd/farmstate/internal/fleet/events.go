package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
)

// silence is how long a stream may say nothing, not even that it lives: then it is dead.
const silence = 40 * time.Second

// errSilent ends a stream that says nothing.
var errSilent = errors.New("it has fallen silent")

// Follow calls take with each event of a node as it comes, until ctx ends or the stream breaks, and returns why. after is the id of the last event that is known
// already, 0 for none; then the stream begins with so many past events. dropped, if not nil, is called with how many events the node has left out because they were
// taken too slowly.
func (c *Client) Follow(ctx context.Context, addr string, level event.Level, after uint64, past int, take func(event.Event), dropped func(int)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	query, headers := url.Values{"level": {string(level)}, "recent": {strconv.Itoa(past)}}, map[string]string{"Accept": "text/event-stream"}
	if after > 0 {
		headers["Last-Event-ID"] = strconv.FormatUint(after, 10)
	}
	alive := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer alive.Stop()
	resp, err := send(ctx, http.MethodGet, addr, "events", query, "", headers)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // the stream has no end of its own
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for isDropped := false; lines.Scan(); {
		alive.Reset(silence)
		line := lines.Text()
		data, isData := strings.CutPrefix(line, "data: ")
		switch {
		case line == "":
			isDropped = false
		case line == "event: dropped":
			isDropped = true
		case isData && isDropped:
			if n, err := strconv.Atoi(data); err == nil && dropped != nil {
				dropped(n)
			}
		case isData:
			var e event.Event
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				return fmt.Errorf("what answers at %s is no farmstate of this version: %w", addr, err)
			}
			take(e)
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the events of the node at %s broke off: %w", addr, err)
	}
	return fmt.Errorf("the node at %s has ended its events", addr)
}
