package storage

import (
	"context"
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
	content, err := source.Open(ctx)
	if err != nil {
		return backends.Image{}, contentError(ctx, err)
	}
	defer content.Reader.Close() //nolint:errcheck // read to its end, or given up
	if err := checkContent(spec, pool, content); err != nil {
		return backends.Image{}, err
	}
	v, err := s.transfer(ctx, ref, newMarker(spec.Fingerprint), content)
	if err != nil {
		return backends.Image{}, s.undoImport(ctx, ref, err)
	}
	return image(v, spec.Fingerprint), nil
}

// checkImageSpec refuses what needs no look at the storage.
func checkImageSpec(spec backends.ImageSpec, source backends.ImageSource) error {
	unsupported := func(path backends.Path, format string, args ...any) error {
		return backends.Errorf(backends.Unsupported, "", "", format, args...).At(path)
	}
	switch {
	case spec.Name == "" || strings.ContainsAny(spec.Name, "/\\\n\x00") || strings.HasPrefix(spec.Name, ".") || len(spec.Name) > 200:
		return backends.Errorf(backends.Invalid, "", "", "%q cannot be the name of a volume", spec.Name).At("name").
			Advise("A name has up to 200 characters, no slash, and does not begin with a dot.")
	case isMarker(spec.Name):
		return backends.Errorf(backends.Invalid, "", "", "names that end in %s are taken", markerSuffix).At("name")
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
	case diskimage.SameContent(m.Fingerprint, spec.Fingerprint):
		img := image(v, m.Fingerprint)
		img.Cached = true
		return img, true, nil
	}
	return backends.Image{}, false, backends.Errorf(backends.Conflict, "", "", "the storage pool %q already has an image %q with other content", ref.Pool, ref.Name).
		At("name").Advise("Choose another name, or import the existing image under its id %q.", ref)
}

// checkContent refuses what libvirt cannot keep, before anything is transferred.
func checkContent(spec backends.ImageSpec, pool backends.Storage, c *backends.Content) error {
	files := HasFiles(pool.Kind)
	switch {
	case c.Format != "qcow2" && c.Format != "raw" && c.Format != "iso":
		return backends.Errorf(backends.Unsupported, "", "", "the image is a %s, and libvirt takes qcow2, raw and iso", c.Format).
			At("format").Advise("Convert it first: qemu-img convert -O qcow2 IMAGE IMAGE.qcow2.")
	case spec.Format != nil && *spec.Format != c.Format:
		return backends.Errorf(backends.Unsupported, "", "", "the image is a %s, and the libvirt backend does not convert it to %s (capability %s)", c.Format, *spec.Format, backends.FeatureImageConversion).
			At("format").Advise("Leave the format unset: disks of either format can be made from the image.")
	case spec.Kind == "iso" && c.Format != "iso":
		return backends.Errorf(backends.Invalid, "", "", "the image is a %s, not an ISO 9660 image", c.Format).At("kind")
	case !files && c.Format == "qcow2":
		return backends.Errorf(backends.Unsupported, "", "", "the storage pool %q of type %s has no files, so it cannot keep a qcow2 image", pool.Name, pool.Kind).
			At("storage").Advise("Choose a pool of directories, or convert the image to raw.")
	case !files && c.Size < 0:
		return backends.Errorf(backends.Unsupported, "", "", "the length of the image is not known, and the storage pool %q of type %s needs it", pool.Name, pool.Kind).
			At("storage").Advise("Choose a pool of directories, or an image that is not compressed.")
	}
	// A raw image may have holes, which take no space in a file.
	if need := c.Size; need > pool.FreeBytes && (!files || c.Format != "raw") {
		return backends.Errorf(backends.Exhausted, "", "", "the image has %d MiB, and the storage pool %q has %d MiB left", need>>20, pool.Name, pool.FreeBytes>>20).
			At("storage").Advise("Free space on the storage, or choose another one.")
	}
	return nil
}

// transfer uploads and verifies. The volume begins as a raw one, so that its content is
// exactly what is uploaded.
func (s *Store) transfer(ctx context.Context, ref Ref, m marker, c *backends.Content) (Volume, error) {
	if err := s.writeMarker(ctx, ref, m); err != nil {
		return Volume{}, err
	}
	p, err := s.pool(ctx, ref.Pool)
	if err != nil {
		return Volume{}, err
	}
	// Of unknown length: the file grows as it is written.
	size := max(c.Size, 512)
	if err := s.createXML(ctx, p, Spec{Ref: ref, CapacityBytes: size, Format: "raw"}, nil); err != nil {
		return Volume{}, err
	}
	n, err := s.upload(ctx, ref, c.Reader, c.Size)
	if err != nil {
		return Volume{}, err
	}
	if err := s.refresh(ctx, ref.Pool); err != nil {
		return Volume{}, err
	}
	v, err := s.Get(ctx, ref)
	if err != nil {
		return Volume{}, err
	}
	if err := verify(v, c, n); err != nil {
		return Volume{}, err
	}
	return v, s.complete(ctx, ref, m)
}

// verify holds what libvirt says of an uploaded volume against what was sent.
func verify(v Volume, c *backends.Content, sent int64) error {
	wrong := func(format string, args ...any) error {
		return backends.Errorf(backends.Internal, "", "", "the upload is not what was sent: "+format, args...)
	}
	size := c.VirtualSize
	if size < 0 || c.Format != "qcow2" {
		size = sent
	}
	switch {
	case c.Size >= 0 && sent != c.Size:
		return backends.Errorf(backends.Transient, "", "", "the image has %d bytes, but %d were received", c.Size, sent)
	case v.Format != c.Format && (c.Format == "qcow2" || v.Format == "qcow2"):
		return wrong("libvirt takes it for a %s, not a %s", v.Format, c.Format)
	case c.Format == "qcow2" && c.VirtualSize < 0:
		return nil // its own header is all there is
	case v.CapacityBytes < size:
		return wrong("libvirt sees %d bytes instead of %d", v.CapacityBytes, size)
	}
	return nil
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

// remove deletes an image and then its marker, which still tells what is left if only
// the first succeeds.
func (s *Store) remove(ctx context.Context, ref Ref) error {
	for _, r := range []Ref{ref, markerOf(ref)} {
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
