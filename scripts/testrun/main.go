// Command testrun runs go test with the arguments it is given and shows what a person wants to see of it: each
// package's line, the whole output of tests that failed, the name and reason of each
// test that was left out, and a closing count.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
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

func run(ctx context.Context, args []string) error {
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
	var r report
	r.output = map[test][]string{}
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
	failure := cmd.Wait()
	r.close()
	return failure
}

type report struct {
	output                  map[test][]string // of tests that still run
	skipped                 []string
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
	fmt.Printf("%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.leftOut)
}
