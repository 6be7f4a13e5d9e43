package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// The text protocol of memcached.
var (
	memcachedGet = step{
		request: func(dst []byte, c *client) []byte {
			dst = append(dst, "get "...)
			dst = append(dst, c.names.keys[c.session]...)
			return append(dst, "\r\n"...)
		},
		reply: func(b []byte, c *client) (int, error) {
			// VALUE key 0 length, the value, END
			end := bytes.IndexByte(b, '\n') + 1
			if end == 0 {
				return 0, nil
			}
			if !bytes.HasPrefix(b, []byte("VALUE ")) {
				return 0, fmt.Errorf("memcached answered %q", bytes.TrimSpace(b[:end]))
			}
			n := end + len(c.body) + len("\r\nEND\r\n")
			if len(b) < n {
				return 0, nil
			}
			if !bytes.Equal(b[n-len("\r\nEND\r\n"):n], []byte("\r\nEND\r\n")) {
				return 0, fmt.Errorf("memcached answered with a value of another length: %q", bytes.TrimSpace(b[:end]))
			}
			return n, nil
		},
	}
	memcachedSet = step{
		request: func(dst []byte, c *client) []byte {
			dst = append(dst, "set "...)
			dst = append(dst, c.names.keys[c.session]...)
			dst = append(dst, " 0 1200 "...) // flags, seconds to live
			dst = strconv.AppendInt(dst, int64(len(c.body)), 10)
			dst = append(dst, "\r\n"...)
			dst = append(dst, c.body...)
			return append(dst, "\r\n"...)
		},
		reply: func(b []byte, _ *client) (int, error) {
			end := bytes.IndexByte(b, '\n') + 1
			if end > 0 && string(b[:end]) != "STORED\r\n" {
				return 0, fmt.Errorf("memcached answered %q", bytes.TrimSpace(b[:end]))
			}
			return end, nil
		},
	}
)
