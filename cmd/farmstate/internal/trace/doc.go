// Package trace brings the events of all nodes of a farm together in one stream: it follows each node by itself, so that one that is away delays nobody, puts what
// comes in order by time as far as that is possible without waiting for anybody, and filters it.
package trace
