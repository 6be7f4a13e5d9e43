package core

// Which of our sessions have all their copies, counted as it changes: there may be millions of sessions.
//
// Invariant: c.whole is how many of c.track are whole. Nothing but setTrack and dropTrack writes to c.track.

// setTrack takes note of who has copies of one of our sessions. before is what c.track has of it, if anything.
func (c *Core) setTrack(hash uint64, before, after holders) {
	c.tally(before, after)
	c.track[hash] = after
}

// dropTrack forgets who has copies of a session: it is not ours any more, or nobody has one.
func (c *Core) dropTrack(hash uint64) {
	h, ok := c.track[hash]
	if !ok {
		return
	}
	c.tally(h, holders{})
	delete(c.track, hash)
}

// tally counts a session again whose holders change.
func (c *Core) tally(before, after holders) {
	if c.isWhole(before) {
		c.whole--
	}
	if c.isWhole(after) {
		c.whole++
	}
}

// isWhole reports whether a session is on as many nodes as it should be, this one included.
func (c *Core) isWhole(h holders) bool {
	n := 0
	for _, s := range h.slots {
		if s&current != 0 {
			n++
		}
	}
	return c.opt.Copies > 1 && n >= c.opt.Copies-1
}

// endChange takes a change out of those that wait.
func (c *Core) endChange(w *wait) {
	if c.changes[w.key] != w {
		return
	}
	delete(c.changes, w.key)
	if w.ch.Removed {
		c.going--
	}
}

// Whole counts the sessions of ours that have all their copies, as far as mirrors have taken in what has been told to them. going are those that are on their way out:
// they are removed as soon as mirrors know, and need no copies any more.
func (c *Core) Whole() (whole, going int) { return c.whole, c.going }

// Nodes counts the nodes that may have a session: this one, and the neighbours that do not leave. full are the neighbours among them that have had no room for a copy of
// late.
func (c *Core) Nodes(now int64) (there, full int) {
	there = 1
	for _, n := range c.order {
		if n.leaving {
			continue
		}
		there++
		if n.crammed > now {
			full++
		}
	}
	return there, full
}

// crammedFor is how long a node that had no room counts as full for those who ask why copies are missing: it is tried again every fullTime, and refuses again.
const crammedFor = 3 * fullTime

// wholeWrong says whether the count is wrong; for tests.
func (c *Core) wholeWrong() bool {
	whole, going := 0, 0
	for _, h := range c.track {
		if c.isWhole(h) {
			whole++
		}
	}
	for _, w := range c.changes {
		if w.ch.Removed {
			going++
		}
	}
	return whole != c.whole || going != c.going
}
