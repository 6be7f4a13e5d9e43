package link

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// noticeEvery is the least time between two log lines of a kind that others can cause at will.
const noticeEvery = 10 * time.Second

// throttled reports whether a line of the kind that last belongs to may be logged now.
func throttled(last *atomic.Int64) bool {
	before, now := last.Load(), time.Now().UnixNano()
	return (before == 0 || now-before >= int64(noticeEvery)) && last.CompareAndSwap(before, now)
}

// noteRefused counts a connection that has not become a link, or a link that was ended for what the other side did, and logs it. addr is the other side.
// Nothing that a stranger sent is in the line.
func (n *Net) noteRefused(reason CloseReason, addr, how string, err error) {
	total := n.closes[reason].Add(1)
	advice := closeAdvice[reason]
	if advice == "" || !throttled(&n.logged[reason]) {
		return
	}
	args := []any{"event", "peer_refused", "reason", reason.String(), "addr", addr, "how", how, "so_far", total}
	if err != nil {
		args = append(args, "err", err)
	}
	n.opt.Logger.Warn(advice, args...)
}

// noteUp and noteDown log the links between neighbours; those for deliveries come and go.
func (n *Net) noteUp(l *link) {
	n.opt.Logger.Log(n.ctx, levelOf(l), "a link to another node is up", "event", "peer_up", "node", shortNode(l.node), "addr", l.addr,
		"purpose", l.purpose.String(), "how", l.how(), "program", l.program)
}

func (n *Net) noteDown(l *link, reason CloseReason, err error) {
	args := []any{
		"event", "peer_down", "reason", reason.String(), "node", shortNode(l.node), "addr", l.addr, "purpose", l.purpose.String(), "how", l.how(),
		"after", time.Since(l.since).Round(time.Millisecond),
	}
	if err != nil {
		args = append(args, "err", err)
	}
	n.opt.Logger.Log(n.ctx, levelOf(l), "a link to another node has ended", args...)
}

func levelOf(l *link) slog.Level {
	if l.isNeighbour() {
		return slog.LevelInfo
	}
	return slog.LevelDebug
}
