// Package event keeps what a person may have to understand later: the records of the log that have the attribute "event", whose names are stable. See
// docs/operations.md for all of them.
//
// A [Hub] stands between the logger and its handler. It counts each event, keeps the latest, and hands them to whoever follows, such as a browser or farmstate
// trace. It does so for events that the log is too quiet for, too: the level of the log is about the log.
//
// Events are made on goroutines that must not wait, event loops among them. So what is done under the hub's mutex is short, and a follower that does not keep up
// misses events, of which it is told how many.
package event
