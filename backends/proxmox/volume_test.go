package proxmox_test

import (
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// withData is a VM with a disk "data" that is kept.
func withData(s *backends.VMSpec) {
	s.Disks["data"] = backends.Disk{SizeGiB: new(int64(1)), KeepOnDestroy: new(true)}
}

// TestKeptWhileRunning: a disk that is taken out of a running VM to be kept is there when the VM is gone.
func TestKeptWhileRunning(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	ctx := t.Context()
	guest := importGuest(t, r)
	id := r.vm("web", func(s *backends.VMSpec) {
		s.Image = guest
		withData(s)
	})
	if err := r.SetPower(ctx, id, backends.PowerOn); err != nil {
		t.Fatal(err)
	}
	got, err := r.GetVMs(ctx, []backends.ID{id}, backends.AspectConfig)
	if err != nil || got[id].Err != nil {
		t.Fatal(err, got[id].Err)
	}
	vm := got[id].VM
	want := vm.Config
	want.Disks = map[string]backends.Disk{"root": vm.Config.Disks["root"]}
	err = r.Reconfigure(ctx, id, backends.Reconfiguration{Desired: &want, Changes: backends.Diff(&vm.Config, &want), Mode: backends.Live})
	if err != nil {
		t.Fatal(err)
	}
	kept := vm.Disks["data"].VolumeID
	if err := r.DeleteVM(ctx, id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if v, err := r.GetDisk(ctx, kept); err != nil || v.AttachedTo != "" {
		t.Errorf("the kept disk: %+v, %v", v, err)
	}
	if left := r.sim.Volumes("pve1", "local"); slices.Contains(left, vm.Disks["root"].VolumeID) {
		t.Error("the disk root was left")
	}
}

// reconnect is another run of the provider: VMIDs that are free are given again.
func (r *rig) reconnect() {
	r.Backend = connect(r.T, r.sim, proxmox.Defaults{Node: "pve1", Storage: "local"})
}

// TestKeptOfSameVMID: a kept disk outlives VMs that get the VMID in its name, also one that has it attached.
func TestKeptOfSameVMID(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	ctx := t.Context()
	id := r.vm("web", withData)
	got, err := r.GetVMs(ctx, []backends.ID{id}, backends.AspectConfig)
	if err != nil {
		t.Fatal(err)
	}
	kept := got[id].VM.Disks["data"].VolumeID
	if err := r.DeleteVM(ctx, id, backends.DeleteOptions{KeepDisks: []string{"data"}}); err != nil {
		t.Fatal(err)
	}
	r.reconnect()
	again := r.vm("next", func(s *backends.VMSpec) { s.Disks["old"] = backends.Disk{Volume: &kept} })
	if again != id {
		t.Fatalf("the next VM is %s, want %s again", again, id)
	}
	if v, err := r.GetDisk(ctx, kept); err != nil || v.AttachedTo != again {
		t.Errorf("the attached disk: %+v, %v", v, err)
	}
	if err := r.DeleteVM(ctx, again, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.GetDisk(ctx, kept); err != nil {
		t.Errorf("the kept disk went with a VM that had it attached: %v", err)
	}
	if err := r.DeleteDisk(ctx, kept); err != nil {
		t.Error(err)
	}
}

// TestDiskOnStorages: disks with a life of their own are on storages of each kind, grow while no VM has them, and leave nothing.
func TestDiskOnStorages(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	addStorage(t, r.sim, map[string]any{"storage": "thick", "type": "lvm", "vgname": "vg0", "content": "images"})
	addStorage(t, r.sim, map[string]any{"storage": "tank", "type": "zfspool", "pool": "tank", "content": "images"})
	ctx := t.Context()
	for storage, provisioning := range map[string]string{"local": "thin", "local-lvm": "thin", "thick": "thick", "tank": "thick"} {
		v, err := r.CreateDisk(ctx, backends.DiskSpec{Name: "pgdata", Disk: backends.Disk{SizeGiB: new(int64(1)), Storage: &storage, Provisioning: &provisioning}})
		if err != nil {
			t.Errorf("%s: %v", storage, err)
			continue
		}
		if v.Name != "pgdata" || *v.Disk.Provisioning != provisioning {
			t.Errorf("%s: %+v", storage, v)
		}
		if err := r.ResizeDisk(ctx, v.ID, 3); err != nil {
			t.Errorf("%s: %v", storage, err)
		}
		if v, err := r.GetDisk(ctx, v.ID); err != nil || *v.Disk.SizeGiB != 3 {
			t.Errorf("%s: %+v, %v", storage, v, err)
		}
		if err := r.DeleteDisk(ctx, v.ID); err != nil {
			t.Errorf("%s: %v", storage, err)
		}
		if _, err := r.GetDisk(ctx, v.ID); backends.CodeOf(err) != backends.NotFound {
			t.Errorf("%s: after its removal: %v", storage, err)
		}
	}
	if left, err := r.ListVMs(ctx, backends.VMFilter{}); err != nil || slices.ContainsFunc(left, func(s backends.VMSummary) bool { return s.Owned }) {
		t.Errorf("left: %+v, %v", left, err)
	}
}

// TestOrphanOfEarlierVM: a volume that an earlier VM left is not in the way of a new VM with its VMID.
func TestOrphanOfEarlierVM(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	id := r.vm("web", nil)
	if err := r.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	r.reconnect()
	name := "vm-" + string(id) + "-cloudinit"
	form := map[string]any{"vmid": string(id), "filename": name + ".qcow2", "size": "4M", "format": "qcow2"}
	if err := r.hands.Post(t.Context(), "/nodes/pve1/storage/local/content", form, nil); err != nil {
		t.Fatal(err)
	}
	r.vm("next", func(s *backends.VMSpec) {
		s.CloudInit = &backends.CloudInit{SSHKeys: []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKn3f3XJx7gkp219pZEJCXCrF5aNwZYt1NevPyf/TXRS a@b"}}
	})
}
