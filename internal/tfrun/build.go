// Package tfrun runs the terraform (or tofu) command in tests, with the provider
// as it is released: a program of its own, one process for each provider block.
// It is for what the plugin test framework leaves out: whole directories with
// modules and override files, provider blocks with aliases, and interrupts.
package tfrun

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// plugins builds the provider into a folder, once, and returns the folder.
var plugins = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "virtrigaud-plugins-")
	if err != nil {
		return "", err
	}
	built = dir
	return dir, build(dir)
})

// built is the folder that Main removes.
var built string

// Main is the TestMain of a package whose tests make workspaces: it runs the
// tests, removes the provider that they have built, and returns the status to
// exit with.
func Main(m *testing.M) int { return Run(m.Run) }

// Run is Main where something else runs the tests.
func Run(tests func() int) int {
	// Most of the time goes into terraform's processes, and a tenth of that into their garbage collector. It is theirs only: this
	// process has read its own setting long ago.
	if os.Getenv("GOGC") == "" {
		if err := os.Setenv("GOGC", "400"); err != nil {
			fmt.Fprintln(os.Stderr, "tfrun:", err)
			return 1
		}
	}
	status := tests()
	if built == "" {
		return status
	}
	if err := os.RemoveAll(built); err != nil {
		fmt.Fprintln(os.Stderr, "tfrun:", err)
		return max(status, 1)
	}
	return status
}

func build(dir string) error {
	name := "terraform-provider-virtrigaud"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "github.com/virtrigaud/terraform-provider-virtrigaud") //nolint:noctx // bounded by the test binary
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// cliConfig makes the command take the provider from the folder, without an
// installation.
func cliConfig(plugins string) string {
	return fmt.Sprintf(`provider_installation {
  dev_overrides {
    "registry.terraform.io/virtrigaud/virtrigaud" = %[1]q
    "registry.opentofu.org/virtrigaud/virtrigaud" = %[1]q
  }
  direct {}
}
`, filepath.ToSlash(plugins))
}
