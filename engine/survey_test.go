package engine

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine/appkey"
)

// walkAll makes a survey in one moment.
func walkAll(e *Engine, now Time) *Survey {
	w := newWalk(now)
	for shard := range numShards {
		e.lookAt(now, shard, w)
	}
	return w.end(now)
}

// compareSurvey checks that a survey says of the sessions what the model does.
func (d *duel) compareSurvey() {
	d.m.now = d.now
	got := walkAll(d.e, d.now)
	want := &Survey{Began: d.now, Ended: d.now}
	apps := map[string]*AppSurvey{}
	for _, it := range d.m.items {
		if it.fetched || it.void || !it.away && d.m.expired(it) {
			continue
		}
		prefix := string(appkey.Prefix([]byte(it.key)))
		a := apps[prefix]
		if a == nil {
			a = &AppSurvey{Prefix: prefix}
			apps[prefix] = a
		}
		want.Sessions++
		a.Sessions++
		if it.away {
			continue
		}
		n := int64(len(it.content))
		a.Bytes += n
		want.Sizes[bits.Len64(uint64(n))]++
		want.Largest = append(want.Largest, SizedSession{it.key, n, it.minutes, it.locked})
		if it.locked {
			a.Locked++
			want.Locked++
			age := time.Duration(max(0, d.now.Mono-it.since.Mono))
			want.Locks = append(want.Locks, HeldLock{it.key, it.cookie, age, it.holder, len(it.waiting)})
		}
		if d.now.Mono-(it.expires-int64(it.minutes)*minute) > minute {
			a.Old++
			if !it.reread {
				a.NeverRead++
			}
		}
	}
	for _, a := range apps {
		want.Apps = append(want.Apps, *a)
	}
	for _, v := range []*Survey{got, want} { // what is equally long, or large, may stand in any order
		slices.SortFunc(v.Locks, func(a, b HeldLock) int { return cmp.Compare(a.Key, b.Key) })
		slices.SortFunc(v.Largest, func(a, b SizedSession) int { return cmp.Compare(a.Key, b.Key) })
		slices.SortFunc(v.Apps, func(a, b AppSurvey) int { return cmp.Compare(a.Prefix, b.Prefix) })
		for i := range v.Apps {
			v.Apps[i].MinMinutes, v.Apps[i].MaxMinutes = 0, 0 // see TestSurveyLives
		}
	}
	if got, want := fmt.Sprintf("%+v", *got), fmt.Sprintf("%+v", *want); got != want {
		d.tb.Errorf("the survey says\n%s, want\n%s", got, want)
	}
}

// appKey makes a key as ASP.NET does.
func appKey(app string, n int) string {
	return fmt.Sprintf("/LM/W3SVC/1/ROOT/%s(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)/%024d", app, n)
}

// surveyed is the survey of some ticks after it has been asked for.
func (w *world) surveyed() *Survey {
	w.tb.Helper()
	w.e.Survey(w.now)
	for range numShards {
		w.tick(20 * time.Millisecond)
		if v := w.e.Survey(w.now); v != nil {
			return v
		}
	}
	w.tb.Fatal("no survey")
	return nil
}

