package portable

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

func TestMain(m *testing.M) { os.Exit(tfrun.Main(m)) }

// site is where the module is applied: all that may differ.
type site struct {
	// provider is the provider block.
	provider string
	// image is the path of the disk that the guest boots from.
	image string
	// lan, backup and storage are what the hypervisor calls them. Guests on lan have the addresses that they are given.
	lan, backup, storage string
	// empty fails the test where something of the module is left.
	empty func()
}

// configuration is the root module for the site.
func (s site) configuration(later bool) string {
	return fmt.Sprintf(`
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}
%s
module "estate" {
  source   = "./module"
  image    = %q
  networks = { lan = %q, backup = %q }
  storage  = %q
  later    = %t
}

output "estate" {
  value = module.estate
}
`, s.provider, s.image, s.lan, s.backup, s.storage, later)
}

// workspace is one with the module, as it lies in testdata.
func (s site) workspace(t *testing.T) *tfrun.Workspace {
	t.Helper()
	w := tfrun.New(t)
	files, err := filepath.Glob("testdata/module/*.tf")
	if err != nil || len(files) == 0 {
		t.Fatalf("the module has no files: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // a file of the project
		if err != nil {
			t.Fatal(err)
		}
		w.Write("module/"+filepath.Base(file), string(text))
	}
	w.Write("main.tf", s.configuration(false))
	w.Must("get")
	return w
}

// estate is what the module says of what it made.
type estate struct {
	Addresses []string
	Backend   string
	IDs       map[string]string
}

func outputs(t *testing.T, w *tfrun.Workspace) estate {
	t.Helper()
	var e estate
	if err := json.Unmarshal([]byte(w.Must("output", "-json", "estate")), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// resources are those of the module, in the order in which they are made.
var resources = []string{"virtrigaud_image.guest", "virtrigaud_disk.data", "virtrigaud_vm.web", "virtrigaud_clone.copy", "virtrigaud_snapshot.made"}

// follow takes the module through its life at a site.
func follow(t *testing.T, backend string, s site) {
	t.Helper()
	w := s.workspace(t)
	if out := w.Apply(); !strings.Contains(out, "5 added, 0 changed, 0 destroyed") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	made := outputs(t, w)
	if made.Backend != backend || !slices.Equal(made.Addresses, []string{"10.150.0.21", "10.150.0.22"}) {
		t.Errorf("on %s the guests have %q", made.Backend, made.Addresses)
	}

	w.Write("main.tf", s.configuration(true))
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("the plan announces more than a change in place: %v", found)
	}
	if out := w.Apply(); !strings.Contains(out, "0 added, 3 changed, 0 destroyed") {
		t.Errorf("the change printed\n%s", out)
	}
	w.EmptyPlan()
	changed := outputs(t, w)
	for _, resource := range resources {
		if made.IDs[resource] == "" || changed.IDs[resource] != made.IDs[resource] {
			t.Errorf("%s was %q and is %q", resource, made.IDs[resource], changed.IDs[resource])
		}
	}
	if web := w.Attributes("module.estate.virtrigaud_vm.web"); web["status"] != "running" || !hasDisks(web, "data", "logs", "root") {
		t.Errorf("after the change the VM is %v and has the disks %v", web["status"], web["disks"])
	}

	second := s.workspace(t)
	second.Write("main.tf", s.configuration(true))
	for _, resource := range resources {
		address := "module.estate." + resource
		second.Must("import", address, changed.IDs[resource])
		if resource == "virtrigaud_image.guest" {
			second.Apply("-target=" + address) // where it came from is nowhere but in the configuration
		}
	}
	second.EmptyPlan()

	w.Destroy()
	s.empty()
}

// hasDisks reports whether a VM has the disks of exactly these keys.
func hasDisks(vm map[string]any, keys ...string) bool {
	disks, _ := vm["disks"].(map[string]any)
	for _, key := range keys {
		if disks[key] == nil {
			return false
		}
	}
	return len(disks) == len(keys)
}
