// Command testrun runs go test with the arguments it is given and shows what a person wants to see of it: each
// package's line, the whole output of tests that failed, the name and reason of each
// test that was left out, and a closing count.
//
// With -again as the first argument, failed tests are run once more, because one boot in a hundred hangs
// under emulation. A test that passes only then is named.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(1)
	}
}

// event is one line of go test -json.
type event struct {
	Action, Package, Test, Output string
}

type test struct{ pkg, name string }

// mostAgain is how many failed tests a bad boot can explain.
const mostAgain = 3

func run(ctx context.Context, args []string) error {
	again := len(args) > 0 && args[0] == "-again"
	if again {
		args = args[1:]
	}
	r := report{output: map[test][]string{}}
	failure := r.run(ctx, args)
	if again && failure != nil && ctx.Err() == nil && len(r.broken) > 0 && len(r.broken) <= mostAgain {
		failure = r.again(ctx, args)
	}
	r.close()
	return failure
}

// again runs the tests that failed once more, each package by itself.
func (r *report) again(ctx context.Context, args []string) error {
	flags := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return !strings.HasPrefix(a, "-") && strings.Contains(a, "/") })
	first := r.broken
	for _, id := range first {
		fmt.Printf("Once more: %s %s\n", id.pkg, id.name)
		second := report{output: map[test][]string{}}
		if err := second.run(ctx, append(slices.Clone(flags), "-count=1", "-run", "^"+id.name+"$", id.pkg)); err != nil || second.passed == 0 {
			return errors.Join(err, fmt.Errorf("%s failed twice", id.name))
		}
		r.unsteady = append(r.unsteady, id.pkg+" "+id.name)
	}
	r.failed, r.passed = 0, r.passed+len(first)
	return nil
}

// run runs go test and takes in what it says.
func (r *report) run(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text()) // not an event: go test itself speaks
			continue
		}
		r.add(e)
	}
	return cmd.Wait()
}

type report struct {
	output                  map[test][]string // of tests that still run
	skipped                 []string
	broken                  []test   // failed, without subtests
	unsteady                []string // passed at the second try
	passed, failed, leftOut int
}

func (r *report) add(e event) {
	id := test{e.Package, e.Test}
	switch {
	case e.Action == "build-output":
		fmt.Print(e.Output)
	case e.Action == "output" && e.Test == "":
		// "PASS" alone says less than the package's line after it; packages without tests say nothing.
		if e.Output != "PASS\n" && !strings.HasPrefix(e.Output, "?") {
			fmt.Print(e.Output)
		}
	case e.Action == "output":
		r.output[id] = append(r.output[id], e.Output)
	case e.Test == "":
		return
	case e.Action == "pass":
		r.passed++
		delete(r.output, id)
	case e.Action == "fail":
		r.failed++
		if !strings.Contains(e.Test, "/") {
			r.broken = append(r.broken, id)
		}
		fmt.Print(strings.Join(r.output[id], ""))
		delete(r.output, id)
	case e.Action == "skip":
		r.leftOut++
		r.skipped = append(r.skipped, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(r.output[id])))
		delete(r.output, id)
	}
}

// reason is what a skipped test said: the lines between go test's own.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}

func (r *report) close() {
	for id, output := range r.output {
		// A test that never ended: a crash or the time limit of its package.
		r.failed++
		fmt.Printf("%s %s did not end:\n%s", id.pkg, id.name, strings.Join(output, ""))
	}
	if len(r.skipped) > 0 {
		fmt.Println("\nLeft out:")
	}
	for _, line := range r.skipped {
		fmt.Println("  " + line)
	}
	if len(r.unsteady) > 0 {
		fmt.Println("\nPassed only at the second try:")
	}
	for _, line := range r.unsteady {
		fmt.Println("  " + line)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.leftOut)
}
