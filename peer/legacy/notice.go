package legacy

import "time"

// logAgain is how long a line about a peer stays unsaid after it was said. What it says is told by its kind, so there are few.
const logAgain = 10 * time.Minute

type logKey struct {
	peer int
	text string
}

// warn logs a line about a peer, unless it was logged not long ago. A link that goes wrong does so again and again.
func (n *Net) warn(peer int, text string, args ...any) {
	n.mu.Lock()
	key, now := logKey{peer, text}, time.Now()
	last, said := n.logged[key]
	if said && now.Sub(last) < logAgain {
		n.mu.Unlock()
		return
	}
	n.logged[key] = now
	n.mu.Unlock()
	n.opt.Logger.With(args...).Warn(text, "original", n.peers[peer].Addr)
}

// What is wrong when settings differ, and what to do about it. See docs/peer-protocol.md §8.2.
const (
	textWrongPassword = "an original did not prove our password: its PeerPassword and ours differ"
	textRefused       = "an original refused our authentication: its PeerPassword and ours differ"
	textUnproved      = "an original did not prove the password to us: something else may be listening at its address"
	textReflected     = "an original answered our authentication with a challenge of ours: somebody tries to get in without the password"
	textAttempts      = "too many failed authentications from the address of an original: further ones are refused for a minute"
	textNotAuth       = "an original sends without authentication, and gets no answer: its AuthenticatePeers and our setting differ"
	textWantsAuth     = "an original authenticates itself, but no password is set for it here: set authenticate and password"
	textNoPing        = "an original does not answer: it may want authentication (AuthenticatePeers), or be no original"
	textTheyEncrypt   = "an original sent an encrypted session, which was refused: its EncryptPeerData and our setting differ"
	textWeEncrypt     = "an original sent a session that is not encrypted, which was refused: its EncryptPeerData and our setting differ"
	textDecrypt       = "a session from an original did not decrypt, and was refused: it was changed on its way"
	textGot400        = "an original refused a session as malformed: its EncryptPeerData and our setting may differ"
	textGot401        = "an original refused a session because it wants authentication: its AuthenticatePeers and our setting differ"
	textBadHost       = "an original wants a session delivered where nothing can be delivered, and was ignored"
	textNotAllowed    = "an original wants a session delivered to an address that is no original's: it stays here"
	textUnreachable   = "an original cannot be reached: see whether it runs, and whether its PeerPort is open for this node"
)
