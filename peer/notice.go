package peer

import (
	"context"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/farmstate/farmstate/peer/core"
)

// sessionSuperseded is an event that the core does not name: it learns itself by Ousted what came of an order.
const sessionSuperseded core.Event = "session_superseded"

// notice counts an event and logs it. What happens with every page is logged for whoever asks for details only.
func (f *Farm) notice(n core.Notice) {
	f.shared.mu.Lock()
	f.shared.notices[n.What]++
	f.shared.mu.Unlock()
	if everyPage(n.What) && !f.logger.Enabled(context.Background(), slog.LevelDebug) || !f.mayLog(n.What) {
		return
	}
	key, node := short(n.Key), hex.EncodeToString(n.Node[:4])
	switch n.What {
	case core.SessionArrived:
		f.logger.Debug("a session has come here", "event", "session_arrived", "session", key, "node", node, "addr", n.Addr)
	case core.SessionLeft:
		f.logger.Debug("a session has gone to another node", "event", "session_left", "session", key, "node", node, "addr", n.Addr)
	case core.SessionConflict:
		f.logger.Warn("two states of a session have met; the newer one stays, the other is in the quarantine (/api/v1/quarantine) if it was served here. "+
			"Two parts of the farm have worked without each other",
			"event", "session_conflict", "session", key, "node", node, "addr", n.Addr)
	case core.SessionRecovered:
		f.logger.Warn("a session has been taken over from a node that ended while it was handing it on", "event", "session_recovered", "session", key, "node", node, "addr", n.Addr)
	case core.MoveCalledOff:
		f.logger.Info("a session has stayed here: the node that wanted it did not take it", "event", "move_called_off", "session", key, "node", node, "addr", n.Addr)
	case core.SearchUndecided:
		f.logger.Info("it could not be found out in time where a session is; its requests were told to come again", "event", "search_undecided", "session", key)
	case core.SessionTakenOver:
		f.logger.Info("a session has been taken over from a copy: the node that had it has ended, or has been silent for so long that it counts as dead",
			"event", "session_taken_over", "session", key, "node", node)
	case sessionSuperseded:
		f.logger.Warn("a session is not served here any more: another node has taken it over, or may have, while this one could not be heard",
			"event", "session_superseded", "session", key, "node", node)
	case core.CopyRefused:
		f.logger.Warn("a node had no memory for a copy of a session; another one is asked, and until one has room there are too few copies. Raise max_memory there",
			"event", "copy_refused", "session", key, "node", node)
	case core.CopyResync:
		f.logger.Warn("a node is no longer sure of the copies that it has from here: it gets all of them again", "event", "copy_resync", "node", node)
	case core.CopyBacklog:
		f.logger.Warn("a node does not keep up with the updates of its copies: some are left out until it does, and then it gets those sessions as a whole. "+
			"See copy_backlog", "event", "copy_backlog", "node", node)
	case core.OriginalMove:
		f.logger.Debug("a session has come from an original or gone to one, and has lost what originals do not carry", "event", "original_move", "session", key, "addr", n.Addr)
	case core.OriginalKept:
		f.logger.Warn("an original has not answered a transfer: it may have a copy of the session, too", "event", "original_uncertain", "session", key, "addr", n.Addr)
	}
}

// everyPage reports whether an event is one of those that belong to ordinary work.
func everyPage(what core.Event) bool {
	return what == core.SessionArrived || what == core.SessionLeft || what == core.OriginalMove
}

// logShare is how many lines there may be about one kind of event in a second: clients can cause any number of some, and all are counted.
const logShare = 5

// mayLog reports whether one more line may be written about a kind of event. Called by the driver.
func (f *Farm) mayLog(what core.Event) bool {
	second := f.now() / int64(time.Second)
	if second != f.logSecond {
		f.logSecond = second
		clear(f.logged)
	}
	f.logged[what]++
	return f.logged[what] <= logShare
}

// short is so much of a key as tells an operator which session it is: the application and the beginning of the session id, which as a whole is a secret.
func short(key string) string {
	const (
		show = 6
		most = 120 // of the application
	)
	for i := len(key) - 1; i >= 0; i-- {
		if key[i] == '/' {
			id := key[i+1 : min(len(key), i+1+show)]
			if i > most {
				return key[:most] + ".../" + id
			}
			return key[:i+1] + id
		}
	}
	return key[:min(len(key), show)]
}
