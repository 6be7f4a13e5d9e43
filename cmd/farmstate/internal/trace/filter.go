package trace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
)

// Level is the least level of events that are wanted.
type Level event.Level

// stateMirror maps the trace levels of StateMirror, which are numbers that count down to what is grave, to ours.
var stateMirror = map[string]event.Level{
	"1":  event.Error, // unexpected errors
	"2":  event.Error, // errors of logic, and connectivity
	"3":  event.Warn,  // warnings
	"4":  event.Info,  // major events
	"5":  event.Debug, // regular events
	"10": event.Debug, // verbose
}

// UnmarshalText reads the name of a level, or one of StateMirror's numbers.
func (l *Level) UnmarshalText(text []byte) error {
	if level, ok := stateMirror[string(text)]; ok {
		*l = Level(level)
		return nil
	}
	level, ok := event.ParseLevel(string(text))
	if !ok {
		return fmt.Errorf("%q is no level: it is debug, info, warn or error, or one of StateMirror's, 1 to 5 and 10", text)
	}
	*l = Level(level)
	return nil
}

// Filter says which events are wanted. Empty fields want all.
type Filter struct {
	Level       event.Level
	Application string   // a part of the application's id or hash, in any case
	Session     string   // the beginning of the session id, or all of it: events have its first characters only
	Kinds       []string // names of events; one with * at the end stands for all that begin so
}

// Match reports whether an event is wanted.
func (f *Filter) Match(e *event.Event) bool {
	app, session, cut := about(e)
	return (f.Level == "" || e.Level.AtLeast(f.Level)) && f.kind(e.Name) && f.application(app) && f.session(session, cut)
}

// about says which session an event is about: its application, and what it shows of the id; cut means that there is more. Some events have the application beside
// the session, others before it.
func about(e *event.Event) (app, session string, cut bool) {
	app, session = e.Attrs["application"], e.Attrs["session"]
	session, cut = strings.CutSuffix(session, "…")
	if i := strings.LastIndexByte(session, '/'); app == "" && i >= 0 {
		return session[:i], session[i+1:], true
	}
	return app, session, cut
}

func (f *Filter) kind(name string) bool {
	return len(f.Kinds) == 0 || slices.ContainsFunc(f.Kinds, func(kind string) bool {
		begin, many := strings.CutSuffix(kind, "*")
		return name == kind || many && strings.HasPrefix(name, begin)
	})
}

func (f *Filter) application(app string) bool {
	return f.Application == "" || strings.Contains(strings.ToLower(app), strings.ToLower(f.Application))
}

// session compares what there is of both: an event has the beginning of an id, and so may the user have.
func (f *Filter) session(shown string, cut bool) bool {
	wanted := strings.TrimSuffix(f.Session, "…")
	return wanted == "" || shown != "" && (strings.HasPrefix(shown, wanted) || cut && strings.HasPrefix(wanted, shown))
}
