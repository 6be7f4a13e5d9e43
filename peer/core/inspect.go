package core

import (
	"fmt"
	"slices"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// What tests want to know. Nothing else uses it.

// Shelved describes the copy of a session that is here.
func (c *Core) Shelved(key string) (p engine.Parcel, owner message.Node, sure, ok bool) {
	e := c.shelf[key]
	if e == nil {
		return engine.Parcel{}, owner, false, false
	}
	return e.p, e.owner, e.asks == 0, true
}

// Mirrors are the nodes that are known to have copies of one of our sessions, and those of them whose copies are current.
func (c *Core) Mirrors(key string) (all, isCurrent []message.Node) {
	c.eachHolder(c.track[c.hashOf(key)], func(node message.Node, cur bool) {
		all = append(all, node)
		if cur {
			isCurrent = append(isCurrent, node)
		}
	})
	return all, isCurrent
}

// ShelfCost is what the copies that are here take of the memory account.
func (c *Core) ShelfCost() (cost int64) {
	for _, e := range c.shelfOrder {
		cost += int64(copyCost + len(e.key) + cap(e.p.Body))
	}
	for _, in := range c.inflows {
		for _, e := range in.window { // that waits for one that it has overtaken
			if e.m.Parcel.Reserved {
				cost += int64(cap(e.m.Parcel.Body))
			}
		}
	}
	return cost
}

// Unfinished says what is under way about copies; empty if nothing is.
func (c *Core) Unfinished() string {
	if len(c.changes) > 0 {
		return fmt.Sprintf("%d changes wait", len(c.changes))
	}
	for _, it := range c.items {
		if it.adoption != nil {
			return "an adoption waits"
		}
	}
	for _, st := range c.flow {
		for _, u := range st.backlog[st.first:] {
			if u.m.Change != message.Nothing && u.m.Change != message.Touch {
				return fmt.Sprintf("an update of %s waits: %d to %s, live=%v, acked=%d, sent=%d", u.m.Key, u.m.Update, st.node, st.live, st.acked, st.sent)
			}
		}
	}
	for _, n := range c.order {
		if in := c.inflows[n.node]; in != nil && in.pausing > 0 || c.confessing[n.node] != nil {
			return fmt.Sprintf("updates of %s are not acknowledged, confessing=%v", n.node, c.confessing[n.node] != nil)
		}
	}
	return ""
}

// Wrong says which invariant of the copies does not hold; empty if all do.
func (c *Core) Wrong() string {
	for i, e := range c.shelfOrder {
		if e.pos != i || c.shelf[e.key] != e {
			return fmt.Sprintf("the shelf's order is wrong at %d (%s)", i, e.key)
		}
	}
	var bytes int64
	for _, e := range c.shelf {
		bytes += int64(len(e.p.Body))
	}
	if len(c.shelf) != len(c.shelfOrder) || bytes != c.shelfBytes {
		return fmt.Sprintf("the shelf has %d copies of %d bytes, and counts %d of %d", len(c.shelf), bytes, len(c.shelfOrder), c.shelfBytes)
	}
	if len(c.flow) != len(c.streams) {
		return "streams are not counted well"
	}
	for _, st := range c.flow {
		if what := st.wrong(); what != "" {
			return fmt.Sprintf("the stream to %s: %s", st.node, what)
		}
		if st.live != (c.neighbours[st.node] != nil) {
			return fmt.Sprintf("the stream to %s: live=%v", st.node, st.live)
		}
	}
	for _, in := range c.inflows {
		if _, ok := in.window[in.next]; ok && in.pausing == 0 && len(in.refusals) < message.MaxRefusals {
			return fmt.Sprintf("update %d has not been taken in", in.next)
		}
		for n := range in.window {
			if n < in.next {
				return fmt.Sprintf("update %d is kept, and has been taken in", n)
			}
		}
		if in.pausing < 0 {
			return "fewer pauses than none"
		}
	}
	for key, w := range c.changes {
		switch {
		case w.over:
			return fmt.Sprintf("the change of %s is over and waits", key)
		case len(w.on) == 0:
			return fmt.Sprintf("the change of %s waits for nobody", key)
		}
		for _, node := range w.on {
			if st := c.streams[node]; st == nil || !slices.Contains(st.waits(), w) {
				return fmt.Sprintf("the change of %s waits for %s, to whom nothing goes", key, node)
			}
		}
	}
	if c.wholeWrong() {
		return "the sessions that have all their copies are not counted well"
	}
	for _, h := range c.track {
		for i, s := range h.slots {
			if s == 0 {
				continue
			}
			if int(s&^current) >= len(c.names) {
				return "a holder without a name"
			}
			for _, other := range h.slots[i+1:] {
				if other&^current == s&^current {
					return "a node holds a copy twice"
				}
			}
		}
	}
	return ""
}

// wrong says which invariant of a stream does not hold.
func (st *stream) wrong() string {
	left := st.backlog[st.first:]
	if uint64(len(left)) != st.next-1-st.acked {
		return fmt.Sprintf("%d updates wait, of %d to %d", len(left), st.acked+1, st.next-1)
	}
	if st.sent < st.acked || st.sent >= st.next {
		return fmt.Sprintf("sent=%d acked=%d next=%d", st.sent, st.acked, st.next)
	}
	bytes, flight := 0, 0
	for i := range left {
		u := &left[i]
		if u.m.Update != st.acked+1+uint64(i) || u.m.Stream != st.id {
			return fmt.Sprintf("update %d stands where %d should", u.m.Update, st.acked+1+uint64(i))
		}
		bytes += u.size
		if u.m.Update <= st.sent {
			flight += u.size
		}
	}
	if bytes != st.bytes || flight != st.flight {
		return fmt.Sprintf("%d bytes wait and %d are under way, and %d and %d are counted", bytes, flight, st.bytes, st.flight)
	}
	return ""
}
