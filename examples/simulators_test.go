package examples

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// setting is a line of the provider block that a simulator prints.
var setting = regexp.MustCompile(`^\s+(\w+)\s+= "(.*)"$`)

// simulator starts a simulated hypervisor as "make vcsim" and "make pvesim" do, on a free port, as a process of its own that
// ends with the test. It returns what the provider block that it prints says.
func simulator(t *testing.T, command string, args ...string) map[string]string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), filepath.Base(command))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, command) //nolint:gosec // a test runs what it wants
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the simulator: %v\n%s", err, out)
	}
	cmd := exec.Command(binary, append([]string{"-listen", "127.0.0.1:0"}, args...)...) //nolint:gosec,noctx // it is interrupted below
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the simulator does not end well: %v", err)
		}
	})
	said := map[string]string{}
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "}"; {
		if s := setting.FindStringSubmatch(lines.Text()); s != nil {
			said[s[1]] = s[2]
		}
	}
	return said
}

// enter is a workspace with what a simulator printed in its environment, under the variables that the README names.
func enter(t *testing.T, said, variables map[string]string) *tfrun.Workspace {
	t.Helper()
	w := tfrun.New(t)
	tell(t, w, said, variables)
	return w
}

// tell puts what a simulator printed into the environment of a workspace.
func tell(t *testing.T, w *tfrun.Workspace, said, variables map[string]string) {
	t.Helper()
	for name, variable := range variables {
		if said[name] == "" {
			t.Fatalf("the simulator prints no %s: %v", name, said)
		}
		w.Setenv(variable, said[name])
	}
}

// readme is the README's VM with that one of its provider blocks which holds a text.
func readme(t *testing.T, provider string) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var config string
	for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
		if !providerBlock.MatchString(block[1]) || strings.Contains(block[1], provider) {
			config += block[1]
		}
	}
	return config
}
