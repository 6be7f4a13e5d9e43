package legacy

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// Attempts at authentication. See docs/peer-protocol.md §8.6.
const (
	maxAttempts  = 10
	attemptsTime = time.Minute
)

// failedAttempts are those of one address.
type failedAttempts struct {
	n     int
	since time.Time
}

// mayTry reports whether an address may try to authenticate itself.
func (n *Net) mayTry(a netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, ok := n.attempts[a]
	if ok && time.Since(f.since) >= attemptsTime {
		delete(n.attempts, a)
		return true
	}
	return f.n < maxAttempts
}

func (n *Net) noteAttempt(a netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.attempts[a]
	if f.n == 0 {
		f.since = time.Now()
	}
	f.n++
	n.attempts[a] = f
}

func (n *Net) nonce() (string, error) {
	if n.opt.newNonce != nil {
		return n.opt.newNonce()
	}
	return n.nonces.make()
}

// sendChallenge queues a 401 with a new nonce; m may say to which transfer.
func (c *conn) sendChallenge(m *Message) (why reason, ok bool) {
	nonce, err := c.n.nonce()
	if err != nil {
		return endReset, false
	}
	m.Kind, m.Status, m.Phrase = KindResponse, 401, phrases[401]
	m.Digest = Digest{Realm: realmPrefix + c.n.opt.MachineName, QOP: "auth", Nonce: nonce, Algorithm: algorithm}
	kind := sentAuth
	if m.HasAssoc {
		kind = sentOther
	}
	return endFlood, c.reply(out{kind: kind, b: Append(nil, m), nonce: nonce})
}

// receiveAuthBegin answers the first step, whatever our setting is. See docs/peer-protocol.md §8.2.
func (c *conn) receiveAuthBegin(m *Message) (why reason, ok bool) {
	if m.Bad {
		return c.respond(&Message{Status: 400}, sentOther)
	}
	return c.sendChallenge(&Message{})
}

// receiveAuthAnswer checks the second step. See docs/peer-protocol.md §8.2.
func (c *conn) receiveAuthAnswer(m *Message) (why reason, ok bool) {
	n, d := c.n, &m.Digest
	c.mu.Lock()
	nonce, by := c.challenge, c.challengeBy
	c.challenge = "" // it can be used once
	c.mu.Unlock()
	if m.Bad || !d.complete() || nonce == "" {
		n.counts.auths[authMalformed].Add(1)
		return c.respond(&Message{Status: 400}, sentOther)
	}
	peer, _ := c.peerNow()
	if !n.mayTry(c.remote.Addr()) {
		n.counts.auths[authAttempts].Add(1)
		n.warn(peer, textAttempts, "event", "original_refused")
		return endAttempts, false
	}
	var who []int
	if d.Realm == realmPrefix+n.opt.MachineName && d.Nonce == nonce && time.Now().Before(by) {
		who = c.prover(d)
	}
	if len(who) == 0 {
		n.noteAttempt(c.remote.Addr())
		n.counts.auths[authWrong].Add(1)
		text := textWrongPassword
		if n.peers[peer].Password == "" {
			text = textWantsAuth
		}
		n.warn(peer, text, "event", "original_refused")
		return c.sendChallenge(&Message{})
	}
	password := n.peers[who[0]].Password
	info := Digest{QOP: d.QOP, RspAuth: d.proof(password, ""), CNonce: d.CNonce, NC: d.NC}
	c.trust(who, d.key(password))
	return c.respond(&Message{Status: 200, HasDigest: true, Digest: info}, sentAuth)
}

// prover returns the candidates whose password the other side has proved, which is one and the same. All are tried, so that the time does not tell
// which one it is.
func (c *conn) prover(d *Digest) (who []int) {
	c.mu.Lock()
	candidates := c.candidates
	c.mu.Unlock()
	for _, i := range candidates {
		p := c.n.peers[i]
		if p.Password != "" && same(d.Response, d.proof(p.Password, "GET")) && (len(who) == 0 || p.Password == c.n.peers[who[0]].Password) {
			who = append(who, i)
		}
	}
	return who
}

