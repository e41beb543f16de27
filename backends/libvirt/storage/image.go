package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// ImportImage uploads an image as the volume spec.Name of a pool; its id is "pool/name". See
// backends.Images for what it promises.
//
// What an interrupted import left is replaced. A volume that this product did not make
// is a Conflict: it can be used by its id as it is.
func (s *Store) ImportImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	ref := Ref{s.opts.DefaultPool, spec.Name}
	if spec.Storage != nil {
		ref.Pool = *spec.Storage
	}
	img, err := s.importImage(ctx, ref, spec, source)
	return img, backends.Wrap(err, "import", backends.ImageObject(spec.Name))
}

func (s *Store) importImage(ctx context.Context, ref Ref, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	if err := checkImageSpec(spec, source); err != nil {
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
	if img, found, err := s.elsewhere(ctx, ref, spec, pool); found || err != nil {
		return img, err
	}
	content, err := source.Open(ctx)
	if err != nil {
		return backends.Image{}, contentError(ctx, err)
	}
	defer content.Reader.Close() //nolint:errcheck // read to its end, or given up
	if spec.Kind == "iso" && content.Format != "iso" {
		return backends.Image{}, backends.Errorf(backends.Invalid, "", "", "the image is a %s, not an ISO 9660 image", content.Format).At("kind")
	}
	in, err := planReception(Spec{Ref: ref, Format: wanted(spec)}, pool, content)
	if err != nil {
		return backends.Image{}, atTarget(spec, err)
	}
	m := newMarker(spec.Fingerprint)
	m.Source = content.Format
	return s.make(ctx, ref, m, func() (Volume, error) { return s.receive(ctx, in) })
}

// make has an image's volume made under the protection of its marker.
func (s *Store) make(ctx context.Context, ref Ref, m marker, volume func() (Volume, error)) (backends.Image, error) {
	v, err := func() (Volume, error) {
		if err := s.writeMarker(ctx, ref, m); err != nil {
			return Volume{}, err
		}
		v, err := volume()
		if err != nil {
			return v, err
		}
		return v, s.complete(ctx, ref, m)
	}()
	if err != nil {
		return backends.Image{}, s.undoImport(ctx, ref, err)
	}
	return image(v, m.Fingerprint), nil
}

// wanted is the format that is asked for, or "".
func wanted(spec backends.ImageSpec) string {
	if spec.Format == nil {
		return ""
	}
	return *spec.Format
}

// atTarget blames what an image calls the format of a volume.
func atTarget(spec backends.ImageSpec, err error) error {
	var e *backends.Error
	if spec.Format != nil && errors.As(err, &e) && e.Path == "format" {
		return e.At("target_format")
	}
	return err
}

// checkName refuses what libvirt or this package cannot use as the name of an image.
func checkName(name string) error {
	switch {
	case name == "" || strings.ContainsAny(name, "/\\\n\x00") || strings.HasPrefix(name, ".") || len(name) > 200:
		return backends.Errorf(backends.Invalid, "", "", "%q cannot be the name of a volume", name).At("name").
			Advise("A name has up to 200 characters, no slash, and does not begin with a dot.")
	case isMarker(name), isIncoming(name):
		return backends.Errorf(backends.Invalid, "", "", "names that end in %s or %s are taken", markerSuffix, incomingSuffix).At("name")
	}
	return nil
}

// checkImageSpec refuses what needs no look at the storage.
func checkImageSpec(spec backends.ImageSpec, source backends.ImageSource) error {
	if err := checkName(spec.Name); err != nil {
		return err
	}
	unsupported := func(path backends.Path, format string, args ...any) error {
		return backends.Errorf(backends.Unsupported, "", "", format, args...).At(path)
	}
	switch {
	case source.VM != "":
		return unsupported("vm_id", "the libvirt backend does not make images from VMs")
	case spec.Kind != "" && spec.Kind != "disk" && spec.Kind != "iso":
		return unsupported("kind", "the libvirt backend has no images of kind %q; it has disk and iso", spec.Kind)
	case len(spec.Properties) > 0:
		return unsupported("properties", "the libvirt backend has no properties of images")
	case source.Open == nil:
		return backends.Errorf(backends.Invalid, "", "", "the image has no source")
	}
	return nil
}

func (s *Store) usablePool(ctx context.Context, name string) (backends.Storage, error) {
	pools, err := s.Pools(ctx)
	if err != nil {
		return backends.Storage{}, err
	}
	i := slices.IndexFunc(pools, func(p backends.Storage) bool { return p.Name == name })
	switch {
	case i < 0:
		return backends.Storage{}, noPoolAmong(name, pools)
	case !pools[i].Active:
		return pools[i], backends.Errorf(backends.Precondition, "", "", "the storage pool %q is not active", name).
			At("storage").Advise("Start it on the host: virsh pool-start %s.", name)
	}
	return pools[i], nil
}

// earlier looks at what has the image's name. It returns the image where it has the same
// content, and clears away what an import left that was cut short.
func (s *Store) earlier(ctx context.Context, ref Ref, spec backends.ImageSpec) (backends.Image, bool, error) {
	v, err := s.Get(ctx, ref)
	there := err == nil
	if err != nil && !isNoVolume(err) {
		return backends.Image{}, false, err
	}
	m, marked, err := s.readMarker(ctx, ref)
	if err != nil {
		return backends.Image{}, false, err
	}
	switch {
	case !there:
		return backends.Image{}, false, nil // a marker by itself is overwritten
	case !marked:
		return backends.Image{}, false, backends.Errorf(backends.Conflict, "", "", "the storage pool %q already has a volume %q, which was not made by this provider", ref.Pool, ref.Name).
			At("name").Advise("To use it, give its id %q where an image is asked for. Else choose another name, or remove it: virsh vol-delete --pool %s %s.", ref, ref.Pool, ref.Name)
	case !m.Complete:
		return backends.Image{}, false, s.remove(ctx, ref)
	case diskimage.SameContent(m.Fingerprint, spec.Fingerprint) && spec.Format != nil && *spec.Format != v.Format:
		return backends.Image{}, false, backends.Errorf(backends.Conflict, "", "", "the storage pool %q already has an image %q with the same content as a %s", ref.Pool, ref.Name, v.Format).
			At("name").Advise("Choose another name, or target_format = %q.", v.Format)
	case diskimage.SameContent(m.Fingerprint, spec.Fingerprint):
		img := image(v, m.Fingerprint)
		img.Cached = true
		return img, true, nil
	}
	return backends.Image{}, false, backends.Errorf(backends.Conflict, "", "", "the storage pool %q already has an image %q with other content", ref.Pool, ref.Name).
		At("name").Advise("Choose another name, or import the existing image under its id %q.", ref)
}

// undoImport removes what a failed import left, also when ctx has ended.
func (s *Store) undoImport(ctx context.Context, ref Ref, cause error) error {
	if isGone(cause) {
		return cause
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := s.remove(ctx, ref); err != nil {
		e := *conn.Classify(cause)
		e.Err = fmt.Errorf("%w; and %s is left behind, because it could not be removed: %w", e.Err, volumeObject(ref), err)
		return &e
	}
	return cause
}

// remove deletes an image, with what it was to be made from, and then its marker, which still tells
// what is left if only the first succeeds.
func (s *Store) remove(ctx context.Context, ref Ref) error {
	for _, r := range []Ref{incomingOf(ref), ref, markerOf(ref)} {
		if err := s.Delete(ctx, r); err != nil && !isNoVolume(err) {
			return err
		}
	}
	return nil
}

func image(v Volume, fingerprint string) backends.Image {
	kind := "disk"
	if v.Format == "iso" {
		kind = "iso"
	}
	return backends.Image{
		ID: v.Ref.String(), Name: v.Name, Kind: kind, Format: v.Format, Storage: v.Pool, Path: v.Path,
		SizeBytes: v.CapacityBytes, Allocated: v.AllocationBytes, Fingerprint: fingerprint,
	}
}

// lock makes operations on one image wait for each other.
func (s *Store) lock(ctx context.Context, ref Ref) (unlock func(), err error) {
	for {
		s.mu.Lock()
		free, taken := s.held[ref]
		if !taken {
			mine := make(chan struct{})
			s.held[ref] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				delete(s.held, ref)
				close(mine)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return nil, conn.Classify(context.Cause(ctx))
		}
	}
}
