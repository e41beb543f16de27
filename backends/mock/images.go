package mock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// ImportImage reads the content to its end, so that its reader verifies it, and
// keeps what it weighs. Nothing is left of a transfer that failed.
func (b *Backend) ImportImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	storage := value(or(spec.Storage, storages[0].Name))
	id := storage + "/" + spec.Name
	c := call{
		method: "ImportImage", op: "import", object: backends.ImageObject(spec.Name),
		key: "image/" + id, names: []string{spec.Name, id},
	}
	kind := cmp.Or(spec.Kind, "disk")
	if err := b.importable(spec, source, storage, kind); err != nil {
		return backends.Image{}, backends.Wrap(err, c.op, c.object)
	}
	var done backends.Image
	err := b.run(ctx, c, func(t *task) error {
		cached, err := b.cached(id, spec.Fingerprint)
		if err != nil || cached != nil {
			done = value(cached)
			return err
		}
		im, err := b.transfer(ctx, c, t, source)
		if err != nil {
			return err
		}
		im.ID, im.Name, im.Kind, im.Storage, im.Fingerprint = id, spec.Name, kind, storage, spec.Fingerprint
		if spec.Format != nil && *spec.Format != im.Format {
			if err := b.catalogue.Require(backends.FeatureImageConversion, c.op, c.object); err != nil {
				return err
			}
			im.Format = *spec.Format
		}
		im.Path = "/mock/" + id + "." + im.Format
		return b.commit(ctx, t, func(w *world) error {
			st, err := findStorage(storage, "storage")
			if err != nil {
				return err
			}
			if total := w.used("")[storage] + im.Allocated; total > st.CapacityBytes {
				return noSpace(st, "storage", total)
			}
			w.Images[id] = &image{Image: im}
			done = im
			return nil
		})
	})
	if err != nil {
		return backends.Image{}, err
	}
	return done, nil
}

// importable checks what can be known before the transfer.
func (b *Backend) importable(spec backends.ImageSpec, source backends.ImageSource, storage, kind string) error {
	if _, err := findStorage(storage, "storage"); err != nil {
		return err
	}
	switch {
	case spec.Name == "":
		return refusal(backends.Invalid, "name", "an image needs a name")
	case kind == "ova":
		return cmp.Or(b.catalogue.Require(backends.FeatureOVAImport, "", ""),
			error(refusal(backends.Unsupported, "kind", "the mock cannot take OVA files apart")))
	case kind != "disk" && kind != "iso":
		return refusal(backends.Unsupported, "kind", "an image of kind %q cannot be imported here", kind)
	case source.VM != "":
		return refusal(backends.Unsupported, "vm_id", "an image cannot be made from a VM here")
	case source.Open == nil:
		return refusal(backends.Invalid, "", "the image has no content to read")
	}
	return b.catalogue.Require(backends.FeatureImageDownload, "", "")
}

// cached returns the image that is there already: nil where there is none, an
// error where it is another one.
func (b *Backend) cached(id, fingerprint string) (*backends.Image, error) {
	var found *backends.Image
	err := b.store.view(func(w *world) error {
		there := w.Images[id]
		if there == nil {
			return nil
		}
		if fingerprint == "" || there.Fingerprint != fingerprint || !b.catalogue.Supports(backends.FeatureImageCaching) {
			e := refusal(backends.Conflict, "name", "there is another image %q", id)
			e.Remedy = "Choose another name, or delete that image."
			return e
		}
		im := there.Image
		im.Cached = true
		found = &im
		return nil
	})
	return found, err
}

// transfer reads all of a source.
func (b *Backend) transfer(ctx context.Context, c call, t *task, source backends.ImageSource) (im backends.Image, err error) {
	if err := b.spend(ctx, c, t); err != nil {
		return im, err
	}
	content, err := source.Open(ctx)
	if err != nil {
		return im, err
	}
	defer func() { err = errors.Join(err, content.Reader.Close()) }()
	read, err := b.drain(ctx, c, t, content)
	if err != nil {
		return im, err
	}
	if content.Size >= 0 && read != content.Size {
		return im, fmt.Errorf("%d bytes came instead of %d", read, content.Size)
	}
	if read == 0 {
		return im, refusal(backends.Invalid, "", "the content is empty")
	}
	im.Format, im.SizeBytes, im.Allocated = content.Format, content.VirtualSize, read
	if im.SizeBytes < 0 {
		im.SizeBytes = read
	}
	return im, nil
}

// drain reads content to its end and reports how far it is. A reader that
// blocks is left when ctx ends: closing it lets it go.
func (b *Backend) drain(ctx context.Context, c call, t *task, content *backends.Content) (total int64, err error) {
	stop := context.AfterFunc(ctx, func() { _ = content.Reader.Close() })
	defer stop()
	buffer := make([]byte, 1<<20)
	for {
		n, err := content.Reader.Read(buffer)
		total += int64(n)
		switch {
		case ctx.Err() != nil:
			return total, ctx.Err()
		case errors.Is(err, io.EOF):
			return total, nil
		case err != nil:
			return total, err
		}
		if err := b.faults.check([]string{"ImportImage.transfer"}, c.names, c.op, c.object); err != nil {
			return total, err
		}
		p := backends.Progress{Op: c.op, Object: c.object, Task: t.ID, Percent: -1, Done: total, Total: content.Size}
		if content.Size > 0 {
			p.Percent = int(100 * total / content.Size)
		}
		backends.Report(ctx, p)
	}
}

// GetImage reads one image.
func (b *Backend) GetImage(ctx context.Context, id string) (backends.Image, error) {
	const op = "read"
	object := backends.ImageObject(id)
	if err := b.read(ctx, "GetImage", op, object, id); err != nil {
		return backends.Image{}, err
	}
	var found backends.Image
	err := b.store.view(func(w *world) error {
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

// ListImages returns images, sorted by id.
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
		return nil
	})
	if err != nil {
		return nil, backends.Wrap(err, op, "")
	}
	slices.SortFunc(found, func(x, y backends.Image) int { return strings.Compare(x.ID, y.ID) })
	return found, nil
}

// DeleteImage removes an image. Disks are copies unless they are linked, so that
// an image is needed only by linked ones and where it lies in a drive.
func (b *Backend) DeleteImage(ctx context.Context, id string) error {
	c := call{
		method: "DeleteImage", op: "delete", object: backends.ImageObject(id),
		key: "image/" + id, names: []string{id, id[strings.LastIndex(id, "/")+1:]},
	}
	return b.write(ctx, c, func(w *world) error {
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
