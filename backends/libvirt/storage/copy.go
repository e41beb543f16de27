package storage

import (
	"context"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// elsewhere looks for the content of an image under another name in the pool, and copies it on
// the host where it is found.
func (s *Store) elsewhere(ctx context.Context, ref Ref, spec backends.ImageSpec, pool backends.Storage) (backends.Image, bool, error) {
	if spec.Fingerprint == "" {
		return backends.Image{}, false, nil
	}
	all, err := s.imagesOf(ctx, ref.Pool)
	if err != nil {
		return backends.Image{}, false, err
	}
	for _, other := range all {
		if other.Name == ref.Name || !diskimage.SameContent(other.Fingerprint, spec.Fingerprint) || (spec.Kind == "iso") != (other.Kind == "iso") {
			continue
		}
		img, err := s.copyOf(ctx, ref, spec, pool, Ref{other.Storage, other.Name})
		switch {
		case err == nil:
			img.Cached = true
			return img, true, nil
		case backends.CodeOf(err) == backends.NotFound, isGone(err): // removed in the meantime
			continue
		}
		return img, false, err
	}
	return backends.Image{}, false, nil
}

// copyOf makes an image from another one, which must stay until it is done.
func (s *Store) copyOf(ctx context.Context, ref Ref, spec backends.ImageSpec, pool backends.Storage, other Ref) (backends.Image, error) {
	v, err := s.Get(ctx, other)
	if err != nil {
		return backends.Image{}, err
	}
	m, marked, err := s.readMarker(ctx, other)
	if err != nil {
		return backends.Image{}, err
	}
	if !marked || !m.Complete {
		return backends.Image{}, &backends.Error{Code: backends.Conflict, Err: errGone}
	}
	mine := newMarker(spec.Fingerprint)
	if mine.Source = m.Source; mine.Source == "" {
		mine.Source = v.Format
	}
	format := wanted(spec)
	if format == "" {
		format = natural(strings.Replace(mine.Source, "iso", "raw", 1), "", HasFiles(pool.Kind))
	}
	return s.make(ctx, ref, mine, func() (Volume, error) { return s.copy(ctx, Spec{Ref: ref, Format: format, From: &other}) })
}

// copy makes a volume from another one and lets libvirt look at what it has become: the copy of
// an ISO image is one, too.
func (s *Store) copy(ctx context.Context, spec Spec) (Volume, error) {
	backends.Report(ctx, backends.Progress{Op: "copy", Object: volumeObject(spec.Ref), Percent: -1, Total: -1})
	v, err := s.create(ctx, spec)
	if err != nil || spec.Format != "raw" {
		return v, err
	}
	if err := s.refresh(ctx, spec.Pool); err != nil {
		return Volume{}, s.undo(ctx, spec.Ref, err)
	}
	return s.Get(ctx, spec.Ref)
}

// ImageFromVolume makes the image spec.Name from what a guest sees of a volume, whatever layers
// that lies in, by a copy on the host. The volume must not be written to until it returns.
// spec.Storage, nil for the default, may be another pool than the volume's; spec.Format nil is qcow2, or raw
// where the pool has no files. Names and clean-up are as with ImportImage.
func (s *Store) ImageFromVolume(ctx context.Context, spec backends.ImageSpec, from Ref) (backends.Image, error) {
	ref := Ref{s.opts.DefaultPool, spec.Name}
	if spec.Storage != nil {
		ref.Pool = *spec.Storage
	}
	img, err := s.imageFromVolume(ctx, ref, spec, from)
	return img, backends.Wrap(err, "import", backends.ImageObject(spec.Name))
}

func (s *Store) imageFromVolume(ctx context.Context, ref Ref, spec backends.ImageSpec, from Ref) (backends.Image, error) {
	if err := checkName(spec.Name); err != nil {
		return backends.Image{}, err
	}
	unlock, err := s.lock(ctx, ref)
	if err != nil {
		return backends.Image{}, err
	}
	defer unlock()
	pool, err := s.usablePool(ctx, ref.Pool)
	if err != nil {
		return backends.Image{}, err
	}
	if img, found, err := s.earlier(ctx, ref, spec); found || err != nil {
		return img, err
	}
	format := wanted(spec)
	if format == "" {
		format = natural("", "", HasFiles(pool.Kind))
	}
	m := newMarker(spec.Fingerprint)
	m.Source = format
	img, err := s.make(ctx, ref, m, func() (Volume, error) {
		v, err := s.create(ctx, Spec{Ref: ref, Format: format, From: &from})
		return v, err
	})
	return img, atTarget(spec, err)
}
