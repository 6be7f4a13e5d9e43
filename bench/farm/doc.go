// Package farm plays the web servers of a farm of farmstate nodes: clients that go to any node, and what is done with them: a flood on one session
// while somebody quiet works on another, and nodes that are stopped and started again one after the other under load. What comes out is measured by
// bench/figures and checked by fuzz/history.
package farm
