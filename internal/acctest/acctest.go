// Package acctest runs acceptance tests: the provider, as Terraform sees it,
// driven by the real terraform or tofu binary, on the mock hypervisor or on
// whatever a provider block names.
//
// The tests run wherever such a binary is found; with CI=true a missing one is
// a failure.
package acctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/provider"
)

// Factories serve the provider in the test's own process.
var Factories = map[string]func() (tfprotov6.ProviderServer, error){
	provider.TypeName: func() (tfprotov6.ProviderServer, error) {
		return providerserver.NewProtocol6WithError(provider.New("test"))()
	},
}

// Binary returns the path of terraform or tofu. Without one the test is
// skipped, with CI=true it fails.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("TF_ACC_TERRAFORM_PATH"); path != "" {
		return path
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("neither terraform nor tofu is on PATH")
	}
	t.Skip("needs terraform or tofu on PATH")
	return ""
}

// prepare sets what the test library reads from the environment, once.
var prepare = sync.OnceValue(func() error {
	// A CLI configuration that does not exist confuses the library.
	if path := os.Getenv("TF_CLI_CONFIG_FILE"); path != "" {
		if _, err := os.Stat(path); err != nil {
			if err := os.Unsetenv("TF_CLI_CONFIG_FILE"); err != nil {
				return err
			}
		}
	}
	for name, value := range map[string]string{"TF_ACC": "1", "CHECKPOINT_DISABLE": "1"} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
})

// use makes the library run the binary at path. OpenTofu has a registry of its
// own, under which it looks for providers.
func use(path string) error {
	env := map[string]string{"TF_ACC_TERRAFORM_PATH": path}
	if strings.HasPrefix(filepath.Base(path), "tofu") {
		env["TF_ACC_PROVIDER_HOST"], env["TF_ACC_PROVIDER_NAMESPACE"] = "registry.opentofu.org", "hashicorp"
	}
	for name, value := range env {
		if os.Getenv(name) == "" {
			if err := os.Setenv(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// Run runs an acceptance test with the provider in this process, beside others.
func Run(t *testing.T, test resource.TestCase) {
	t.Helper()
	path := Binary(t)
	if err := prepare(); err != nil {
		t.Fatal(err)
	}
	if err := use(path); err != nil {
		t.Fatal(err)
	}
	test.ProtoV6ProviderFactories = Factories
	resource.ParallelTest(t, test)
}
