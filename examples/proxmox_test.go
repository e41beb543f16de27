package examples

import (
	"os"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// onProxmox is a workspace for the Proxmox VE that anybody can start.
func onProxmox(t *testing.T, args ...string) *tfrun.Workspace {
	t.Helper()
	return enter(t, simulator(t, proxmoxCommand, args...), proxmoxVariables)
}

// proxmoxCommand is the one that starts a Proxmox VE.
const proxmoxCommand = "../internal/pvesim/cmd/pvesim"

// proxmoxVariables are those that lead to it.
var proxmoxVariables = map[string]string{
	"endpoint": "PROXMOX_VE_ENDPOINT", "api_token": "PROXMOX_VE_API_TOKEN", "fingerprint": "PROXMOX_VE_FINGERPRINT",
}

// The README's VM is made on the Proxmox VE that anybody can start, planned again without a difference, and destroyed.
func TestAccProxmox_readme(t *testing.T) {
	w := onProxmox(t)
	config := readme(t, "proxmox = {")
	w.Write("main.tf", requirements+"variable \"key\" {}\n"+config)
	w.Write("main_override.tf", imagesFrom(config, images(t)))
	w.Must("validate")
	vars := flags([]string{"key=" + key})
	if out := w.Apply(vars...); !strings.Contains(out, `address = "10.0.0.5"`) {
		t.Errorf("the VM has not the address that the README gives it:\n%s", out)
	}
	if backend := w.Attributes("virtrigaud_vm.web")["backend"]; backend != "proxmox" {
		t.Errorf("the VM is on %v", backend)
	}
	w.EmptyPlan(vars...)
	w.Destroy(vars...)
}

// The example is applied where it is meant for, not only on the mock: on both versions, one node and three.
func TestAccProxmox_example(t *testing.T) {
	text, err := os.ReadFile("proxmox-cloud-image/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"8": nil, "9": {"-version", "9", "-nodes", "pve1,pve2,pve3"}} {
		t.Run(name, func(t *testing.T) {
			w := onProxmox(t, args...)
			w.Write("main.tf", string(text))
			w.Write("main_override.tf", imagesFrom(string(text), images(t)))
			vars := flags([]string{"ssh_public_key=" + key})
			out := w.Apply(vars...)
			for _, want := range []string{"debian@10.0.0.5", "local-lvm:vm-1001-disk-"} {
				if !strings.Contains(out, want) {
					t.Errorf("the outputs do not have %q:\n%s", want, out)
				}
			}
			w.EmptyPlan(vars...)
			w.Destroy(vars...)
		})
	}
}

// A VM that was made elsewhere is imported by its VMID and by its name, and written down with the keys that the guide gives.
func TestAccProxmox_import(t *testing.T) {
	w := onProxmox(t, "-vms", "1")
	w.Write("main.tf", requirements+`
provider "virtrigaud" {
  proxmox = {}
}

resource "virtrigaud_vm" "web" {
  name     = "bulk-0000"
  disks    = { scsi0 = {}, scsi1 = {} }
  networks = { net0 = { network = "vmbr0" } }
}
`)
	for _, id := range []string{"10000", "bulk-0000"} {
		w.Must("import", "virtrigaud_vm.web", id)
		if out := w.Must("plan"); strings.Contains(out, "must be replaced") || strings.Contains(out, " to add") || !strings.Contains(out, "No changes") {
			t.Errorf("a plan after the import has something to do:\n%s", out)
		}
		w.Must("state", "rm", "virtrigaud_vm.web")
	}
}
