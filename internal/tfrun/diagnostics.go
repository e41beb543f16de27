package tfrun

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Diagnostic is an error or warning as terraform shows it.
type Diagnostic struct {
	Severity string `json:"severity"` // "error" or "warning"
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Address  string `json:"address"` // of the resource, data source or provider block
}

func (d Diagnostic) String() string {
	return fmt.Sprintf("%s: %s: %s", d.Severity, d.Summary, d.Detail)
}

// Diagnostics runs validate, plan or apply and returns what it found, by the
// address of what it was found at. Failing is no failure of the test.
func (w *Workspace) Diagnostics(args ...string) map[string][]Diagnostic {
	w.t.Helper()
	out, _ := w.Run(append(args, "-json")...)
	all := map[string][]Diagnostic{}
	add := func(d Diagnostic) {
		if !strings.HasPrefix(d.Summary, "Provider development overrides") { // how tests run
			all[d.Address] = append(all[d.Address], d)
		}
	}
	if args[0] == "validate" { // one document; the others print one a line
		var report struct {
			Diagnostics []Diagnostic `json:"diagnostics"`
		}
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			w.t.Fatalf("%s printed no JSON: %s\n%s", args[0], err, out)
		}
		for _, d := range report.Diagnostics {
			add(d)
		}
		return all
	}
	for line := range strings.Lines(out) {
		var message struct {
			Diagnostic *Diagnostic `json:"diagnostic"`
		}
		if err := json.Unmarshal([]byte(line), &message); err != nil {
			w.t.Fatalf("%s printed no JSON: %s\n%s", args[0], err, line)
		}
		if message.Diagnostic != nil {
			add(*message.Diagnostic)
		}
	}
	return all
}
