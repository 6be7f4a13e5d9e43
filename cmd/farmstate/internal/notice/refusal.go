package notice

import (
	"time"

	"github.com/farmstate/farmstate/engine"
)

func (l *Listener) refused(now time.Time, r engine.Refusal) {
	who := SessionOf(r.Key)
	hidden, due := l.refusals.pass(now, who.Application())
	if !due {
		return
	}
	l.logger.Warn("a save was refused for want of memory; its user sees an error",
		"event", "save_refused",
		"application", who.Application(),
		"session", who.ID,
		"bytes", r.Bytes,
		"used", r.Used,
		"max_memory", r.Max,
		"advice", "raise max_memory if the machine has more, shorten the session timeout of the applications, or store less in sessions",
		"repeated", hidden,
		"others", l.refusals.takeOthers())
}
