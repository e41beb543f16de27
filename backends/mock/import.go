package mock

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// ImportImage reads the content to its end, so that its reader verifies it, and
// keeps what it weighs. Nothing is left of a transfer that failed.
func (b *Backend) ImportImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	in := &arrival{b: b, spec: spec, source: source}
	in.storage, in.kind = value(or(spec.Storage, storages[0].Name)), cmp.Or(spec.Kind, "disk")
	in.id = in.storage + "/" + spec.Name
	in.call = call{
		method: "ImportImage", op: "import", object: backends.ImageObject(spec.Name),
		key: "image/" + in.id, names: []string{spec.Name, in.id},
	}
	if in.template() {
		in.call.key = "name/" + spec.Name // it is a VM
	}
	if err := in.check(); err != nil {
		return backends.Image{}, backends.Wrap(err, in.call.op, in.call.object)
	}
	var done backends.Image
	err := b.run(ctx, in.call, func(t *task) error {
		cached, err := in.cached()
		if err != nil || cached != nil {
			done = value(cached)
			return err
		}
		if in.template() {
			done, err = in.takeTemplate(ctx, t)
		} else {
			done, err = in.take(ctx, t)
		}
		return in.call.blame(err)
	})
	if err != nil {
		return backends.Image{}, err
	}
	return done, nil
}

// arrival is an image on its way in.
type arrival struct {
	b      *Backend
	call   call
	spec   backends.ImageSpec
	source backends.ImageSource

	id, storage, kind string
}

// template reports whether what comes is a VM that never runs.
func (in *arrival) template() bool { return in.kind == "template" || in.kind == "ova" }

// formats are what an image of a disk can be stored as.
var formats = []string{"qcow2", "raw", "vmdk"}

// check finds what can be known to be wrong before the transfer.
func (in *arrival) check() error {
	spec, source := in.spec, in.source
	invalid := func(path backends.Path, format string, args ...any) error {
		return refusal(backends.Invalid, path, format, args...)
	}
	sources := 0
	for _, set := range []bool{source.VM != "", source.LibraryItem != "", source.OpenAppliance != nil, source.Open != nil} {
		if set {
			sources++
		}
	}
	var needs backends.Feature
	switch {
	case source.LibraryItem != "":
		needs = backends.FeatureContentLibrary
	case source.VM != "":
		needs = backends.FeatureImageFromVM
	case in.kind == "ova":
		needs = backends.FeatureOVAImport
	default:
		needs = backends.FeatureImageDownload
	}
	if err := in.b.catalogue.Require(needs, "", ""); err != nil {
		return err
	}
	if _, err := findStorage(in.storage, "storage"); err != nil {
		return err
	}
	accepted := formats
	if list := in.b.catalogue.Accepts["disks.format"]; list != nil {
		accepted = list
	}
	switch {
	case spec.Name == "":
		return invalid("name", "an image needs a name")
	case !slices.Contains([]string{"disk", "iso", "ova", "template"}, in.kind):
		return invalid("kind", `%q is none of "disk", "iso", "ova" and "template"`, in.kind)
	case sources == 0:
		return invalid("", "the image has no content to read")
	case sources > 1:
		return invalid("", "an image comes from one source")
	case source.VM != "" && in.kind != "disk" && in.kind != "template":
		return invalid("kind", `of a VM an image of kind "disk" or "template" is made, not %q`, in.kind)
	case in.kind == "template" && source.VM == "" && source.LibraryItem == "":
		return invalid("kind", `a template is made from a VM or a library item; for an OVA the kind is "ova"`)
	case (in.kind == "ova") != (source.OpenAppliance != nil):
		return invalid("kind", `an OVA or OVF, and nothing else, makes an image of kind "ova"`)
	case spec.Format != nil && in.kind == "iso" && *spec.Format != "iso":
		return invalid("target_format", "an ISO image is stored as it is")
	case spec.Format != nil && in.kind != "iso" && !slices.Contains(accepted, *spec.Format):
		return invalid("target_format", "%q is none of %s", *spec.Format, strings.Join(accepted, ", "))
	}
	return nil
}

// cached returns the image that is there already: nil where there is none, an
// error where it is another one.
func (in *arrival) cached() (*backends.Image, error) {
	var found *backends.Image
	err := in.b.store.view(func(w *world) error {
		var there backends.Image
		var other error
		if in.template() {
			m := w.named(in.spec.Name)
			if m == nil {
				return nil
			}
			other = nameTaken(m)
			if m.Template {
				there = m.image()
			}
		} else {
			im := w.Images[in.id]
			if im == nil {
				return nil
			}
			other = refusal(backends.Conflict, "name", "there is another image %q", in.id).
				Advise("Choose another name, or delete that image.")
			there = im.Image
		}
		if !in.same(there) {
			return other
		}
		there.Cached = true
		found = &there
		return nil
	})
	return found, err
}

