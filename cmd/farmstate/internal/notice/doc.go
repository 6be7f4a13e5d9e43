// Package notice tells operators what the engine notices: near misses, locks
// left behind, and saves that did not fit. It logs them at a bounded rate and
// keeps the near misses for the admin pages.
//
// The engine calls back on the goroutine that serves a client, which must not
// wait for a log. So a callback only puts the event into a bounded queue; one
// goroutine, owned by [Listener], takes events out and logs them. What does not
// fit in the queue is counted and forgotten; the engine has counted the event
// itself.
package notice
