// Command figures measures what docs/benchmarks.md says of a running node: waiting for a lock, fairness, memory, and five million sessions, and of a
// farm: finding, moving, stopping nodes, and copies: what they cost, and what they are good for. Each figure is measured on child processes that serve real
// sockets on loopback.
//
//	go run ./bench/figures            all but the large ones
//	go run ./bench/figures -large     with five million sessions; takes 8 GB of memory and a few minutes
//	go run ./bench/figures -only lockwait,fairness
//	go run ./bench/figures -only farm      all whose names begin with farm
//	go run ./bench/figures -only copies    all whose names begin with copies
//	go run ./bench/figures -program path   of a farmstate that has been built already, to compare two
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

// figure is one measurement: on a node, in a farm, or with processes that it starts by itself.
type figure struct {
	name    string
	large   bool
	measure func(context.Context, *node) error
	args    []string // of farmstate serve
	shape   *farmShape
	inFarm  func(context.Context, *proc.Farm) error
	alone   func(ctx context.Context, path string) error
}

var figures = []figure{
	{name: "lockwait", measure: lockWait},
	{name: "nowait", measure: noWait, args: []string{"--lock-wait=0s"}},
	{name: "fairness", measure: fairness},
	{name: "memory", measure: memory},
	{name: "farmstart", alone: farmStart},
	{name: "farmquery", shape: two, inFarm: farmQuery},
	{name: "farmmove", shape: two, inFarm: farmMove},
	{name: "farmfresh", alone: farmFreshMove},
	{name: "farmburst", shape: two, inFarm: farmBurst},
	{name: "farmtransfers", shape: two, inFarm: farmTransfers},
	{name: "farmhandover", shape: two, inFarm: farmHandOver},
	{name: "farmflood", shape: ring, inFarm: farmFlood},
	{name: "farmpoll", shape: ring, inFarm: farmFlood, args: []string{"--lock-wait=0s"}},
	{name: "farmrolling", shape: ring, inFarm: farmRolling},
	{name: "copiescost", alone: copiesCost},
	{name: "copiesack", alone: copiesAck},
	{name: "copiesrepair", alone: copiesRepair},
	{name: "copiesarrival", alone: copiesArrival},
	{name: "copiesfailover", alone: copiesFailover},
	{name: "copiesmemory", alone: copiesMemory},
	{name: "growth", measure: growth, large: true},
	{name: "fivemillion", measure: fiveMillion, large: true},
}

func main() {
	only := flag.String("only", "", "names of figures, with commas between them")
	large := flag.Bool("large", false, "measure the large ones too")
	program := flag.String("program", "", "path of a farmstate that is to be measured; by default it is built")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *large, *program); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, large bool, program string) error {
	if program != "" {
		return runWith(ctx, only, large, program)
	}
	dir, err := os.MkdirTemp("", "farmstate-figures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	path := filepath.Join(dir, "farmstate")
	if err := proc.Build(ctx, path, "cmd/farmstate"); err != nil {
		return err
	}
	return runWith(ctx, only, large, path)
}

// runWith measures with a program that has been built.
func runWith(ctx context.Context, only string, large bool, path string) error {
	fmt.Println(proc.ThisMachine())
	var errs []error
	for _, f := range figures {
		if only == "" && f.large && !large || only != "" && !f.wanted(strings.Split(only, ",")) {
			continue
		}
		fmt.Printf("\n%s (load average %s)\n", f.name, proc.LoadAverage())
		if err := f.run(ctx, path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.name, err))
		}
	}
	return errors.Join(errs...)
}

// groups are names that stand for all figures whose names begin so.
var groups = []string{"farm", "copies"}

// wanted reports whether one of the names is the figure's, or its group's.
func (f *figure) wanted(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return name == f.name || slices.Contains(groups, name) && strings.HasPrefix(f.name, name)
	})
}

// run measures a figure on a node, or in a farm, of its own.
func (f *figure) run(ctx context.Context, path string) error {
	switch {
	case f.alone != nil:
		return f.alone(ctx, path)
	case f.inFarm != nil:
		return inFarm(ctx, path, f.shape, f.inFarm, f.args...)
	}
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