// TestSurveyOfApps: applications stand by sessions, however many they are, and what is not listed is summed up.
func TestSurveyOfApps(t *testing.T) {
	w := newWorld(t, Options{})
	const apps = surveyApps + 20
	total := 0
	for i := range apps {
		for n := range 1 + i%10 {
			w.do(living(uint32(20+n), set(appKey(fmt.Sprint("app", i), n), ""), strings.Repeat("x", 10)))
			total++
		}
	}
	long := strings.Repeat("x", 60)
	w.do(set(appKey("app9", 1)+long, "x")) // a session id that is no ASP.NET's: its application is the same
	w.do(set("no application", "x"))
	total += 2
	v := w.surveyed()
	if v.Sessions != int64(total) || len(v.Apps) != surveyApps || len(v.Largest) != surveyLargest {
		t.Errorf("%d sessions, %d applications, %d large ones", v.Sessions, len(v.Apps), len(v.Largest))
	}
	if !slices.IsSortedFunc(v.Apps, func(a, b AppSurvey) int { return cmp.Compare(b.Sessions, a.Sessions) }) {
		t.Error("the applications do not stand by sessions")
	}
	if a := v.Apps[0]; a.Sessions != 11 || !strings.HasPrefix(a.Prefix, "/LM/W3SVC/1/ROOT/app9(") || a.Bytes != 101 || a.MinMinutes != 20 || a.MaxMinutes != 29 {
		t.Errorf("the first application is %+v", a)
	}
	sum := v.Others
	for i := range v.Apps {
		sum.join(&v.Apps[i])
	}
	if sum.Sessions != int64(total) || sum.Bytes != int64(10*(total-2)+2) || v.Others.Sessions == 0 || v.Others.MinMinutes != 20 || v.Others.MaxMinutes != 20 {
		t.Errorf("in all %+v, others %+v", sum, v.Others)
	}
	for i := range surveyKnown { // somebody makes up names
		w.do(set(appKey(fmt.Sprint("false", i), 1), "x"))
	}
	walked := newWalk(w.now)
	for shard := range numShards {
		w.e.lookAt(w.now, shard, walked)
	}
	if v := walked.end(w.now); len(walked.apps) != surveyKnown || v.Sessions != int64(total+surveyKnown) || len(v.Apps) != surveyApps {
		t.Errorf("%d applications are told apart, %d sessions in %d lines", len(walked.apps), v.Sessions, len(v.Apps))
	}
}

// TestSurveyLives: a sliding life without an end is the longest.
func TestSurveyLives(t *testing.T) {
	for _, c := range []struct {
		minutes []uint32
		want    string
	}{
		{[]uint32{20}, "20 20"},
		{[]uint32{20, 1, 525600}, "1 525600"},
		{[]uint32{0}, "0 0"},
		{[]uint32{0, 20}, "20 0"},
		{[]uint32{20, 30, 0}, "20 0"},
	} {
		w := newWorld(t, Options{})
		for i, m := range c.minutes {
			w.do(living(m, set(appKey("", i), ""), "x"))
		}
		a := w.surveyed().Apps[0]
		if got := fmt.Sprint(a.MinMinutes, a.MaxMinutes); got != c.want {
			t.Errorf("lives %v: %s, want %s", c.minutes, got, c.want)
		}
	}
}

// TestSurveyOfLocks: the longest held are listed, longest first.
func TestSurveyOfLocks(t *testing.T) {
	w := newWorld(t, Options{LockWait: time.Second})
	const locks = surveyLocks + 30
	for i := range locks {
		key := fmt.Sprint("s", i*7%locks) // in no order of theirs
		w.do(set(key, "x"))
		tk := acquire(key)
		tk.Client = uint16(i)
		w.do(tk)
		w.after(time.Second)
	}
	w.do(acquire("s0"))
	w.do(acquire("s0"))
	v := w.surveyed()
	if v.Locked != locks || len(v.Locks) != surveyLocks {
		t.Fatalf("%d locks, %d listed", v.Locked, len(v.Locks))
	}
	for i, l := range v.Locks {
		age := time.Duration(locks-i)*time.Second + time.Duration(v.Ended.Mono-w.now.Mono) + 20*time.Millisecond
		if want := (HeldLock{fmt.Sprint("s", i*7%locks), 2, age, uint16(i), 0}); i > 0 && l != want || i == 0 && l.Waiting != 2 {
			t.Errorf("lock %d is %+v, want %+v", i, l, want)
		}
	}
}

