package relay

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// probeRequest is a read of a key that ASP.NET never makes, since it has no application's hash in it. Every state server
// answers it, Microsoft's as well, and it changes nothing. Host is for those that want one.
const probeRequest = "GET %2ffarmstate-relay-probe HTTP/1.1\r\nHost: stateserver\r\n\r\n"

// probeTimeout bounds one probe, and an attempt to connect.
const probeTimeout = 2 * time.Second

// firstProbes looks at all targets: what is known of them at the start.
func (r *Relay) firstProbes(ctx context.Context) {
	var all sync.WaitGroup
	for _, t := range r.targets {
		all.Go(func() {
			ok := r.probe(ctx, t.addr)
			t.mu.Lock()
			t.up = ok
			t.mu.Unlock()
			if !ok && ctx.Err() == nil {
				r.opt.Log("target " + t.addr + " is down; its sessions go to the others")
			}
		})
	}
	all.Wait()
}

// watch looks at one target now and then.
func (r *Relay) watch(ctx context.Context, t *target) {
	for pause(ctx, r.opt.Probe) == nil {
		ok := r.probe(ctx, t.addr)
		if ctx.Err() == nil {
			r.report(t, ok)
		}
	}
}

// report takes in whether a target could be used.
func (r *Relay) report(t *target, ok bool) {
	t.mu.Lock()
	changed := t.probed(ok, r.opt.Now(), r.opt.WarmUp)
	up := t.up
	t.mu.Unlock()
	switch {
	case changed && up:
		r.opt.Log("target " + t.addr + " is up, and gets its share of the sessions again")
	case changed:
		r.opt.Log("target " + t.addr + " is down; its sessions go to the others")
	}
}

func (r *Relay) isUp(i int) bool {
	t := r.targets[i]
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.up
}

// probe reports whether a state server answers at addr.
func (r *Relay) probe(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer func() { _ = nc.Close() }() // all has been read
	defer context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })()
	if _, err := nc.Write([]byte(probeRequest)); err != nil {
		return false
	}
	head := make([]byte, 0, 4096)
	for {
		n, err := nc.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		var a wire.Answer
		switch _, f := wire.ParseAnswer(head, &wire.Limits{MaxHead: cap(head), MaxBody: maxBody}, &a); f {
		case wire.OK:
			return a.Status != wire.StatusBadRequest
		case wire.Short:
			if err != nil || len(head) == cap(head) {
				return false
			}
		default:
			return false
		}
	}
}
