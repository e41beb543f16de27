package tfrun

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

// Workspace is a directory with a configuration, and its state. Modules are
// installed with Must("get"); "init" has nothing to do.
type Workspace struct {
	Dir string

	t      *testing.T
	binary string
	env    []string
}

// New makes an empty workspace.
func New(t *testing.T) *Workspace {
	t.Helper()
	w := &Workspace{t: t, binary: acctest.Binary(t), Dir: t.TempDir()}
	provider, err := plugins()
	if err != nil {
		t.Fatalf("building the provider: %v", err)
	}
	for _, v := range os.Environ() {
		// What steers the user's own Terraform must not steer the test's.
		steers := func(prefix string) bool { return strings.HasPrefix(v, prefix) }
		if slices.ContainsFunc([]string{"TF_", "VIRTRIGAUD_", "VSPHERE_", "PROXMOX_VE_"}, steers) {
			continue
		}
		w.env = append(w.env, v)
	}
	w.env = append(w.env, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+w.Write("cli.tfrc", cliConfig(provider)))
	return w
}

// Setenv sets a variable in the environment of the workspace's commands, where those of the test's own that steer
// the provider are left out.
func (w *Workspace) Setenv(name, value string) { w.env = append(w.env, name+"="+value) }

// Write puts a file into the workspace and returns its path.
func (w *Workspace) Write(name, content string) string {
	w.t.Helper()
	file := filepath.Join(w.Dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return file
}

// Command is a command to start in the workspace, "apply" or "plan" with its
// arguments. It asks no questions and writes no colours.
func (w *Workspace) Command(args ...string) *exec.Cmd {
	switch args[0] {
	case "plan", "apply", "destroy", "refresh", "import":
		args = append([]string{args[0], "-no-color", "-input=false"}, args[1:]...)
	case "get", "validate":
		args = append([]string{args[0], "-no-color"}, args[1:]...)
	}
	cmd := exec.CommandContext(w.t.Context(), w.binary, args...) //nolint:gosec // a test runs what it wants
	cmd.Dir, cmd.Env = w.Dir, w.env
	return cmd
}

// Run runs a command and returns what it printed.
func (w *Workspace) Run(args ...string) (string, error) {
	w.t.Helper()
	out, err := w.Command(args...).CombinedOutput()
	return string(out), err
}

// Must is Run for a command that has to succeed.
func (w *Workspace) Must(args ...string) string {
	w.t.Helper()
	out, err := w.Run(args...)
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Apply applies the configuration.
func (w *Workspace) Apply(args ...string) string {
	w.t.Helper()
	return w.Must(append([]string{"apply", "-auto-approve"}, args...)...)
}

// Destroy destroys everything and makes sure that nothing is left in state.
func (w *Workspace) Destroy(args ...string) {
	w.t.Helper()
	w.Must(append([]string{"destroy", "-auto-approve"}, args...)...)
	if left := w.State(); len(left) > 0 {
		w.t.Errorf("after destroy the state still has %s", strings.Join(left, ", "))
	}
}

// EmptyPlan fails the test unless a plan has nothing to do.
func (w *Workspace) EmptyPlan(args ...string) {
	w.t.Helper()
	if out, err := w.Run(append([]string{"plan", "-detailed-exitcode"}, args...)...); err != nil {
		w.t.Errorf("the plan is not empty: %v\n%s", err, out)
	}
}

// Fails fails the test unless the command fails and its output, with line breaks
// and margins taken out, has every one of texts. It returns that output.
func (w *Workspace) Fails(texts []string, args ...string) string {
	w.t.Helper()
	out, err := w.Run(args...)
	if err == nil {
		w.t.Errorf("%s did not fail:\n%s", strings.Join(args, " "), out)
	}
	said := Unwrap(out)
	for _, text := range texts {
		if !strings.Contains(said, text) {
			w.t.Errorf("%s does not say %q:\n%s", strings.Join(args, " "), text, out)
		}
	}
	return said
}

// Unwrap undoes the frames and line breaks that diagnostics are printed with.
func Unwrap(out string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(out)), " ")
}

// State lists the addresses of the managed resources in state.
func (w *Workspace) State() []string {
	w.t.Helper()
	out, err := w.Run("state", "list")
	if err != nil && !strings.Contains(out, "No state file") {
		w.t.Fatalf("state list: %v\n%s", err, out)
	}
	var all []string
	for _, line := range strings.Fields(out) {
		if strings.Contains(line, "virtrigaud_") && !strings.Contains(line, "data.") {
			all = append(all, line)
		}
	}
	return all
}

// Attributes are those of a resource in state.
func (w *Workspace) Attributes(address string) map[string]any {
	w.t.Helper()
	var show struct {
		Values struct {
			Root module `json:"root_module"`
		} `json:"values"`
	}
	cmd := w.Command("show", "-json")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("show: %v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(out, &show); err != nil {
		w.t.Fatal(err)
	}
	if values := show.Values.Root.find(address); values != nil {
		return values
	}
	w.t.Fatalf("the state has no %s", address)
	return nil
}

type module struct {
	Resources []struct {
		Address string
		Values  map[string]any
	}
	Children []module `json:"child_modules"`
}

func (m module) find(address string) map[string]any {
	for _, r := range m.Resources {
		if r.Address == address {
			return r.Values
		}
	}
	for _, c := range m.Children {
		if values := c.find(address); values != nil {
			return values
		}
	}
	return nil
}
