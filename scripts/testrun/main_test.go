package main

import (
	"fmt"
	"slices"
	"testing"
)

func TestReportCountsAndNamesWhatIsLeftOut(t *testing.T) {
	r := report{output: map[test][]string{}}
	for _, e := range []event{
		{"run", "p", "A", ""},
		{"output", "p", "A", "=== RUN   A\n"},
		{"pass", "p", "A", ""},
		{"output", "p", "B", "=== RUN   B\n"},
		{"output", "p", "B", "    b_test.go:1: left out, needs a lab\n"},
		{"output", "p", "B", "--- SKIP: B (0.00s)\n"},
		{"skip", "p", "B", ""},
		{"fail", "p", "C", ""},
		{"fail", "p", "", ""},
		{"output", "p", "D", "=== RUN   D\n"},
	} {
		r.add(e)
	}
	r.close() // D never ended
	if got, want := fmt.Sprint(r.passed, r.failed, r.leftOut), "1 2 1"; got != want {
		t.Errorf("passed, failed, left out: %s, want %s", got, want)
	}
	if want := []string{"p B: b_test.go:1: left out, needs a lab"}; !slices.Equal(r.skipped, want) {
		t.Errorf("skipped %q, want %q", r.skipped, want)
	}
}
