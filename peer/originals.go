package peer

import (
	"net"
	"net/netip"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/legacy"
)

// originalEvents is what originals send.
type originalEvents Farm

// OriginalUp implements legacy.Handler.
func (e *originalEvents) OriginalUp(peer int) {
	f := (*Farm)(e)
	f.inbox.put(func(int64) {
		f.linked[peer] = true
		f.core.OriginalUp(peer)
	})
}

// OriginalDown implements legacy.Handler.
func (e *originalEvents) OriginalDown(peer int) {
	f := (*Farm)(e)
	f.inbox.put(func(int64) { f.core.OriginalDown(peer) })
}

// OriginalQuery implements legacy.Handler.
func (e *originalEvents) OriginalQuery(peer int, q legacy.Query) {
	f := (*Farm)(e)
	f.inbox.putPatiently(1, func(now int64) {
		f.core.OriginalQuery(now, peer, f.opt.KeyOf(q.Target), &core.OriginalQuery{
			Target: q.Target, ID: q.ID, Broadcast: q.Broadcast, Host: q.Host, MaxForwards: q.MaxForwards,
		})
	})
}

// OriginalTransfer implements legacy.Handler. What an original does not carry is made up: life begins anew, and the generation is the lowest.
func (e *originalEvents) OriginalTransfer(peer int, t legacy.Transfer, answer func(legacy.Verdict)) {
	f := (*Farm)(e)
	f.inbox.putPatiently(1, func(now int64) {
		key := f.opt.KeyOf(t.Target)
		p := &engine.Parcel{
			Key: key, Literal: key == t.Target, Body: t.Body, Minutes: t.Timeout, Left: int64(t.Timeout) * int64(time.Minute),
			Gen: 1, Version: 1, Uninitialized: t.Uninitialized, Cookie: max(1, t.LockCookie), Locked: t.Locked, LockAge: t.LockAge * int64(time.Second),
		}
		h := &incoming{answer: answer, until: now + int64(f.opt.QueryTimeout)*2/5}
		f.core.OriginalTransfer(now, &core.OriginalTransfer{Peer: peer, Parcel: p, Handle: h}, f.look(key))
	})
}

// incoming is a session from an original that is yet to be answered.
type incoming struct {
	answer func(legacy.Verdict)
	until  int64 // it is not refused before, unless this node leaves
}

// incomingAgain is after how long it is looked at again.
const incomingAgain = 20 * time.Millisecond

// verdict answers an original's transfer. What is in its way is mostly over in a moment, such as its own answer to the hand-over that brought it the very session;
// and an original that stops gives up a node that has refused one session.
func (f *Farm) verdict(a core.Verdict) {
	h := a.Transfer.Handle.(*incoming)
	switch a.Verdict {
	case core.OriginalStored:
		h.answer(legacy.Stored)
	case core.OriginalExists:
		h.answer(legacy.Exists)
	case core.OriginalUnavailable:
		if f.now() >= h.until || f.leave.Load() {
			h.answer(legacy.Unavailable)
			return
		}
		time.AfterFunc(incomingAgain, func() {
			f.inbox.put(func(now int64) { f.core.OriginalTransfer(now, a.Transfer, f.look(a.Transfer.Parcel.Key)) })
		})
	}
}

// askOriginals sends a query to originals.
func (f *Farm) askOriginals(a core.Ask) {
	if f.originals == nil {
		return
	}
	q := legacy.Query{Target: a.Query.Target, ID: a.Query.ID, Broadcast: a.Query.Broadcast, Host: a.Query.Host, MaxForwards: a.Query.MaxForwards}
	if q.Host == "" && q.Broadcast == [16]byte{} {
		time.AfterFunc(f.opt.QueryTimeout*2/5, func() {
			f.inbox.put(func(now int64) { f.core.AskAgain(now, a.Peer, a.Query) })
		})
	}
	if a.Peer != core.AllOriginals {
		f.originals.Query(a.Peer, q) // what is dropped is counted there
		return
	}
	for peer := range f.opt.Originals.Peers {
		if peer != a.Except {
			f.originals.Query(peer, q)
		}
	}
}

// deliver hands a session to an original.
func (f *Farm) deliver(a core.Deliver) {
	p := a.Move.Parcel()
	now := time.Now()
	t := legacy.Transfer{
		Target: a.Move.Target(), ID: newID(), Body: p.Body, Timeout: p.Minutes, Uninitialized: p.Uninitialized,
		LastModified: legacy.Ticks(now.UTC()),
	}
	if p.Locked {
		age := time.Duration(p.LockAge)
		t.Locked, t.LockCookie, t.LockAge, t.LockDate = true, p.Cookie, int64(age/time.Second), legacy.Ticks(now.Add(-age).UTC())
	}
	host := a.Host
	if host == "" {
		host = f.opt.Originals.Peers[a.Peer].Addr
	}
	f.originals.Deliver(a.Peer, host, t, func(o legacy.Outcome) {
		f.inbox.put(func(now int64) {
			switch {
			case o.Result == legacy.Delivered:
				f.core.Delivered(now, a.Move, core.DeliveredOK)
			case o.Result == legacy.AlreadyThere:
				// Its copy stays: should it be on its way here, we have just refused it, because ours was leaving.
				f.core.Delivered(now, a.Move, core.DeliveredThere)
			case o.Uncertain:
				f.core.Delivered(now, a.Move, core.DeliveredUncertain)
			default:
				f.core.Delivered(now, a.Move, core.DeliveredKept)
			}
		})
	})
}

// advertise is where originals deliver to us: what the peer port tells other nodes, but by the address of the link if that is of no use to them.
func (f *Farm) advertise(local netip.AddrPort) string {
	if f.links == nil {
		return local.String()
	}
	host, port, err := net.SplitHostPort(f.links.Advertised())
	if err != nil {
		return local.String()
	}
	if ip, err := netip.ParseAddr(host); err == nil && (ip.IsUnspecified() || ip.IsLoopback() != local.Addr().IsLoopback()) {
		host = local.Addr().Unmap().String()
	}
	return net.JoinHostPort(host, port)
}

// foreign takes over a connection of an original.
func (f *Farm) foreign(nc net.Conn, first []byte) bool {
	f.originals.Accept(nc, first)
	return true
}
