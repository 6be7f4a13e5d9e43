// Package fleet reads the admin pages of nodes, and makes the picture of a whole farm from them: nodes tell where the others show theirs, so one address is enough.
//
// What a node says of another is checked: an address that leads to a node with another id, such as that of a loopback address of another machine, counts as not to
// be read. A node that is slow or away delays nobody: each is asked by itself, within a time.
package fleet