// same reports whether an image has the content that is asked for.
func (in *arrival) same(im backends.Image) bool {
	return in.spec.Fingerprint != "" && im.Fingerprint == in.spec.Fingerprint && im.Kind == in.kind &&
		in.b.catalogue.Supports(backends.FeatureImageCaching)
}

// twin finds an image of the same content under another name in the storage.
func (in *arrival) twin() (found *image, err error) {
	err = in.b.store.view(func(w *world) error {
		for _, id := range sortedKeys(w.Images) {
			if im := w.Images[id]; im.Storage == in.storage && in.same(im.Image) {
				found = im
				return nil
			}
		}
		return nil
	})
	return found, err
}

// take brings in an image of kind disk or iso.
func (in *arrival) take(ctx context.Context, t *task) (backends.Image, error) {
	b := in.b
	if err := b.spend(ctx, in.call, t); err != nil {
		return backends.Image{}, err
	}
	im, err := in.content(ctx, t)
	if err != nil {
		return backends.Image{}, err
	}
	err = b.commit(ctx, t, func(w *world) error {
		if in.source.VM != "" { // as it is now
			var err error
			if im, err = w.rootOf(in.source.VM); err != nil {
				return err
			}
		}
		im.ID, im.Name, im.Kind, im.Storage, im.Fingerprint = in.id, in.spec.Name, in.kind, in.storage, in.spec.Fingerprint
		if err := in.convert(&im.Image); err != nil {
			return err
		}
		im.Path = "/mock/" + in.id + "." + im.Format
		if err := w.fits(in.storage, im.Allocated); err != nil {
			return err
		}
		kept := im
		kept.Cached = false
		w.Images[in.id] = &kept
		return nil
	})
	return im.Image, err
}

// content is what an image of kind disk or iso is made from, but for a VM's disk,
// which is looked at when the image is made.
func (in *arrival) content(ctx context.Context, t *task) (image, error) {
	b := in.b
	twin, err := in.twin()
	switch {
	case err != nil:
		return image{}, err
	case twin != nil:
		im := clone(*twin)
		im.Cached = true
		return im, nil
	case in.source.VM != "":
		return image{}, nil
	case in.source.LibraryItem != "":
		return in.libraryItem()
	}
	content, err := in.source.Open(ctx)
	if err != nil {
		return image{}, err
	}
	err = b.store.view(func(w *world) error { return w.fits(in.storage, content.Size) })
	if err != nil {
		_ = content.Reader.Close()
		return image{}, err
	}
	im, err := b.weigh(ctx, in.call, t, content)
	if err == nil && in.kind == "disk" && (im.Format == "ova" || im.Format == "iso") {
		err = refusal(backends.Invalid, "kind", "the content is an image of kind %q, not \"disk\"", im.Format)
	}
	return image{Image: im}, err
}

// fits checks that a storage has room for more bytes.
func (w *world) fits(storage string, bytes int64) error {
	st, err := findStorage(storage, "storage")
	if err != nil {
		return err
	}
	if total := w.used("")[storage] + max(0, bytes); total > st.CapacityBytes {
		return noSpace(st, "storage", total)
	}
	return nil
}

// convert gives an image the format that is asked for. A raw image takes all of
// its space, any other what it holds.
func (in *arrival) convert(im *backends.Image) error {
	format := in.spec.Format
	if all := in.b.catalogue.Accepts["disks.format"]; format == nil && len(all) == 1 && im.Kind != "iso" {
		format = &all[0] // there is no other
	}
	if format == nil || *format == im.Format {
		return nil
	}
	if err := in.b.catalogue.Require(backends.FeatureImageConversion, "", ""); err != nil {
		return err
	}
	im.Format = *format
	if im.Format == "raw" {
		im.Allocated = im.SizeBytes
	}
	im.Allocated = min(im.Allocated, im.SizeBytes)
	return nil
}

// rootOf makes an image of a VM's root disk.
func (w *world) rootOf(id backends.ID) (image, error) {
	m := w.Machines[id]
	if m == nil {
		return image{}, refusal(backends.NotFound, "vm_id", "there is no VM with the id %q", id)
	}
	if _, err := m.source(); err != nil {
		return image{}, err
	}
	d, ok := m.Disks["root"]
	if !ok {
		return image{}, refusal(backends.Invalid, "vm_id", "VM %q has no disk \"root\"", m.Spec.Name)
	}
	return image{
		Image: backends.Image{
			Format: value(m.Spec.Disks["root"].Format), SizeBytes: d.Bytes,
			Allocated: spent("thin", d.Bytes, w.content(d)),
		},
		Data: clone(d.Data), Guest: m.Guest,
	}, nil
}
