package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// checkLeaks fails t if a goroutine that it started is still there when it is over.
func checkLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func kind(list []KindLatency, name string) Latency {
	for _, k := range list {
		if k.Kind == name {
			return k.Latency
		}
	}
	return Latency{}
}

func answers(res *LoadResult, request string, status int) int64 {
	for _, a := range res.Answers {
		if a.Request == request && a.Status == status {
			return a.Count
		}
	}
	return 0
}

// An honest server must not be suspected of anything, whatever the mix, with many pages on the same sessions.
func TestLoadHonestServer(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  LoadConfig
	}{
		{"default mix", LoadConfig{}},
		{"few sessions", LoadConfig{Sessions: 3, Conns: 16}},
		{"one hot session", LoadConfig{HotShare: 50, Conns: 16}},
		{"abandoned all the time", LoadConfig{Sessions: 2, Conns: 16, Mix: Mix{Write: 40, Read: 20, Abandon: 40}}},
		{"sizes", LoadConfig{BodyMin: MinVerifyBody, BodyMax: 300_000, Pages: 500}},
		{"get", LoadConfig{Mode: ModeGet}},
		{"cycle", LoadConfig{Mode: ModeCycle, Sessions: 10}},
		{"open loop", LoadConfig{Rate: 5000, Pages: 1000}},
		{"not preloaded", LoadConfig{Sessions: 5}},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkLeaks(t)
			cfg := test.cfg
			cfg.Targets = []string{newFake(t).listen(), newFake(t).listen()}
			orElse(&cfg.Sessions, 200)
			orElse(&cfg.Conns, 4)
			orElse(&cfg.Pages, 2000)
			cfg.Poll = 2 * time.Millisecond
			cfg.Verify = true
			cfg.Preload = test.name != "not preloaded"
			res := mustLoad(t, cfg)
			if all := kind(res.Pages, kindAll); all.Count != cfg.Pages || res.PagesFailed != 0 {
				t.Errorf("%d pages, %d failed: %v; want %d and 0", all.Count, res.PagesFailed, res.ErrorSamples, cfg.Pages)
			}
			if res.Verify.Faults != 0 || res.Verify.Bodies == 0 {
				t.Errorf("%d faults in %d bodies: %v", res.Verify.Faults, res.Verify.Bodies, res.Verify.Kinds)
			}
			if cfg.Preload && res.Preload.Sessions != int64(cfg.Sessions) {
				t.Errorf("%d sessions preloaded; want %d", res.Preload.Sessions, cfg.Sessions)
			}
			if answered := kind(res.Requests, kindAll).Count; answered < cfg.Pages {
				t.Errorf("%d requests for %d pages", answered, cfg.Pages)
			}
		})
	}
}

