package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// workspace is a directory in which terraform runs with one provider.
type workspace struct {
	dir    string
	binary string
	env    []string
}

// newWorkspace builds the provider in pkg and makes a directory for it below dir.
func newWorkspace(ctx context.Context, dir, pkg string, env ...string) (*workspace, error) {
	name := strings.Trim(strings.ReplaceAll(pkg, "/", "-"), ".-")
	if name == "" {
		name = "provider"
	}
	plugins := filepath.Join(dir, "plugins-"+name)
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(plugins, "terraform-provider-virtrigaud"), pkg) //nolint:gosec // a package of the project
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, err
	}
	own, err := os.MkdirTemp(dir, name+"-")
	if err != nil {
		return nil, err
	}
	w := &workspace{dir: own}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TF_") && !strings.HasPrefix(v, "VIRTRIGAUD_") {
			w.env = append(w.env, v)
		}
	}
	config := filepath.Join(own, "cli.tfrc")
	w.env = append(append(w.env, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_CONFIG_FILE="+config), env...)
	w.binary = os.Getenv("TERRAFORM")
	for _, candidate := range []string{"terraform", "tofu"} {
		if w.binary == "" {
			w.binary, _ = exec.LookPath(candidate) //nolint:errcheck // "" is the answer
		}
	}
	if w.binary == "" {
		return nil, fmt.Errorf("neither terraform nor tofu is on PATH; name one with TERRAFORM")
	}
	return w, w.write("cli.tfrc", fmt.Sprintf(`provider_installation {
  dev_overrides {
    "registry.terraform.io/virtrigaud/virtrigaud" = %[1]q
    "registry.opentofu.org/virtrigaud/virtrigaud" = %[1]q
  }
  direct {}
}
`, plugins))
}

func (w *workspace) write(name, content string) error {
	return os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600)
}

// cost is what one run of terraform took, its providers included.
type cost struct {
	wall, cpu time.Duration
}

// terraform runs a command. Its processor time includes that of the provider,
// which terraform waits for.
func (w *workspace) terraform(ctx context.Context, args ...string) (cost, error) {
	cmd := exec.CommandContext(ctx, w.binary, args...) //nolint:gosec // terraform
	cmd.Dir, cmd.Env = w.dir, w.env
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return cost{}, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, tail(out))
	}
	return cost{wall: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

func tail(out []byte) []byte {
	if len(out) > 4000 {
		out = out[len(out)-4000:]
	}
	return out
}

// best runs a command several times and returns the least of each cost: what
// else the machine does only ever adds.
func (w *workspace) best(ctx context.Context, times int, args ...string) (cost, error) {
	var least cost
	for range times {
		c, err := w.terraform(ctx, args...)
		if err != nil {
			return cost{}, err
		}
		if least.wall == 0 || c.wall < least.wall {
			least.wall = c.wall
		}
		if least.cpu == 0 || c.cpu < least.cpu {
			least.cpu = c.cpu
		}
	}
	return least, nil
}
