package vsphere

import (
	"context"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// origin is what a VM is made from. Exactly one of its fields VM and Disk is set.
type origin struct {
	// VM is a VM or template to clone. That of an image of kind "disk" has one disk, "root".
	VM backends.ID
	// Disk is the datastore path of a VMDK to copy as the disk "root" (VirtualDiskManager.CopyVirtualDisk), as on a
	// stand-alone ESXi, which clones nothing.
	Disk string
	// SizeBytes is what a guest sees of the disk "root", 0 where that was not read.
	SizeBytes int64
	// Image is set where it is the image of a disk: the VM inherits nothing but the content of "root".
	Image bool
}

// imageOf says what VMSpec.Image names. What is no image of a disk is Invalid, what does not exist NotFound, both at image.
func (b *Backend) imageOf(ctx context.Context, id string) (origin, error) {
	img, err := b.getImage(ctx, id)
	switch {
	case err != nil:
		return origin{}, blame(err, "image")
	case img.Kind == "iso":
		return origin{}, backends.Errorf(backends.Invalid, "", "", "%q is an ISO, not an image of a disk", id).
			At("image").Advise("Put it into the drive with cdrom.iso.")
	case isDatastorePath(id):
		return origin{Disk: id, SizeBytes: img.SizeBytes, Image: true}, nil
	}
	return origin{VM: backends.ID(id), SizeBytes: img.SizeBytes, Image: img.Kind == "disk"}, nil
}

// isDatastorePath reports whether an id has the form "[datastore] path".
func isDatastorePath(id string) bool {
	return strings.HasPrefix(id, "[") && strings.Contains(id, "]")
}
