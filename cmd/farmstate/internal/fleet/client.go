package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/admin"
)

// maxPage is how long a page may be, in bytes.
const maxPage = 32 << 20

// Client reads admin pages and has actions carried out. The zero value is ready for reading. May be used from any goroutine.
type Client struct {
	// Tokens are tried one after the other until one is right; only where they are needed.
	Tokens []string
	// Only is the address that Tokens are for: a token that one node has made is of no use to others, and none of their business. Empty: they are for all.
	Only string
	// Named is how the user has named Tokens, such as --token-file=FILE; empty: they were found. Asked is the node that they are named for: that it refuses them is an
	// error, since what it shows without one would pass for all that there is. Other nodes may have tokens of their own.
	Named, Asked string

	refused atomic.Bool // Asked has refused what is Named
}

// TokenError says that a node has refused a token that the user has named.
type TokenError struct{ Addr, Named string }

func (e *TokenError) Error() string {
	return fmt.Sprintf("the node at %s does not take the token of %s: name the file that it was started with (its option admin_token_file, or what the event admin_token in its log says)", e.Addr, e.Named)
}

// Refusal is a TokenError if the node that was asked has refused what the user has named; nil if it has not, so far.
func (c *Client) Refusal() error {
	if !c.refused.Load() {
		return nil
	}
	return &TokenError{c.Asked, c.Named}
}

// StatusError is an answer other than 200.
type StatusError struct {
	Addr string
	Code int
	Text string // what the node says
}

func (e *StatusError) Error() string { return fmt.Sprintf("the node at %s says: %s", e.Addr, e.Text) }

// transport has connections closed soon: commands are short, and nodes come and go.
var transport = &http.Transport{
	Proxy:                 nil, // admin pages are never behind one
	DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
	MaxIdleConnsPerHost:   2,
	IdleConnTimeout:       10 * time.Second,
	ResponseHeaderTimeout: 30 * time.Second,
}

// web follows no redirections: a node sends none.
var web = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// CloseIdle closes connections that are not in use.
func CloseIdle() { transport.CloseIdleConnections() }

// Get reads a page below /api/v1/ into a value. ctx bounds it.
func (c *Client) Get(ctx context.Context, addr, page string, into any) error {
	return c.do(ctx, http.MethodGet, addr, page, nil, into)
}

// Act has an action carried out. Its result is read into a value, if that is not nil.
func (c *Client) Act(ctx context.Context, addr, action string, query url.Values, into any) error {
	return c.do(ctx, http.MethodPost, addr, action, query, into)
}

// do asks, with each token in turn as long as that is all that is wrong. Reading goes without a token if all are wrong, unless the user has named one for this node.
func (c *Client) do(ctx context.Context, method, addr, page string, query url.Values, into any) (err error) {
	tokens := c.Tokens
	if len(tokens) == 0 || c.Only != "" && c.Only != addr {
		tokens = []string{""}
	}
	for _, token := range tokens {
		err = c.once(ctx, method, addr, page, query, token, into)
		if refused, ok := errors.AsType[*StatusError](err); !ok || refused.Code != http.StatusUnauthorized {
			return err
		}
	}
	if c.Named != "" && addr == c.Asked {
		c.refused.Store(true)
		return c.Refusal()
	}
	if method == http.MethodGet && err != nil && len(c.Tokens) > 0 {
		return c.once(ctx, method, addr, page, query, "", into)
	}
	return err
}

func (c *Client) once(ctx context.Context, method, addr, page string, query url.Values, token string, into any) error {
	resp, err := send(ctx, method, addr, page, query, token, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it has been read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	switch {
	case err != nil:
		return fmt.Errorf("the answer of the node at %s broke off: %w", addr, err)
	case len(text) > maxPage:
		return fmt.Errorf("the node at %s answers more than %d bytes: is it a farmstate?", addr, maxPage)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("what answers at %s is no farmstate of this version: %w", addr, err)
	}
	return nil
}

// send returns an answer with the status 200.
func send(ctx context.Context, method, addr, page string, query url.Values, token string, headers map[string]string) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: addr, Path: "/api/v1/" + page, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%q is no address of admin pages, HOST:PORT such as 127.0.0.1:42480: %w", addr, err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	if method != http.MethodGet {
		req.Header.Set(admin.ActionHeader, page)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := web.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the address, which is said here
		}
		return nil, fmt.Errorf("the admin pages at %s cannot be reached: %w; they are at the address of the node's option admin", addr, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }() // as above
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	said := strings.TrimSpace(string(text))
	if said == "" {
		said = resp.Status
	}
	return nil, &StatusError{Addr: addr, Code: resp.StatusCode, Text: said}
}
