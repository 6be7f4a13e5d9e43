//go:build unix

package operate

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// key is a session's key as it stands in a request: of the application of site 1 or 2, with a session id.
func key(site int, id string) string {
	return url.QueryEscape(fmt.Sprintf("/LM/W3SVC/%d/ROOT(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)/%s", site, id))
}

// client is a connection of a web server.
type client struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

// dial connects to a node from an address of this machine, such as 127.0.0.2; empty for any.
func dial(t *testing.T, addr, from string) *client {
	t.Helper()
	c, err := connect(t, addr, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.c.Close() })
	return c
}

// connect is dial where that may fail; the caller closes the connection.
func connect(t *testing.T, addr, from string) (*client, error) {
	d := net.Dialer{Timeout: patience}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{t, c, bufio.NewReader(c)}, nil
}

// reply is an answer of the state port.
type reply struct {
	status int // 0 = none came
	cookie int
	body   string
}

// try sends a request and reads the answer, if one comes.
func (c *client) try(request string) (reply, error) {
	if err := c.c.SetDeadline(time.Now().Add(patience)); err != nil {
		return reply{}, err
	}
	if _, err := io.WriteString(c.c, request); err != nil {
		return reply{}, err
	}
	var (
		got    reply
		length int
	)
	for first := true; ; first = false {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return reply{}, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		if first {
			words := strings.Fields(line)
			if len(words) > 0 && strings.HasPrefix(words[0], "HTTP/") {
				words = words[1:]
			}
			if len(words) > 0 {
				got.status, _ = strconv.Atoi(words[0])
			}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		switch n, _ := strconv.Atoi(strings.TrimSpace(value)); name {
		case "LockCookie":
			got.cookie = n
		case "Content-Length":
			length = n
		}
	}
	body := make([]byte, length)
	_, err := io.ReadFull(c.r, body)
	got.body = string(body)
	return got, err
}

// do is try where an answer must come.
func (c *client) do(request string) reply {
	c.t.Helper()
	got, err := c.try(request)
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

func get(key string) string { return "GET " + key + " HTTP/1.1\r\nHost: web\r\n\r\n" }
func acquire(key string) string {
	return "GET " + key + " HTTP/1.1\r\nHost: web\r\nExclusive: acquire\r\n\r\n"
}

func put(key, body string) string {
	return fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: web\r\nTimeout: 20\r\nContent-Length: %d\r\n\r\n%s", key, len(body), body)
}

func putLocked(key, body string, cookie int) string {
	return fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: web\r\nTimeout: 20\r\nLockCookie: %d\r\nContent-Length: %d\r\n\r\n%s", key, cookie, len(body), body)
}

// newID is a session id as ASP.NET makes it.
func newID(n int) string { return fmt.Sprintf("op%022d", n) }
