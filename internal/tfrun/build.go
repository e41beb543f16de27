// Package tfrun runs the terraform (or tofu) command in tests, with the provider
// as it is released: a program of its own, one process for each provider block.
// It is for what the plugin test framework leaves out: whole directories with
// modules and override files, provider blocks with aliases, and interrupts.
//
// Like all acceptance tests these run only where TF_ACC is set, and then must run.
package tfrun

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// plugins is the folder with the provider, "" where Main did not build it.
var plugins string

// Main is the TestMain of a package whose tests make workspaces: it builds the
// provider, runs the tests, and returns the status to exit with.
func Main(m *testing.M) int {
	if os.Getenv("TF_ACC") == "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "virtrigaud-plugins-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "tfrun:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, "tfrun: building the provider:", err)
		return 1
	}
	plugins = dir
	return m.Run()
}

func build(dir string) error {
	name := "terraform-provider-virtrigaud"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "github.com/virtrigaud/terraform-provider-virtrigaud") //nolint:noctx // bounded by the test binary
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// binary is the command to run.
func binary(t *testing.T) string {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance tests run only with TF_ACC set")
	}
	if plugins == "" {
		t.Fatal("the package has no TestMain that calls tfrun.Main")
	}
	if path := os.Getenv("TF_ACC_TERRAFORM_PATH"); path != "" {
		return path
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("neither terraform nor tofu is on PATH; name one with TF_ACC_TERRAFORM_PATH")
	return ""
}

// cliConfig makes the command take the provider from the folder, without an
// installation.
func cliConfig() string {
	return fmt.Sprintf(`provider_installation {
  dev_overrides {
    "registry.terraform.io/virtrigaud/virtrigaud" = %[1]q
    "registry.opentofu.org/virtrigaud/virtrigaud" = %[1]q
  }
  direct {}
}
`, filepath.ToSlash(plugins))
}