// A server that lies must be caught at it.
func TestVerifyCatchesLiars(t *testing.T) {
	reads := func(r *wire.Request, a *wire.Answer) bool {
		return r.Verb == wire.Get && r.Exclusive != wire.Release && a.Status == wire.StatusOK
	}
	for _, test := range []struct {
		name string
		want error
		mix  Mix
		lie  func(f *fakeServer, key string, r *wire.Request, a *wire.Answer, body []byte) []byte
	}{
		{"answers with what was there before", errStale, Mix{Write: 50, Read: 50},
			func(f *fakeServer, key string, r *wire.Request, a *wire.Answer, body []byte) []byte {
				if h := f.items[key]; reads(r, a) && f.requests%50 == 0 && len(h.history) > 0 {
					return h.history[0]
				}
				return body
			}},
		{"forgets a save", errStale, Mix{Write: 50, Read: 50},
			func(f *fakeServer, key string, r *wire.Request, _ *wire.Answer, body []byte) []byte {
				if h := f.items[key]; r.Verb == wire.Put && f.requests%50 == 0 && len(h.history) > 0 {
					h.body = h.history[len(h.history)-1]
				}
				return body
			}},
		{"answers with another session", errBodyOthers, Mix{Read: 100},
			func(f *fakeServer, key string, r *wire.Request, a *wire.Answer, body []byte) []byte {
				if reads(r, a) && f.requests%50 == 0 {
					for other, item := range f.items {
						if other != key {
							return item.body
						}
					}
				}
				return body
			}},
		{"damages a byte", errBodySum, Mix{Read: 100},
			func(f *fakeServer, _ string, r *wire.Request, a *wire.Answer, body []byte) []byte {
				if reads(r, a) && f.requests%50 == 0 {
					body = bytes.Clone(body)
					body[len(body)/2] ^= 0x10
				}
				return body
			}},
		{"cuts a body short", errBodySum, Mix{Read: 100},
			func(f *fakeServer, _ string, r *wire.Request, a *wire.Answer, body []byte) []byte {
				if reads(r, a) && f.requests%50 == 0 {
					return body[:len(body)-1]
				}
				return body
			}},
		{"drops sessions", errVanished, Mix{Write: 100},
			func(f *fakeServer, key string, r *wire.Request, _ *wire.Answer, body []byte) []byte {
				if r.Verb == wire.Put && f.requests%50 == 0 {
					delete(f.items, key)
				}
				return body
			}},
		{"gives the lock to everybody", errLostUpdate, Mix{Write: 100},
			func(f *fakeServer, key string, r *wire.Request, _ *wire.Answer, body []byte) []byte {
				if r.Exclusive == wire.Acquire {
					f.items[key].locked = false
				}
				return body
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkLeaks(t)
			f := newFake(t)
			f.after = test.lie
			res := mustLoad(t, LoadConfig{
				Targets: []string{f.listen()}, Conns: 8, Sessions: 8, Mix: test.mix, Pages: 4000, Poll: 2 * time.Millisecond,
				Preload: true, Verify: true,
			})
			for _, s := range res.Verify.Kinds {
				if s.Text == test.want.Error() {
					return
				}
			}
			t.Errorf("found %v; want %v", res.Verify.Kinds, test.want)
		})
	}
}

// A page asks for a locked session at the ticks of a clock that begins with the first refusal. See docs/protocol.md §9.6.
func TestLockedSessionIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		var releaseAt time.Time
		f.before = func(n int, _ *wire.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, item := range f.items {
				switch {
				case n == 3: // behind create and acquire: the page's first refusal
					item.locked, item.since = true, time.Now()
					releaseAt = time.Now().Add(600 * time.Millisecond)
				case n > 3 && time.Now().After(releaseAt):
					item.locked = false
				}
			}
		}
		cfg := inBubble(LoadConfig{Conns: 1, Sessions: 1, Pages: 1, Mode: ModePages, Mix: Mix{Write: 100}}, f)
		// 404, create, refusal at 0 and 500 ms, acquire at 1000 ms, save.
		res := mustLoad(t, cfg)
		if res.Polls != 2 || answers(res, "acquire", 423) != 2 || answers(res, "acquire", 200) != 1 || answers(res, "acquire", 404) != 1 {
			t.Errorf("%d polls, answers %v", res.Polls, res.Answers)
		}
		near(t, "the page", kind(res.Pages, "write").Max, 1_000_000)
	})
}

// A tick is skipped when the last answer is less than half an interval old. See docs/protocol.md §8.11.
func TestPollRhythm(t *testing.T) {
	const ms = time.Millisecond
	start := time.Now()
	for _, test := range []struct{ answered, want []time.Duration }{
		{[]time.Duration{0, 500 * ms, 1000 * ms}, []time.Duration{500 * ms, 1000 * ms, 1500 * ms}},
		{[]time.Duration{0, 730 * ms, 1230 * ms}, []time.Duration{500 * ms, 1000 * ms, 1500 * ms}},
		{[]time.Duration{0, 750 * ms}, []time.Duration{500 * ms, 1000 * ms}},
		{[]time.Duration{0, 800 * ms, 1800 * ms}, []time.Duration{500 * ms, 1500 * ms, 2500 * ms}},
		{[]time.Duration{0, 1200 * ms}, []time.Duration{500 * ms, 1500 * ms}},
	} {
		var p poll
		for i, at := range test.answered {
			if got := p.next(start.Add(at), 500*ms).Sub(start); got != test.want[i] {
				t.Errorf("%v: refused at %v, asks again at %v; want %v", test.answered, at, got, test.want[i])
			}
		}
	}
}

