package vsphere

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// deployDisk makes a VM whose disk "root" is a copy of a virtual disk, as on a stand-alone ESXi, which clones nothing.
func (b *Backend) deployDisk(ctx context.Context, spec *backends.VMSpec, from origin) (backends.ID, error) {
	return "", backends.Errorf(backends.Unsupported, "", "", "a stand-alone ESXi makes no VMs of images yet").At("image")
}