// TestSurveyOnlyWhileWanted: nobody walks unless somebody looks; the first walk is quick, the others take their time.
func TestSurveyOnlyWhileWanted(t *testing.T) {
	w := newWorld(t, Options{})
	for i := range 100 {
		w.do(set(fmt.Sprint(i), "x"))
	}
	w.tick(time.Second)
	if w.e.survey.walk != nil {
		t.Error("there is a walk, and nobody has asked")
	}
	if w.e.Survey(w.now) != nil {
		t.Error("there is a survey, and nobody has asked")
	}
	w.tick(20 * time.Millisecond)
	first := w.e.survey.latest.Load()
	if first == nil || first.Sessions != 100 {
		t.Fatalf("the first survey is %+v", first)
	}
	var rounds []time.Duration
	for last := first; len(rounds) < 5; {
		w.tick(20 * time.Millisecond)
		if v := w.e.Survey(w.now); v != last {
			rounds = append(rounds, time.Duration(v.Ended.Mono-last.Ended.Mono))
			if v.Began.Mono < last.Ended.Mono {
				t.Error("two walks overlap")
			}
			last = v
		}
	}
	for i, took := range rounds {
		if took < 1900*time.Millisecond && i > 0 || took > 4100*time.Millisecond {
			t.Errorf("survey %d came after %v", i, took)
		}
	}
	w.tick(59 * time.Second)
	if w.e.survey.latest.Load() == nil {
		t.Error("the survey is gone within a minute")
	}
	w.tick(2 * time.Second)
	if w.e.survey.walk != nil || w.e.survey.latest.Load() != nil {
		t.Error("the walks go on although nobody looks")
	}
}

// TestSurveyIsBounded: one tick looks at so many sessions, and at a shard's at most beyond that.
func TestSurveyIsBounded(t *testing.T) {
	w := newWorld(t, Options{})
	const all = 3 * surveyBudget
	for i := range all {
		w.do(living(0, set(fmt.Sprint(i), ""), "x"))
	}
	w.e.Survey(w.now)
	before, ticks := 0, 0
	for w.e.survey.latest.Load() == nil {
		w.tick(20 * time.Millisecond)
		ticks++
		if walk := w.e.survey.walk; walk != nil {
			if n := walk.looked - before; n > surveyBudget+all/numShards*3 {
				t.Fatalf("one tick looks at %d sessions", n)
			}
			before = walk.looked
		}
	}
	if v := w.e.Survey(w.now); v.Sessions != all || ticks < 3 || ticks > 5 {
		t.Errorf("%d sessions in %d ticks", v.Sessions, ticks)
	}
}

// TestHolder: who holds a lock is known from the acquire to its end, and not beyond the node.
func TestHolder(t *testing.T) {
	by := func(client uint16, tk Ticket) Ticket {
		tk.Client = client
		return tk
	}
	held := func(want ...string) func(*world) {
		return func(w *world) {
			w.tb.Helper()
			var got []string
			for _, l := range walkAll(w.e, w.now).Locks {
				got = append(got, fmt.Sprintf("%s #%d by %d, %d wait", l.Key, l.Cookie, l.Client, l.Waiting))
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				w.tb.Errorf("locks held: %q, want %q", got, want)
			}
		}
	}
	for _, c := range []struct {
		name  string
		steps []any
	}{
		{"nobody", []any{by(3, set("a", "x")), held(), by(4, get("a")), held()}},
		{"an acquire", []any{set("a", "x"), by(7, acquire("a")), held("a #2 by 7, 0 wait")}},
		{"a refused one changes nothing", []any{set("a", "x"), by(7, acquire("a")), by(8, get("a")), by(9, release("a", 1)), held("a #2 by 7, 0 wait")}},
		{"not known", []any{set("a", "x"), by(7, acquire("a")), release("a", 2), acquire("a"), held("a #3 by 0, 0 wait")}},
		{"released", []any{set("a", "x"), by(7, acquire("a")), release("a", 2), held()}},
		{"saved", []any{set("a", "x"), by(7, acquire("a")), by(7, set("a", "y", 2)), held()}},
		{"to a waiter by a release", []any{
			set("a", "x"), by(7, acquire("a")), by(8, acquire("a")), "parked", by(9, acquire("a")), "parked", held("a #2 by 7, 2 wait"),
			by(1, release("a", 2)), held("a #3 by 8, 1 wait"), by(2, set("a", "y", 3)), held("a #4 by 9, 0 wait"),
		}},
		{"to the second, because the first has gone", []any{
			set("a", "x"), by(7, acquire("a")), by(8, acquire("a")), as("first"), by(9, acquire("a")),
			gone("first"), release("a", 2), held("a #4 by 9, 0 wait"),
		}},
		{"while requests are queued", []any{
			set("a", "x"), by(7, acquire("a")), by(8, acquire("a")), yielding(get("a")), "parked", held("a #2 by 7, 1 wait"), run, held("a #2 by 7, 1 wait"),
		}},
		{"expired", []any{living(1, set("a", ""), "x"), by(7, acquire("a")), time.Minute, held()}},
		{"of a parcel", []any{
			func(w *world) { w.farm() }, by(5, acquire("a")), "parked",
			arrives(Parcel{Body: []byte("x"), Minutes: 20, Left: 20 * minute, Cookie: 9, Locked: true}), run, held("a #9 by 0, 1 wait"),
			release("a", 9), held("a #10 by 5, 0 wait"),
		}},
		{"of a newer copy", []any{
			set("a", "x"), by(5, acquire("a")), held("a #2 by 5, 0 wait"),
			func(w *world) {
				w.place(Parcel{Key: "a", Body: []byte("y"), Minutes: 20, Left: 20 * minute, Gen: 1, Cookie: 9, Locked: true})
			},
			held("a #9 by 0, 0 wait"),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			newWorld(t, Options{LockWait: time.Second}).play(c.steps...)
		})
	}
}