// trust notes that both sides have proved the password of these peers, one of which is at the other end.
func (c *conn) trust(who []int, k key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.authed, c.key = true, &k
	if !c.live {
		c.candidates, c.peer = who, who[0]
	}
	if c.limitEnd == endUnproved {
		c.limit = time.Time{}
	}
	c.refreshDeadline()
}

var (
	errRefused   = errors.New("it refused our authentication")
	errUnproved  = errors.New("it did not prove the password")
	errReflected = errors.New("it challenged us with a nonce of ours")
)

// authenticate is the dialler's part. The connection's loops do not run yet, and nothing else is sent on it meanwhile.
func (c *conn) authenticate(p *original, by time.Time) error {
	c.mu.Lock()
	c.limit, c.limitEnd = by, endUnproved
	c.mu.Unlock()
	host := c.n.ownHost(c)
	m, err := c.exchange(&Message{Kind: KindAuthBegin, Host: host}, by)
	if err != nil {
		return err
	}
	if err := checkChallenge(m); err != nil {
		return err
	}
	if c.n.nonces.isOwn(m.Digest.Nonce) {
		return errReflected
	}
	cnonce, err := c.n.nonce()
	if err != nil {
		return err
	}
	d := Digest{
		Username: c.n.opt.MachineName, Realm: m.Digest.Realm, Nonce: m.Digest.Nonce, CNonce: cnonce, QOP: m.Digest.QOP,
		URI: authTarget, NC: 1, Algorithm: algorithm,
	}
	d.Response = d.proof(p.Password, "GET")
	m, err = c.exchange(&Message{Kind: KindAuthAnswer, Host: host, Digest: d}, by)
	if err != nil {
		return err
	}
	if m.Status != 200 || !m.HasDigest {
		return errRefused
	}
	if i := m.Digest; i.QOP == "" || i.CNonce != cnonce || !same(i.RspAuth, d.proof(p.Password, "")) {
		return errUnproved
	}
	c.mu.Lock()
	c.limit = time.Time{}
	c.mu.Unlock()
	c.trust([]int{c.peer}, d.key(p.Password))
	return nil
}

// exchange writes one step and reads the response to it. Requests of the other side that come in between are dropped: nothing may be sent now.
func (c *conn) exchange(step *Message, by time.Time) (*Message, error) {
	if err := c.write(Append(nil, step), by); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.sentAny = true
	c.mu.Unlock()
	for range maxReplies {
		var m Message
		if err := c.next(&m); err != nil {
			return nil, err
		}
		if m.Kind == KindResponse || m.Kind == KindPingReply {
			return &m, nil
		}
	}
	return nil, errRefused
}

// checkChallenge says what is wrong with the answer to the first step. What it lets pass can be put between quotes.
func checkChallenge(m *Message) error {
	d := m.Digest
	if m.Bad || m.Status != 401 || d.Realm == "" || d.QOP == "" || d.Nonce == "" || m.Length > 0 {
		return errRefused
	}
	if strings.ContainsRune(d.Realm+d.QOP+d.Nonce, '"') || hasControl(d.Realm+d.QOP+d.Nonce) {
		return errRefused
	}
	if _, err := base64.StdEncoding.DecodeString(d.Nonce); err != nil {
		return errRefused
	}
	return nil
}

// authFailed counts why an authentication of ours failed, logs it, and returns why the connection ends.
func (n *Net) authFailed(peer int, err error) reason {
	switch {
	case errors.Is(err, errReflected):
		n.counts.auths[authReflected].Add(1)
		n.warn(peer, textReflected, "event", "original_refused")
		return endReflected
	case errors.Is(err, errUnproved):
		n.counts.auths[authUnproved].Add(1)
		n.warn(peer, textUnproved, "event", "original_refused")
		return endRefused
	case errors.Is(err, errRefused):
		n.counts.auths[authRefused].Add(1)
		n.warn(peer, textRefused, "event", "original_refused")
		return endRefused
	case isTimeout(err):
		n.counts.auths[authSilent].Add(1)
		return endUnproved
	}
	n.counts.auths[authSilent].Add(1)
	return endOf(err)
}
