package inventory_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// What a real libvirtd has, held against what virsh says of it.
func TestAccInventory_libvirt(t *testing.T) {
	lab := libvirtlab.Shared(t)
	w := tfrun.New(t)
	w.Write("main.tf", fmt.Sprintf(`
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}

provider "virtrigaud" {
  libvirt = { uri = %q }
}

resource "virtrigaud_vm" "list" {
  count       = 2
  name        = "acc-list-${count.index}"
  tags        = ["listed", "n${count.index}"]
  memory      = { size_mib = 64 }
  disks       = { root = { size_gib = 1 } }
  power_state = count.index == 0 ? "running" : "stopped"
  shutdown    = { timeout = "1s" }
}

data "virtrigaud_hosts" "all" {}
data "virtrigaud_networks" "all" {}
data "virtrigaud_storages" "all" {}

data "virtrigaud_vms" "all" {
  tags       = ["listed"]
  depends_on = [virtrigaud_vm.list]
}

data "virtrigaud_vms" "running" {
  tags        = ["listed"]
  power_state = "running"
  depends_on  = [virtrigaud_vm.list]
}
`, lab.URI()))
	lab.Define(t, "", `<domain type='qemu'><name>acc-list-stranger</name><memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>`)
	t.Cleanup(func() { lab.Virsh(t, "undefine", "acc-list-stranger") })
	w.Apply()
	w.EmptyPlan()
	if got := names(w, "vms.all", "vms"); !slices.Equal(got, []string{"acc-list-0", "acc-list-1"}) {
		t.Errorf("VMs: %q", got)
	}
	running := list(w, "vms.running", "vms")
	if len(running) != 1 || running[0]["name"] != "acc-list-0" || running[0]["owned"] != true || running[0]["template"] != false || running[0]["power_state"] != "running" {
		t.Errorf("running VMs: %v", running)
	}
	if got := names(w, "networks.all", "networks"); !slices.Contains(got, libvirtlab.Network) || !slices.Contains(got, libvirtlab.StaticNetwork) || !slices.Contains(got, "bridge:"+libvirtlab.Bridge) {
		t.Errorf("networks: %q", got)
	}
	want := lab.Pools(t)
	slices.Sort(want)
	if got := names(w, "storages.all", "storages"); !slices.Equal(got, want) {
		t.Errorf("storages: %q, virsh says %q", got, want)
	}
	for _, s := range list(w, "storages.all", "storages") {
		if s["name"] == libvirtlab.Pool && (s["kind"] != "dir" || s["active"] != true || s["capacity_bytes"].(float64) < 1<<30 || s["free_bytes"].(float64) <= 0) {
			t.Errorf("storage: %v", s)
		}
	}
	hosts := list(w, "hosts.all", "hosts")
	if len(hosts) != 1 || hosts[0]["name"] != lab.Virsh(t, "hostname") || hosts[0]["online"] != true || hosts[0]["cpus"].(float64) < 1 || hosts[0]["memory_mib"].(float64) < 1024 {
		t.Errorf("hosts: %v", hosts)
	}
	w.Destroy()
}

// list is what a data source of the state lists.
func list(w *tfrun.Workspace, source, attribute string) []map[string]any {
	var all []map[string]any
	for _, one := range w.Attributes("data.virtrigaud_" + source)[attribute].([]any) {
		all = append(all, one.(map[string]any))
	}
	return all
}

func names(w *tfrun.Workspace, source, attribute string) []string {
	var all []string
	for _, one := range list(w, source, attribute) {
		all = append(all, one["name"].(string))
	}
	return all
}
