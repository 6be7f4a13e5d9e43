package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// The scripts of a session cycle, in the shape that session providers for ASP.NET usually have: one key holds the lock, one the
// session, one what the provider keeps for itself. They use fewer commands than most, in favour of Redis.
var (
	//go:embed scripts/acquire.lua
	acquireScript string
	//go:embed scripts/save.lua
	saveScript string
)

const (
	providerTimeout = "1200" // seconds that a session lives
	lockTimeout     = "110"  // seconds that a lock lives
)

// Plain commands.
var (
	redisGet = step{
		request: func(dst []byte, c *client) []byte {
			dst = appendArray(dst, 2)
			dst = appendWord(dst, "GET")
			return appendWord(dst, c.names.keys[c.session])
		},
		reply: func(b []byte, c *client) (int, error) {
			n, r, err := readReply(b)
			if n > 0 && len(r.text) != len(c.body) {
				return 0, fmt.Errorf("redis answered with %d bytes", len(r.text))
			}
			return n, err
		},
	}
	redisSet = step{
		request: func(dst []byte, c *client) []byte {
			dst = appendArray(dst, 3)
			dst = appendWord(dst, "SET")
			dst = appendWord(dst, c.names.keys[c.session])
			return appendWord(dst, c.body)
		},
		reply: expectOK,
	}
)

// What creates a session as the provider has it.
var (
	redisProviderData = step{
		request: func(dst []byte, c *client) []byte {
			dst = appendArray(dst, 5)
			dst = appendWord(dst, "SET")
			dst = appendWord(dst, c.names.provider[c.session].data)
			dst = appendWord(dst, c.body)
			dst = appendWord(dst, "EX")
			return appendWord(dst, providerTimeout)
		},
		reply: expectOK,
	}
	redisProviderTimeout = step{
		request: func(dst []byte, c *client) []byte {
			dst = appendArray(dst, 4)
			dst = appendWord(dst, "HSET")
			dst = appendWord(dst, c.names.provider[c.session].internal)
			dst = appendWord(dst, "SessionTimeout")
			return appendWord(dst, providerTimeout)
		},
		reply: expectOne,
	}
	redisProviderExpire = step{
		request: func(dst []byte, c *client) []byte {
			dst = appendArray(dst, 3)
			dst = appendWord(dst, "EXPIRE")
			dst = appendWord(dst, c.names.provider[c.session].internal)
			return appendWord(dst, providerTimeout)
		},
		reply: expectOne,
	}
)

func expectOK(b []byte, _ *client) (int, error)  { return expect(b, '+', "OK") }
func expectOne(b []byte, _ *client) (int, error) { return expect(b, ':', "1") }

func expect(b []byte, kind byte, text string) (int, error) {
	n, r, err := readReply(b)
	if n > 0 && (r.kind != kind || string(r.text) != text) {
		return 0, fmt.Errorf("redis answered %c%q; want %c%q", r.kind, r.text, kind, text)
	}
	return n, err
}

// scripts are the names under which the server knows the scripts.
type scripts struct{ acquireSHA, saveSHA string }

// acquire takes the lock and reads the session and its life.
func (s scripts) acquire() step {
	return step{
		request: func(dst []byte, c *client) []byte {
			k := &c.names.provider[c.session]
			dst = appendArray(dst, 8)
			dst = appendWord(dst, "EVALSHA")
			dst = appendWord(dst, s.acquireSHA)
			dst = appendWord(dst, "3")
			dst = appendWord(dst, k.lock)
			dst = appendWord(dst, k.data)
			dst = appendWord(dst, k.internal)
			dst = appendWord(dst, c.lockID())
			return appendWord(dst, lockTimeout)
		},
		reply: readAcquired,
	}
}

// readAcquired reads the lock, the session and its life.
func readAcquired(b []byte, c *client) (int, error) {
	n, head, err := readReply(b)
	if n == 0 || err != nil {
		return 0, err
	}
	if head.kind != '*' || head.items != 3 {
		return 0, errReply
	}
	var items [3]reply
	for i := range items {
		used, r, err := readReply(b[n:])
		if used == 0 || err != nil {
			return 0, err
		}
		items[i] = r
		n += used
	}
	if string(items[0].text) != c.lockID() || len(items[1].text) != len(c.body) || string(items[2].text) != providerTimeout {
		return 0, errors.New("redis did not give the lock and the session")
	}
	return n, nil
}

// save checks the lock, writes the session and gives the lock back.
func (s scripts) save() step {
	return step{
		request: func(dst []byte, c *client) []byte {
			k := &c.names.provider[c.session]
			dst = appendArray(dst, 9)
			dst = appendWord(dst, "EVALSHA")
			dst = appendWord(dst, s.saveSHA)
			dst = appendWord(dst, "3")
			dst = appendWord(dst, k.lock)
			dst = appendWord(dst, k.data)
			dst = appendWord(dst, k.internal)
			dst = appendWord(dst, c.lockID())
			dst = appendWord(dst, c.body)
			return appendWord(dst, providerTimeout)
		},
		reply: expectOne,
	}
}

// lockID names the lock of the current run: as long as the clock reading that providers use.
func (c *client) lockID() string {
	const long = 638_000_000_000_000_000
	return strconv.FormatUint(long+c.runs*10_000+uint64(c.session), 10)
}

// loadScripts gives the scripts to the server.
func loadScripts(ctx context.Context, addr string) (scripts, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeLimit)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return scripts{}, err
	}
	s, err := sendScripts(nc)
	return s, errors.Join(err, nc.Close())
}

func sendScripts(nc net.Conn) (s scripts, err error) {
	if err := nc.SetDeadline(time.Now().Add(exchangeLimit)); err != nil {
		return s, err
	}
	load := func(script string, sha *string) step {
		return step{
			request: func(dst []byte, _ *client) []byte {
				dst = appendArray(dst, 3)
				dst = appendWord(dst, "SCRIPT")
				dst = appendWord(dst, "LOAD")
				return appendWord(dst, script)
			},
			reply: func(b []byte, _ *client) (int, error) {
				n, r, err := readReply(b)
				*sha = string(r.text)
				return n, err
			},
		}
	}
	c := &client{nc: nc, in: make([]byte, 4096)}
	first, second := load(acquireScript, &s.acquireSHA), load(saveScript, &s.saveSHA)
	return s, errors.Join(c.exchange(&first), c.exchange(&second))
}