// TestReadAgain: a session counts as read again when somebody asks for it after the request that made it.
func TestReadAgain(t *testing.T) {
	later := func(d time.Duration, want string) func(*world) {
		return func(w *world) {
			w.tb.Helper()
			w.after(d)
			if a := walkAll(w.e, w.now).Apps; len(a) != 1 || fmt.Sprintf("%d old, %d never read", a[0].Old, a[0].NeverRead) != want {
				w.tb.Errorf("%+v, want %s", a, want)
			}
		}
	}
	const again, never = "1 old, 0 never read", "1 old, 1 never read"
	for _, c := range []struct {
		name  string
		steps []any
	}{
		{"young", []any{set("a", "x"), later(time.Minute, "0 old, 0 never read")}},
		{"made and forgotten", []any{set("a", "x"), later(2*time.Minute, never)}},
		{"inserted and forgotten", []any{insert("a", "x"), later(2*time.Minute, never)}},
		{"missed before", []any{acquire("a"), "404", set("a", "x"), later(2*time.Minute, never)}},
		{"saved again only", []any{set("a", "x"), set("a", "y"), release("a", 1), later(2*time.Minute, never)}},
		{"for ever", []any{living(0, set("a", ""), "x"), later(2*time.Minute, never), get("a"), later(2*time.Minute, again)}},
		{"got", []any{set("a", "x"), get("a"), later(2*time.Minute, again)}},
		{"acquired", []any{set("a", "x"), acquire("a"), later(2*time.Minute, again)}},
		{"touched", []any{set("a", "x"), touch("a"), later(2*time.Minute, again)}},
		{"refused", []any{set("a", "x"), acquire("a"), get("a"), later(2*time.Minute, again)}},
		{"asked for lately", []any{set("a", "x"), later(2*time.Minute, never), get("a"), later(time.Minute, "0 old, 0 never read")}},
		{"come from elsewhere", []any{
			func(w *world) {
				w.place(Parcel{Key: "a", Body: []byte("x"), Minutes: 20, Left: 20 * minute, Cookie: 1})
			}, later(2*time.Minute, again),
		}},
		{"old when it came", []any{
			func(w *world) { w.place(Parcel{Key: "a", Body: []byte("x"), Minutes: 20, Left: minute, Cookie: 1}) }, later(0, again),
		}},
		{"another one under the key", []any{set("a", "x"), get("a"), remove("a"), set("a", "x"), later(2*time.Minute, never)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			newWorld(t, Options{}).play(c.steps...)
		})
	}
}
