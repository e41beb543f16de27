package proxmox

import (
	"context"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// originOf finds what a new VM is made from: the disk of an image, or a VM that it is a clone of.
func (b *Backend) originOf(ctx context.Context, spec *backends.VMSpec) (origin, error) {
	switch {
	case spec.Image != "":
		from, err := b.imageOrigin(ctx, spec.Image, spec.Linked)
		return from, at(err, "image")
	case spec.Template != "":
		return b.templateOrigin(ctx, spec.Template)
	}
	return origin{}, nil
}

func (b *Backend) imageOrigin(ctx context.Context, id string, linked bool) (origin, error) {
	if isVolume(id) {
		return b.fileOrigin(ctx, id, linked)
	}
	m, err := b.imageVM(ctx, backends.ID(id))
	if err != nil {
		return origin{}, err
	}
	if m.imageKind() != "disk" || linked { // content is shared by clones of templates only
		return origin{vm: m.id(), path: "image"}, nil
	}
	root := m.rootDisk()
	return origin{volume: root.Volume(), bytes: root.Bytes(), nodes: []string{m.node}}, nil
}

// fileOrigin is a file of the content type import, which a disk can be made of.
func (b *Backend) fileOrigin(ctx context.Context, id string, linked bool) (origin, error) {
	l, err := b.locate(ctx, id)
	if err != nil {
		return origin{}, err
	}
	img, ok := imageOf(l.volumeRow)
	switch {
	case strings.HasSuffix(id, ".ova"):
		return origin{}, backends.Errorf(backends.Invalid, "", "", "%q is a package that describes a VM, not the image of a disk", id).
			Advise(`Import it with virtrigaud_image and kind = "ova".`)
	case !ok:
		return origin{}, backends.Errorf(backends.Invalid, "", "", "%q is no image of a disk: these are VMIDs of templates, and files of the content type import", id)
	case img.Kind == "iso":
		return origin{}, backends.Errorf(backends.Invalid, "", "", "%q is an ISO, not an image of a disk", id).Advise("Put it into the drive with cdrom.iso.")
	case linked:
		return origin{}, backends.Errorf(backends.Precondition, "", "", "%q is a file, whose content Proxmox VE does not share among VMs", id).
			Advise("Import it with virtrigaud_image, which makes a template of it, or leave linked out.")
	}
	err = b.measure(ctx, l.node, &img)
	return origin{volume: id, bytes: img.SizeBytes, nodes: l.nodes()}, err
}

// templateOrigin finds a template or VM by VMID or name.
func (b *Backend) templateOrigin(ctx context.Context, ref string) (origin, error) {
	all, err := b.census(ctx)
	if err != nil {
		return origin{}, err
	}
	if vmid, err := vmidOf(backends.ID(ref)); err == nil {
		if _, ok := all[vmid]; ok {
			return origin{vm: idOf(vmid), path: "template"}, nil
		}
	}
	var found []int64
	for vmid, r := range all {
		if r.name() == ref {
			found = append(found, vmid)
		}
	}
	switch len(found) {
	case 0:
		return origin{}, backends.Errorf(backends.NotFound, "", "", "the cluster has no template or VM %q", ref).At("template")
	case 1:
		return origin{vm: idOf(found[0]), path: "template"}, nil
	}
	return origin{}, backends.Errorf(backends.Conflict, "", "", "%d VMs are called %q: %v", len(found), ref, found).At("template").Advise("Name one by its VMID.")
}
