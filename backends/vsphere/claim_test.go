package vsphere

import (
	"testing"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// TestNameOfVMThatLostADisk: a name that another of our VMs has is taken, also where somebody removed a disk of that one.
func TestNameOfVMThatLostADisk(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.CreateToken = "token-1"
	id := r.create(spec)
	err := r.sim.ReconfigureVM("web", types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationRemove, Device: r.device(id, "data")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	spec.CreateToken = "token-2"
	_, err = r.CreateVM(r.ctx, spec)
	wantCode(t, err, backends.Conflict)
}

// TestUnnamed: only what vSphere still makes is waited for.
func TestUnnamed(t *testing.T) {
	for name, test := range map[string]struct {
		vm   mo.VirtualMachine
		want bool
	}{
		"being cloned": {mo.VirtualMachine{}, true},
		"inaccessible": {mo.VirtualMachine{Runtime: types.VirtualMachineRuntimeInfo{ConnectionState: types.VirtualMachineConnectionStateInaccessible}}, false},
		"a stranger":   {mo.VirtualMachine{Config: &types.VirtualMachineConfigInfo{InstanceUuid: "50000000-0000-4000-8000-000000000001"}}, false},
		"ours so far":  {mo.VirtualMachine{Config: &types.VirtualMachineConfigInfo{InstanceUuid: newInstanceUUID()}}, true},
	} {
		if got := (&machine{VirtualMachine: test.vm}).unnamed(); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}
