package libvirt

import (
	"cmp"
	"context"
	"slices"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// Images of the kinds "disk" and "iso" are volumes, with ids POOL/NAME. Those of the kinds
// "template" and "ova" are VMs that never run, with ids like those of other VMs.

// ImportImage brings an image to the host: streamed into a storage pool, or copied there from a VM.
func (b *Backend) ImportImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	img, err := b.importImage(ctx, spec, source)
	return img, backends.Wrap(err, "import", backends.ImageObject(spec.Name))
}

func (b *Backend) importImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	if source.LibraryItem != "" {
		return backends.Image{}, backends.Errorf(backends.Unsupported, "", "", "libvirt has no content libraries").
			At("content_library").Advise("A storage pool of images serves.")
	}
	if spec.Kind == "ova" || spec.Kind == "template" || source.VM != "" {
		if len(spec.Properties) > 0 {
			return backends.Image{}, backends.Errorf(backends.Unsupported, "", "", "the libvirt backend has no properties of images").At("properties")
		}
	}
	switch {
	case spec.Kind == "ova" && source.OpenAppliance == nil:
		return backends.Image{}, invalid("kind", "the source is no OVA or OVF package")
	case spec.Kind == "ova":
		return b.importTemplate(ctx, spec, func() (backends.ID, error) { return b.createAppliance(ctx, spec, source.OpenAppliance) })
	case spec.Kind == "template" && source.VM == "":
		return backends.Image{}, invalid("kind", "a template is made from a VM, and none is given").Advise(`Set vm_id, or use kind = "ova" for a package that describes a VM.`)
	case spec.Kind == "template":
		return b.importTemplate(ctx, spec, func() (backends.ID, error) { return b.createTemplate(ctx, spec, source.VM) })
	case source.VM != "" && spec.Kind != "" && spec.Kind != "disk":
		return backends.Image{}, invalid("kind", "an image of kind %q is not made from a VM; a disk or a template is", spec.Kind)
	case source.VM != "":
		return b.importRoot(ctx, spec, source.VM)
	}
	return b.store.ImportImage(ctx, spec, source)
}

// importRoot makes an image from the disk that a VM boots from.
func (b *Backend) importRoot(ctx context.Context, spec backends.ImageSpec, vm backends.ID) (backends.Image, error) {
	began := b.now()
	o, err := b.openOrigin(ctx, &backends.CloneSpec{Source: vm}, "vm_id", began)
	if err != nil {
		return backends.Image{}, err
	}
	defer o.close()
	root := rootDisk(o.d.xml, o.d.mark)
	if root == nil {
		return backends.Image{}, backends.Errorf(backends.Precondition, "", "", "the VM %q has no disk", o.dom.Name).At("vm_id")
	}
	i := findTarget(o.d.xml, targetOf(root))
	key := diskKeys(o.d.xml, o.d.mark)[i]
	content, external, err := o.contentOf(ctx, i, key)
	if err != nil {
		return backends.Image{}, at(err, "vm_id")
	}
	ref := storage.Ref{Pool: b.poolFor(&backends.VMSpec{}, backends.Disk{Storage: spec.Storage}), Name: spec.Name}
	if _, err := b.store.GetImage(ctx, ref.String()); o.writable(false) && backends.CodeOf(err) == backends.NotFound {
		if external {
			return backends.Image{}, backends.Errorf(backends.Precondition, "", "", "the VM %q runs and does not own its disk %q, which therefore cannot be frozen for a copy", o.dom.Name, key).
				At("vm_id").Advise("Stop the VM for the time of the copy.")
		}
		defer func() { o.tidy(ctx, true) }()
		frozen, err := o.freeze(ctx, []string{key})
		if err != nil {
			return backends.Image{}, at(err, "vm_id")
		}
		content = frozen[key]
	}
	return b.store.ImageFromVolume(ctx, spec, content.Ref)
}

// GetImage reads an image.
func (b *Backend) GetImage(ctx context.Context, id string) (backends.Image, error) {
	if _, ok := parseUUID(id); ok {
		img, err := b.getTemplate(ctx, backends.ID(id))
		return img, backends.Wrap(err, "read", backends.ImageObject(id))
	}
	if _, err := storage.ParseRef(id); err != nil {
		return backends.Image{}, noImage("read", id)
	}
	return b.store.GetImage(ctx, id)
}

// ListImages lists images.
func (b *Backend) ListImages(ctx context.Context, pool string) ([]backends.Image, error) {
	all, err := b.store.ListImages(ctx, pool)
	if err != nil {
		return nil, err
	}
	templates, err := b.listTemplates(ctx, pool)
	if err != nil {
		return nil, backends.Wrap(err, "list images", "")
	}
	all = append(all, templates...)
	slices.SortFunc(all, func(x, y backends.Image) int { return cmp.Compare(x.ID, y.ID) })
	return all, nil
}

// DeleteImage removes an image that no VM needs.
func (b *Backend) DeleteImage(ctx context.Context, id string) error {
	if _, ok := parseUUID(id); ok {
		_, err := b.getTemplate(ctx, backends.ID(id))
		if err == nil {
			err = b.DeleteVM(ctx, backends.ID(id), backends.DeleteOptions{})
		}
		return backends.Wrap(err, "delete", backends.ImageObject(id))
	}
	ref, err := storage.ParseRef(id)
	if err != nil {
		return noImage("delete", id)
	}
	if err := b.unshared(ctx, rpc.UUID{}, map[storage.Ref]bool{ref: true}); err != nil {
		return backends.Wrap(err, "delete", backends.ImageObject(id))
	}
	return b.store.DeleteImage(ctx, id)
}

func noImage(op, id string) error {
	return backends.Errorf(backends.NotFound, op, backends.ImageObject(id), "there is no image with this id: ids are POOL/NAME, and those of templates are UUIDs")
}
