package examples

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// privilege is the id of one, in quotes or between backticks.
var privilege = regexp.MustCompile("[\"`]([A-Z][A-Za-z]+(?:\\.[A-Z][A-Za-z]+){1,2})[\"`]")

// unasked are privileges of methods that the simulator guards and the provider never calls.
var unasked = []string{
	"Folder.Create", "VApp.Export", "VirtualMachine.Interact.AnswerQuestion", "VirtualMachine.Interact.ToolsInstall",
	"VirtualMachine.Inventory.Register", "VirtualMachine.Inventory.Unregister",
}

// Every privilege that the simulator asks for is in the role of the vSphere guide.
func TestGuide_privileges(t *testing.T) {
	asked, granted := privilegesIn(t, "../internal/vcsim/privileges*.go"), privilegesIn(t, "../templates/guides/vsphere.md")
	if len(asked) < 30 {
		t.Fatalf("the simulator seems to ask for %d privileges only: %v", len(asked), asked)
	}
	for _, p := range asked {
		if !slices.Contains(granted, p) && !slices.Contains(unasked, p) {
			t.Errorf("the simulator asks for %s, which the guide's role does not have", p)
		}
	}
	for _, p := range unasked {
		if !slices.Contains(asked, p) || slices.Contains(granted, p) {
			t.Errorf("%s is not asked for any more, or granted: it needs no exception", p)
		}
	}
}

// privilegesIn returns the privileges that files name, tests excepted.
func privilegesIn(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no file is like %s: %v", pattern, err)
	}
	var all []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file) //nolint:gosec // a file of the project
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range privilege.FindAllStringSubmatch(string(text), -1) {
			all = append(all, p[1])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
