package inventory_test

import (
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// What a vCenter lists, in the names that a VM's attributes take.
func TestAccInventory_vsphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
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
  tags        = ["production", "n${count.index}"]
  power_state = count.index == 0 ? "running" : "stopped"
}
data "virtrigaud_hosts" "all" {}
data "virtrigaud_hosts" "a" {
  cluster = "cluster-a"
}
data "virtrigaud_networks" "all" {}
data "virtrigaud_storages" "all" {}
data "virtrigaud_vms" "tagged" {
  tags       = ["production"]
  depends_on = [virtrigaud_vm.list]
}
data "virtrigaud_vms" "running" {
  power_state = "running"
  owned       = true
  depends_on  = [virtrigaud_vm.list]
}
data "virtrigaud_vms" "templates" {
  template = true
}
data "virtrigaud_vm" "one" {
  name = "vm-one"
}
`))
	w.Apply()
	w.EmptyPlan()
	if got := names(w, "vms.tagged", "vms"); !slices.Equal(got, []string{"list-0", "list-1"}) {
		t.Errorf("tagged VMs: %q", got)
	}
	if got := names(w, "vms.running", "vms"); !slices.Equal(got, []string{"list-0"}) {
		t.Errorf("running VMs: %q", got)
	}
	if got := names(w, "vms.templates", "vms"); !slices.Equal(got, []string{"golden"}) {
		t.Errorf("templates: %q", got)
	}
	if got := names(w, "hosts.a", "hosts"); !slices.Equal(got, []string{"esx-a1", "esx-a2"}) || len(names(w, "hosts.all", "hosts")) != 6 {
		t.Errorf("hosts: %q of %q", got, names(w, "hosts.all", "hosts"))
	}
	networks := names(w, "networks.all", "networks")
	for _, want := range []string{"Storage Network", "dv-servers", "segment-web"} {
		if !slices.Contains(networks, want) {
			t.Errorf("no network %q in %q", want, networks)
		}
	}
	for _, n := range list(w, "networks.all", "networks") {
		if n["name"] == "dv-vlan30" && n["vlan"] != float64(30) {
			t.Errorf("network: %v", n)
		}
	}
	storages := names(w, "storages.all", "storages")
	for _, want := range []string{"datastore1", "fast", "small"} {
		if !slices.Contains(storages, want) {
			t.Errorf("no storage %q in %q", want, storages)
		}
	}
	if one := w.Attributes("data.virtrigaud_vm.one"); one["id"] == nil || one["status"] == "" {
		t.Errorf("the VM is %v", one)
	}
	w.Destroy()
	s.AssertEmpty()
}
