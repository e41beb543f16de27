package vsphere

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// Images of the kinds "disk", "ova" and "template" are template VMs, with ids like those of other VMs. ISOs are files of a datastore with
// their datastore path as id, and so are disks on a stand-alone ESXi, which has no templates.

// ImportImage brings an image to vSphere.
func (b *Backend) ImportImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	img, err := b.importImage(ctx, spec, source)
	return img, imageError(err, "import", spec.Name)
}

func (b *Backend) importImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	if spec.Kind == "" {
		spec.Kind = "disk"
	}
	if err := b.checkImage(spec, source); err != nil {
		return backends.Image{}, err
	}
	a, err := b.arrive(ctx, spec, source)
	if err != nil {
		return backends.Image{}, err
	}
	if spec.Kind == "iso" || !b.conn.VCenter() {
		return a.file(ctx)
	}
	return a.template(ctx)
}

// checkImage refuses what needs no look at vSphere.
func (b *Backend) checkImage(spec backends.ImageSpec, source backends.ImageSource) error {
	refuse := func(code backends.Code, path backends.Path, format string, args ...any) *backends.Error {
		return backends.Errorf(code, "", "", format, args...).At(path)
	}
	made := source.VM != "" || source.LibraryItem != ""
	switch {
	case spec.Name == "" || len(spec.Name) > 80:
		return refuse(backends.Invalid, "name", "%q cannot be the name of an image: vSphere takes up to 80 characters", spec.Name)
	case spec.Kind == "iso" && (strings.ContainsAny(spec.Name, "/\\\x00[]") || strings.HasPrefix(spec.Name, ".")):
		return refuse(backends.Invalid, "name", "%q cannot be the name of a file", spec.Name)
	case !slices.Contains([]string{"disk", "iso", "ova", "template"}, spec.Kind):
		return refuse(backends.Invalid, "kind", "there are no images of kind %q; there are disk, iso, ova and template", spec.Kind)
	case spec.Format != nil && spec.Kind != "iso" && *spec.Format != "vmdk":
		return refuse(backends.Unsupported, "target_format", "vSphere stores disks as vmdk only, not as %s", *spec.Format)
	case len(spec.Properties) > 0:
		return refuse(backends.Unsupported, "properties", "the vsphere backend has no properties of images")
	case source.LibraryItem != "" && !b.conn.VCenter():
		return refuse(backends.Unsupported, "content_library", "a stand-alone ESXi has no content libraries")
	case (spec.Kind == "ova" || spec.Kind == "template") && !b.conn.VCenter():
		return refuse(backends.Unsupported, "kind", "a stand-alone ESXi has no templates, so it has no images of kind %q", spec.Kind).
			Advise("Connect to a vCenter, or import the disk alone.")
	case source.VM != "" && !b.conn.VCenter():
		return refuse(backends.Unsupported, "vm_id", "a stand-alone ESXi has no templates and clones nothing, so it makes no images of VMs").
			Advise("Connect to a vCenter, or import the disk from a file.")
	case spec.Kind == "ova" && source.OpenAppliance == nil && !made:
		return refuse(backends.Invalid, "kind", "the source is no OVA or OVF package")
	case spec.Kind == "template" && !made:
		return refuse(backends.Invalid, "kind", "a template is made from a VM, and none is given").Advise(`Set vm_id, or use kind = "ova" for a package that describes a VM.`)
	case source.VM != "" && spec.Kind != "disk" && spec.Kind != "template":
		return refuse(backends.Invalid, "kind", "an image of kind %q is not made from a VM; a disk or a template is", spec.Kind)
	case source.LibraryItem != "" && spec.Kind == "disk":
		return refuse(backends.Invalid, "kind", "an item of a content library becomes a template or an iso, not an image of a disk")
	case !made && spec.Kind != "ova" && source.Open == nil:
		return refuse(backends.Invalid, "", "the image has no source")
	}
	return nil
}

// arrival is an image on its way.
type arrival struct {
	*Backend
	spec   backends.ImageSpec
	source backends.ImageSource
	place  inventory.Place
	store  inventory.Object // where it goes
}

