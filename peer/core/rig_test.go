package core

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// rig is a core whose surroundings are a script. Nodes are named by one letter; the core's own is M.
type rig struct {
	t    *testing.T
	c    *Core
	now  int64
	ids  uint64
	acts []Action // done since the last want

	take    *Take
	arrived *Arrived
	fetch   *engine.Fetch
	asked   message.ID             // of the latest own question
	sent    map[message.Kind]*Send // the latest of each kind
}

const key = "/app/k"

func node(name byte) (n message.Node) {
	n[0], n[15] = name, name
	return n
}

func letter(n message.Node) string { return string(n[:1]) }

// newRig returns a core with neighbours that has nothing to do.
func newRig(t *testing.T, neighbours string) *rig {
	t.Helper()
	r := &rig{t: t, now: int64(time.Hour), sent: map[message.Kind]*Send{}}
	r.c = New(Options{Node: node('M'), Addr: "M", MaxForwards: 5, QueryTimeout: 2500 * time.Millisecond, NewID: func() (id message.ID) {
		r.ids++
		binary.BigEndian.PutUint64(id[8:], r.ids)
		return id
	}})
	for _, n := range []byte(neighbours) {
		r.c.Up(r.now, node(n), string(n))
	}
	r.collect()
	r.acts = nil
	return r
}

// collect takes note of what the core wants.
func (r *rig) collect() {
	for _, a := range r.c.Ready() {
		if s, ok := a.(Send); ok && s.Msg.Kind == message.Around {
			r.sent[message.Around] = &s // has a test of its own; see TestAround
			continue
		}
		r.acts = append(r.acts, a)
		switch a := a.(type) {
		case Take:
			r.take = &a
		case Arrived:
			r.arrived = &a
		case Send:
			r.sent[a.Msg.Kind] = &a
			if a.Msg.Kind == message.Query && a.Msg.Node == node('M') {
				r.asked = a.Msg.ID
			}
		}
	}
}

// show is an action as scripts write it; empty if it is of no interest.
func show(a Action) string {
	switch a := a.(type) {
	case Send:
		m := a.Msg
		text := letter(a.To) + "<-" + m.Kind.String()
		switch m.Kind {
		case message.Query:
			if m.Direct {
				text += " direct"
			}
			if m.Census {
				text += " census"
			}
			if m.Gen != 0 {
				text += fmt.Sprintf(" gen%d", m.Gen)
			}
		case message.NotHere:
			if m.Undecided {
				text += " undecided"
			}
			if m.Original {
				text += " original"
			}
			for _, n := range m.Lost {
				text += " lost" + letter(n)
			}
		case message.Transfer:
			text += fmt.Sprintf(" %d.%d", m.Gen, m.Parcel.Version)
		case message.Refused:
			text += " " + m.Reason.String()
		}
		return text
	case Take:
		return "take"
	case Left:
		return "left"
	case Stayed:
		return "stayed"
	case Arrived:
		if a.Fetch == nil {
			return fmt.Sprintf("arrived %d.%d unasked", a.Parcel.Gen, a.Parcel.Version)
		}
		return fmt.Sprintf("arrived %d.%d", a.Parcel.Gen, a.Parcel.Version)
	case Missing:
		if a.Undecided {
			return "undecided"
		}
		return "missing"
	case Remember:
		return "remember"
	case Drop:
		return "drop"
	case Deliver:
		return fmt.Sprintf("deliver to %d", a.Peer)
	case Verdict:
		return fmt.Sprintf("verdict %d", a.Verdict)
	case Ask:
		return fmt.Sprintf("ask %d except %d", a.Peer, a.Except)
	case Quarantine:
		return "quarantined"
	case Notice:
		if a.What == SessionConflict || a.What == SessionRecovered {
			return "!" + string(a.What)
		}
	}
	return ""
}

