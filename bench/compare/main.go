// Command compare measures what a request costs, in processor time of the server's process, and how many requests a second the
// server bears: farmstate, a bare gnet server that answers fixed bytes (the floor for anything built on gnet), Redis and
// memcached. All in one run on one machine, one after another in several rounds, driven by one and the same client.
//
//	go run ./bench/compare
//
// It says whether farmstate keeps its promises: see verdict.go. With --check a broken one ends it with status 1. It runs on
// Linux, because it asks the kernel for the processor time of other processes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// options is the command line.
type options struct {
	Connections int           `help:"Connections, each with one request at a time." default:"50"`
	Body        int           `help:"Size of a session in bytes." default:"1024"`
	Sessions    int           `help:"Sessions; each connection has its own share." default:"10000"`
	Rounds      int           `help:"How often each operation is measured; the median counts." default:"3"`
	Window      time.Duration `help:"How long each time." default:"5s"`
	Settle      time.Duration `help:"How long each operation runs before it is measured." default:"500ms"`
	Loops       int           `help:"Threads that serve connections, in every server that can be told; 0 is what farmstate takes by default, half of GOMAXPROCS." default:"0"`
	Only        []string      `help:"Measure only these servers: farmstate, bare, redis, memcached." placeholder:"SERVER"`
	Install     bool          `help:"Install Redis and memcached with apt-get if they are missing and this runs as root."`
	JSON        string        `name:"json" help:"Also write the result as JSON." placeholder:"FILE"`
	Check       bool          `help:"Exit with status 1 if a promise is broken."`
}

func (o *options) validate() error {
	switch {
	case o.Connections < 1 || o.Connections > 10_000:
		return fmt.Errorf("connections %d: use 1 to 10000", o.Connections)
	case o.Body < 8 || o.Body > 1<<20: // 1 MiB is memcached's limit
		return fmt.Errorf("body %d: use 8 to 1048576 bytes", o.Body)
	case o.Sessions < o.Connections || o.Sessions > 1_000_000:
		return fmt.Errorf("sessions %d: use %d (one a connection) to 1000000", o.Sessions, o.Connections)
	case o.Rounds < 1 || o.Window <= 0 || o.Settle < 0:
		return errors.New("rounds and window must be above zero, settle not below")
	case o.Loops < 0:
		return fmt.Errorf("loops %d: must not be negative", o.Loops)
	}
	for _, name := range o.Only {
		if !known(name) {
			return fmt.Errorf("no server is named %q; there are %s", name, strings.Join(serverNames(), ", "))
		}
	}
	return nil
}

// errBroken ends a run under --check whose verdict is bad.
var errBroken = errors.New("farmstate is slower than promised")

func main() {
	var opt options
	kong.Parse(&opt, kong.Name("compare"), kong.Description("Compares what a request costs farmstate and other servers."))
	if err := opt.validate(); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, &opt, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, opt *options, stdout, stderr io.Writer) error {
	say := func(line string) { _, _ = fmt.Fprintln(stderr, line) } // progress only
	if opt.Loops == 0 {
		opt.Loops = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if opt.Install {
		if err := install(ctx, stderr); err != nil {
			say("compare: install: " + err.Error()) // the servers are then not measured, which the table says
		}
	}
	res, err := compare(ctx, opt, say)
	if err != nil {
		return err
	}
	if err := res.writeTable(stdout); err != nil {
		return err
	}
	if opt.JSON != "" {
		b, err := json.MarshalIndent(res, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(opt.JSON, append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	if opt.Check && res.broken() {
		return errBroken
	}
	return nil
}
