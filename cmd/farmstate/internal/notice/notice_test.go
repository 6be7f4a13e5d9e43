package notice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/appkey"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const (
	site1 = "/LM/W3SVC/1/ROOT(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)"
	site2 = "/LM/W3SVC/2/ROOT(R5cLvsolxp83Pl171VCJDriS0xmS6SzeKpszgt1KZI4=)"
	id    = "z445nnecaiiqye55asxwtm55"
)

// book is a log that is read as JSON.
type book struct{ bytes.Buffer }

func (b *book) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	for text := range strings.Lines(b.String()) {
		line := make(map[string]any)
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	b.Reset()
	return lines
}

// listen runs a test with a listener on a clock of its own.
func listen(t *testing.T, test func(t *testing.T, l *Listener, log *book)) {
	synctest.Test(t, func(t *testing.T) {
		log := new(book)
		l := Listen(slog.New(slog.NewJSONHandler(log, nil)), func(n uint16) string { return fmt.Sprintf("client %d", n) })
		defer l.Close()
		test(t, l, log)
	})
}

// pass lets time pass on the clock of the test.
func pass(d time.Duration) { <-time.After(d) }

func has(t *testing.T, line map[string]any, want map[string]any) {
	t.Helper()
	for k, v := range want {
		if line[k] != v {
			t.Errorf("%s is %v, want %v", k, line[k], v)
		}
	}
}

// TestNearMiss: the line names both keys, why they probably differ and what to
// do, and no session id; it comes once a minute.
func TestNearMiss(t *testing.T) {
	listen(t, func(t *testing.T, l *Listener, log *book) {
		miss := engine.NearMiss{Asked: site2 + "/" + id, Found: site1 + "/" + id, Cause: appkey.SiteID}
		for range 5 {
			l.Events().NearMiss(miss)
		}
		synctest.Wait()
		if strings.Contains(log.String(), id) {
			t.Error("the log has a session id")
		}
		lines := log.lines(t)
		if len(lines) != 1 {
			t.Fatalf("%d lines, want 1", len(lines))
		}
		has(t, lines[0], map[string]any{
			"level": "WARN", "event": "near_miss", "cause": "site_id", "because": "site ids differ", "asked": site2, "found": site1,
			"session": "z445nn…", "advice": appkey.SiteID.Advice(), "repeated": 0.0, "others": 0.0,
		})

		pass(interval - time.Nanosecond)
		l.Events().NearMiss(miss)
		synctest.Wait()
		if lines := log.lines(t); len(lines) != 0 {
			t.Errorf("a line before the minute was over: %v", lines)
		}
		pass(time.Nanosecond)
		l.Events().NearMiss(miss)
		other := miss
		other.Cause = appkey.PathCase
		l.Events().NearMiss(other)
		synctest.Wait()
		lines = log.lines(t)
		if len(lines) != 2 {
			t.Fatalf("%d lines, want 2", len(lines))
		}
		has(t, lines[0], map[string]any{"cause": "site_id", "repeated": 5.0})
		has(t, lines[1], map[string]any{"cause": "path_case", "repeated": 0.0})

		list := l.NearMisses()
		if len(list) != 2 || list[0].Count+list[1].Count != 8 || list[0].Asked != site2 || list[0].Found != site1 {
			t.Errorf("listed: %+v", list)
		}
	})
}

// TestManySubjects: clients that make up applications fill neither the log nor
// memory, and what they hide is counted.
func TestManySubjects(t *testing.T) {
	listen(t, func(t *testing.T, l *Listener, log *book) {
		miss := func(n int) {
			l.Events().NearMiss(engine.NearMiss{Asked: fmt.Sprintf("/LM/W3SVC/%d/ROOT(a)/%s", n, id), Found: site1 + "/" + id, Cause: appkey.SiteID})
			synctest.Wait()
		}
		for n := range 10 * maxSubjects {
			miss(n)
		}
		if n := len(log.lines(t)); n != maxSubjects {
			t.Errorf("%d lines, want %d", n, maxSubjects)
		}
		pass(interval)
		miss(100 * maxSubjects)
		lines := log.lines(t)
		if len(lines) != 1 {
			t.Fatalf("%d lines, want 1", len(lines))
		}
		has(t, lines[0], map[string]any{"others": float64(9 * maxSubjects)})
		if n := len(l.NearMisses()); n != maxSubjects {
			t.Errorf("%d are listed, want %d", n, maxSubjects)
		}
	})
}

