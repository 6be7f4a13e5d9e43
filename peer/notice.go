package peer

import (
	"context"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/farmstate/farmstate/engine/appkey"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/message"
)

// sessionSuperseded is an event that the core does not name: it learns itself by Ousted what came of an order.
const sessionSuperseded core.Event = "session_superseded"

// notice counts an event and logs it, or, when there were many of its kind in this second, gives it to those who follow events only. What happens with every page is
// told to whoever asks for details only.
func (f *Farm) notice(n core.Notice) { f.tellOf(n, 0) }

// tellOf is notice for an event about a state that is in the quarantine under an id; 0 for none.
func (f *Farm) tellOf(n core.Notice, id int64) {
	f.shared.mu.Lock()
	f.shared.notices[n.What]++
	f.shared.mu.Unlock()
	if everyPage(n.What) && !f.logger.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	log := f.loggerFor(n.What)
	key, node, addr := short(n.Key), nodeAttr(n.Node), addrAttr(n.Addr)
	switch n.What {
	case core.SessionArrived:
		log.Debug("a session has come here", "event", "session_arrived", "session", key, node, addr)
	case core.SessionLeft:
		log.Debug("a session has gone to another node", "event", "session_left", "session", key, node, addr)
	case core.SessionConflict:
		log.Warn("two states of a session have met; the newer one stays, the other is in the quarantine (/api/v1/quarantine) if it was served here. "+
			"Two parts of the farm have worked without each other",
			"event", "session_conflict", "session", key, node, addr,
			stampAttr("epoch", n.Gen, n.Gen != 0 || n.Version != 0), stampAttr("version", n.Version, n.Version != 0),
			stampAttr("newer_epoch", n.NewerGen, n.NewerGen != 0 || n.NewerVersion != 0), stampAttr("newer_version", n.NewerVersion, n.NewerVersion != 0),
			quarantineAttr(id))
	case core.SessionRecovered:
		log.Warn("a session has been taken over from a node that ended while it was handing it on", "event", "session_recovered", "session", key, node, addr)
	case core.MoveCalledOff:
		log.Info("a session has stayed here: the node that wanted it did not take it", "event", "move_called_off", "session", key, node, addr)
	case core.SearchUndecided:
		log.Info("it could not be found out in time where a session is; its requests were told to come again", "event", "search_undecided", "session", key)
	case core.SessionTakenOver:
		log.Info("a session has been taken over from a copy: the node that had it has ended, or has been silent for so long that it counts as dead",
			"event", "session_taken_over", "session", key, node)
	case sessionSuperseded:
		log.Warn("a session is not served here any more: another node has taken it over, or may have, while this one could not be heard",
			"event", "session_superseded", "session", key, node)
	case core.CopyRefused:
		log.Warn("a node had no memory for a copy of a session; another one is asked, and until one has room there are too few copies. Raise max_memory there",
			"event", "copy_refused", "session", key, node)
	case core.CopyResync:
		log.Warn("a node is no longer sure of the copies that it has from here: it gets all of them again", "event", "copy_resync", node)
	case core.CopyBacklog:
		log.Warn("a node does not keep up with the updates of its copies: some are left out until it does, and then it gets those sessions as a whole. "+
			"See copy_backlog", "event", "copy_backlog", node)
	case core.OriginalMove:
		log.Debug("a session has come from an original or gone to one, and has lost what originals do not carry", "event", "original_move", "session", key, addr)
	case core.OriginalKept:
		log.Warn("an original has not answered a transfer: it may have a copy of the session, too", "event", "original_uncertain", "session", key, addr)
	}
}

// everyPage reports whether an event is one of those that belong to ordinary work.
func everyPage(what core.Event) bool {
	return what == core.SessionArrived || what == core.SessionLeft || what == core.OriginalMove
}

// logShare is how many lines there may be in the log about one kind of event in a second: clients can cause any number of some. All of them are events, and counted.
const logShare = 5

// loggerFor is where one more event of a kind goes: to the log, which shows it to those who follow events too, or to these only. Called by the driver.
func (f *Farm) loggerFor(what core.Event) *slog.Logger {
	second := f.now() / int64(time.Second)
	if second != f.logSecond {
		f.logSecond = second
		clear(f.logged)
	}
	f.logged[what]++
	if f.logged[what] <= logShare {
		return f.logger
	}
	return f.opt.Events
}

// The attributes of an event that it does not have in every case. A log leaves out one that is empty.

func nodeAttr(node message.Node) slog.Attr {
	if node == (message.Node{}) {
		return slog.Attr{}
	}
	return slog.String("node", hex.EncodeToString(node[:4]))
}

func addrAttr(addr string) slog.Attr {
	if addr == "" {
		return slog.Attr{}
	}
	return slog.String("addr", addr)
}

func stampAttr(name string, n uint32, known bool) slog.Attr {
	if !known {
		return slog.Attr{}
	}
	return slog.Uint64(name, uint64(n))
}

func quarantineAttr(id int64) slog.Attr {
	if id == 0 {
		return slog.Attr{}
	}
	return slog.Int64("quarantine", id)
}

// short is so much of a key as tells an operator which session it is: the application and the beginning of the session id, which as a whole is a secret. A key of which
// is not certain where its session id begins is taken for a session id altogether.
func short(key string) string {
	const (
		show = 6
		most = 120 // of the application
	)
	parts, ok := appkey.Split([]byte(key))
	if !ok {
		return key[:min(len(key), show)]
	}
	app, id := key[:len(key)-len(parts.ID)], parts.ID[:min(len(parts.ID), show)]
	if len(app) > most {
		return app[:most] + ".../" + string(id)
	}
	return app + string(id)
}
