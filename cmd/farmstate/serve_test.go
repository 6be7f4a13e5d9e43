package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
)

const (
	site1 = "/LM/W3SVC/1/ROOT"
	site2 = "/LM/W3SVC/2/ROOT"
)

// TestReadyLine is the line that scripts wait for.
func TestReadyLine(t *testing.T) {
	t.Parallel()
	p := serve(t)
	if !regexp.MustCompile(`^farmstate ready state=127\.0\.0\.1:\d+ peer=127\.0\.0\.1:\d+ admin=127\.0\.0\.1:\d+\r?\n$`).MatchString(p.ready) {
		t.Errorf("%q", p.ready)
	}
	if status, _ := dial(t, p.state).do(get(site1)); status != "404 Not Found" {
		t.Error(status)
	}
	p = serve(t, "--admin", "off", "--standalone", "--transport", "std")
	if !regexp.MustCompile(`^farmstate ready state=127\.0\.0\.1:\d+\r?\n$`).MatchString(p.ready) {
		t.Errorf("%q", p.ready)
	}
	if status, _ := dial(t, p.state).do(get(site1)); status != "404 Not Found" {
		t.Error(status)
	}
}

// taken holds a port for the time of the test.
func taken(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return addr // Somebody else has it, which is as good.
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// TestTakenPort: exit status 2, and what to do.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	addr := taken(t, "127.0.0.1:0")
	status, stdout, stderr := execute(t, nil, "serve", "--listen", addr, "--admin", "off", "--log-level", "error")
	if status != exitUsage || stdout != "" {
		t.Errorf("exit status %d, standard output %q", status, stdout)
	}
	want := "farmstate: cannot listen on " + addr + ": the port is taken; Microsoft's ASP.NET State Service (aspnet_state) or another farmstate may be running. Stop it, or choose another address with --listen\n"
	if !strings.HasPrefix(stderr, want) {
		t.Errorf("\n got %s\nwant %s", stderr, want)
	}
	_, port, _ := net.SplitHostPort(addr)
	if runtime.GOOS == "linux" && (!strings.Contains(stderr, "outgoing connections") || !strings.Contains(stderr, "net.ipv4.ip_local_reserved_ports="+port)) {
		t.Errorf("nothing about chance:\n%s", stderr)
	}
}

// TestTakenAdminPort: a port that was asked for has to be free, the default
// need not.
func TestTakenAdminPort(t *testing.T) {
	t.Parallel()
	addr := taken(t, "127.0.0.1:0")
	status, _, stderr := execute(t, []string{"FARMSTATE_LISTEN=127.0.0.1:0", "FARMSTATE_LOG_LEVEL=error"}, "serve", "--admin", addr)
	if want := "farmstate: cannot listen on " + addr + ": the port is taken; another farmstate may be running. Stop it, or choose another address with --admin\n"; status != exitUsage || !strings.HasPrefix(stderr, want) {
		t.Errorf("exit status %d\n%s", status, stderr)
	}
	taken(t, "127.0.0.1:42480")
	p := serveEnv(t, []string{"FARMSTATE_LISTEN=127.0.0.1:0"})
	if p.admin != "" {
		t.Errorf("%q", p.ready)
	}
	p.await("level=WARN", "event=admin_off", "--admin off")
	if status, _ := dial(t, p.state).do(get(site1)); status != "404 Not Found" {
		t.Error(status)
	}
}

