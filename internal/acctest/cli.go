package acctest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// CLI is a working directory in which terraform runs as a user runs it, with
// the provider as a process of its own.
type CLI struct {
	t    testing.TB
	Dir  string
	path string
	env  []string
}

// bin is the directory of the provider's binary, "" before it was built.
var bin string

// built is the provider's binary, made once for the test process.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "virtrigaud-acctest-")
	if err != nil {
		return "", err
	}
	bin = dir
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output() //nolint:noctx // bounded by the go tool
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "terraform-provider-virtrigaud"), ".") //nolint:noctx // as above
	build.Dir = strings.TrimSpace(string(out))
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the provider: %w\n%s", err, out)
	}
	return dir, nil
})

// Cleanup removes what NewCLI built. TestMain calls it after all tests.
func Cleanup() {
	if bin != "" {
		_ = os.RemoveAll(bin)
	}
}

// NewCLI makes a working directory with config as its only file.
func NewCLI(t testing.TB, config string) *CLI {
	t.Helper()
	path := Binary(t)
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	c := &CLI{t: t, Dir: t.TempDir(), path: path}
	rc := filepath.Join(c.Dir, "cli.tfrc")
	overrides := ""
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		overrides += fmt.Sprintf("    %q = %q\n", host+"/virtrigaud/virtrigaud", dir)
	}
	c.write(rc, "provider_installation {\n  dev_overrides {\n"+overrides+"  }\n  direct {}\n}\n")
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); !strings.HasPrefix(name, "TF_") {
			c.env = append(c.env, e)
		}
	}
	c.env = append(c.env, "TF_CLI_CONFIG_FILE="+rc, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1")
	c.Configure(config)
	return c
}

// Configure replaces the configuration.
func (c *CLI) Configure(config string) {
	c.t.Helper()
	c.write(filepath.Join(c.Dir, "main.tf"), `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}
`+config)
}

func (c *CLI) write(path, text string) {
	c.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// Command is terraform with args, not started yet.
func (c *CLI) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.path, args...) //nolint:gosec // the test's own arguments
	cmd.Dir, cmd.Env = c.Dir, c.env
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// Run runs terraform and returns what it printed; failing is not an error of
// the test.
func (c *CLI) Run(args ...string) (stdout string, err error) {
	c.t.Helper()
	var out, errs bytes.Buffer
	cmd := c.Command(c.t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("terraform %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), err
}

// Must is Run where failing fails the test.
func (c *CLI) Must(args ...string) string {
	c.t.Helper()
	out, err := c.Run(args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// Diagnostic is an error or warning as terraform shows it.
type Diagnostic struct {
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Address  string `json:"address"`
	Snippet  struct {
		Code string `json:"code"` // the line that is blamed
	} `json:"snippet"`
}

func (d Diagnostic) String() string {
	return fmt.Sprintf("%s: %s\n  at %s\n  %s", d.Severity, d.Summary, strings.TrimSpace(d.Snippet.Code), d.Detail)
}

// Validate returns what `terraform validate` finds, by resource address.
func (c *CLI) Validate() map[string][]Diagnostic {
	c.t.Helper()
	out, _ := c.Run("validate", "-json")
	var report struct {
		Diagnostics []Diagnostic `json:"diagnostics"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		c.t.Fatalf("terraform validate printed no JSON: %s\n%s", err, out)
	}
	return byAddress(report.Diagnostics)
}

// Plan returns what `terraform plan` finds, by resource address.
func (c *CLI) Plan(args ...string) map[string][]Diagnostic {
	c.t.Helper()
	out, _ := c.Run(append([]string{"plan", "-json"}, args...)...)
	var all []Diagnostic
	for line := range strings.Lines(out) {
		var message struct {
			Diagnostic *Diagnostic `json:"diagnostic"`
		}
		if err := json.Unmarshal([]byte(line), &message); err != nil {
			c.t.Fatalf("terraform plan printed no JSON: %s\n%s", err, line)
		}
		if message.Diagnostic != nil {
			all = append(all, *message.Diagnostic)
		}
	}
	return byAddress(all)
}

func byAddress(all []Diagnostic) map[string][]Diagnostic {
	out := map[string][]Diagnostic{}
	for _, d := range all {
		if strings.HasPrefix(d.Summary, "Provider development overrides") { // how these tests run
			continue
		}
		out[d.Address] = append(out[d.Address], d)
	}
	return out
}
