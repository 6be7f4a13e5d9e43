// Command figures measures what docs/benchmarks.md says of a running node: waiting for a lock, fairness, memory, and five million sessions. Each figure is
// measured on a child process that serves real sockets on loopback.
//
//	go run ./bench/figures            all but the large ones
//	go run ./bench/figures -large     with five million sessions; takes 8 GB of memory and a few minutes
//	go run ./bench/figures -only lockwait,fairness
//
// It ends with status 1 if a figure is out of its bounds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/farmstate/farmstate/bench/proc"
)

// figure is one measurement.
type figure struct {
	name    string
	large   bool
	measure func(context.Context, *node) error
	args    []string // of farmstate serve
}

var figures = []figure{
	{name: "lockwait", measure: lockWait},
	{name: "nowait", measure: noWait, args: []string{"--lock-wait=0s"}},
	{name: "fairness", measure: fairness},
	{name: "memory", measure: memory},
	{name: "growth", measure: growth, large: true},
	{name: "fivemillion", measure: fiveMillion, large: true},
}

func main() {
	only := flag.String("only", "", "names of figures, with commas between them")
	large := flag.Bool("large", false, "measure the large ones too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *large); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, large bool) error {
	dir, err := os.MkdirTemp("", "farmstate-figures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	path := filepath.Join(dir, "farmstate")
	if err := proc.Build(ctx, path, "cmd/farmstate"); err != nil {
		return err
	}
	fmt.Println(proc.ThisMachine())
	var errs []error
	for _, f := range figures {
		if only == "" && f.large && !large || only != "" && !slices.Contains(strings.Split(only, ","), f.name) {
			continue
		}
		fmt.Printf("\n%s\n", f.name)
		if err := f.run(ctx, path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.name, err))
		}
	}
	return errors.Join(errs...)
}

// run measures a figure on a node of its own.
func (f *figure) run(ctx context.Context, path string) error {
	n, err := startNode(ctx, path, f.args...)
	if err != nil {
		return err
	}
	return errors.Join(f.measure(ctx, n), n.stop())
}

// within prints a value with its bound, and returns an error if it is beyond.
func within(what string, value, bound float64, unit string) error {
	fmt.Printf("  %-58s %10.2f %-8s at most %g\n", what, value, unit, bound)
	if value > bound {
		return fmt.Errorf("%s is %.2f %s: at most %g wanted", what, value, unit, bound)
	}
	return nil
}

// report prints a value that has no bound.
func report(what string, value float64, unit string) {
	fmt.Printf("  %-58s %10.2f %s\n", what, value, unit)
}
