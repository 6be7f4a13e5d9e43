package metrics

// EventKey is what events are counted by: an event of docs/operations.md, and the level of its log line.
type EventKey struct {
	Event string
	Level string // debug, info, warn or error
}

var events = desc("events_total", "Events, by name and level; those that were not logged because of the log's level are not among them.", "event", "level")
