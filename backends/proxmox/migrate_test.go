package proxmox_test

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

var threeNodes = []string{"pve1", "pve2", "pve3"}

func (r *rig) migrated(id backends.ID, to backends.PlacementSpec, power backends.PowerState) *backends.VM {
	r.Helper()
	if err := r.Migrate(r.Context(), id, to); err != nil {
		r.Fatal(err)
	}
	vm := r.read(id)
	if to.Host != nil && vm.Host != *to.Host || vm.Power != power {
		r.Fatalf("the VM is %s on %s", vm.Power, vm.Host)
	}
	return vm
}

// TestMigrateLocalDisks: disks on local storages go with the VM, live or not, and to another storage where one is named.
func TestMigrateLocalDisks(t *testing.T) {
	r := newRig(t, pvesim.Options{Version: 9, Nodes: threeNodes})
	id := r.vm("web", nil)
	r.migrated(id, backends.PlacementSpec{Host: new("pve2")}, backends.Stopped)
	r.power(id, backends.PowerOn)
	vm := r.migrated(id, backends.PlacementSpec{Host: new("pve3"), Storage: new("local-lvm")}, backends.Running)
	if got := *vm.Config.Disks["root"].Storage; got != "local-lvm" {
		t.Errorf("the disk is on %s", got)
	}
	vm = r.migrated(id, backends.PlacementSpec{Storage: new("shared")}, backends.Running)
	if got := *vm.Config.Disks["root"].Storage; got != "shared" || vm.Host != "pve3" {
		t.Errorf("the disk is on %s at %s", got, vm.Host)
	}
	for _, node := range threeNodes {
		if left := append(r.sim.Volumes(node, "local"), r.sim.Volumes(node, "local-lvm")...); len(left) > 0 {
			t.Errorf("%s still has %v", node, left)
		}
	}
}

// TestMigrateManaged: high availability moves a VM some time after it was asked.
func TestMigrateManaged(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: threeNodes})
	id := r.vm("web", func(s *backends.VMSpec) {
		s.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("shared")}
	})
	r.power(id, backends.PowerOn)
	r.byHand("POST", "/cluster/ha/resources", map[string]any{"sid": "vm:" + string(id), "state": "started"})
	r.migrated(id, backends.PlacementSpec{Host: new("pve2")}, backends.Running)
	// What high availability would undo at once is told to it.
	r.snapshot(id, "cold")
	if err := r.RevertSnapshot(t.Context(), id, "cold"); err != nil {
		t.Fatal(err)
	}
	if vm := r.read(id); vm.Power != backends.Stopped {
		t.Errorf("after the revert the VM is %s", vm.Power)
	}
}

// TestMigrateRefused: what is in the way is named before a task finds it.
func TestMigrateRefused(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: threeNodes})
	if err := r.sim.PutFile("pve1", "local:iso/tools.iso", []byte("ISO")); err != nil {
		t.Fatal(err)
	}
	id := r.vm("web", func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{ISO: "local:iso/tools.iso"} })
	r.refused(r.Migrate(t.Context(), id, backends.PlacementSpec{Host: new("pve2")}), backends.Precondition, "tools.iso", "cdrom.iso", "Take it out")
	r.refused(r.Migrate(t.Context(), id, backends.PlacementSpec{Host: new("pve2"), Storage: new("none")}), backends.NotFound, "placement.storage", `"local-lvm"`)
	r.refused(r.Migrate(t.Context(), id, backends.PlacementSpec{Host: new("pve2"), Pool: new("none")}), backends.NotFound, "placement.pool")
	r.sim.SetNodeOnline("pve3", false)
	r.refused(r.Migrate(t.Context(), id, backends.PlacementSpec{Host: new("pve3")}), backends.Transient, "placement.host", "offline")
	running := r.vm("db", nil)
	r.snapshot(running, "one")
	r.power(running, backends.PowerOn)
	r.refused(r.Migrate(t.Context(), running, backends.PlacementSpec{Host: new("pve2")}), backends.Precondition, "snapshot")
	if vm := r.read(running); vm.Host != "pve1" || vm.Power != backends.Running {
		t.Errorf("the VM is %s on %s", vm.Power, vm.Host)
	}
}
