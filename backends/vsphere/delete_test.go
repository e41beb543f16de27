package vsphere

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func TestDeleteInEveryState(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	for _, actions := range [][]backends.PowerAction{nil, {backends.PowerOn}, {backends.PowerOn, backends.Suspend}} {
		id := r.create(r.spec("web"))
		for _, a := range actions {
			r.power(id, a)
		}
		file := fileOf(r.device(id, "root"))
		r.delete(id)
		if _, err := r.GetDisk(r.ctx, file); backends.CodeOf(err) != backends.NotFound {
			t.Errorf("after %v the file %s is left (%v)", actions, file, err)
		}
		wantCode(t, r.DeleteVM(r.ctx, id, backends.DeleteOptions{}), backends.NotFound)
	}
	id := r.create(r.spec("web"))
	if err := r.sim.DestroyVM("web"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, r.DeleteVM(r.ctx, id, backends.DeleteOptions{}), backends.NotFound)
}

func TestDeleteBusyVM(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	r.sim.FailTask("Destroy_Task", "web", &types.TaskInProgress{}, 1)
	wantCode(t, r.DeleteVM(r.ctx, id, backends.DeleteOptions{}), backends.Locked)
	r.delete(id)
}

// TestDeleteSharedDisk: a VM does not take a disk with it that another one has attached.
func TestDeleteSharedDisk(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	owner := r.create(r.spec("owner"))
	file := fileOf(r.device(owner, "data"))
	borrower := r.spec("borrower")
	delete(borrower.Disks, "data")
	id := r.create(borrower)
	err := r.sim.ReconfigureVM("borrower", types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: &types.VirtualDisk{
			VirtualDevice: types.VirtualDevice{
				Key: -1, ControllerKey: r.device(id, "root").ControllerKey, UnitNumber: new(int32(5)),
				Backing: &types.VirtualDiskFlatVer2BackingInfo{
					VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: file}, DiskMode: "persistent",
				},
			},
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = r.DeleteVM(r.ctx, owner, backends.DeleteOptions{})
	wantCode(t, err, backends.Precondition)
	if !strings.Contains(err.Error(), "borrower") {
		t.Errorf("the refusal does not name who needs the disk: %v", err)
	}
	if _, err := r.GetDisk(r.ctx, file); err != nil {
		t.Errorf("the disk: %v", err)
	}
}

// TestDeleteSourceOfForeignClone: linked clones made by others count too.
func TestDeleteSourceOfForeignClone(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	src := r.create(r.spec("web"))
	snap := r.take(src, "then")
	vm, err := r.sim.VM("web")
	if err != nil {
		t.Fatal(err)
	}
	place, err := r.inv.Place(r.ctx, backends.PlacementSpec{})
	if err != nil {
		t.Fatal(err)
	}
	task, err := vm.Clone(r.ctx, object.NewFolder(vm.Client(), place.Folder.Ref), "by-hand", types.VirtualMachineCloneSpec{
		Location: types.VirtualMachineRelocateSpec{Pool: &place.Pool.Ref, DiskMoveType: "createNewChildDiskBacking"},
		Snapshot: &types.ManagedObjectReference{Type: "VirtualMachineSnapshot", Value: snap},
	})
	if err == nil {
		err = task.Wait(r.ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"DeleteVM":       r.DeleteVM(r.ctx, src, backends.DeleteOptions{}),
		"DeleteSnapshot": r.DeleteSnapshot(r.ctx, src, snap, false),
	} {
		wantCode(t, err, backends.Precondition)
		if !strings.Contains(err.Error(), "by-hand") {
			t.Errorf("%s does not name the clone: %v", what, err)
		}
	}
}

// TestKeepDiskOfLinkedClone: what outlives a linked clone is whole, so that its source can go.
func TestKeepDiskOfLinkedClone(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	src := r.create(r.spec("web"))
	r.write(src, "data", "one")
	id := r.clonesOf(src, "clone", true)
	r.take(id, "then")
	kept := r.read(id).Disks["data"].VolumeID
	if err := r.DeleteVM(r.ctx, id, backends.DeleteOptions{KeepDisks: []string{"data"}}); err != nil {
		t.Fatal(err)
	}
	if n := r.bases(src); n != 0 {
		t.Errorf("%d bases are left", n)
	}
	r.delete(src)
	if v, err := r.GetDisk(r.ctx, kept); err != nil || v.AttachedTo != "" {
		t.Fatalf("the kept disk %s is %+v (%v)", kept, v, err)
	}
	next := r.spec("next")
	next.Disks["old"] = backends.Disk{Volume: &kept}
	again := r.create(next)
	r.holds(again, "old", "one")
}
