// Command bench measures the provider against the least that the same work can
// cost, and prints ratios beside the raw figures.
//
//	bench [-vms N] [plan] [refresh] [upload]
//
// plan runs anywhere; refresh and upload need the private libvirtd of the tests
// (Linux, root). Without arguments all of them run.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
)

// benchmarks by name, in the order in which they run.
var benchmarks = []struct {
	name string
	run  func(ctx context.Context, dir string) error
}{
	{"plan", plan},
}

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, wanted []string) error {
	for _, name := range wanted {
		if !slices.ContainsFunc(benchmarks, func(b struct {
			name string
			run  func(context.Context, string) error
		}) bool {
			return b.name == name
		}) {
			return fmt.Errorf("there is no benchmark %q", name)
		}
	}
	dir, err := os.MkdirTemp("", "virtrigaud-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, b := range benchmarks {
		if len(wanted) > 0 && !slices.Contains(wanted, b.name) {
			continue
		}
		if err := b.run(ctx, dir); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return nil
}