// arrive finds the place of an image.
func (b *Backend) arrive(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (*arrival, error) {
	a := &arrival{Backend: b, spec: spec, source: source}
	var err error
	if a.place, err = b.inv.Place(ctx, backends.PlacementSpec{Storage: spec.Storage}); err != nil {
		return nil, err
	}
	a.store, err = b.inv.Storage(ctx, a.place, spec.Storage, 0)
	return a, err
}

// room fails where the datastore cannot hold a content, before it is sent. Of what is raw and compressed nobody knows how much of it is
// zeros: then it has to fit into the datastore when that is empty.
func (a *arrival) room(ctx context.Context, c *backends.Content) error {
	need := c.Size
	if c.Format == "raw" || c.Format == "vhd" {
		x, err := a.inv.Index(ctx)
		if err != nil {
			return err
		}
		for _, s := range x.Storages() {
			if s.Name == x.Name(a.store.Ref) && c.VirtualSize <= s.CapacityBytes {
				need = 0
			}
		}
	}
	_, err := a.inv.Storage(ctx, a.place, &a.store.Path, max(need, 0))
	return err
}

// object names the image in errors and reports.
func (a *arrival) object() string { return backends.ImageObject(a.spec.Name) }

// storeNamed is the datastore with a name.
func (b *Backend) storeNamed(ctx context.Context, name string) (*datastore.Datastore, error) {
	o, err := b.inv.Find(ctx, inventory.Datastore, name)
	if err != nil {
		return nil, err
	}
	x, err := b.inv.Index(ctx)
	if err != nil {
		return nil, err
	}
	return datastore.New(b.conn, x, o), nil
}

// GetImage reads an image.
func (b *Backend) GetImage(ctx context.Context, id string) (backends.Image, error) {
	img, err := b.getImage(ctx, id)
	return img, imageError(err, "read", id)
}

// getImage reads an image; its errors name neither operation nor image.
func (b *Backend) getImage(ctx context.Context, id string) (backends.Image, error) {
	if isDatastorePath(id) {
		return b.fileImage(ctx, id)
	}
	m, err := b.imageVM(ctx, backends.ID(id))
	if err != nil {
		return backends.Image{}, err
	}
	return m.image(), nil
}

// ListImages lists the images of a datastore, or all.
func (b *Backend) ListImages(ctx context.Context, storage string) ([]backends.Image, error) {
	all, err := b.listImages(ctx, storage)
	if err != nil {
		return nil, backends.Wrap(err, "list images", "")
	}
	slices.SortFunc(all, func(x, y backends.Image) int { return cmp.Compare(x.ID, y.ID) })
	return all, nil
}

func (b *Backend) listImages(ctx context.Context, storage string) ([]backends.Image, error) {
	var only inventory.Object
	if storage != "" {
		var err error
		if only, err = b.inv.Find(ctx, inventory.Datastore, storage); err != nil {
			return nil, blame(err, "storage")
		}
	}
	ms, err := b.imageVMs(ctx)
	if err != nil {
		return nil, err
	}
	var all []backends.Image
	for _, m := range ms {
		if img := m.image(); storage == "" || img.Storage == only.Name {
			all = append(all, img)
		}
	}
	files, err := b.imageFiles(ctx, only)
	return append(all, files...), err
}

// DeleteImage removes an image that no VM needs.
func (b *Backend) DeleteImage(ctx context.Context, id string) error {
	return imageError(b.deleteImage(ctx, id), "delete", id)
}

func (b *Backend) deleteImage(ctx context.Context, id string) error {
	if isDatastorePath(id) {
		return b.deleteFileImage(ctx, id)
	}
	if _, err := b.imageVM(ctx, backends.ID(id)); err != nil {
		return err
	}
	return b.DeleteVM(ctx, backends.ID(id), backends.DeleteOptions{})
}

// imageError names operation and image in an error, also where what happened below did so in other words, and blames the image's
// attributes instead of a VM's.
func imageError(err error, op, name string) error {
	var e *backends.Error
	if !errors.As(err, &e) {
		return backends.Wrap(err, op, backends.ImageObject(name))
	}
	c := *e
	c.Op, c.Object = op, backends.ImageObject(name)
	switch {
	case strings.HasSuffix(string(c.Path), ".storage"):
		c.Path = "storage"
	case strings.ContainsAny(string(c.Path), ".["):
		c.Path = ""
	}
	return &c
}

// blame gives an error an attribute where it has none.
func blame(err error, path backends.Path) error {
	var e *backends.Error
	if !errors.As(err, &e) || e.Path != "" {
		return err
	}
	return e.At(path)
}
