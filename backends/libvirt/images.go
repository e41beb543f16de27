package libvirt

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// ImportImage streams an image into a storage pool.
func (b *Backend) ImportImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	if source.VM != "" {
		return backends.Image{}, backends.Errorf(backends.Unsupported, "import", backends.ImageObject(spec.Name), "the libvirt backend does not make images from VMs in this version")
	}
	return b.store.ImportImage(ctx, spec, source)
}

// GetImage reads an image.
func (b *Backend) GetImage(ctx context.Context, id string) (backends.Image, error) {
	if _, err := storage.ParseRef(id); err != nil {
		return backends.Image{}, noImage("read", id)
	}
	return b.store.GetImage(ctx, id)
}

// ListImages lists images.
func (b *Backend) ListImages(ctx context.Context, pool string) ([]backends.Image, error) {
	return b.store.ListImages(ctx, pool)
}

// DeleteImage removes an image that no VM needs.
func (b *Backend) DeleteImage(ctx context.Context, id string) error {
	if _, err := storage.ParseRef(id); err != nil {
		return noImage("delete", id)
	}
	return b.store.DeleteImage(ctx, id)
}

func noImage(op, id string) error {
	return backends.Errorf(backends.NotFound, op, backends.ImageObject(id), "there is no image with this id: ids are POOL/NAME")
}
