// Command release builds what is given to others: archives for each system, packages for Linux, and their checksums. Whoever builds the same version with
// the same Go gets the same bytes.
//
//	go run ./cmd/farmstate/packaging/release --version 1.2.3 --out dist
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// options are the command line.
type options struct {
	Version  string   `help:"Version; default what git describes."`
	Commit   string   `help:"Commit that the program names; default that of git."`
	Date     int64    `help:"Time of all files, in seconds since 1970; default that of the commit." env:"SOURCE_DATE_EPOCH"`
	Out      string   `help:"Directory for the result; what has the same name in it is replaced." default:"dist"`
	Source   string   `help:"Top of the source." default:"."`
	Targets  []string `help:"Systems to build for." default:"linux/amd64,linux/arm64,windows/amd64,windows/arm64,darwin/amd64,darwin/arm64,freebsd/amd64,freebsd/arm64"`
	Packages string   `help:"Make packages for Debian and Red Hat instead of archives, with this nfpm." placeholder:"NFPM"`
}

func main() {
	var opt options
	kong.Parse(&opt, kong.Description("Build archives or packages, and their checksums."))
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := opt.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "release: "+err.Error())
		cancel()
		os.Exit(1)
	}
}

// run builds everything.
func (o *options) run(ctx context.Context) error {
	s, err := o.source(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "farmstate-release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }() // a temporary folder
	var made []string
	for _, name := range o.Targets {
		began := time.Now()
		t, err := s.build(ctx, work, name)
		if err != nil {
			return err
		}
		var files []string
		if o.Packages != "" {
			files, err = s.pack(ctx, t, o.Packages, work, o.Out)
		} else {
			files, err = s.archive(t, o.Out)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, f := range files {
			fmt.Printf("%s (%v)\n", f, time.Since(began).Round(100*time.Millisecond))
		}
		made = append(made, files...)
	}
	return sum(o.Out, made)
}
