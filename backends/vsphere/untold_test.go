package vsphere

import (
	"testing"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// untold has vSphere tell no configuration of a VM, as of one whose datastore cannot be reached, until told.
func (r *rig) untold(id backends.ID) (told func()) {
	r.t.Helper()
	vm, ok := r.sim.Registry().Get(reference(id)).(*simulator.VirtualMachine)
	if !ok {
		r.t.Fatal("the simulator has no such VM")
	}
	config := vm.Config
	vm.Config, vm.Runtime.ConnectionState = nil, types.VirtualMachineConnectionStateInaccessible
	return func() { vm.Config, vm.Runtime.ConnectionState = config, types.VirtualMachineConnectionStateConnected }
}

// TestDeleteOfAVMWithoutConfiguration: who does not know which disks are volumes deletes nothing.
func TestDeleteOfAVMWithoutConfiguration(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	v, err := r.CreateDisk(r.ctx, backends.DiskSpec{Name: "pgdata", Disk: backends.Disk{SizeGiB: new(int64(1))}})
	if err != nil {
		t.Fatal(err)
	}
	spec := r.spec("web")
	spec.Disks["pg"] = backends.Disk{Volume: &v.ID}
	id := r.create(spec)
	told := r.untold(id)
	err = r.DeleteVM(r.ctx, id, backends.DeleteOptions{})
	told()
	wantCode(t, err, backends.Precondition)
	r.delete(id)
	if !r.exists(v.ID) {
		t.Error("the volume went with the VM")
	}
}
