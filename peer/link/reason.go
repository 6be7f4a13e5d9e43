package link

// Drop says why a message was not sent. 0 means that it is on its way. The names are stable: log fields, metric labels and tests use them.
type Drop uint8

// The reasons.
const (
	Queued           Drop = iota
	DropNoLink            // no link to the node, and no address to dial
	DropSelf              // it is for this node itself
	DropQueueFull         // the peer does not take what is queued
	DropTooLarge          // the body is above what any node takes
	DropTooManyLinks      // no further link may be made
	DropDialFailed        // it was queued, and its address could not be reached
	DropWrongNode         // it was queued, and another node answered at its address
	DropLinkLost          // it was queued, and the link ended
	DropExpired           // a body on its way in whose parts came too slowly
	DropShutdown          // the net is being closed
	numDrops
)

var dropNames = [numDrops]string{
	"queued", "no_link", "self", "queue_full", "too_large", "too_many_links", "dial_failed", "wrong_node", "link_lost", "expired", "shutdown",
}

// String returns the reason's name.
func (d Drop) String() string {
	if d >= numDrops {
		return "unknown"
	}
	return dropNames[d]
}

// MarshalText makes the name a key in JSON.
func (d Drop) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Drops are all reasons for which messages are dropped.
func Drops() (all []Drop) {
	for d := Queued + 1; d < numDrops; d++ {
		all = append(all, d)
	}
	return all
}

// CloseReason says why a link, or a connection that was to become one, has ended. The names are stable: log fields, metric labels and tests use them.
type CloseReason uint8

// The reasons. Up to and including CloseStalled they end links, behind that connections that have not become one; some end both.
const (
	CloseRemote      CloseReason = iota + 1 // the other side closed or reset it
	CloseShutdown                           // the net is being closed
	CloseIdle                               // a delivery link with nothing more to deliver
	CloseMalformed                          // what came is no message
	CloseSecondHello                        // a node introduced itself once more
	CloseBadPart                            // a part of a body that does not fit the parts before it
	CloseSilent                             // nothing came for three times Options.PingEvery
	CloseStalled                            // the other side takes nothing any more

	CloseNotAllowed   // from an address that may not connect
	CloseHandshakes   // more unauthenticated connections than Options.MaxHandshakes
	CloseProbe        // closed by the other side without a byte: somebody looks whether we listen
	CloseTimeout      // the handshake took longer than Options.HandshakeTimeout
	CloseStranger     // neither TLS nor a Hello, and not from the address of an original
	ClosePlain        // a link without encryption where there may be none
	CloseEncrypted    // TLS, where links are plain
	CloseTLS          // the TLS handshake failed
	CloseCertificate  // a certificate that is not of our CA, has expired, or is not for this use
	CloseSecret       // the other side does not have our secret
	CloseNoHello      // the first message was another
	CloseProtocol     // a version of the protocol that we do not speak
	CloseSelf         // we have reached ourselves
	CloseNodeTaken    // a node by this name is linked already, with another certificate
	CloseWrongNode    // not the node that was to be delivered to
	CloseTooManyLinks // more links than Options.MaxLinks
	CloseRefused      // the other side ended it in the middle of the handshake
	CloseUnreachable  // it could not be dialled
	CloseForeign      // none of ours: it was handed over to whoever talks to originals
	numCloseReasons
)

var closeNames = [numCloseReasons]string{
	"", "remote", "shutdown", "idle", "malformed", "second_hello", "bad_part", "silent", "stalled",
	"not_allowed", "too_many_handshakes", "probe", "handshake_timeout", "stranger", "plain_refused", "tls_refused", "tls_failed", "bad_certificate",
	"wrong_secret", "no_hello", "protocol", "self", "node_taken", "wrong_node", "too_many_links", "refused", "unreachable", "foreign",
}

// String returns the reason's name.
func (r CloseReason) String() string {
	if r >= numCloseReasons {
		return "unknown"
	}
	return closeNames[r]
}

// MarshalText makes the name a key in JSON.
func (r CloseReason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// CloseReasons are all of them.
func CloseReasons() (all []CloseReason) {
	for r := CloseRemote; r < numCloseReasons; r++ {
		all = append(all, r)
	}
	return all
}

// closeAdvice says in the log what a reason means and what to do, for those that somebody may have to put right.
var closeAdvice = [numCloseReasons]string{
	CloseNotAllowed:   "a connection to the peer port from outside the allowed networks was turned away; add its network if it is a node of yours",
	CloseHandshakes:   "a connection to the peer port was turned away: too many others have not said who they are yet",
	CloseTimeout:      "a handshake between nodes took too long",
	CloseStranger:     "something that is no node connected to the peer port",
	ClosePlain:        "a link without encryption was refused; give both nodes the same secret or certificates, or allow plain links on this one",
	CloseEncrypted:    "a node wants an encrypted link, and links of this node are plain; give this node the other's secret or a certificate",
	CloseTLS:          "the TLS handshake between nodes failed",
	CloseCertificate:  "a certificate was refused: both nodes need one of the same CA that has not expired (farmstate cert show FILE)",
	CloseSecret:       "the secrets of the two nodes differ; give both the same",
	CloseMalformed:    "a node has sent what is no message",
	CloseSecondHello:  "a node has introduced itself twice on one link",
	CloseBadPart:      "a node has sent a part of a session that does not fit the parts before it",
	CloseNoHello:      "a node has not introduced itself",
	CloseProtocol:     "a node speaks a version of the protocol that this one does not know; update the older of the two",
	CloseNodeTaken:    "a node calls itself by the name of another that is linked, and has another certificate",
	CloseTooManyLinks: "a node was turned away: there are too many links already",
	CloseRefused:      "the other node has ended the handshake; its log says why (are both encrypted in the same way?)",
	CloseWrongNode:    "another node answers at the address of a node that has ended",
}