// TestCannotStart: everything that keeps a node from starting has exit status
// 2 and a sentence.
func TestCannotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, v := range []struct {
		name string
		args []string
		want string
	}{
		{"address of another machine", []string{"--listen", "198.51.100.1:0", "--allow", "198.51.100.0/24"},
			"farmstate: cannot listen on 198.51.100.1:0: this machine has no such address; use one of its own, 127.0.0.1, or leave the host out for all of them\n"},
		{"unknown host", []string{"--listen", "no-such-host.invalid:0"},
			`farmstate: cannot listen on no-such-host.invalid:0: the host name "no-such-host.invalid" is not known on this machine`},
		{"reachable from elsewhere", []string{"--listen", "0.0.0.0:0"},
			`farmstate: --listen: "0.0.0.0:0" can be reached from other machines, and the protocol has no authentication; name the networks that may connect with allow (--allow 10.1.0.0/16)`},
		{"bad value", []string{"--max-body", "lots"},
			`farmstate: --max-body: "lots" is not a size; accepted: a size from 1 to 1GiB, in bytes or with a unit such as KiB, MB or GiB` + "\n"},
		{"two bad values", []string{"--max-body", "lots", "--lock-queue", "0"},
			`farmstate: --max-body: "lots" is not a size; accepted: a size from 1 to 1GiB, in bytes or with a unit such as KiB, MB or GiB` + "\n" +
				`farmstate: --lock-queue: "0" is below 1; accepted: a whole number from 1 to 1048576` + "\n"},
		{"no such file", []string{"--config", filepath.Join(dir, "none.toml")},
			"farmstate: --config: " + filepath.Join(dir, "none.toml") + ": there is no such file; name one"},
		{"a directory", []string{"--config", dir},
			"farmstate: --config: " + dir + ": this is a directory; name the configuration file in it\n"},
		{"unknown flag", []string{"--lock-wiat", "1s"},
			"farmstate: unknown flag --lock-wiat, did you mean \"--lock-wait\"?; see `farmstate help serve`\n"},
		{"unknown argument", []string{"now"},
			"farmstate: unexpected argument now; see `farmstate help serve`\n"},
		{"peers and no farm", []string{"--standalone", "--peer", "127.0.0.1:1"},
			`farmstate: --standalone: true means that there is no farm, but peer names other nodes (flag --peer); remove one of the two` + "\n"},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := execute(t, []string{"FARMSTATE_ADMIN=off", "FARMSTATE_LOG_LEVEL=error"}, append([]string{"serve"}, v.args...)...)
			if status != exitUsage || stdout != "" || !strings.HasPrefix(stderr, v.want) {
				t.Errorf("exit status %d, standard output %q\n got %s\nwant %s", status, stdout, stderr, v.want)
			}
		})
	}
}

// TestSettings: what was chosen is logged with where it was chosen, and has an
// effect.
func TestSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "farm.toml")
	text := "http_status_line = true\naspnet_version = \"2.0.50727\"\nlog_format = \"json\"\n[[alias]]\nfrom = \"" + site2 + "\"\nto = \"" + site1 + "\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serveEnv(t, []string{
		"FARMSTATE_CONFIG=" + file, "FARMSTATE_LISTEN=127.0.0.1:0", "FARMSTATE_ADMIN=off", "FARMSTATE_LOCK_WAIT=0", "FARMSTATE_MAX_BODI=1", "FARMSTATE_ASPNET_VERSION=3.5",
	}, "--aspnet-version", "4.8.1")
	var line map[string]any
	if err := json.Unmarshal([]byte(p.await(`"event":"settings"`)), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"listen": "127.0.0.1:0 (env FARMSTATE_LISTEN)", "http_status_line": "true (file " + file + ":1)", "aspnet_version": "4.8.1 (flag --aspnet-version)",
		"lock_wait": "0 (env FARMSTATE_LOCK_WAIT)", "aliases": 1.0, "max_body": nil,
	} {
		if line[key] != want {
			t.Errorf("%s: %v, want %v", key, line[key], want)
		}
	}
	p.await(`"event":"unknown_variable"`, "FARMSTATE_MAX_BODI", "FARMSTATE_MAX_BODY")

	c := dial(t, p.state)
	c.send(put("content"))
	for _, want := range []string{"HTTP/1.1 200 OK\r\n", "X-AspNet-Version: 4.8.1\r\n"} {
		if line, err := c.r.ReadString('\n'); err != nil || line != want {
			t.Errorf("%q, %v; want %q", line, err, want)
		}
	}
	c.answer() // What is left of it.
	if status, body := c.do(get(site2)); status != "HTTP/1.1 200 OK" || body != "content" {
		t.Errorf("under the alias: %s %q", status, body)
	}
	if status, _ := c.do(acquire(site1)); status != "HTTP/1.1 200 OK" {
		t.Error(status)
	}
	if status, _ := c.do(acquire(site1)); status != "HTTP/1.1 423 Locked" {
		t.Error(status)
	}
}