// TestLatestFirst is the order of the list.
func TestLatestFirst(t *testing.T) {
	listen(t, func(t *testing.T, l *Listener, _ *book) {
		for n := range 3 {
			l.Events().NearMiss(engine.NearMiss{Asked: fmt.Sprintf("/LM/W3SVC/%d/ROOT(a)/%s", n, id), Found: site1 + "/" + id, Cause: appkey.SiteID})
			pass(time.Second)
		}
		list := l.NearMisses()
		if len(list) != 3 || list[0].Asked != "/LM/W3SVC/2/ROOT(a)" || list[2].Asked != "/LM/W3SVC/0/ROOT(a)" {
			t.Errorf("listed: %+v", list)
		}
	})
}

// TestLockLeft: one line a minute for an application.
func TestLockLeft(t *testing.T) {
	listen(t, func(t *testing.T, l *Listener, log *book) {
		stale := engine.StaleLock{Key: site1 + "/" + id, Cookie: 7, Age: 125400 * time.Millisecond}
		l.Events().LockLeft(stale)
		l.Events().LockLeft(stale)
		synctest.Wait()
		lines := log.lines(t)
		if len(lines) != 1 {
			t.Fatalf("%d lines, want 1", len(lines))
		}
		has(t, lines[0], map[string]any{"event": "lock_left", "application": site1, "session": "z445nn…", "cookie": 7.0, "age": float64(125 * time.Second)})

		list := Locks([]engine.StaleLock{stale})
		if len(list) != 1 || list[0].App != "/LM/W3SVC/1/ROOT" || list[0].ID != "z445nn…" || list[0].Cookie != 7 || list[0].Age != 125.4 {
			t.Errorf("listed: %+v", list)
		}
	})
}

// TestRefused: one line a minute for an application.
func TestRefused(t *testing.T) {
	listen(t, func(t *testing.T, l *Listener, log *book) {
		l.Events().Refused(engine.Refusal{Key: site1 + "/" + id, Bytes: 1000, Used: 99, Max: 100})
		l.Events().Refused(engine.Refusal{Key: site1 + "/x", Bytes: 1000, Used: 99, Max: 100})
		l.Events().Refused(engine.Refusal{Key: site2 + "/x", Bytes: 1000, Used: 99, Max: 100})
		synctest.Wait()
		lines := log.lines(t)
		if len(lines) != 2 {
			t.Fatalf("%d lines, want 2", len(lines))
		}
		has(t, lines[0], map[string]any{"event": "save_refused", "application": site1, "session": "z445nn…", "bytes": 1000.0, "used": 99.0, "max_memory": 100.0})
		has(t, lines[1], map[string]any{"application": site2, "session": "x"})
	})
}

// TestFlood: more events than fit are counted, and nobody waits.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		l := Listen(slog.New(slog.NewTextHandler(blocked{gate}, nil)), nil)
		for range 3 * queueLen {
			l.Events().LockLeft(engine.StaleLock{Key: site1 + "/" + id})
		}
		if n := l.Dropped(); n < queueLen || n > 2*queueLen {
			t.Errorf("%d dropped", n)
		}
		close(gate)
		l.Close()
	})
}

// blocked is a log that cannot be written until gate is closed.
type blocked struct{ gate chan struct{} }

func (b blocked) Write(p []byte) (int, error) {
	<-b.gate
	return len(p), nil
}

// TestSessionOf: whatever the key is, what is shown is short and readable.
func TestSessionOf(t *testing.T) {
	for key, want := range map[string]Session{
		site1 + "/" + id:                         {"/LM/W3SVC/1/ROOT", "cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=", "z445nn…"},
		"whatever":                               {"", "", "whatev…"},
		"abc":                                    {"", "", "abc"},
		"\xff\xfe":                               {"", "", "\uFFFD"},
		"/" + strings.Repeat("a", 300) + "(h)/x": {"/" + strings.Repeat("a", maxShown-1) + "…", "h", "x"},
	} {
		if got := SessionOf(key); got != want {
			t.Errorf("%q: %+v, want %+v", key, got, want)
		}
	}
	if got := SessionOf("x").Application(); got != "" {
		t.Errorf("application %q", got)
	}
}