// Who waits for a lock that is too old releases it with the cookie that it has been told. See docs/protocol.md §9.6.
func TestDeadLockIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.before = func(n int, _ *wire.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, item := range f.items {
				if n == 3 {
					item.locked, item.since = true, time.Now()
				}
			}
		}
		res := mustLoad(t, inBubble(LoadConfig{Conns: 1, Sessions: 1, Pages: 1, Mix: Mix{Write: 100}}, f))
		if res.LocksBroken != 1 || answers(res, "release", 200) != 1 || res.PagesFailed != 0 {
			t.Errorf("%d locks broken, %d pages failed, answers %v", res.LocksBroken, res.PagesFailed, res.Answers)
		}
		// The refusal at 110 s is followed by the release and, at the next tick, by the acquire.
		near(t, "the page", kind(res.Pages, "write").Max, 110_500_000)
	})
}

func TestHoldAndThink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := mustLoad(t, inBubble(LoadConfig{
			Conns: 1, Sessions: 10, Mode: ModeCycle, Preload: false, Mix: Mix{},
			Hold: 30 * time.Millisecond, Think: 70 * time.Millisecond, Duration: time.Second,
		}, newFake(t)))
		// Nothing was there: no page had anything to hold.
		if n := kind(res.Pages, "cycle").Count; n != 15 {
			t.Errorf("%d pages in 1 s; want one each 70 ms", n)
		}
		res = mustLoad(t, inBubble(LoadConfig{
			Conns: 1, Sessions: 1, Mix: Mix{Write: 100},
			Hold: 30 * time.Millisecond, Think: 70 * time.Millisecond, Duration: time.Second,
		}, newFake(t)))
		write := kind(res.Pages, "write")
		if write.Count != 10 {
			t.Errorf("%d pages in 1 s; want one each 100 ms", write.Count)
		}
		near(t, "a page", write.P50, 30_000)
		near(t, "an acquire", kind(res.Requests, "acquire").Max, 0)
	})
}

func TestWarmUpIsNotMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.before = func(n int, _ *wire.Request) {
			if n <= 100 {
				sleep(t.Context(), 5*time.Millisecond)
			}
		}
		res := mustLoad(t, inBubble(LoadConfig{
			Conns: 1, Rate: 100, WarmUp: time.Second, Duration: 2 * time.Second, Mode: ModePut,
		}, f))
		put := kind(res.Pages, "put")
		if put.Count != 200 || kind(res.Requests, "save").Count != 200 || answers(res, "save", 200) != 200 {
			t.Errorf("%d pages, answers %v; want 200", put.Count, res.Answers)
		}
		near(t, "longest page", put.Max, 0)
	})
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []Progress
		cfg := inBubble(LoadConfig{Conns: 1, Rate: 100, WarmUp: 1500 * time.Millisecond, Duration: 2 * time.Second, Mode: ModePut}, newFake(t))
		cfg.Progress = func(p Progress) { calls = append(calls, p) }
		mustLoad(t, cfg)
		if len(calls) != 3 {
			t.Fatalf("%d calls in 3.5 s; want 3", len(calls))
		}
		for i, p := range calls {
			phase := PhaseRun
			if i == 0 {
				phase = PhaseWarmUp
			}
			if p.Phase != phase || p.Elapsed != time.Duration(i+1)*time.Second || p.PerS < 99 || p.PerS > 101 || p.Failed != 0 {
				t.Errorf("call %d: %+v", i, p)
			}
		}
	})
}

// A server that is restarted closes its connections; pages go on over new ones without failing. See docs/protocol.md §9.3.
func TestClosedConnectionIsReplaced(t *testing.T) {
	checkLeaks(t)
	f := newFake(t)
	f.before = func(n int, _ *wire.Request) {
		if n%100 == 0 {
			f.closeAll()
		}
	}
	res := mustLoad(t, LoadConfig{Targets: []string{f.listen()}, Conns: 1, Mode: ModePut, Pages: 1000})
	if res.PagesFailed != 0 || res.ConnectionsReplaced < 5 || res.ConnectionsOpened != res.ConnectionsReplaced+1 {
		t.Errorf("%d pages failed (%v), %d connections opened, %d replaced",
			res.PagesFailed, res.ErrorSamples, res.ConnectionsOpened, res.ConnectionsReplaced)
	}
}

func TestErrorsAreCountedAndSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.after = func(_ *fakeServer, _ string, _ *wire.Request, a *wire.Answer, _ []byte) []byte {
			*a = wire.Answer{Status: wire.StatusBadRequest}
			return nil
		}
		res := mustLoad(t, inBubble(LoadConfig{Conns: 2, Pages: 10, Mode: ModePut}, f))
		if res.PagesFailed != 10 || answers(res, "save", 400) != 10 || len(res.ErrorSamples) != 1 ||
			res.ErrorSamples[0] != (Sample{"save: answered 400", 10}) {
			t.Errorf("%d pages failed, answers %v, samples %v", res.PagesFailed, res.Answers, res.ErrorSamples)
		}

		cfg := inBubble(LoadConfig{Conns: 1, Pages: 3, Mode: ModePut}, f)
		var dials atomic.Int64
		cfg.Dial = func(context.Context, string) (net.Conn, error) {
			dials.Add(1)
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		}
		begin := time.Now()
		res = mustLoad(t, cfg)
		if res.PagesFailed != 3 || dials.Load() != 3 || res.ErrorSamples[0].Text != "save: dial: connection refused" {
			t.Errorf("%d pages failed, %d dials, samples %v", res.PagesFailed, dials.Load(), res.ErrorSamples)
		}
		if took := time.Since(begin); took != 3*redialPause {
			t.Errorf("three pages without a server took %v; want a pause behind each", took)
		}
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.before = func(n int, _ *wire.Request) {
			if n == 2 {
				sleep(t.Context(), time.Minute)
			}
		}
		res := mustLoad(t, inBubble(LoadConfig{Conns: 1, Pages: 3, Mode: ModePut}, f))
		if res.PagesFailed != 1 || res.ConnectionsReplaced != 0 || res.ErrorSamples[0].Text != "save: read: timeout" {
			t.Errorf("%d pages failed, %d connections replaced, samples %v", res.PagesFailed, res.ConnectionsReplaced, res.ErrorSamples)
		}
		near(t, "the page", kind(res.Pages, "put").Max, 10_000_000)
		sleep(t.Context(), time.Minute) // the server has to see that the connection is gone
	})
}

func TestSamplesAreBounded(t *testing.T) {
	var a, b samples
	for i := range 100 {
		a.count(strings.Repeat("x", i), 1)
		b.count(strings.Repeat("y", i), 2)
	}
	a.add(&b)
	if len(a.byTxt) > maxSamples || a.total != 300 {
		t.Errorf("%d texts, %d in all", len(a.byTxt), a.total)
	}
	var sum int64
	for _, s := range a.list() {
		sum += s.Count
	}
	if sum != 300 {
		t.Errorf("the list adds up to %d; want 300", sum)
	}
}

func TestLoadStopsWithContext(t *testing.T) {
	checkLeaks(t)
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.before = func(n int, _ *wire.Request) {
		if n == 300 {
			cancel()
		}
	}
	res, err := Load(ctx, LoadConfig{Targets: []string{f.listen()}, Duration: time.Hour, Conns: 8})
	if !errors.Is(err, context.Canceled) || res == nil || res.PagesFailed != 0 {
		t.Fatalf("%+v, %v", res, err)
	}
}

func TestPreloadFails(t *testing.T) {
	checkLeaks(t)
	f := newFake(t)
	f.after = func(f *fakeServer, _ string, _ *wire.Request, a *wire.Answer, _ []byte) []byte {
		if f.requests == 500 {
			*a = wire.Answer{Status: wire.StatusBadRequest}
		}
		return nil
	}
	_, err := Load(t.Context(), LoadConfig{Targets: []string{f.listen()}, Preload: true})
	if err == nil || !strings.Contains(err.Error(), "refused a save (400)") {
		t.Errorf("error is %v", err)
	}
}