// want checks what the core has done since the last time.
func (r *rig) want(want ...string) {
	r.t.Helper()
	var got []string
	for _, a := range r.acts {
		if text := show(a); text != "" {
			got = append(got, text)
		}
	}
	r.acts = nil
	if !slices.Equal(got, want) {
		r.t.Fatalf("at %v:\n\tgot  %s\n\twant %s", time.Duration(r.now-int64(time.Hour)), strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// gets hands in a message.
func (r *rig) gets(from byte, m message.Message) {
	r.sees(from, m, engine.Sight{State: engine.SightAbsent})
}

func (r *rig) sees(from byte, m message.Message, sight engine.Sight) {
	r.t.Helper()
	r.c.Step(r.now, node(from), &m, sight)
	r.collect()
}

// wait lets time pass, timer by timer.
func (r *rig) wait(d time.Duration) {
	end := r.now + int64(d)
	for {
		at, ok := r.c.Next()
		if !ok || at > end {
			break
		}
		r.now = max(r.now, at)
		r.c.Tick(r.now)
		r.collect()
	}
	r.now = end
	r.c.Tick(r.now)
	r.collect()
}

// find is a request for the session that the engine does not have.
func (r *rig) find() {
	r.fetch = &engine.Fetch{Key: key, Deadline: r.now + int64(2500*time.Millisecond)}
	r.c.Find(r.now, r.fetch)
	r.collect()
}

// taken answers the latest Take.
func (r *rig) taken(o Outcome, gen, version uint32) {
	var p *engine.Parcel
	if o == TakenOK {
		p = &engine.Parcel{Key: key, Body: []byte("body"), Gen: gen, Version: version}
	}
	r.c.Taken(r.now, r.take.Move, o, p)
	r.collect()
}

// settled answers the latest Arrived.
func (r *rig) settled(waiting int) {
	r.c.Settled(r.now, key, waiting, nil)
	r.collect()
}

func id(n byte) message.ID { return message.ID{1, n} }

// ask is a query of a node, under an id, with a rank.
func ask(asker, n byte, rank uint32) message.Message {
	return message.Message{
		Kind: message.Query, ID: id(n), Key: key, Node: node(asker), Addr: string(asker), Hops: 4, Chase: 32, Rank: rank, Wait: 2500 * time.Millisecond,
	}
}

func direct(m message.Message) message.Message {
	m.Direct, m.Hops = true, 0
	return m
}

// notHere answers the latest own question.
func (r *rig) notHere() message.Message { return message.Message{Kind: message.NotHere, ID: r.asked} }

func (r *rig) foundIt() message.Message { return message.Message{Kind: message.Found, ID: r.asked} }

func transfer(n byte, from byte, gen, version uint32) message.Message {
	return message.Message{
		Kind: message.Transfer, ID: id(n), Key: key, Gen: gen, Node: node(from), Addr: string(from), Parcel: engine.Parcel{Body: []byte("body"), Version: version},
	}
}

// about is a message about a move of another node's.
func about(kind message.Kind, n byte, gen uint32) message.Message {
	return message.Message{Kind: kind, ID: id(n), Key: key, Gen: gen}
}

// reply is a message about the latest move of this node's.
func (r *rig) reply(kind message.Kind) message.Message {
	m := r.sent[message.Transfer].Msg
	return message.Message{Kind: kind, ID: m.ID, Key: key, Gen: m.Gen}
}

func (r *rig) refusal(why message.Reason) message.Message {
	m := r.reply(message.Refused)
	m.Reason = why
	return m
}

// quiet checks that nothing is left after a while.
func (r *rig) quiet() {
	r.t.Helper()
	r.wait(time.Minute)
	if g := r.c.Gauges(); g != (Gauges{}) {
		r.t.Errorf("left: %+v", g)
	}
	if !r.c.Idle() || r.c.settling != 0 {
		r.t.Errorf("not idle: %d are being put into service", r.c.settling)
	}
	if len(r.c.chases) != 0 {
		r.t.Errorf("%d chases are left", len(r.c.chases))
	}
	if _, ok := r.c.Next(); ok {
		r.t.Error("a timer is left")
	}
}

// offers has the core offer the session to B, who has asked for it.
func (r *rig) offers(gen, version uint32) {
	r.t.Helper()
	r.gets('B', ask('B', 1, 1))
	r.want("take")
	r.taken(TakenOK, gen, version)
	r.want("B<-found", fmt.Sprintf("B<-transfer %d.%d", gen, version))
}

// holds has the core hold a copy of H's that a request has asked for.
func (r *rig) holds(gen, version uint32) {
	r.t.Helper()
	r.find()
	r.acts = nil
	r.gets('H', r.foundIt())
	r.gets('H', transfer(9, 'H', gen, version))
	r.want("H<-held")
}
