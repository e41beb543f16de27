package vm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// A new version of the provider replaces and restarts nobody's VM: the state of
// every version that was released, against the hypervisor of that time, is an
// empty plan. A folder of testdata holds the main.tf, the terraform.tfstate (as
// state.json) and the mock.json that an apply with that version left.
func TestAccVM_stateOfEarlierVersions(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob("testdata/state-*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("there are no states to read (%v)", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			w := tfrun.New(t)
			for from, to := range map[string]string{"main.tf": "main.tf", "mock.json": "mock.json", "state.json": "terraform.tfstate"} {
				content, err := os.ReadFile(filepath.Join(folder, from))
				if err != nil {
					t.Fatal(err)
				}
				text := string(content)
				if strings.HasPrefix(filepath.Base(acctest.Binary(t)), "tofu") {
					text = strings.ReplaceAll(text, "registry.terraform.io", "registry.opentofu.org")
				}
				w.Write(to, text)
			}
			if left := w.State(); len(left) != 2 {
				t.Fatalf("the state has %v", left)
			}
			if found := w.Diagnostics("plan"); len(found) > 0 {
				t.Errorf("the plan says %v", found)
			}
			w.EmptyPlan()
		})
	}
}
