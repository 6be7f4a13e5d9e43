package relay

import "time"

// fall is how many probes have to fail in a row until a target is down: one that is lost means little, and what is down loses
// its sessions.
const fall = 2

// health decides whether a target gets requests. It reads no clock.
type health struct {
	up     bool
	failed int       // probes in a row
	since  time.Time // of a target that is down: since when all probes have succeeded; zero if the last one failed
}

// probed takes the outcome of a probe, or of an attempt to connect. It returns whether that changed up. warmUp is how long all probes have to succeed until
// a target that was down is up again; a target that nothing is known of is up at once.
func (h *health) probed(ok bool, now time.Time, warmUp time.Duration) (changed bool) {
	if !ok {
		h.failed++
		h.since = time.Time{}
		if h.up && h.failed >= fall {
			h.up = false
			return true
		}
		return false
	}
	h.failed = 0
	if h.up {
		return false
	}
	if h.since.IsZero() {
		h.since = now
	}
	h.up = now.Sub(h.since) >= warmUp
	return h.up
}
