package netpoll

// link is what a transport does for a connection. All but wake are called on the connection's lane only, and not after the transport has
// called conn.closed.
type link interface {
	// inbound is how many received bytes have not been discarded.
	inbound() int
	// peek returns up to n of them, n > 0. Aliases a buffer that is valid until the lane goes on to something else, or discard.
	peek(n int) []byte
	// discard drops n > 0 of them. Requires n <= inbound().
	discard(n int)
	// write sends head, then body, and queues what the socket does not take. Both may be reused on return. An error means that conn.closed has been called.
	write(head, body []byte) error
	// outbound is how many written bytes the socket has not taken yet.
	outbound() int
	// gone reports whether the client has closed or reset the connection, even if the transport has not come to see it.
	gone() bool
	// closeWrite ends the sending side. Requires outbound() == 0.
	closeWrite()
	// close ends the connection at once, and calls conn.closed.
	close()
	// wake makes the transport call conn.event on the lane, soon. May be called from any goroutine, also after the end of the connection. Never blocks.
	wake()
}
