// Command bare is the least that a server on gnet can do: it counts the bytes of requests, whose lengths it is told, and answers
// each with the same bytes. What it costs is the floor for every server that is built on gnet.
//
// A request that begins with P is a PUT, anything else a GET.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/panjf2000/gnet/v2"
)

type options struct {
	Listen string `help:"Address to listen on." default:"127.0.0.1:42424"`
	Loops  int    `help:"Event loops." default:"1"`
	Get    int    `help:"Length of a GET in bytes." required:""`
	Put    int    `help:"Length of a PUT with its body in bytes." required:""`
	Body   int    `help:"Length of the body of the answer to a GET." default:"1024"`
}

// handler answers requests.
//
// Static after construction.
type handler struct {
	gnet.BuiltinEventEngine
	get, put             int // lengths of requests
	getAnswer, putAnswer []byte
}

func newHandler(opt *options) *handler {
	const head = "200 OK\r\nX-AspNet-Version: 4.0.30319\r\n%sCache-Control: private\r\nContent-Length: %d\r\n\r\n"
	return &handler{
		get:       opt.Get,
		put:       opt.Put,
		getAnswer: append(fmt.Appendf(nil, head, "Timeout: 20\r\n", opt.Body), strings.Repeat("x", opt.Body)...),
		putAnswer: fmt.Appendf(nil, head, "", 0),
	}
}

// OnTraffic answers all requests that have arrived whole.
func (h *handler) OnTraffic(c gnet.Conn) gnet.Action {
	for c.InboundBuffered() > 0 {
		first, err := c.Peek(1)
		if err != nil {
			return gnet.Close
		}
		size, answer := h.get, h.getAnswer
		if first[0] == 'P' {
			size, answer = h.put, h.putAnswer
		}
		if c.InboundBuffered() < size {
			return gnet.None
		}
		if _, err := c.Discard(size); err != nil {
			return gnet.Close
		}
		if _, err := c.Write(answer); err != nil {
			return gnet.Close
		}
	}
	return gnet.None
}

func main() {
	var opt options
	k := kong.Parse(&opt, kong.Name("bare"), kong.Description("The least that a server on gnet can do."))
	if opt.Get < 1 || opt.Put < 1 || opt.Body < 0 || opt.Loops < 1 {
		k.Fatalf("lengths and loops must be above zero")
	}
	err := gnet.Run(newHandler(&opt), "tcp://"+opt.Listen, gnet.WithNumEventLoop(opt.Loops))
	if err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}
