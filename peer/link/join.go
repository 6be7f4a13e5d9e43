package link

import "context"

// Join dials addr, again and again, as if it were one of Options.Peers, until Leave. It does nothing if that is so already, or if the net is being closed. An
// address that Options.Peers may not have for want of encryption is refused, and so is one more than MaxLinks. Never blocks.
func (n *Net) Join(addr string) {
	if refused := n.join(addr); refused != 0 {
		n.noteRefused(refused, addr, "dialled", nil)
	}
}

func (n *Net) join(addr string) (refused CloseReason) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.targets[addr]
	switch {
	case n.closing:
		return 0
	case t != nil && !t.left:
		return 0
	case t != nil: // the goroutine that has dialled it is still there; two would make two links
		t.left = false
		t.ctx, t.cancel = context.WithCancel(n.ctx)
		return 0
	case n.opt.Security.Plain && !n.opt.Insecure && !onLoopback(addr):
		return ClosePlain
	case len(n.targets) >= n.opt.MaxLinks:
		return CloseTooManyLinks
	}
	n.dialLocked(n.newTarget(addr, false))
	return 0
}

// dialLocked begins to dial t.
func (n *Net) dialLocked(t *target) {
	n.targets[t.addr] = t
	n.spawnLocked(func() { n.keep(t) })
}

// Leave dials addr no more, if Join has made it so: what Options.Peers names is dialled for ever. A link that is there stays until it ends. Never blocks.
func (n *Net) Leave(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t := n.targets[addr]; t != nil && !t.fixed {
		t.left = true
		t.cancel()
	}
}

// wanted returns for how long t is to be dialled. Once it returns false, t is forgotten.
func (n *Net) wanted(t *target) (context.Context, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !t.left && n.ctx.Err() == nil {
		return t.ctx, true
	}
	t.cancel()
	if n.targets[t.addr] == t {
		delete(n.targets, t.addr)
	}
	return nil, false
}
