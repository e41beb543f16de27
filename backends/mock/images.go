package mock

import (
	"context"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// GetImage reads one image, or a template as one.
func (b *Backend) GetImage(ctx context.Context, id string) (backends.Image, error) {
	const op = "read"
	object := backends.ImageObject(id)
	if err := b.read(ctx, "GetImage", op, object, id); err != nil {
		return backends.Image{}, err
	}
	var found backends.Image
	err := b.store.view(func(w *world) error {
		if m := w.Machines[backends.ID(id)]; m != nil && m.Template {
			found = m.image()
			return nil
		}
		im := w.Images[id]
		if im == nil {
			return noImage(id)
		}
		found = im.Image
		return nil
	})
	return found, backends.Wrap(err, op, object)
}

func noImage(id string) error {
	return backends.Errorf(backends.NotFound, "", "", "there is no image with the id %q", id)
}

// ListImages returns images, templates among them, sorted by id.
func (b *Backend) ListImages(ctx context.Context, storage string) ([]backends.Image, error) {
	const op = "list images"
	if err := b.read(ctx, "ListImages", op, ""); err != nil {
		return nil, err
	}
	if storage != "" {
		if _, err := findStorage(storage, "storage"); err != nil {
			return nil, backends.Wrap(err, op, "")
		}
	}
	found := []backends.Image{}
	err := b.store.view(func(w *world) error {
		for _, im := range w.Images {
			if storage == "" || im.Storage == storage {
				found = append(found, im.Image)
			}
		}
		for _, m := range w.Machines {
			if im := m.image(); m.Template && (storage == "" || im.Storage == storage) {
				found = append(found, im)
			}
		}
		return nil
	})
	if err != nil {
		return nil, backends.Wrap(err, op, "")
	}
	slices.SortFunc(found, func(x, y backends.Image) int { return strings.Compare(x.ID, y.ID) })
	return found, nil
}

// DeleteImage removes an image. Disks are copies unless they are linked, so that
// an image is needed only by linked ones and where it lies in a drive. A template
// is deleted as the VM that it is.
func (b *Backend) DeleteImage(ctx context.Context, id string) error {
	c := call{
		method: "DeleteImage", op: "delete", object: backends.ImageObject(id),
		key: "image/" + id, names: []string{id, id[strings.LastIndex(id, "/")+1:]},
	}
	err := b.store.view(func(w *world) error {
		if m := w.Machines[backends.ID(id)]; m != nil && m.Template {
			c.object, c.key, c.vm = backends.ImageObject(m.Spec.Name), "vm/"+id, m.ID
			c.names = []string{m.Spec.Name, id}
		}
		return nil
	})
	if err != nil {
		return backends.Wrap(err, c.op, c.object)
	}
	return b.write(ctx, c, func(w *world) error {
		if m := w.Machines[backends.ID(id)]; m != nil && m.Template {
			return b.remove(w, m)
		}
		if w.Images[id] == nil {
			return noImage(id)
		}
		for _, m := range w.Machines {
			if m.Spec.CDROM != nil && m.Spec.CDROM.ISO != "" && w.findImage(m.Spec.CDROM.ISO) == w.Images[id] {
				return backends.Errorf(backends.Precondition, "", "", "it lies in the drive of VM %q", m.Spec.Name)
			}
		}
		if names := w.sharesImage(id); len(names) > 0 {
			return backends.Errorf(backends.Precondition, "", "", "%s share its content", strings.Join(names, ", ")).
				Advise("Delete them first.")
		}
		delete(w.Images, id)
		return nil
	})
}

// image tells a template as an image: all of its disks together.
func (m *machine) image() backends.Image {
	im := backends.Image{ID: string(m.ID), Name: m.Spec.Name, Kind: m.Kind, Fingerprint: m.Fingerprint}
	if im.Kind == "" {
		im.Kind = "template"
	}
	for _, key := range sortedKeys(m.Disks) {
		d, spec := m.Disks[key], m.Spec.Disks[key]
		if im.Path == "" || key == "root" {
			im.Path, im.Storage, im.Format = d.Path, value(spec.Storage), value(spec.Format)
		}
		im.SizeBytes += d.Bytes
		im.Allocated += d.spent(value(spec.Provisioning))
	}
	return im
}
