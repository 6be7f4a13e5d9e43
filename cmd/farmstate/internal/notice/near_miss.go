package notice

import (
	"cmp"
	"slices"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/appkey"
)

// subject is what near misses have in common that are one mistake in the
// configuration of the farm.
type subject struct {
	asked, found string // applications with their hashes
	cause        appkey.Cause
}

func (l *Listener) nearMiss(now time.Time, m engine.NearMiss) {
	asked, found := SessionOf(m.Asked), SessionOf(m.Found)
	about := subject{asked.Application(), found.Application(), m.Cause}
	client := l.client(m.Client)
	l.misses.Lock()
	hidden, due := l.misses.seen.pass(now, about)
	l.misses.noteLocked(about, client)
	var others int64
	if due {
		others = l.misses.seen.takeOthers()
	}
	l.misses.Unlock()
	if !due {
		return
	}
	l.logger.Warn("a session was asked for under one application key but lives under another, so its user has lost it",
		"event", "near_miss",
		"cause", m.Cause.String(),
		"because", m.Cause.Sentence(),
		"asked", about.asked,
		"found", about.found,
		"session", asked.ID,
		"client", client,
		"advice", m.Cause.Advice(),
		"repeated", hidden,
		"others", others)
}

// noteLocked notes that a client has asked. Requires the mutex.
func (m *nearMisses) noteLocked(about subject, client string) {
	if client == "" || m.seen.rows[about] == nil || len(m.clients[about]) >= maxClients || slices.Contains(m.clients[about], client) {
		return
	}
	m.clients[about] = append(m.clients[about], client)
	for other := range m.clients { // those that have given way
		if m.seen.rows[other] == nil {
			delete(m.clients, other)
		}
	}
}

// NearMisses lists what was seen, the latest first. The list is bounded: when
// many kinds are about, those that have not been seen for longest are left
// out.
func (l *Listener) NearMisses() []api.NearMiss {
	l.misses.Lock()
	defer l.misses.Unlock()
	list := make([]api.NearMiss, 0, len(l.misses.seen.rows))
	for about, r := range l.misses.seen.rows {
		list = append(list, api.NearMiss{
			Asked:       about.asked,
			Found:       about.found,
			Cause:       about.cause.String(),
			Explanation: about.cause.Sentence(),
			Advice:      about.cause.Advice(),
			Count:       r.count,
			First:       r.first,
			Last:        r.last,
			Clients:     slices.Clone(l.misses.clients[about]),
		})
	}
	slices.SortFunc(list, func(a, b api.NearMiss) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Asked, b.Asked), cmp.Compare(a.Found, b.Found))
	})
	return list
}
