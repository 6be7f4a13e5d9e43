package link

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
	"github.com/farmstate/farmstate/peer/pki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what it wants to see.
const patience = 20 * time.Second

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// log keeps what was logged.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// recorder is a handler that writes down what it hears.
type recorder struct {
	mu       sync.Mutex
	events   []string
	messages []*message.Message
	onMsg    func(from message.Node, m *message.Message)
	onUp     func() // set before any link is made
}

func (r *recorder) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

func (r *recorder) LinkUp(n message.Node, addr string, p message.Purpose) {
	r.add("up %s %v", shortNode(n), p)
	if r.onUp != nil {
		r.onUp()
	}
}
func (r *recorder) LinkDown(n message.Node, p message.Purpose) {
	r.add("down %s %v", shortNode(n), p)
}
func (r *recorder) Gone(n message.Node, addr string)        { r.add("gone %s", shortNode(n)) }
func (r *recorder) Unreachable(n message.Node, addr string) { r.add("unreachable %s", shortNode(n)) }

func (r *recorder) Messages(from message.Node, batch []*message.Message) {
	r.mu.Lock()
	f := r.onMsg
	if f == nil {
		r.messages = append(r.messages, batch...)
	}
	r.mu.Unlock()
	if f != nil {
		for _, m := range batch {
			f(from, m)
		}
	}
}

// count is how often an event was heard; got is the messages of a kind.
func (r *recorder) count(event string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e == event {
			n++
		}
	}
	return n
}

func (r *recorder) got(k message.Kind) (list []*message.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.messages {
		if m.Kind == k {
			list = append(list, m)
		}
	}
	return list
}

func (r *recorder) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.events, ", ")
}

// peer is a node under test.
type peer struct {
	*Net
	*recorder
	log  *log
	node message.Node
}

var testSecret = []byte("a secret for tests, long enough")

func newNode() (n message.Node) {
	_, _ = rand.Read(n[:]) // never fails
	return n
}

// start starts a node; what opt leaves open fits a test on loopback.
func start(t testing.TB, opt Options) *peer {
	t.Helper()
	p := &peer{recorder: &recorder{}, log: &log{}, node: opt.Node}
	if p.node == (message.Node{}) {
		p.node = newNode()
	}
	opt.Node = p.node
	if opt.Listen == "" {
		opt.Listen = "127.0.0.1:0"
	}
	if opt.Listen == "none" {
		opt.Listen = ""
	}
	if !opt.Security.Plain && opt.Security.Secret == nil && opt.Security.Certificates == nil {
		opt.Security.Secret = testSecret
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	n, err := Listen(opt, p.recorder)
	check(t, err)
	p.Net = n
	t.Cleanup(func() { p.stop(t) })
	return p
}

func (p *peer) stop(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
}

// crash ends a node without a word.
func (p *peer) crash() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.Close(ctx) // it says that links were cut off
}

func (p *peer) addr() string { return p.Addr().String() }
func (p *peer) id() string   { return shortNode(p.node) }

// pair is two nodes of which b has dialled a.
func pair(t testing.TB, a, b Options) (*peer, *peer) {
	t.Helper()
	pa := start(t, a)
	b.Peers = append(b.Peers, pa.addr())
	pb := start(t, b)
	eventually(t, "two nodes are linked", func() bool {
		return pa.count("up "+pb.id()+" neighbour") == 1 && pb.count("up "+pa.id()+" neighbour") == 1
	})
	return pa, pb
}

func id(n int) (id message.ID) {
	id[0], id[1], id[2], id[15] = byte(n), byte(n>>8), byte(n>>16), 1
	return id
}

func notHere(n int) *message.Message { return &message.Message{Kind: message.NotHere, ID: id(n)} }

func transfer(from message.Node, n int, body []byte) *message.Message {
	key := fmt.Sprintf("/lm/w3svc/1/root(x)/%d", n)
	return &message.Message{
		Kind: message.Transfer, ID: id(n), Key: key, Node: from, Gen: 1,
		Parcel: engine.Parcel{Key: key, Body: body, Minutes: 20, Left: int64(time.Minute), Cookie: 1},
	}
}

func randomBody(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// farm is a CA with certificates, in a folder.
func farm(t testing.TB, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	ca, err := pki.NewCA(dir, time.Now())
	check(t, err)
	for _, name := range names {
		_, err := pki.IssueNode(ca, dir, name, nil, time.Now(), time.Hour)
		check(t, err)
	}
	return dir
}

func certificates(dir, name string) Security {
	cert, key := pki.NodeFiles(dir, name)
	return Security{Certificates: &Certificates{CA: filepath.Join(dir, pki.CAFile), Cert: cert, Key: key}}
}

// stranger is a raw connection.
func stranger(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	check(t, err)
	check(t, nc.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() { _ = nc.Close() })
	return nc.(*net.TCPConn)
}

// isClosed waits until the other side has closed a connection, and returns what it sent.
func isClosed(t testing.TB, nc net.Conn) []byte {
	t.Helper()
	b, err := io.ReadAll(nc)
	if os.IsTimeout(err) {
		t.Fatal("a connection stays open")
	}
	return b
}

func tlsPool(t testing.TB, dir string) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(dir, pki.CAFile))
	check(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

func contextWithStop() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

// refuseAll is a network in which nobody listens.
func refuseAll(note func()) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) {
		note()
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
}
