package examples

import (
	"encoding/json"
	"net/netip"
	"os"
	"testing"
)

// The module that serves every hypervisor is applied on a vCenter and a Proxmox VE that anybody can start, and on a mock with the
// capabilities of libvirt, side by side.
func TestAccEveryHypervisor(t *testing.T) {
	w := onVSphere(t)
	tell(t, w, simulator(t, proxmoxCommand), proxmoxVariables)
	server := images(t)
	for _, file := range []string{"main", "vm/main"} {
		text, err := os.ReadFile("one-vm-every-hypervisor/" + file + ".tf")
		if err != nil {
			t.Fatal(err)
		}
		w.Write(file+".tf", string(text))
		w.Write(file+"_override.tf", imagesFrom(string(text), server))
	}
	w.Write("libvirt_override.tf", `
provider "virtrigaud" {
  alias   = "branch"
  libvirt = null
  mock    = { state_file = "mock.json", imitate = "libvirt" }
}
`)
	w.Must("get")
	w.Apply()
	w.EmptyPlan()
	var vms map[string]struct{ Backend, Address string }
	if err := json.Unmarshal([]byte(w.Must("output", "-json", "vms")), &vms); err != nil {
		t.Fatal(err)
	}
	for module, want := range map[string]struct {
		backend     string
		reservation float64
	}{"datacenter": {"vsphere", 512.0}, "plant": {"proxmox", 512.0}, "branch": {"libvirt", 0.0}} {
		is := vms[module]
		memory, _ := w.Attributes("module." + module + ".virtrigaud_vm.this")["memory"].(map[string]any)
		if _, err := netip.ParseAddr(is.Address); err != nil || is.Backend != want.backend || memory["reservation_mib"] != want.reservation {
			t.Errorf("%s is %+v with the memory %v", module, is, memory)
		}
	}
	w.Destroy()
}
