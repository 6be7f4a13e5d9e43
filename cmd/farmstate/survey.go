package main

import (
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/notice"
	"github.com/farmstate/farmstate/engine"
)

// shown is a session as a caller may see it: by the beginning of its id, or whole.
func shown(key string, whole bool) api.Session {
	s := notice.SessionOf(key)
	a := api.Session{App: s.App, Hash: s.Hash, ID: s.ID}
	if whole {
		a.Key = key
	}
	return a
}

// survey is the page /api/v1/survey.
func (n *node) survey(whole bool) api.Survey {
	now := n.clock.Now()
	out := api.Survey{
		Locks: []api.Lock{}, Largest: []api.Sized{}, Sizes: []api.Size{}, Apps: []api.App{}, HotSessions: []api.Hot{}, HotApps: []api.HotApp{},
	}
	hot := n.engine.Hot(now)
	for _, r := range hot.Sessions {
		out.HotSessions = append(out.HotSessions, api.Hot{Session: shown(r.Key, whole), PerSecond: r.PerSecond})
	}
	for _, r := range hot.Apps {
		app := prefixOf(r.Key)
		out.HotApps = append(out.HotApps, api.HotApp{App: app.App, Hash: app.Hash, PerSecond: r.PerSecond})
	}
	s := n.engine.Survey(now)
	if s == nil {
		return out
	}
	old := time.Duration(now.Mono - s.Ended.Mono)
	out.Ready, out.Age, out.Sessions, out.Locked = true, old.Seconds(), s.Sessions, s.Locked
	for _, l := range s.Locks {
		out.Locks = append(out.Locks, api.Lock{
			Session: shown(l.Key, whole), Cookie: l.Cookie, Age: (l.Age + old).Seconds(), Client: n.clientName(l.Client), Waiting: l.Waiting,
		})
	}
	for _, l := range s.Largest {
		out.Largest = append(out.Largest, api.Sized{Session: shown(l.Key, whole), Bytes: l.Bytes, Minutes: l.Minutes, Locked: l.Locked})
	}
	for i, count := range s.Sizes {
		if count > 0 {
			out.Sizes = append(out.Sizes, api.Size{Max: 1<<i - 1, Count: count})
		}
	}
	for i := range s.Apps {
		out.Apps = append(out.Apps, appOf(&s.Apps[i]))
	}
	if s.Others.Sessions > 0 {
		others := appOf(&s.Others)
		out.Others = &others
	}
	return out
}

// prefixOf reads an application and its hash, as they stand in keys.
func prefixOf(prefix string) notice.Session {
	if prefix == "" {
		return notice.Session{}
	}
	return notice.SessionOf(prefix + "/x")
}

func appOf(a *engine.AppSurvey) api.App {
	s := prefixOf(a.Prefix)
	return api.App{
		App: s.App, Hash: s.Hash, Sessions: a.Sessions, Bytes: a.Bytes, Locked: a.Locked, Old: a.Old, NeverRead: a.NeverRead,
		MinMinutes: a.MinMinutes, MaxMinutes: a.MaxMinutes,
	}
}
