package proxmox

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// Images of the kinds "disk", "ova" and "template" are template VMs, with ids like those of other VMs: Proxmox VE keeps nothing of a file but its
// name, shares the content of templates only, and makes copies of what VMs have, not of files. ISOs are files, with their volume id as id.
// A file of the content type import, which somebody else has put there, can serve as the image of a disk by its volume id.

// ImportImage brings an image to the cluster.
func (b *Backend) ImportImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	img, err := b.importImage(ctx, spec, source)
	return img, imageError(err, "import", spec.Name)
}

func (b *Backend) importImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	if spec.Kind == "" {
		spec.Kind = "disk"
	}
	if err := checkImage(spec, source); err != nil {
		return backends.Image{}, err
	}
	release, ok := b.making.name("image " + spec.Name)
	if !ok {
		return backends.Image{}, backends.Errorf(backends.Conflict, "", "", "another image of the name is being made").At("name")
	}
	defer release()
	a := &arrival{Backend: b, spec: spec, source: source, token: importToken + rand.Text()[:12]}
	if spec.Kind == "iso" {
		return a.file(ctx)
	}
	return a.template(ctx)
}

// arrival is an image on its way.
type arrival struct {
	*Backend
	spec   backends.ImageSpec
	source backends.ImageSource
	token  string // of the VM that it becomes
}

// object names the image in errors and reports.
func (a *arrival) object() string { return backends.ImageObject(a.spec.Name) }

var fileName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]*$`)

// maxImageName leaves room for a fingerprint in the name of a file.
const maxImageName = 60

// checkImage refuses what needs no look at the cluster.
func checkImage(spec backends.ImageSpec, source backends.ImageSource) error {
	refuse := func(code backends.Code, path backends.Path, format string, args ...any) *backends.Error {
		return backends.Errorf(code, "", "", format, args...).At(path)
	}
	switch {
	case !slices.Contains([]string{"disk", "iso", "ova", "template"}, spec.Kind):
		return refuse(backends.Invalid, "kind", "there are no images of kind %q; there are disk, iso, ova and template", spec.Kind)
	case spec.Kind == "iso" && (len(spec.Name) > maxImageName || !fileName.MatchString(spec.Name)):
		return refuse(backends.Invalid, "name", "%q cannot be the name of a file: Proxmox VE takes letters, digits and any of _ . -, and %d of them leave room for the rest", spec.Name, maxImageName)
	case spec.Kind != "iso" && hostnameFor(spec.Name) == "":
		return refuse(backends.Invalid, "name", "%q cannot be the name of an image: it is a template VM, and Proxmox VE takes names of hosts for VMs", spec.Name)
	case spec.Format != nil && spec.Kind == "iso" && *spec.Format != "iso":
		return refuse(backends.Invalid, "target_format", "an ISO is not converted")
	case spec.Format != nil && spec.Kind != "iso" && !slices.Contains([]string{"qcow2", "raw", "vmdk"}, *spec.Format):
		return refuse(backends.Unsupported, "target_format", "Proxmox VE stores disks as qcow2, raw or vmdk, not as %s", *spec.Format)
	case len(spec.Properties) > 0:
		return refuse(backends.Unsupported, "properties", "the proxmox backend has no properties of images")
	case source.LibraryItem != "":
		return refuse(backends.Unsupported, "content_library", "Proxmox VE has no content libraries")
	case spec.Kind == "ova" && source.OpenAppliance == nil:
		return refuse(backends.Invalid, "kind", "the source is no OVA or OVF package")
	case spec.Kind == "template" && source.VM == "":
		return refuse(backends.Invalid, "kind", "a template is made from a VM, and none is given").Advise(`Set vm_id, or use kind = "ova" for a package that describes a VM.`)
	case source.VM != "" && spec.Kind != "disk" && spec.Kind != "template":
		return refuse(backends.Invalid, "kind", "an image of kind %q is not made from a VM; a disk or a template is", spec.Kind)
	case source.VM == "" && spec.Kind != "ova" && source.Open == nil:
		return refuse(backends.Invalid, "", "the image has no source")
	}
	return nil
}

var notHostname = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// hostnameFor is the name of the VM that is an image: Proxmox VE takes names of hosts. "" is none.
func hostnameFor(name string) string {
	if len(name) > 63 {
		return ""
	}
	var labels []string
	for label := range strings.SplitSeq(notHostname.ReplaceAllString(name, "-"), ".") {
		if label = strings.Trim(label, "-"); label != "" {
			labels = append(labels, label)
		}
	}
	return strings.Join(labels, ".")
}

// GetImage reads an image.
func (b *Backend) GetImage(ctx context.Context, id string) (backends.Image, error) {
	img, err := b.getImage(ctx, id)
	return img, imageError(err, "read", id)
}

// getImage reads an image; its errors name neither operation nor image.
func (b *Backend) getImage(ctx context.Context, id string) (backends.Image, error) {
	if isVolume(id) {
		return b.fileImage(ctx, id)
	}
	m, err := b.imageVM(ctx, backends.ID(id))
	if err != nil {
		return backends.Image{}, err
	}
	return m.image(), nil
}

// isVolume reports whether an id is that of a volume, and not of a VM.
func isVolume(id string) bool { return vmconf.ParseVolume(id).Storage != "" }

// ListImages lists the images of a storage, or of all.
func (b *Backend) ListImages(ctx context.Context, storage string) ([]backends.Image, error) {
	all, err := b.listImages(ctx, storage)
	if err != nil {
		return nil, fault.Wrap(err, "list images", "")
	}
	slices.SortFunc(all, func(x, y backends.Image) int { return cmp.Compare(x.ID, y.ID) })
	return all, nil
}

func (b *Backend) listImages(ctx context.Context, storage string) ([]backends.Image, error) {
	files, err := b.imageFiles(ctx, storage)
	if err != nil {
		return nil, err
	}
	vms, err := b.imageVMs(ctx)
	if err != nil {
		return nil, err
	}
	all := files
	for _, m := range vms {
		if img := m.image(); storage == "" || img.Storage == storage {
			all = append(all, img)
		}
	}
	return all, nil
}

// DeleteImage removes an image that no VM needs.
func (b *Backend) DeleteImage(ctx context.Context, id string) error {
	return imageError(b.deleteImage(ctx, id), "delete", id)
}

func (b *Backend) deleteImage(ctx context.Context, id string) error {
	if isVolume(id) {
		return b.deleteFile(ctx, id)
	}
	m, err := b.imageVM(ctx, backends.ID(id))
	if err != nil {
		return err
	}
	return b.deleteVM(ctx, m, backends.DeleteOptions{})
}

// imageError names operation and image in an error, also where what happened below did so in other words, and blames the image's
// attributes instead of a VM's.
func imageError(err error, op, name string) error {
	err = fault.Wrap(err, op, backends.ImageObject(name))
	var e *backends.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Op, c.Object = op, backends.ImageObject(name)
	switch {
	case strings.HasSuffix(string(c.Path), ".storage"):
		c.Path = "storage"
	case strings.HasSuffix(string(c.Path), ".format"):
		c.Path = "target_format"
	case strings.ContainsAny(string(c.Path), ".["):
		c.Path = ""
	}
	return &c
}
