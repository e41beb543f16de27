package vsphere

import (
	"context"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// seeding is what gives a guest its cloud-init data: options and devices for a specification, and the mark changed accordingly.
type seeding struct {
	extra   []types.BaseOptionValue
	devices []types.BaseVirtualDeviceConfigSpec
	// after is done once the VM is reconfigured: what the seed replaced is removed.
	after func(context.Context) error
}

// seed prepares the seed that spec asks for of a VM that exists, so that its interfaces' MACs are known: macs has them by key. It
// writes what it keeps into k. Nothing to seed is an empty seeding.
func (b *Backend) seed(ctx context.Context, m *machine, k *mark, spec *backends.VMSpec, macs map[string]string) (seeding, error) {
	return seeding{}, nil
}

// observeSeed fills in what the seed and the guest customization say: cloud-init inputs, static addresses of spec.Networks, DNS.
func (m *machine) observeSeed(ctx context.Context, b *Backend, spec *backends.VMSpec) error {
	return nil
}

// observeGuest returns what the guest's tools say, nil where they are silent, and fills in the addresses of nics.
func (m *machine) observeGuest(nics map[string]backends.NICStatus) *backends.Guest { return nil }
