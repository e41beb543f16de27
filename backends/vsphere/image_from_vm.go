package vsphere

import (
	"context"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// sourceVM reads the VM that an image is made of.
func (a *arrival) sourceVM(ctx context.Context, id backends.ID) (*machine, error) {
	got, err := a.machines(ctx, []backends.ID{id}, configPaths)
	if err != nil {
		return nil, err
	}
	r := got[id]
	switch {
	case backends.CodeOf(r.err) == backends.NotFound:
		return nil, backends.Errorf(backends.NotFound, "", "", "there is no VM with the id %q", id).At("vm_id")
	case r.err != nil:
		return nil, blame(r.err, "vm_id")
	case r.machine.Config == nil:
		return nil, backends.Errorf(backends.Precondition, "", "", "vSphere cannot tell the hardware of the VM %q now: it is %s", r.machine.Name, r.machine.Runtime.ConnectionState).At("vm_id")
	case a.spec.Kind == "disk" && r.machine.rootDisk() == nil:
		return nil, backends.Errorf(backends.Precondition, "", "", "the VM %q has no disk", r.machine.Name).At("vm_id")
	}
	return r.machine, nil
}

// fromVM makes the image of a VM: of all of it, or of the disk that it boots from.
func (a *arrival) fromVM(ctx context.Context, id backends.ID) (backends.ID, error) {
	m, err := a.sourceVM(ctx, id)
	if err != nil {
		return "", err
	}
	changes := m.leaveOut(a.spec.Kind == "disk")
	made, err := a.cloneImage(ctx, m, changes)
	if err != nil {
		return "", err
	}
	return made, nil
}

// leaveOut takes out of a clone what is not the image's: media, and where only the disk counts that
// the VM boots from, everything but that.
func (m *machine) leaveOut(rootOnly bool) []types.BaseVirtualDeviceConfigSpec {
	changes := []types.BaseVirtualDeviceConfigSpec{}
	root := m.rootDisk()
	for _, d := range m.devices() {
		out := false
		switch d := d.(type) {
		case *types.VirtualDisk:
			out = rootOnly && d != root
		case *types.VirtualCdrom, types.BaseVirtualEthernetCard, *types.VirtualPCIPassthrough, *types.VirtualSerialPort, *types.VirtualUSB, *types.VirtualTPM:
			out = rootOnly
		}
		if out {
			changes = append(changes, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationRemove, Device: d})
		}
	}
	return changes
}
