package member

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
	// aliasInterval is how often an address is tried that answers although no member is known under it: it may be this node's, or lead through a translation.
	aliasInterval = time.Minute
	// maxAtOnce is how many addresses are tried at a time, and maxTries how many in a round.
	maxAtOnce, maxTries = 8, 64
)

// joiner looks for others, for ever. Names are looked up anew each time. When all addresses are those of living members, it does nothing.
//
// That is what brings two parts of a farm together that have lost each other: gossip itself forgets who is dead.
func (g *Group) joiner() {
	aliases := map[netip.AddrPort]time.Time{} // when each was tried last; owned by this goroutine
	failed := map[string]string{}             // what was last wrong with each configured address, likewise
	backoff := minBackoff
	for {
		g.round(aliases, failed)
		wait := g.opt.RejoinInterval
		if others, _ := g.table.living(); others == 0 {
			wait = min(backoff, wait)
			backoff = min(2*backoff, maxBackoff)
		} else {
			backoff = minBackoff
		}
		timer := time.NewTimer(time.Duration(float64(wait) * (0.5 + 0.5*g.opt.jitter())))
		select {
		case <-timer.C:
		case <-g.ctx.Done():
			timer.Stop()
			return
		}
	}
}

// target is an address that is tried.
type target struct {
	addr netip.AddrPort
	name string // as it was configured; empty if it was not
}

// round tries each address at which no member is known to live.
func (g *Group) round(aliases map[netip.AddrPort]time.Time, failed map[string]string) {
	if g.going.Load() {
		return
	}
	targets := g.targets(aliases, failed)
	errs := make([]error, len(targets))
	defer func() { g.silent.Store(!g.answered.Load() && slices.ContainsFunc(errs, mute)) }()
	var tries sync.WaitGroup
	places := make(chan struct{}, maxAtOnce)
	for i, t := range targets {
		places <- struct{}{}
		tries.Go(func() {
			defer func() { <-places }()
			errs[i] = g.try(t.addr)
		})
	}
	tries.Wait()
	living := g.addresses()
	for i, t := range targets {
		if errs[i] == nil && !living[t.addr] {
			aliases[t.addr] = time.Now()
		} else {
			delete(aliases, t.addr)
		}
		if t.name != "" && g.ctx.Err() == nil {
			g.noteTry(t, errs[i], failed)
		}
	}
}

// targets are the addresses that this round tries: those that were configured, and those of the dead, but for the ones at which somebody lives.
func (g *Group) targets(aliases map[netip.AddrPort]time.Time, failed map[string]string) (all []target) {
	living := g.addresses()
	add := func(addr netip.AddrPort, name string) {
		tried, alias := aliases[addr]
		if living[addr] || addr == g.carrier.advertised() || addr == g.carrier.addr() || alias && time.Since(tried) < aliasInterval || len(all) >= maxTries ||
			slices.ContainsFunc(all, func(t target) bool { return t.addr == addr }) {
			return
		}
		all = append(all, target{addr, name})
	}
	for _, name := range g.opt.Join {
		found, err := g.opt.resolve(g.ctx, name)
		if err != nil && g.ctx.Err() == nil {
			g.noteTry(target{name: name}, err, failed)
		}
		for _, addr := range found {
			add(addr, name)
		}
	}
	for _, m := range g.table.all() {
		if m.State == Dead {
			add(m.Gossip, "")
		}
	}
	return all
}

// addresses are those at which members live.
func (g *Group) addresses() map[netip.AddrPort]bool {
	living := map[netip.AddrPort]bool{}
	for _, m := range g.table.all() {
		if m.State == Alive {
			living[m.Gossip] = true
		}
	}
	return living
}

// try exchanges all that is known with whoever is at an address.
func (g *Group) try(addr netip.AddrPort) error {
	n, err := g.list.Join([]string{addr.String()})
	if err == nil && n == 0 {
		err = errNobody
	}
	if err == nil {
		g.answered.Store(true)
	}
	return err
}

// mute reports whether an address has neither answered nor refused, so that somebody may live there all the same.
func mute(err error) bool {
	return err != nil && !strings.Contains(err.Error(), "refused") && !broken(err.Error())
}

// broken reports whether an error says that somebody has broken a connection off.
func broken(text string) bool {
	return strings.HasSuffix(text, "EOF") || containsAny(text, "reset by peer", "broken pipe", "forcibly closed", "no installed keys", "remote error", "aborted")
}

// Silent reports whether a node may live at one of the addresses to be joined although none has answered.
func (g *Group) Silent() bool { return !g.answered.Load() && g.silent.Load() }

// errClosed is what a connection ends with that the other side has closed without an answer.
var errClosed = errors.New("it has closed the connection without an answer: either it has another peer secret (or this node has), or no gossip port is there " +
	"(42426 by default, not 42425), or it does not allow this node's address")

// noteTry logs what is new about a configured address.
func (g *Group) noteTry(t target, err error, failed map[string]string) {
	which := t.name + " " + t.addr.String()
	if err == nil {
		delete(failed, which)
		return
	}
	text := err.Error()
	if _, rest, ok := strings.Cut(text, "failed to join "+t.addr.String()+": "); ok {
		text = strings.TrimSpace(rest)
	}
	text = cut(text)
	if broken(text) {
		text = errClosed.Error()
	}
	if failed[which] == text {
		return
	}
	if len(failed) >= maxFailed {
		clear(failed) // a name that stands for ever new addresses
	}
	failed[which] = text
	g.opt.Logger.Warn("a node that is to be joined cannot be; trying again", "event", "gossip_join_failed", "addr", t.name, "err", text)
}

// maxFailed is of how many addresses it is remembered what was wrong with them.
const maxFailed = 256
