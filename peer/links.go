package peer

import (
	"slices"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// linkEvents is what links report.
type linkEvents Farm

// LinkUp implements link.Handler.
func (e *linkEvents) LinkUp(n message.Node, addr string, purpose message.Purpose) {
	if purpose != message.Neighbour {
		return
	}
	f := (*Farm)(e)
	f.met.Store(true)
	f.inbox.put(func(now int64) {
		f.ups++
		f.addrs[n] = addr
		delete(f.knocks, n)
		f.core.SetAddr(f.links.Advertised())
		f.core.Up(now, n, addr)
		if f.protocol(n) >= 2 { // an older one ends the link
			f.core.TellTombs(now, n)
		}
		f.fellowUp(n)
	})
}

// protocol is the version of the protocol that a neighbour speaks, over each of its links; 0 if there is no link any more.
func (f *Farm) protocol(n message.Node) (version uint32) {
	for _, l := range f.links.Links() {
		if l.Node == n && l.Up && (version == 0 || l.Protocol < version) {
			version = l.Protocol
		}
	}
	return version
}

// LinkDown implements link.Handler. Whether the neighbour has ended is found out by knocking at its door.
func (e *linkEvents) LinkDown(n message.Node, purpose message.Purpose) {
	if purpose != message.Neighbour {
		return
	}
	f := (*Farm)(e)
	f.inbox.put(func(now int64) {
		addr := f.addrs[n]
		delete(f.addrs, n)
		f.core.Down(now, n)
		f.fellowDown(now, n)
		if addr == "" || len(f.knocks) >= maxKnocks {
			return
		}
		f.knocks[n] = &knock{addr: addr, pause: knockSoon, until: now + f.knockLife()}
		f.knock(n, addr)
	})
}

// Gone implements link.Handler.
func (e *linkEvents) Gone(n message.Node, _ string) {
	f := (*Farm)(e)
	f.inbox.put(func(now int64) {
		delete(f.knocks, n)
		f.core.Gone(now, n)
	})
}

// Unreachable implements link.Handler. The core has deadlines of its own for those who do not answer; those who are missed are knocked at again.
func (e *linkEvents) Unreachable(n message.Node, _ string) {
	f := (*Farm)(e)
	f.inbox.put(func(now int64) {
		if k := f.knocks[n]; k != nil {
			k.again(now)
		}
	})
}

// Messages implements link.Handler.
func (e *linkEvents) Messages(from message.Node, batch []*message.Message) {
	f := (*Farm)(e)
	batch = slices.Clone(batch) // the link uses it again
	for _, m := range batch {
		f.reserve(m)
	}
	load := 0
	for _, m := range batch {
		load += 1 + (len(m.Key)+len(m.Target)+len(message.Node{})*(len(m.Nodes)+len(m.Lost)+len(m.Seen)))/heavy
	}
	if f.inbox.putEventPatiently(load, event{batch: batch, from: from}) {
		return
	}
	for _, m := range batch {
		if m.Parcel.Reserved {
			f.engine.Unreserve(cap(m.Parcel.Body))
		}
	}
}

// step takes in what another node has sent.
func (f *Farm) step(from message.Node, batch []*message.Message) {
	for _, m := range batch {
		var sight engine.Sight
		if m.Kind == message.Transfer {
			sight = f.look(m.Key)
		}
		f.guard(func() { f.core.Step(f.now(), from, m, sight) })
		f.act()
	}
}

// reserve takes memory for a session that has arrived: what the link had taken for it is given back now.
func (f *Farm) reserve(m *message.Message) {
	n := cap(m.Parcel.Body)
	if n == 0 {
		return
	}
	if m.Kind == message.Shelved || m.Kind == message.Copy && m.Change != message.Content { // a list, which goes in a moment
		f.engine.Charge(n)
		m.Parcel.Reserved = true
		return
	}
	if m.Parcel.Reserved = f.engine.Reserve(n); !m.Parcel.Reserved {
		m.NoRoom, m.Parcel.Body = true, nil
	}
}

// look says what the engine has of a session. Who is in one leaves it within microseconds.
func (f *Farm) look(key string) engine.Sight {
	k := []byte(key)
	sight := f.engine.Look(f.opt.Now(), k)
	for i := 0; sight.State == engine.SightOccupied && i < 1000; i++ {
		sight = f.engine.Look(f.opt.Now(), k)
	}
	return sight
}
