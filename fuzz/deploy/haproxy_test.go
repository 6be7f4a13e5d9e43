//go:build linux

package deploy

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// balancer is an HAProxy that runs with the file of the document.
type balancer struct {
	t     *testing.T
	addr  string // where web servers connect
	stats string
}

// haproxyPath finds the program. Debian has it where only root looks.
func haproxyPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"haproxy", "/usr/sbin/haproxy"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const why = "HAProxy is not installed; make deps does it"
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

func startBalancer(p *places, file string) *balancer {
	p.t.Helper()
	path := haproxyPath(p.t)
	name := filepath.Join(p.t.TempDir(), "haproxy.cfg")
	const host = "10.1.0.10"
	if err := os.WriteFile(name, []byte(p.replace(host, file)), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if out, err := exec.Command(path, "-c", "-f", name).CombinedOutput(); err != nil {
		p.t.Fatalf("haproxy -c: %v\n%s", err, out)
	}
	spawn(p.t, "haproxy", "", path, "-db", "-f", name)
	return &balancer{t: p.t, addr: p.addr(host + ":42424"), stats: p.addr(host + ":8404")}
}

// status is what HAProxy says of a server, such as UP, NOLB or DOWN.
func (b *balancer) status(server string) string {
	b.t.Helper()
	text := get("http://" + b.stats + "/;csv")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "# "))).ReadAll()
	if err != nil || len(rows) == 0 {
		return ""
	}
	for _, row := range rows[1:] {
		if row[1] == server {
			for i, column := range rows[0] {
				if column == "status" {
					return row[i]
				}
			}
		}
	}
	return ""
}

func (b *balancer) await(server, status string) {
	b.t.Helper()
	began := time.Now()
	await(b.t, "HAProxy to see "+server+" "+status, func() bool { return strings.HasPrefix(b.status(server), status) })
	b.t.Logf("HAProxy sees %s %s after %v", server, status, time.Since(began).Round(10*time.Millisecond))
}

// dedicatedHosts are the nodes of the document that stand behind HAProxy, and dedicatedNames what HAProxy calls them.
var (
	dedicatedHosts = []string{"10.1.0.11", "10.1.0.12", "10.1.0.13"}
	dedicatedNames = []string{"node1", "node2", "node3"}
)

// newNodes makes nodes with a file of the document. That is the first one's; on the others the addresses change places, unless it is the same on all, as with join.
func newNodes(t *testing.T, p *places, info string, hosts []string) []*node {
	t.Helper()
	file := block(t, info)
	var nodes []*node
	for _, host := range hosts {
		own := file
		if !strings.Contains(file, "\njoin = ") {
			own = swap(file, hosts[0], host)
		}
		nodes = append(nodes, newNode(p, host, own))
	}
	return nodes
}

// farmBehindHAProxy starts the nodes of the document behind its HAProxy, and web servers in front of it.
func farmBehindHAProxy(t *testing.T, file string) (*balancer, []*node, *traffic) {
	t.Helper()
	haproxyPath(t) // before anything is started
	p := newPlaces(t)
	nodes := newNodes(t, p, "toml dedicated", dedicatedHosts)
	startFarm(t, nodes)
	b := startBalancer(p, file)
	for _, name := range dedicatedNames {
		b.await(name, "UP")
	}
	tr := newTraffic(t)
	for i := range 4 {
		tr.servers = append(tr.servers, newWebServer(tr, fmt.Sprintf("127.0.1.%d", i+1), b.addr))
	}
	return b, nodes, tr
}

// TestHAProxy kills, restarts and stops nodes behind HAProxy under the eyes of users.
func TestHAProxy(t *testing.T) {
	for balance, kills := range map[string]int{"source": 2, "leastconn": 1} {
		t.Run(balance, func(t *testing.T) {
			file := block(t, "haproxy")
			if balance != "source" {
				changed := strings.Replace(file, "balance source", "balance "+balance, 1)
				if changed == file {
					t.Fatal("the document does not balance by source")
				}
				file = changed
			}
			b, nodes, tr := farmBehindHAProxy(t, file)
			behindHAProxy(t, seeded(t), b, nodes, tr, kills)
		})
	}
}

// drain begins to hand over the sessions of a node, which goes on serving. As it does, sessions come back; so nobody waits for the end.
func drain(t *testing.T, n *node) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+n.admin+"/api/v1/drain", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Farmstate-Action", "drain")
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := admin.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // nothing of it is needed
	if resp.StatusCode/100 != 2 {
		t.Fatalf("a drain was answered %s", resp.Status)
	}
}

const (
	users     = 24
	idleUsers = 150
)

// held compares what users saw of an event with what the document says.
func held(t *testing.T, what string, a tally) {
	t.Helper()
	// A user has one request under way, so one page can break. The reload may take another socket of the web server that is as dead and not known to be yet.
	if a.errors > 2*users || a.inARow > 4 {
		t.Errorf("%s: too many pages ended with an error", what)
	}
	if a.longest > pageLimit/2 {
		t.Errorf("%s: a page took longer than %v", what, pageLimit/2)
	}
	if a.longestReload > behindError {
		t.Errorf("%s: a user waited longer than %v behind an error", what, behindError)
	}
}

