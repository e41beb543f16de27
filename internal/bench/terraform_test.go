package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

// workspace is a directory in which terraform runs with one provider.
type workspace struct {
	b      *testing.B
	dir    string
	binary string
	plugin string // the provider's program
	env    []string
}

// newWorkspace builds the provider in a package of the module and makes a
// directory for it.
func newWorkspace(b *testing.B, pkg string, env ...string) *workspace {
	b.Helper()
	plugins := b.TempDir()
	plugin := filepath.Join(plugins, "terraform-provider-virtrigaud")
	build := exec.CommandContext(b.Context(), "go", "build", "-o", plugin, pkg)
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	w := &workspace{b: b, dir: b.TempDir(), binary: acctest.Binary(b), plugin: plugin}
	config := filepath.Join(w.dir, "cli.tfrc")
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TF_") && !strings.HasPrefix(v, "VIRTRIGAUD_") {
			w.env = append(w.env, v)
		}
	}
	w.env = append(append(w.env, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_CONFIG_FILE="+config), env...)
	w.write("cli.tfrc", fmt.Sprintf(`provider_installation {
  dev_overrides {
    "registry.terraform.io/virtrigaud/virtrigaud" = %[1]q
    "registry.opentofu.org/virtrigaud/virtrigaud" = %[1]q
  }
  direct {}
}
`, plugins))
	return w
}

func (w *workspace) write(name, content string) {
	w.b.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600); err != nil {
		w.b.Fatal(err)
	}
}

// cost is what one run of terraform took, its providers included.
type cost struct {
	wall, cpu time.Duration
}

// terraform runs a command. Its processor time includes that of the provider,
// which terraform waits for.
func (w *workspace) terraform(args ...string) cost {
	w.b.Helper()
	cmd := exec.CommandContext(w.b.Context(), w.binary, args...)
	cmd.Dir, cmd.Env = w.dir, w.env
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.b.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out[max(0, len(out)-4000):])
	}
	return cost{wall: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

// best runs a command several times and returns the least of each cost: what
// else the machine does only ever adds.
func (w *workspace) best(times int, args ...string) cost {
	w.b.Helper()
	least := w.terraform(args...)
	for range times - 1 {
		c := w.terraform(args...)
		least.wall, least.cpu = min(least.wall, c.wall), min(least.cpu, c.cpu)
	}
	return least
}
