package pages

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Method names one of the client's calls to the server.
type Method string

// The methods of the real client's store.
const (
	GetItem                    Method = "GetItem"
	GetItemExclusive           Method = "GetItemExclusive"
	ReleaseItemExclusive       Method = "ReleaseItemExclusive"
	SetAndReleaseItemExclusive Method = "SetAndReleaseItemExclusive"
	CreateUninitializedItem    Method = "CreateUninitializedItem"
	RemoveItem                 Method = "RemoveItem"
	ResetItemTimeout           Method = "ResetItemTimeout"
)

// Config says what a [Client] talks to, and how.
type Config struct {
	// Addr is the server, host:port.
	Addr string
	// App is the application id; empty means the root of site 1.
	App string
	// NetworkTimeout is how long a request may take; 0 means 10 s.
	NetworkTimeout time.Duration
	// Zeros prints every number of a call, also where it means nothing. It is
	// not known whether real clients do.
	Zeros bool
	// Dialer opens the sockets; the zero value will do.
	Dialer net.Dialer
	// Clock is the time for the pool and for lock ages.
	Clock Clock
	// Trace, if set, is told each exchange that got an answer. It may be called
	// by several goroutines at once.
	Trace func(Exchange)
}

// Exchange is a request and its answer, for tests.
type Exchange struct {
	Method Method
	ID     string
	Sent   uint32 // the cookie of the request

	Status      int
	Cookie      uint32 // of the answer; 0 if absent
	Timeout     int64  // minutes; 0 if absent
	LockAge     int64  // seconds; -1 if absent
	ActionFlags bool
}

// Client is the real client's half of one partition: one server, one application,
// one pool of sockets. It may be used by many goroutines; each of their requests
// has a socket to itself.
type Client struct {
	cfg  Config
	pool *pool

	mu    sync.Mutex // guards the fields below
	known bool       // the server's version has been seen
}

// NewClient returns a client that has no connection yet.
func NewClient(cfg Config) *Client {
	if cfg.App == "" {
		cfg.App = "/LM/W3SVC/1/ROOT"
	}
	if cfg.NetworkTimeout == 0 {
		cfg.NetworkTimeout = 10 * time.Second
	}
	cfg.Clock = cfg.Clock.withDefaults()
	return &Client{cfg: cfg, pool: newPool(cfg.Addr, cfg.Dialer, cfg.Clock)}
}

// Close closes the idle connections. Requests that are under way close theirs.
func (c *Client) Close() { c.pool.close() }

// GetItem reads a session without its lock.
func (c *Client) GetItem(ctx context.Context, id string) (Item, error) {
	return c.read(ctx, &request{method: GetItem, id: id})
}

// GetItemExclusive reads a session and takes its lock.
func (c *Client) GetItemExclusive(ctx context.Context, id string) (Item, error) {
	return c.read(ctx, &request{method: GetItemExclusive, id: id})
}

// ReleaseItemExclusive gives a lock back; with somebody else's cookie it breaks it.
func (c *Client) ReleaseItemExclusive(ctx context.Context, id string, cookie uint32) error {
	return c.write(ctx, &request{method: ReleaseItemExclusive, id: id, cookie: cookie})
}

// SetAndReleaseItemExclusive saves a session and gives its lock back. The cookie
// of a new session is 0. timeout is in minutes.
func (c *Client) SetAndReleaseItemExclusive(ctx context.Context, id string, blob []byte, timeout int32, cookie uint32) error {
	return c.write(ctx, &request{method: SetAndReleaseItemExclusive, id: id, body: blob, timeout: timeout, cookie: cookie})
}

// CreateUninitializedItem saves an empty session unless there is one.
func (c *Client) CreateUninitializedItem(ctx context.Context, id string, timeout int32) error {
	return c.write(ctx, &request{method: CreateUninitializedItem, id: id,
		body: encodeBlob(timeout, nil), timeout: timeout, extraFlags: 1})
}

// RemoveItem deletes a session.
func (c *Client) RemoveItem(ctx context.Context, id string, cookie uint32) error {
	return c.write(ctx, &request{method: RemoveItem, id: id, cookie: cookie})
}

// ResetItemTimeout starts the time of a session again.
func (c *Client) ResetItemTimeout(ctx context.Context, id string) error {
	return c.write(ctx, &request{method: ResetItemTimeout, id: id})
}

// read does an exchange whose answer is an item.
func (c *Client) read(ctx context.Context, r *request) (Item, error) {
	a, err := c.do(ctx, r)
	if err != nil {
		return Item{}, err
	}
	return a.item(c.cfg.Clock.Now())
}

// write does an exchange of which the client only knows whether it failed: every
// status but 400 is the same to it. See docs/protocol.md §9.5.
func (c *Client) write(ctx context.Context, r *request) error {
	_, err := c.do(ctx, r)
	return err
}

// ErrBadRequest is what a page gets for a 400.
var ErrBadRequest = errors.New("pages: the server answered 400")

// do sends r on a socket of its own and reads the answer. The socket is back in
// the pool before anybody looks at the status, as in the real client; if the
// server closes it then, the next user finds out.
func (c *Client) do(ctx context.Context, r *request) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.NetworkTimeout)
	defer cancel()
	s, err := c.pool.get(ctx)
	if err != nil {
		return nil, fmt.Errorf("pages: %s: %w", r.method, err)
	}
	// A deadline in the past wakes whoever waits for the socket.
	stop := context.AfterFunc(ctx, func() {
		s.nc.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // a dead socket wakes too
	})
	a, err := c.talk(s, r)
	if !stop() || err != nil {
		return nil, errors.Join(err, context.Cause(ctx), s.nc.Close())
	}
	c.pool.put(s)
	c.trace(r, a)
	if err := c.checkVersion(a.version); err != nil {
		return nil, err
	}
	if a.status == 400 {
		return nil, fmt.Errorf("%s: %w", r.method, ErrBadRequest)
	}
	return a, nil
}

func (c *Client) talk(s *socket, r *request) (*answer, error) {
	if err := s.nc.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	if _, err := s.nc.Write(r.append(nil, c.cfg.App, c.cfg.Zeros)); err != nil {
		return nil, err
	}
	a, err := readAnswer(s.in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.method, err)
	}
	return a, nil
}

func (c *Client) trace(r *request, a *answer) {
	if c.cfg.Trace == nil {
		return
	}
	c.cfg.Trace(Exchange{
		Method: r.method, ID: r.id, Sent: r.cookie,
		Status: a.status, Cookie: uint32(a.cookie), Timeout: a.timeout, LockAge: a.lockAge,
		ActionFlags: a.actionFlags&1 != 0,
	})
}

// ErrVersion is what the first page gets from a server of before 2.0.
var ErrVersion = errors.New("pages: the server's X-AspNet-Version is missing or below 2")

// checkVersion looks at the version of the first answer only: the real client
// stores it before it tests it, so that later requests pass. See
// docs/protocol.md §9.4.
func (c *Client) checkVersion(version string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known {
		return nil
	}
	c.known = true
	text, _, _ := strings.Cut(version, ".")
	if major, err := strconv.Atoi(text); err != nil || major < 2 {
		return ErrVersion
	}
	return nil
}
