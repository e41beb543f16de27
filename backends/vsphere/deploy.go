package vsphere

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// deploy makes the VM that spec describes from a template or image: a clone of the VM that that is. Of an image of a disk it takes the
// content of "root" and nothing else.
func (b *Backend) deploy(ctx context.Context, spec *backends.VMSpec, from origin) (backends.ID, error) {
	if from.Disk != "" {
		return b.deployDisk(ctx, spec, from)
	}
	as := cloneAs{source: from.VM, linked: spec.Linked, content: from.Image, path: "template"}
	if from.Image {
		as.path = "image"
	}
	return b.clone(ctx, spec, as)
}
