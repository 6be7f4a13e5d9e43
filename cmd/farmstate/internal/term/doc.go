// Package term writes for people who sit at a terminal, or read what was piped to a file: tables that fit a width, colours where they are wanted, progress bars,
// short numbers.
//
// Much of what is shown comes over the network: names of nodes and applications, texts of events. It goes through [Clean], so that nobody can send a terminal
// commands by way of a name.
package term
