package vsphere

import (
	"context"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// build is a VM in the making: what CreateVM_Task or CloneVM_Task takes, and what is left to do afterwards.
type build struct {
	spec  types.VirtualMachineConfigSpec
	place inventory.Place
	mark  *mark
	// datastores has the place of each disk of the VM by its key, home that of its other files.
	datastores map[string]inventory.Object
	home       inventory.Object
}

// buildConfig lays a VM out: from nothing where base is nil, else as changes to the devices of base, the VM or
// the snapshot that is cloned. baseDisks has, by key, the device key in base of the disk that is made from it; the other
// disks of base, its interfaces, drives and host devices are taken out. Everything that can be refused is refused here.
func (b *Backend) buildConfig(ctx context.Context, place inventory.Place, spec *backends.VMSpec, base *machine, baseDisks map[string]int32) (*build, error) {
	return &build{place: place, mark: &mark{}}, nil
}

// finish completes a VM that bld made: what needs the addresses of its interfaces, and what is no part of its configuration.
func (b *Backend) finish(ctx context.Context, id backends.ID, spec *backends.VMSpec, bld *build) error {
	return nil
}
