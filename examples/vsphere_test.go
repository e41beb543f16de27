package examples

import (
	"os"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// onVSphere is a workspace for the vCenter that anybody can start.
func onVSphere(t *testing.T) *tfrun.Workspace {
	t.Helper()
	return enter(t, simulator(t, "../internal/vcsim/cmd/vcsim"), map[string]string{
		"endpoint": "VSPHERE_SERVER", "username": "VSPHERE_USER", "password": "VSPHERE_PASSWORD", "thumbprint": "VSPHERE_THUMBPRINT",
	})
}

// The README's VM is made on the vCenter that anybody can start, planned again without a difference, and destroyed.
func TestAccVSphere_readme(t *testing.T) {
	w := onVSphere(t)
	config := readme(t, "vsphere = {")
	w.Write("main.tf", requirements+"variable \"key\" {}\n"+config)
	w.Write("main_override.tf", imagesFrom(config, images(t)))
	w.Must("validate")
	vars := flags([]string{"key=" + key})
	if out := w.Apply(vars...); !strings.Contains(out, `address = "10.0.0.5"`) {
		t.Errorf("the VM has not the address that the README gives it:\n%s", out)
	}
	if backend := w.Attributes("virtrigaud_vm.web")["backend"]; backend != "vsphere" {
		t.Errorf("the VM is on %v", backend)
	}
	w.EmptyPlan(vars...)
	w.Destroy(vars...)
}

// The example is applied where it is meant for, not only on the mock.
func TestAccVSphere_example(t *testing.T) {
	w := onVSphere(t)
	text, err := os.ReadFile("vsphere-cloud-image/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	w.Write("main.tf", string(text))
	w.Write("main_override.tf", imagesFrom(string(text), images(t)))
	vars := flags([]string{"ssh_public_key=" + key})
	out := w.Apply(vars...)
	for _, want := range []string{"ubuntu@10.0.0.5", "[fast] ", "[datastore1] "} {
		if !strings.Contains(out, want) {
			t.Errorf("the outputs do not have %q:\n%s", want, out)
		}
	}
	w.EmptyPlan(vars...)
	w.Destroy(vars...)
}

// A VM that was made elsewhere is imported by its name, and written down with the keys that the guide gives.
func TestAccVSphere_import(t *testing.T) {
	w := onVSphere(t)
	w.Write("main.tf", requirements+`
provider "virtrigaud" {
  vsphere = { datacenter = "DC0" }
}

resource "virtrigaud_vm" "web" {
  name     = "vm-one"
  disks    = { ide0-0 = { size_gib = 10 } }
  networks = { ethernet0 = { network = "VM Network" } }
}
`)
	w.Must("import", "virtrigaud_vm.web", "vm-one")
	if out := w.Must("plan"); strings.Contains(out, "must be replaced") || strings.Contains(out, " to add") || !strings.Contains(out, "No changes") {
		t.Errorf("a plan after the import has something to do:\n%s", out)
	}
}