// behindError is how long a user may wait for the page that works after one that has not: until the lock that the failed one has left is old enough, whose age
// counts in whole seconds, until the next poll, and on the way until the farm knows who has ended.
const behindError = executionTimeout + time.Second + time.Second/2 + 2*2500*time.Millisecond

// behindHAProxy kills some nodes, one after the other, and stops another. Each is started again.
func behindHAProxy(t *testing.T, rnd *rand.Rand, b *balancer, nodes []*node, tr *traffic, kills int) {
	tr.login(rnd, users, idleUsers)
	tr.start()
	tr.pass(500)
	if a := tr.report("calm"); a.errors > 0 {
		t.Error("pages end with errors although nothing has happened")
	}
	order := rnd.Perm(len(nodes))
	back := func(i int) {
		t.Helper()
		nodes[i].start()
		b.await(dedicatedNames[i], "UP")
		awaitLinks(t, nodes)
		tr.quiet(func() { awaitCopies(t, nodes, users+idleUsers) })
		tr.pass(300)
		held(t, "back", tr.report(dedicatedNames[i]+" back"))
	}
	for _, i := range order[:kills] {
		nodes[i].kill()
		b.await(dedicatedNames[i], "DOWN")
		tr.pass(500)
		tr.recovered()
		held(t, "killed", tr.report(dedicatedNames[i]+" killed"))
		back(i)
	}
	i := order[kills]
	drain(t, nodes[i])
	b.await(dedicatedNames[i], "NOLB")
	tr.pass(300)
	if a := tr.report(dedicatedNames[i] + " drained"); a.errors > 0 {
		t.Error("a drain can be noticed")
	}
	began := time.Now()
	if status := nodes[i].stop(); status != 0 {
		t.Errorf("exit status %d of a node that was stopped", status)
	}
	t.Logf("the stop took %v", time.Since(began).Round(time.Millisecond))
	b.await(dedicatedNames[i], "DOWN")
	tr.pass(500)
	tr.recovered()
	held(t, "stopped", tr.report(dedicatedNames[i]+" stopped"))
	back(i)
	tr.stop()
}

// TestHAProxyWithoutHTTP has HAProxy check the state port, as the document says for where no HTTP check can be made. And a check that
// sends no Host header is answered, too.
func TestHAProxyWithoutHTTP(t *testing.T) {
	var lines []string
	for line := range strings.Lines(block(t, "haproxy")) {
		if !strings.Contains(line, "httpchk") && !strings.Contains(line, "http-check") {
			lines = append(lines, tcpCheck.ReplaceAllString(line, " check"))
		}
	}
	b, nodes, tr := farmBehindHAProxy(t, strings.Join(lines, ""))
	rnd := seeded(t)
	tr.login(rnd, users, 0)
	i := rnd.IntN(len(nodes))
	nodes[i].kill()
	b.await(dedicatedNames[i], "DOWN")
	tr.start()
	tr.pass(100)
	tr.report(dedicatedNames[i] + " killed")
	tr.stop()

	// A check that sends no Host header, as HAProxy does unless told otherwise, gets an answer, too.
	c, err := net.Dial("tcp", nodes[(i+1)%len(nodes)].admin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // it has been read
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, "GET /readyz?except=copies HTTP/1.0\r\n\r\n") // the answer shows whether it has arrived
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") {
		t.Errorf("without a Host header: %q, %v", line, err)
	}
}

var tcpCheck = regexp.MustCompile(` check addr \S+ port \d+`)

// silentPage is how long a page may take when a node has fallen silent: 3 s until the others miss it, two query_timeouts until it counts as dead, and one more that
// a request waits.
const silentPage = 3*time.Second + 3*2500*time.Millisecond + time.Second

// TestHAProxySilent has a node fall silent, as a machine does that loses its power, and come back.
func TestHAProxySilent(t *testing.T) {
	b, nodes, tr := farmBehindHAProxy(t, block(t, "haproxy"))
	rnd := seeded(t)
	tr.login(rnd, users, idleUsers)
	tr.start()
	tr.pass(300)
	tr.report("calm")
	i := rnd.IntN(len(nodes))
	nodes[i].signal(syscall.SIGSTOP)
	b.await(dedicatedNames[i], "DOWN")
	tr.pass(300)
	tr.recovered()
	if a := tr.report(dedicatedNames[i] + " silent"); a.errors > 2*users || a.longest > silentPage || a.longestReload > silentPage+executionTimeout {
		t.Error("users saw more of a silent node than they should")
	}
	nodes[i].signal(syscall.SIGCONT)
	b.await(dedicatedNames[i], "UP")
	tr.pass(300)
	tr.recovered()
	if a := tr.report(dedicatedNames[i] + " back"); a.errors > users {
		t.Error("too many pages ended with an error when the node was back")
	}
	tr.stop()
}
