// Package admin serves the admin pages of a node over HTTP: the dashboard, health, metrics, what the node knows as JSON, events as they come, and the actions by
// which an operator changes something.
//
// The pages tell an attacker a good deal, so doors stand in front of them: the address that is listened on (this machine alone by default), the networks that may
// connect, the Host header, which a page in somebody's browser cannot choose (see hostAllowed), and its Origin. Actions, whole session ids and contents need the token
// besides, and a header that a browser does not send for another origin (see authorised).
package admin
