// Package farm holds real farms of farmstate processes to a table of scenarios: what one node, two, or five in any topology have to do when sessions
// move, links break, nodes die, stop or stand still, many ask for one session, or strangers call.
//
// A test case is named by the scenario it plays, a letter for the section and a number: S and F what a single node does, P what an original finds on the
// peer port, T two nodes, N topologies, D leaving, C contention, X security; L are the locks of a farm. What netpoll/conformance says about a single node
// is not repeated.
//
// TestMain builds the program once. Every farm listens on loopback ports of its own, below those that systems give to outgoing connections, so a node
// finds its ports free when it is started again. Between nodes there may be a relay, which reads what plain links carry and drops, delays or holds it, and
// cuts or bends what it cannot read. All waiting is for a condition, with a deadline.
//
// Times are asserted against the machine: see budget in measure_test.go.
package farm
