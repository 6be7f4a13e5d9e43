// Package chaos holds farms of real farmstate processes that keep copies to what they promise while their nodes are killed, frozen, cut off from each other or
// run out of descriptors: no save that was acknowledged is lost, no lock has two holders, no cookie comes twice, what was removed stays away.
//
// Two kinds of clients work all the time. Each visits sessions of its own, of which it knows what it must find there, and all share a few sessions, whose
// histories must have an explanation (porcupine). A client has a node that it prefers, and goes to another one while that is down, as behind a load balancer.
package chaos
