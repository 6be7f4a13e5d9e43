// Package admin serves the admin pages of a node over HTTP: health, metrics,
// and what the node knows, as JSON. Pages only show; none changes anything.
//
// The pages tell an attacker a good deal, so three doors stand in front of
// them: the address that is listened on (this machine alone by default), the
// networks that may connect, and the Host header, which a page in somebody's
// browser cannot choose (see hostAllowed).
package admin