// TestStopEmpty: with no session left the exit status is 0, for both signals.
func TestStopEmpty(t *testing.T) {
	t.Parallel()
	needSignals(t)
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		p := serve(t)
		c := dial(t, p.state) // A pooled connection without a request does not hold up the stop.
		if status, _ := c.do(get(site1)); status != "404 Not Found" {
			t.Error(status)
		}
		p.signal(signal)
		if status := p.exit(); status != exitOK {
			t.Errorf("%v: exit status %d", signal, status)
		}
		if !c.closed() {
			t.Errorf("%v: the connection is still open", signal)
		}
		p.await("event=stopped")
	}
}

// TestStopGracefully: requests that have begun are answered, the node says that
// it is not ready, nobody else is let in, and the sessions left are counted. A
// save of a session that is here is good, a new session is turned away: nobody
// would take it over.
func TestStopGracefully(t *testing.T) {
	t.Parallel()
	needSignals(t)
	p := serve(t, "--shutdown-timeout", "5m")
	c, other := dial(t, p.state), dial(t, p.state)
	request := put("content")
	c.send(request)
	if status, _ := c.answer(); status != "200 OK" {
		t.Error(status)
	}
	c.send(request[:len(request)-3])
	another := strings.Replace(request, target(site1), target(site2), 1)
	if another == request {
		t.Fatal("it is the same session")
	}
	other.send(another[:len(another)-3])
	p.awaitConnections(2)
	p.signal(syscall.SIGTERM)
	p.await("event=stopping")
	if status, body := p.get("/readyz"); status != 503 || body != "stopping: it was told to stop, and hands its sessions to other nodes\n" {
		t.Errorf("readyz %d %q", status, body)
	}
	if status, _ := p.get("/healthz"); status != 200 {
		t.Errorf("healthz %d", status)
	}
	p.poll("the state port to close", func() bool {
		one, err := net.DialTimeout("tcp", p.state, patience)
		if err != nil {
			return true
		}
		_ = one.Close()
		return false
	})
	other.send(another[len(another)-3:])
	if status, _ := other.answer(); status != "400 Bad Request" {
		t.Error(status)
	}
	c.send(request[len(request)-3:])
	if status, _ := c.answer(); status != "200 OK" {
		t.Error(status)
	}
	if status := p.exit(); status != exitFailed {
		t.Errorf("exit status %d, want %d", status, exitFailed)
	}
	p.await("level=WARN", "event=sessions_lost", "sessions=1")
}

// TestStopTimeout: a request that never ends is cut off.
func TestStopTimeout(t *testing.T) {
	t.Parallel()
	needSignals(t)
	p := serve(t, "--shutdown-timeout", "100ms")
	c := dial(t, p.state)
	c.send("GET ")
	p.awaitConnections(1)
	p.stop(exitOK)
	if !c.closed() {
		t.Error("the connection is still open")
	}
}

// TestSecondSignal: it ends the process although a request has begun.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	needSignals(t)
	p := serve(t, "--shutdown-timeout", "10m")
	c := dial(t, p.state)
	c.send("GET ")
	p.awaitConnections(1)
	p.signal(syscall.SIGTERM)
	p.await("event=stopping")
	p.signal(syscall.SIGTERM)
	if status := p.exit(); status != exitFailed {
		t.Errorf("exit status %d, want %d", status, exitFailed)
	}
	p.await("stopped at once")
}