func TestPlacement(t *testing.T) {
	checkLeaks(t)
	a, b := newFake(t), newFake(t)
	cfg := LoadConfig{Targets: []string{a.listen(), b.listen()}, Conns: 4, Sessions: 100, Mode: ModePut, Pages: 2000}
	mustLoad(t, cfg)
	for key := range a.items {
		if b.items[key] != nil {
			t.Fatal("a session went to both targets although it has a home")
		}
	}
	if len(a.items)+len(b.items) != 100 || len(a.items) < 25 || len(b.items) < 25 {
		t.Errorf("%d and %d sessions; want about half of 100 each", len(a.items), len(b.items))
	}
	cfg.Placement = PlaceRandom
	mustLoad(t, cfg)
	if len(a.items) < 90 || len(b.items) < 90 {
		t.Errorf("%d and %d sessions; want nearly all 100 on both", len(a.items), len(b.items))
	}
}

func TestValidateNamesAllThatIsWrong(t *testing.T) {
	cfg := LoadConfig{
		Targets: []string{"host"}, Placement: "near", Conns: -1, Rate: -1, Mode: "all", Mix: Mix{Read: 1}, Sessions: -1,
		BodyMin: -1, Timeout: -1, Duration: -1, WarmUp: -1, Poll: 1, NetTimeout: 1, BreakAfter: 1,
	}
	_, err := Load(t.Context(), cfg)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`target "host"`, `placement "near"`, "connections -1", "rate -1", `mode "all"`, "mix read=1", "sessions -1",
		"smallest body -1", "timeout -1", "duration", "warm-up", "poll interval", "network timeout", "dead lock",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

// What is sent must be what a real client sends, byte for byte. See docs/protocol.md §4.9 and §9.2.
func TestRequestBytes(t *testing.T) {
	var seen bytes.Buffer
	f := newFake(t)
	cfg := inBubble(LoadConfig{Conns: 1, Sessions: 1, BodyMin: 3, Pages: 1, Mix: Mix{Write: 100}}, f)
	synctest.Test(t, func(t *testing.T) {
		dial := cfg.Dial
		cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			nc, err := dial(ctx, addr)
			return &tapConn{Conn: nc, sent: &seen}, err
		}
		mustLoad(t, cfg)
	})
	var key string
	for k := range f.items {
		key = k
	}
	target := string(wire.AppendTarget(nil, []byte(key)))
	acquire := "GET " + target + " HTTP/1.1\r\nHost: stateserver\r\nExclusive: acquire\r\n\r\n"
	want := acquire +
		"PUT " + target + " HTTP/1.1\r\nHost: stateserver\r\nTimeout: 20\r\nContent-Length: 7\r\nExtraFlags: 1\r\nLockCookie: 0\r\n\r\n" + string(emptyBlob) +
		acquire +
		"PUT " + target + " HTTP/1.1\r\nHost: stateserver\r\nTimeout: 20\r\nContent-Length: 3\r\nExtraFlags: 0\r\nLockCookie: 2\r\n\r\n" +
		string(f.items[key].body)
	if seen.String() != want {
		t.Errorf("sent:\n%q\nwant:\n%q", seen.String(), want)
	}
}

// tapConn keeps what is written.
type tapConn struct {
	net.Conn
	sent *bytes.Buffer
}

func (c *tapConn) Write(b []byte) (int, error) {
	c.sent.Write(b)
	return c.Conn.Write(b)
}

// Configurations and results go through JSON whole.
func TestConfigJSON(t *testing.T) {
	cfg := LoadConfig{Targets: []string{"a:1"}, Progress: func(Progress) {}}
	cfg.EnsureDefaults()
	b, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var back LoadConfig
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("%s\ncame back as\n%s (%v)", b, again, err)
	}
}

// A page that ends long after the others have stopped must not make the rate look smaller.
func TestStragglerDoesNotSpoilRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.before = func(n int, _ *wire.Request) {
			d := 10 * time.Millisecond
			if n == 100 {
				d = 5 * time.Second
			}
			sleep(t.Context(), d)
		}
		res := mustLoad(t, inBubble(LoadConfig{Conns: 1, Duration: time.Second, Mode: ModePut}, f))
		put := kind(res.Pages, "put")
		if put.Count != 100 || put.PerS != 99 || res.MeasuredS != 1 || res.ElapsedS != 5.99 {
			t.Errorf("%d pages, %v a second over %v s, ended after %v s", put.Count, put.PerS, res.MeasuredS, res.ElapsedS)
		}
		near(t, "the straggler", put.Max, 5_000_000)
	})
}
