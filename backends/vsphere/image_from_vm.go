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
	if a.spec.Kind == "disk" {
		return a.cloneImage(ctx, m, m.butRoot())
	}
	spec := &backends.VMSpec{Name: a.spec.Name, Placement: backends.PlacementSpec{Storage: a.spec.Storage}}
	if a.spec.Storage != nil {
		spec.Disks = map[string]backends.Disk{}
		for key := range m.diskDevices() {
			spec.Disks[key] = backends.Disk{Storage: a.spec.Storage}
		}
	}
	made, err := a.clone(ctx, spec, cloneAs{source: id, path: "vm_id"})
	if err == nil {
		err = a.sealClone(ctx, made)
	}
	if err != nil && made != "" {
		err = a.undo(ctx, made, err)
	}
	return made, err
}

// sealClone makes a clone the image.
func (a *arrival) sealClone(ctx context.Context, id backends.ID) error {
	m, err := a.machine(ctx, id, "import")
	if err != nil {
		return err
	}
	k := a.mark("")
	if m.mark != nil {
		k = m.mark.clone()
		k.Image, k.Fingerprint = a.spec.Kind, a.spec.Fingerprint
	}
	return a.seal(ctx, id, k)
}

// butRoot takes everything out of a clone but the disk that the VM boots from.
func (m *machine) butRoot() []types.BaseVirtualDeviceConfigSpec {
	changes := []types.BaseVirtualDeviceConfigSpec{}
	root := m.rootDisk()
	for _, d := range m.devices() {
		out := false
		switch d := d.(type) {
		case *types.VirtualDisk:
			out = d != root
		case *types.VirtualCdrom, types.BaseVirtualEthernetCard, *types.VirtualPCIPassthrough, *types.VirtualSerialPort, *types.VirtualUSB, *types.VirtualTPM:
			out = true
		}
		if out {
			changes = append(changes, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationRemove, Device: d})
		}
	}
	return changes
}
