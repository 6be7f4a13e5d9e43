package peer

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/farmstate/farmstate/peer/member"
	"github.com/farmstate/farmstate/peer/message"
)

// What gossip says about who is in the farm becomes links here, and what the core is told about who is dead. Owned by the driver, but for memberEvents.
//
// Invariant: of two members the one with the lower node dials; the other does so only when there has been no link for lateDial. So there is one link as a rule,
// and one in any case.
// Invariant: a node with a live link is not dead, whatever gossip says.

// fellow is another member.
type fellow struct {
	member.Member
	alive   bool   // as gossip says. One that is not is kept while there is a link to it
	dialled string // the address that links dial for it; empty if they do not
	due     int64  // when to dial it if there is no link then; 0 = not
}

// lateDial is how long a node that is not to dial waits for the other to do so.
const lateDial = int64(time.Second)

// memberEvents is what gossip reports.
type memberEvents Farm

// Joined implements member.Handler.
func (e *memberEvents) Joined(m member.Member) { e.saw(m) }

// Changed implements member.Handler.
func (e *memberEvents) Changed(m member.Member) { e.saw(m) }

func (e *memberEvents) saw(m member.Member) {
	f := (*Farm)(e)
	f.inbox.put(func(now int64) { f.fellowAlive(now, m) })
}

// Dead implements member.Handler.
func (e *memberEvents) Dead(n message.Node) { e.ended(n) }

// Left implements member.Handler.
func (e *memberEvents) Left(n message.Node) { e.ended(n) }

func (e *memberEvents) ended(n message.Node) {
	f := (*Farm)(e)
	f.inbox.put(func(now int64) { f.fellowEnded(now, n) })
}

// startGossip opens the gossip port, and begins to join.
func (f *Farm) startGossip() (err error) {
	if f.opt.Member == nil {
		return nil
	}
	mo := *f.opt.Member
	mo.Node, mo.Meta, mo.Logger = f.node, f.meta, f.logger
	f.group, err = member.Start(mo, (*memberEvents)(f))
	return err
}

// meta is what this node tells all others about itself.
func (f *Farm) meta() member.Member {
	leaving, free := f.state()
	m := member.Member{Name: f.opt.Name, PeerAddr: f.links.Advertised(), Program: f.opt.Link.Program, Free: free, Leaving: leaving}
	if addr := f.links.Addr(); m.PeerAddr == "" && addr != nil {
		m.PeerAddr = portOf(addr) // at whatever address others reach us
	}
	if addr := f.stateAddr.Load(); addr != nil {
		m.StateAddr = *addr
	}
	m.AdminAddr = f.admin()
	return m
}

// SetStateAddr tells the farm where this node takes web servers, for people. host:port, or :port for whatever address others reach it at.
func (f *Farm) SetStateAddr(addr string) {
	f.stateAddr.Store(&addr)
	f.update()
}

// SetAdminAddr tells the farm where this node shows its admin pages, in the same form.
func (f *Farm) SetAdminAddr(addr string) {
	f.adminAddr.Store(&addr)
	f.update()
}

// admin is where this node shows its admin pages; empty if nowhere.
func (f *Farm) admin() string {
	if addr := f.adminAddr.Load(); addr != nil {
		return *addr
	}
	return ""
}

// update has the others told what has changed about this node.
func (f *Farm) update() {
	f.links.Kick()
	if f.group != nil {
		f.group.Update()
	}
}

// Most of the time that a Farm takes to close may be spent on telling that this node goes.
const farewell = time.Second

// sayGoodbye tells the others that this node goes.
func (f *Farm) sayGoodbye(ctx context.Context) {
	if f.group == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	if err := f.group.Leave(ctx); err != nil {
		f.logger.Debug("nobody may have heard that this node leaves", "event", "gossip_leave_unheard", "err", err)
	}
}

// fellowAlive takes note of a living member.
func (f *Farm) fellowAlive(now int64, m member.Member) {
	w := f.fellows[m.Node]
	if w == nil {
		w = &fellow{}
		f.fellows[m.Node] = w
	}
	known := w.alive && w.PeerAddr == m.PeerAddr
	w.Member, w.alive = m, true
	if known {
		return
	}
	f.undial(w)
	if _, linked := f.addrs[m.Node]; linked {
		return
	}
	if slices.Compare(f.node[:], m.Node[:]) < 0 {
		f.dial(w)
	} else {
		w.due = now + lateDial
	}
}

// fellowEnded takes note of a verdict.
func (f *Farm) fellowEnded(now int64, n message.Node) {
	if w := f.fellows[n]; w != nil {
		w.alive = false
		f.bury(now, w)
	}
}

// bury carries out a verdict, unless there is a link.
func (f *Farm) bury(now int64, w *fellow) {
	if w.alive || f.isLinked(w.Node) {
		return
	}
	delete(f.fellows, w.Node)
	f.undial(w)
	f.core.Dead(now, w.Node)
}

// isLinked reports whether there is a link to a node, of whatever purpose.
func (f *Farm) isLinked(n message.Node) bool {
	if _, ok := f.addrs[n]; ok {
		return true
	}
	for _, l := range f.links.Links() {
		if l.Node == n && l.Up {
			return true
		}
	}
	return false
}

// dial has a member dialled.
func (f *Farm) dial(w *fellow) {
	w.due = 0
	if w.dialled == "" && w.PeerAddr != "" {
		w.dialled = w.PeerAddr
		f.links.Join(w.dialled)
	}
}

// undial has it not dialled any more, unless the address is that of another member, too.
func (f *Farm) undial(w *fellow) {
	addr := w.dialled
	w.dialled, w.due = "", 0
	if addr == "" {
		return
	}
	for _, other := range f.fellows {
		if other.dialled == addr {
			return
		}
	}
	f.links.Leave(addr)
}

// fellowUp is called when there is a link to a neighbour: who was late in dialling does so no more.
func (f *Farm) fellowUp(n message.Node) {
	w := f.fellows[n]
	if w == nil {
		return
	}
	w.due = 0
	if slices.Compare(f.node[:], n[:]) > 0 {
		f.undial(w)
	}
}

// fellowDown is called when there is none any more.
func (f *Farm) fellowDown(now int64, n message.Node) {
	w := f.fellows[n]
	switch {
	case w == nil:
	case !w.alive:
		f.bury(now, w)
	case w.dialled == "":
		w.due = now + lateDial
	}
}

// tendFellows does what is due about members, and returns whether something will be.
func (f *Farm) tendFellows(now int64) {
	f.fellowsDue = false
	for _, w := range f.fellows {
		if !w.alive {
			f.bury(now, w)
		}
		if w.due != 0 && now >= w.due {
			f.dial(w)
		}
		f.fellowsDue = f.fellowsDue || !w.alive || w.due != 0
	}
}

// fellowEvery is how often the driver looks whether something is due about members.
const fellowEvery = 100 * time.Millisecond

// gathered reports whether all members are known and linked, as far as that can be said: until then what is not found may be somewhere.
func (f *Farm) gathered() bool {
	if f.group == nil {
		return true
	}
	others, ok := f.group.Joined()
	if !ok {
		return false
	}
	linked := 0
	for n := range f.fellows {
		if _, ok := f.addrs[n]; ok {
			linked++
		}
	}
	return linked >= others
}

// portOf is an address without its host.
func portOf(addr net.Addr) string {
	_, port, _ := net.SplitHostPort(addr.String()) // it is one of ours
	return ":" + port
}