// TestClosedLog: a node outlives the reader of its log.
func TestClosedLog(t *testing.T) {
	t.Parallel()
	p := serve(t, "--admin", "off")
	p.closeLog()
	c := dial(t, p.state)
	if status, _ := c.do(put("content")); status != "200 OK" {
		t.Error(status)
	}
	for range 3 {
		if status, _ := c.do(get(site2)); status != "404 Not Found" { // A near miss, which is logged.
			t.Error(status)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	p.stop(exitFailed) // By the stop, after which more is logged, and not by a broken pipe.
}

// TestGops: the agent listens, and leaves the signals to us.
func TestGops(t *testing.T) {
	t.Parallel()
	needSignals(t)
	dir := t.TempDir()
	p := serveEnv(t, []string{"FARMSTATE_LISTEN=127.0.0.1:0", "FARMSTATE_ADMIN=off", "GOPS_CONFIG_DIR=" + dir}, "--gops")
	line := p.await("event=gops")
	_, addr, _ := strings.Cut(line, "address=")
	c := dial(t, addr)
	c.send("\x04") // gops version
	if text, err := c.r.ReadString('\n'); err != nil && text == "" || !strings.HasPrefix(text, "go") {
		t.Errorf("%q, %v", text, err)
	}
	p.stop(exitOK)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// ownAddress is an address of this machine that is not a loopback address.
func ownAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if n, ok := addr.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	t.Skip("this machine has loopback addresses only")
	return ""
}

// TestAllow: the list decides, for both ports, and loopback is always in it.
func TestAllow(t *testing.T) {
	t.Parallel()
	own := ownAddress(t)
	p := serveEnv(t, []string{"FARMSTATE_LISTEN=0.0.0.0:0", "FARMSTATE_ADMIN=0.0.0.0:0"}, "--allow", "198.51.100.0/24")
	_, statePort, _ := net.SplitHostPort(p.state)
	_, adminPort, _ := net.SplitHostPort(p.admin)
	for _, port := range []string{statePort, adminPort} {
		if c := dial(t, net.JoinHostPort(own, port)); !c.closed() {
			t.Errorf("a connection from %s to port %s is not closed", own, port)
		}
	}
	p.await("event=not_allowed", own)
	if status, _ := dial(t, "127.0.0.1:"+statePort).do(get(site1)); status != "404 Not Found" {
		t.Error(status)
	}
	p.admin = "127.0.0.1:" + adminPort
	if status, _ := p.get("/healthz"); status != 200 {
		t.Error(status)
	}

	p = serveEnv(t, []string{"FARMSTATE_LISTEN=0.0.0.0:0", "FARMSTATE_ADMIN=off", "FARMSTATE_ALLOW=198.51.100.0/24," + own})
	_, statePort, _ = net.SplitHostPort(p.state)
	if status, _ := dial(t, net.JoinHostPort(own, statePort)).do(get(site1)); status != "404 Not Found" {
		t.Error(status)
	}
}

// poll waits until a condition holds.
func (p *process) poll(what string, holds func() bool) {
	p.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			p.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (p *process) nodeStatus() (s api.Status) {
	p.t.Helper()
	code, body := p.get("/api/v1/status")
	if err := json.Unmarshal([]byte(body), &s); err != nil || code != 200 {
		p.t.Fatalf("%d, %v: %s", code, err, body)
	}
	return s
}

// awaitConnections waits until the node has let in n clients.
func (p *process) awaitConnections(n int64) {
	p.t.Helper()
	p.poll(strconv.FormatInt(n, 10)+" connections", func() bool { return p.nodeStatus().Connections.Open == n })
}

// TestAdminPages: what happens on the state port shows on the admin pages.
func TestAdminPages(t *testing.T) {
	t.Parallel()
	p := serve(t, "--stale-lock", "10ms", "--max-memory", "100MB")
	c := dial(t, p.state)
	if status, _ := c.do(put("content")); status != "200 OK" {
		t.Error(status)
	}
	if status, _ := c.do(get(site2)); status != "404 Not Found" {
		t.Error(status)
	}
	if status, _ := c.do(acquire(site1)); status != "200 OK" {
		t.Error(status)
	}
	line := p.await("event=near_miss", "cause=site_id", "asked="+`"`+site2+`(aGFzaA==)"`, "found="+`"`+site1+`(aGFzaA==)"`)
	if strings.Contains(line, "z445nnecaiiqye55asxwtm55") {
		t.Errorf("the log has a session id: %s", line)
	}
	p.await("event=lock_left", site1)

	s := p.nodeStatus()
	if s.Sessions.Count != 1 || s.Sessions.Locked != 1 || s.Sessions.MaxMemory != 100e6 || s.Sessions.LocksLeft != 1 || s.Sessions.Bytes < 7 {
		t.Errorf("sessions: %+v", s.Sessions)
	}
	if s.State != p.state || s.Admin != p.admin || !s.Ready || s.Standalone || s.Build.Version != "1.2.3" || s.Build.Commit != "0123abc" {
		t.Errorf("status: %+v", s)
	}
	if s.Operations["get"]["not_found"] != 1 || s.Operations["acquire"]["ok"] != 1 || s.Operations["set"]["ok"] != 1 || s.NearMisses["site_id"] != 1 {
		t.Errorf("operations: %+v, near misses: %+v", s.Operations, s.NearMisses)
	}
	var locks []struct {
		Application, Session string
		Cookie               uint32
		Age                  float64 `json:"age_seconds"`
	}
	_, body := p.get("/api/v1/locks")
	if err := json.Unmarshal([]byte(body), &locks); err != nil || len(locks) != 1 ||
		locks[0].Application != site1 || locks[0].Session != "z445nn…" || locks[0].Cookie == 0 || locks[0].Age < 0.01 {
		t.Errorf("locks: %s, %v", body, err)
	}
	_, body = p.get("/api/v1/near-misses")
	if !holds(body, []string{site1 + "(aGFzaA==)", site2 + "(aGFzaA==)", `"site_id"`, `"count": 1`}) {
		t.Errorf("near misses: %s", body)
	}
	_, body = p.get("/metrics")
	for _, want := range []string{
		"\nfarmstate_sessions 1\n", "\nfarmstate_operations_total{operation=\"acquire\",outcome=\"ok\"} 1\n",
		"\nfarmstate_near_misses_total{cause=\"site_id\"} 1\n", "\nfarmstate_connections 1\n", "\ngo_goroutines ",
		`farmstate_build_info{commit="0123abc",go="` + runtime.Version() + `",system="` + runtime.GOOS + "/" + runtime.GOARCH + `",version="1.2.3"} 1`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	for _, page := range []string{"/", "/api/v1/", "/healthz", "/readyz", "/api/v1/survey", "/api/v1/node", "/api/v1/nodes"} {
		if status, _ := p.get(page); status != 200 {
			t.Errorf("%s: %d", page, status)
		}
	}
	for _, page := range []string{"/metrics", "/api/v1/status", "/api/v1/locks", "/api/v1/near-misses"} {
		if _, body := p.get(page); strings.Contains(body, "z445nnecaiiqye55asxwtm55") {
			t.Errorf("%s shows a session id", page)
		}
	}
}

// TestMemoryCap: a save that does not fit is refused and told of.
func TestMemoryCap(t *testing.T) {
	t.Parallel()
	p := serve(t, "--max-memory", "1MiB")
	if status, _ := dial(t, p.state).do(put(strings.Repeat("x", 2<<20))); status != "400 Bad Request" {
		t.Error(status)
	}
	p.await("level=WARN", "event=save_refused", "max_memory=1048576")
	if s := p.nodeStatus(); s.Sessions.Count != 0 || s.Operations["set"]["refused"] != 1 {
		t.Errorf("%+v", s)
	}
}
