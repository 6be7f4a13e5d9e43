package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// booted tells when the server listens.
type booted struct {
	*handler
	engine chan gnet.Engine
}

func (b *booted) OnBoot(e gnet.Engine) gnet.Action {
	b.engine <- e
	return gnet.None
}

// start serves on a free port until the test is over, and returns a connection.
func start(t *testing.T, opt *options) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	b := &booted{handler: newHandler(opt), engine: make(chan gnet.Engine, 1)}
	ended := make(chan error, 1)
	go func() { ended <- gnet.Run(b, "tcp://"+addr, gnet.WithNumEventLoop(1)) }()
	select {
	case e := <-b.engine:
		t.Cleanup(func() {
			if err := e.Stop(context.Background()); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	case err := <-ended:
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return nc
}

func TestBare(t *testing.T) {
	get, put := "G"+strings.Repeat("g", 99), "P"+strings.Repeat("p", 1199)
	nc := start(t, &options{Get: len(get), Put: len(put), Body: 1024})
	getAnswer := "200 OK\r\nX-AspNet-Version: 4.0.30319\r\nTimeout: 20\r\nCache-Control: private\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024)
	putAnswer := "200 OK\r\nX-AspNet-Version: 4.0.30319\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"
	for _, test := range []struct {
		name   string
		pieces []string
		want   string
	}{
		{"GET", []string{get}, getAnswer},
		{"PUT", []string{put}, putAnswer},
		{"several at once", []string{put + get + put}, putAnswer + getAnswer + putAnswer},
		{"in pieces", []string{put[:1], put[1:700], put[700:] + get[:50], get[50:]}, putAnswer + getAnswer},
	} {
		for _, piece := range test.pieces {
			if _, err := io.WriteString(nc, piece); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]byte, len(test.want))
		if _, err := io.ReadFull(nc, got); err != nil {
			t.Fatal(err)
		}
		if string(got) != test.want {
			t.Errorf("%s: answered %s", test.name, fmt.Sprintf("%q", got))
		}
	}
}
