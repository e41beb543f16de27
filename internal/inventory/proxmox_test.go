package inventory_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// What a cluster lists, in the names that a VM's attributes take, also while one of its nodes is down.
func TestAccInventory_proxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{Nodes: []string{"pve1", "pve2", "pve3"}, VMs: 3, Examples: true})
	for _, call := range []struct {
		method, path string
		form         map[string][]string
	}{
		{"POST", "/cluster/sdn/zones", map[string][]string{"zone": {"lab"}, "type": {"vlan"}, "bridge": {"vmbr0"}}},
		{"POST", "/cluster/sdn/vnets", map[string][]string{"vnet": {"office"}, "zone": {"lab"}, "tag": {"30"}}},
		{"PUT", "/cluster/sdn", nil},
	} {
		if err := s.Do(call.method, call.path, call.form, nil); err != nil {
			t.Fatal(err)
		}
	}
	w := tfrun.New(t)
	w.Write("main.tf", `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}
`+s.Config(`
resource "virtrigaud_vm" "list" {
  count       = 2
  name        = "list-${count.index}"
  tags        = ["listed", "n${count.index}"]
  networks    = { lan = { network = "office" } }
  placement   = { host = "pve${count.index + 1}" }
  power_state = count.index == 0 ? "running" : "stopped"
  shutdown    = { timeout = "0s" }
}
data "virtrigaud_hosts" "all" {}
data "virtrigaud_hosts" "down" {
  name = "pve3"
}
data "virtrigaud_networks" "all" {}
data "virtrigaud_networks" "virtual" {
  kind = "vnet"
}
data "virtrigaud_storages" "all" {}
data "virtrigaud_vms" "tagged" {
  tags       = ["listed"]
  depends_on = [virtrigaud_vm.list]
}
data "virtrigaud_vms" "running" {
  power_state = "running"
  owned       = true
  depends_on  = [virtrigaud_vm.list]
}
data "virtrigaud_vms" "there" {
  host       = "pve2"
  owned      = false
  depends_on = [virtrigaud_vm.list]
}
data "virtrigaud_vms" "templates" {
  template = true
}
data "virtrigaud_vm" "one" {
  name = "bulk-0001"
}
`))
	w.Apply()
	w.EmptyPlan()
	for source, want := range map[string][]string{
		"vms.tagged": {"list-0", "list-1"}, "vms.running": {"list-0"}, "vms.there": {"bulk-0001"}, "vms.templates": {"debian-12-template"},
		"hosts.all": {"pve1", "pve2", "pve3"}, "networks.all": {"office", "vmbr0", "vmbr1", "vmbr2"}, "networks.virtual": {"office"},
		"storages.all": {"local", "local-lvm", "lvm", "shared"},
	} {
		kind, _, _ := strings.Cut(source, ".")
		if got := names(w, source, kind); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
	if office := list(w, "networks.virtual", "networks")[0]; office["vlan"] != 30.0 || office["active"] != true {
		t.Errorf("the virtual network is %v", office)
	}
	for _, one := range list(w, "storages.all", "storages") {
		if shared := one["name"] == "shared"; one["shared"] != shared || one["active"] != true || one["free_bytes"].(float64) <= 0 || one["free_bytes"].(float64) > one["capacity_bytes"].(float64) {
			t.Errorf("storage: %v", one)
		}
	}
	if one := list(w, "hosts.down", "hosts")[0]; one["cluster"] != "simulated" || one["online"] != true || one["cpus"] != 8.0 || one["memory_mib"] != 65536.0 {
		t.Errorf("host: %v", one)
	}
	if one := w.Attributes("data.virtrigaud_vm.one"); one["id"] != "10001" || one["host"] != "pve2" || one["status"] != "stopped" {
		t.Errorf("the VM is %v", one)
	}

	s.SetNodeOnline("pve3", false)
	w.Apply()
	if one := list(w, "hosts.down", "hosts")[0]; one["online"] != false {
		t.Errorf("host: %v", one)
	}
	if got := names(w, "networks.all", "networks"); len(got) != 4 {
		t.Errorf("with a node down there are the networks %q", got)
	}
	s.SetNodeOnline("pve3", true)
	w.Destroy()
	s.AssertEmpty()
}
